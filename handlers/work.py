"""The worker: takes what is due from the agenda, with a number of threads, beside any number of other workers.

Two workers may take the same action: the version of its next event lets one of them act. So that this is rare, each
look has an order of its own among those who stand together in the line: all whose patience is over, and then, minute by
minute, those who still have some (`domain.priority`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from threading import Event, Lock

from domain.errors import LedgerUnavailable, UnreadableEvent
from domain.lifecycle import ENDED, Status
from domain.ports import World
from domain.priority import Place
from handlers.advance import Advance
from projections.agenda import StoredAgenda

log = logging.getLogger("execution_agent.work")

WINDOW = 256
"""Rows of the agenda that are looked at in one go."""
TOGETHER = timedelta(minutes=1)
"""Places so near to one another are as good as the same."""
MOST_ATTEMPTED = 10_000
"""Running attempts that are looked at for a dead process in one go."""
PAUSE = 0.1
"""Seconds between two looks at an agenda on which nothing is due."""
TAKE_OVER_EVERY = 1.0
"""Seconds between two looks for attempts whose process is dead."""


@dataclass(slots=True)
class Tally:
    """What a worker has done since it began."""

    advanced: int = 0
    running: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, str] = field(default_factory=dict)
    """Actions that cannot be read or worked on, and why."""

    @property
    def settled(self) -> int:
        """Actions that this worker brought to an end, or into doubt."""
        ends = {str(status) for status in ENDED} | {str(Status.IN_DOUBT)}
        return sum(count for status, count in self.by_status.items() if status in ends)


class Worker:
    """Works through the agenda until it is told to stop; what it has begun it finishes."""

    def __init__(self, agenda: StoredAgenda, advance: Advance, world: World, *, threads: int) -> None:
        self._agenda = agenda
        self._advance = advance
        self._world = world
        self._threads = threads
        self._salt = b""
        self._lock = Lock()
        self._in_flight: set[str] = set()
        self._next_take_over = 0.0
        self.tally = Tally()

    def run(self, stop: Event, *, until_idle: bool = False, tell: Callable[[Tally], None] | None = None) -> Tally:
        """Works until `stop` is set, or until nothing is due where `until_idle`.

        A ledger that cannot be read is waited for; with `until_idle` it raises LedgerUnavailable.
        `tell` is called after each look at the agenda.
        """
        with ThreadPoolExecutor(self._threads, thread_name_prefix="worker") as pool:
            while not stop.is_set():
                try:
                    taken = self._look(pool)
                except LedgerUnavailable as unavailable:
                    if until_idle:
                        raise
                    log.warning("the agenda cannot be read: %s", unavailable)
                    taken = 0
                if tell is not None:
                    tell(self.tally)
                if until_idle and not taken and not self._in_flight:
                    break
                if not taken:
                    stop.wait(PAUSE if not self._in_flight else PAUSE / 10)
        return self.tally

    def _look(self, pool: ThreadPoolExecutor) -> int:
        """Takes what is due and, now and then, what a dead process left."""
        # Another order each time: in one that stayed, whoever is last of a full window would stay last.
        self._salt = self._world.chance.entropy(8)
        taken = self._take(pool, self._due())
        if self._world.clock.monotonic() >= self._next_take_over:
            abandoned = self._abandoned()
            taken += self._take(pool, abandoned)
            if not abandoned:
                # As long as there are some, more than the threads can take at once, the next look is for the rest.
                self._next_take_over = self._world.clock.monotonic() + TAKE_OVER_EVERY
        return taken

    def _due(self) -> list[str]:
        now = self._world.clock.now()
        room = WINDOW + len(self._in_flight) + len(self.tally.quarantined)
        line = self._agenda.line(now, room)
        return [place.action_id for place in sorted(line, key=lambda place: self._turn(place, now))]

    def _turn(self, place: Place, now: datetime) -> tuple[int, bytes]:
        """When it is the turn of this place: first those of the past, whose patience is over."""
        return max((place.at - now) // TOGETHER, -1), self._own_order(place.action_id)

    def _abandoned(self) -> list[str]:
        """Attempts whose process is dead: no need to wait for their lease."""
        if not self._agenda.keeps_views:
            return []
        rows = self._agenda.views(str(Status.ATTEMPTED), MOST_ATTEMPTED)
        dead = {holder: self._world.holders.is_dead(holder) for holder in {row.holder for row in rows}}
        abandoned = [row.action_id for row in rows if dead[row.holder] and row.action_id not in self.tally.quarantined]
        return sorted(abandoned, key=self._own_order)

    def _take(self, pool: ThreadPoolExecutor, action_ids: Iterable[str]) -> int:
        """Hands to the threads what none of them has, and at most as much as keeps them busy."""
        taken = 0
        for action_id in action_ids:
            with self._lock:
                if len(self._in_flight) >= 2 * self._threads:
                    break
                if action_id in self._in_flight or action_id in self.tally.quarantined:
                    continue
                self._in_flight.add(action_id)
                self.tally.running += 1
            pool.submit(self._work_on, action_id)
            taken += 1
        return taken

    def _own_order(self, action_id: str) -> bytes:
        return blake2b(action_id.encode(), key=self._salt, digest_size=8).digest()

    def _work_on(self, action_id: str) -> None:
        status = problem = None
        try:
            status = str(self._advance(action_id).status)
        except UnreadableEvent as poison:
            problem = str(poison)
            log.error("%s cannot be read and is set aside: %s", action_id, problem)
        except LedgerUnavailable as unavailable:
            log.warning("%s: the ledger cannot be used: %s", action_id, unavailable)
        except Exception as error:
            # Whatever it is, it would come again with the next look.
            problem = f"{type(error).__name__}: {error}"
            log.exception("%s cannot be worked on and is set aside", action_id)
        finally:
            with self._lock:
                self._in_flight.discard(action_id)
                self.tally.running -= 1
                if problem is not None:
                    self.tally.quarantined[action_id] = problem
                if status is not None:
                    self.tally.advanced += 1
                    self.tally.by_status[status] = self.tally.by_status.get(status, 0) + 1
