"""Virtual time: what is to happen, one thing after the other. Nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

MOST_STEPS = 1_000_000
"""No run needs as many: one that does goes round in circles."""


class Loop:
    """A queue of things to do, by their time in seconds since the beginning; what is due together keeps its order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._steps = 0

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise RuntimeError(f"{MOST_STEPS} steps, and no end")
        heappush(self._queue, (self.now + seconds, self._steps, act))

    def run(self, until: float = inf) -> None:
        """Everything that is due until then, and what it brings about."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            when, _, act = heappop(queue)
            self.now = max(self.now, when)
            act()
        if until < inf:
            self.now = max(self.now, until)
