"""What goes on around an append: points to be struck at, and whatever else a storm does to a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from eventsourcing.persistence import StoredEvent

from tests.storm.points import Append, Points

Around: TypeAlias = Callable[[Sequence[StoredEvent], Callable[[], None]], None]
"""Called with the events and the append itself, which it carries out: once, late, or not at all."""

_WITHOUT_A_PROCESS = (b'"lease_lapsed"', b'"holder_died"')
"""What is recorded of an attempt whose process is gone says so."""


class Watch:
    """Passes the points of every append, in a process that is to be struck."""

    def __init__(self, points: Points, around: Around | None = None) -> None:
        self.points = points
        self._around = around or _just_do_it

    def append(self, events: Sequence[StoredEvent], append: Callable[[], None]) -> None:
        """Carries the append out, between its points."""
        kind, action_id = append_of(events), str(events[0].originator_id)
        self.points.reach(f"{kind}:before", action_id)
        with self.points.appending(kind, action_id):
            self._around(events, append)
        self.points.reach(f"{kind}:after", action_id)


def append_of(events: Sequence[StoredEvent]) -> Append:
    """Which of the commits of an action's life this is."""
    match events[-1].topic:
        case "action.validated":
            return Append.ACCEPT
        case "action.attempted":
            return Append.INTENT
        case "action.late_outcome":
            return Append.LATE
        case _:
            return Append.LAPSE if any(word in events[0].state for word in _WITHOUT_A_PROCESS) else Append.OUTCOME


def _just_do_it(_: Sequence[StoredEvent], append: Callable[[], None]) -> None:
    append()
