"""Somebody rings for an action: look at it, do what is due, keep its row, and have it rung for again.

    due now                           done at once (`handlers.advance`)
    due within MOMENT                 waited for, as long as the time for an attempt is left
    due within a quarter of an hour   rung for again, to the second (`handlers.remind`)
    due later                         the agenda knows it, and the sweep works through the agenda

Whoever commits that an action waits asks for the next ring, and so does the commit's own record in the stream. A ring
that finds nothing to do asks for none, or the rings would multiply with every one that comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain.ledger import agenda_time, translated
from domain.ports import Clock, World
from handlers.advance import Advance
from handlers.execute import Deadline
from handlers.remind import Remind, seconds_until_due
from projections.agenda import SeparateViews
from projections.status import view_of

if TYPE_CHECKING:
    from domain.action import Action
    from domain.workflow import WorkflowRun

MOMENT = 2.0
"""Seconds. A shorter wait is not worth a message, and no ring waits for longer than this in all."""

SHORTEST_TURN = 2.0
"""Seconds. With less than this left before the deadline, no attempt starts."""


class OutOfTime(Exception):
    """The action is due, and there is no time left to attempt it. Somebody has to ring again."""


class Stuck(Exception):
    """The action is due, and nothing moves it. No life comes to that by itself."""


@dataclass(frozen=True, slots=True)
class Rung:
    """The action, or the workflow run, as it stands after the ring, and since when it had been due before."""

    action: Action | WorkflowRun
    due_since: datetime | None


def time_for_rings(clock: Clock, seconds: float) -> Deadline:
    """What is left of `seconds` for rings."""
    return Deadline(clock, seconds, shortest=SHORTEST_TURN)


class Doorbell:
    """For any number of threads. `views` are the rows that nobody else keeps, None where the ledger does."""

    def __init__(self, advance: Advance, views: SeparateViews | None, world: World) -> None:
        self._advance = advance
        self._views = views
        self._world = world
        self._remind = Remind(world)

    def ring(self, action_id: str, deadline: Deadline, *, newest: int | None = None) -> Rung:
        """`newest` is the version of the last event that the ringer knows of.

        Raises OutOfTime, Stuck, LedgerUnavailable (of the views' store too), ActionNotFound and what a row deserves.
        """
        action = self._advance.load(action_id)
        found, due_since = action.version, agenda_time(action)
        action = self._go_on(action, deadline)
        if self._views is not None:
            with translated():
                self._views.keep(view_of(action))
        if self._is_due(action) and not deadline.allows_an_attempt():
            raise OutOfTime(f"{action_id}: it is due, and there is no time left for an attempt")
        if action.version > found or action.version == newest:
            self._remind(action)
        return Rung(action, due_since)

    def _go_on(self, action: Action | WorkflowRun, deadline: Deadline) -> Action | WorkflowRun:
        action = self._advance.onwards(action, deadline)
        patience = MOMENT
        while (wait := self._wait_of(action)) is not None and wait <= patience and deadline.allows_an_attempt(wait):
            if wait:
                self._world.clock.sleep(wait)
                patience -= wait
            before = action.version
            action = self._advance.onwards(action, deadline)
            if action.version == before and self._is_due(action) and deadline.allows_an_attempt():
                raise Stuck(f"{action.id}: it is {action.status} and due, and there is nothing to be done about that")
        return action

    def _is_due(self, action: Action | WorkflowRun) -> bool:
        return self._wait_of(action) == 0.0

    def _wait_of(self, action: Action | WorkflowRun) -> float | None:
        return seconds_until_due(action, self._world.clock.now())
