"""The sweep: works through what is due and was not rung for, so that a lost doorbell costs a minute and no more.

It goes on from where the last one left off, and moves on only past what it left nothing of: what lies after that is
worked through all the same, and looked at again next time. What was set aside counts as done: it is for people now.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeAlias

from domain.errors import LedgerError, LedgerUnavailable
from domain.instant import to_text
from domain.ledger import ActionLedger
from domain.lifecycle import Life, Status
from domain.ports import Case, World
from handlers.doorbell import Rung
from handlers.execute import Deadline
from handlers.visit import Aside, Undone, Visit
from projections.agenda import StoredAgenda
from projections.unswept import Unswept
from projections.view import ActionView

log = logging.getLogger("execution_agent.sweep")

THREADS = 16
"""Actions that are looked at beside each other."""
MOST_DUE = 10_000
"""Actions of one stretch that a sweep takes on."""
MOST_DOUBTS = 20
"""Doubts among which the oldest is looked for: those of the actions that were born first."""


_End: TypeAlias = datetime | Undone | Aside | None
"""Since when a visited action had been due, None that it was not; or why it is not done."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """`due` were found, `left` are still due, `quarantined` were set aside for the first time.

    `lag_s` is for how long the one that had waited longest was due when the sweep began; `oldest_in_doubt_s` for how
    long the oldest doubt has been open, None when that cannot be told. Both are 0.0 where there is none.
    """

    due: int
    left: int
    quarantined: int
    lag_s: float
    oldest_in_doubt_s: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


class Sweep:
    """Works through the agenda, with a number of threads, as far as its time allows."""

    def __init__(
        self,
        ledger: ActionLedger,
        agenda: StoredAgenda,
        unswept: Unswept,
        visit: Visit,
        world: World,
        *,
        threads: int = THREADS,
    ) -> None:
        self._ledger = ledger
        self._agenda = agenda
        self._unswept = unswept
        self._visit = visit
        self._world = world
        self._threads = threads

    def __call__(self, deadline: Deadline) -> SweepReport:
        """Raises LedgerUnavailable when the agenda cannot be read, and ConfigurationError."""
        began = self._world.clock.now()
        ends: list[_End] = []
        left_nothing = True
        for stretch in self._unswept.stretches(began, MOST_DUE):
            found = self._visit_all(stretch.due, deadline, event_id=f"sweep:{to_text(began)}")
            ends += found
            left_nothing = left_nothing and Undone() not in found and len(found) < MOST_DUE
            if left_nothing:
                self._move_on(stretch.until)
            if not deadline.allows_an_attempt():
                break
        return SweepReport(
            due=len(ends),
            left=ends.count(Undone()),
            quarantined=ends.count(Aside(anew=True)),
            lag_s=max([0.0, *((began - since).total_seconds() for since in ends if isinstance(since, datetime))]),
            oldest_in_doubt_s=self._oldest_doubt(),
        )

    def _visit_all(self, action_ids: Sequence[str], deadline: Deadline, *, event_id: str) -> list[_End]:
        def visit(action_id: str) -> _End:
            visited = self._visit(action_id, deadline, Case(action_id, event_id, ""))
            # Thousands of whole actions would not fit into a function.
            return visited.due_since if isinstance(visited, Rung) else visited

        with ThreadPoolExecutor(self._threads, thread_name_prefix="sweep") as pool:
            return list(pool.map(visit, action_ids))

    def _move_on(self, until: datetime) -> None:
        try:
            self._unswept.move_on(until)
        except LedgerUnavailable as unavailable:
            log.warning("the next sweep begins where this one did: %s", unavailable)

    def _oldest_doubt(self) -> float | None:
        try:
            rows = self._agenda.views(str(Status.IN_DOUBT), MOST_DOUBTS, oldest_first=True)
        except LedgerError as error:
            log.warning("nobody can tell how old the oldest doubt is: %s", error)
            return None
        now = self._world.clock.now()
        return max([0.0, *((now - self._in_doubt_since(row)).total_seconds() for row in rows)])

    def _in_doubt_since(self, row: ActionView) -> datetime:
        """Later questions to its provider do not make a doubt younger."""
        try:
            life = self._ledger.events_of(row.action_id)
        except LedgerError as error:
            log.warning("%s is in doubt, and nobody can tell for how long: %s", row.action_id, error)
            return row.updated
        return max((event.timestamp for event in life if event.life is Life.IN_DOUBT), default=row.updated)
