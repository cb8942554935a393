"""Whoever started a run may wait for it: until then they carry out what is due of it, as a worker would.

So a run comes to its end on a laptop where nothing else works. Beside workers it does no harm: the version of what is
looked at lets one of them act.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from domain.errors import ActionNotFound
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import RunStatus
from handlers.advance import Advance
from handlers.execute import Deadline
from handlers.remind import seconds_until_due
from handlers.workflows.answers import answer_of
from projections.workflow_status import RunResponse

GLANCE = 0.1
"""Seconds between two looks, where nothing is due or somebody else is at work."""

_GOES_ON = (RunStatus.RUNNING, RunStatus.ROLLING_BACK)


class Accompany:
    """Waits for a run, and is of use meanwhile."""

    def __init__(self, ledger: ActionLedger, runs: RunLedger, advance: Advance, world: World) -> None:
        self._ledger = ledger
        self._runs = runs
        self._advance = advance
        self._world = world

    def __call__(self, answer: RunResponse, deadline: Deadline) -> RunResponse:
        """The answer, once the run goes on no more, or nothing comes within the deadline. Raises LedgerUnavailable."""
        run = answer.run
        if answer.duplicate or run is None:
            return answer
        while run.status in _GOES_ON:
            waits = sorted(self._waits(run))
            if not waits or not deadline.allows_an_attempt(after=waits[0][0]):
                break
            # All that is due in one go: to look at a thousand steps for each of them would be a million looks.
            moved = [self._has_moved(who, deadline) for wait, who in waits if wait <= 0]
            if not any(moved):
                self._world.clock.sleep(min(waits[0][0], GLANCE) or GLANCE)
            run = self._runs.load(run.id)
        return answer_of(self._runs, run)

    def _has_moved(self, any_id: str, deadline: Deadline) -> bool:
        if not deadline.allows_an_attempt():
            return False
        found = self._advance.load(any_id)
        before = found.version
        return self._advance.onwards(found, deadline).version > before

    def _waits(self, run: WorkflowRun) -> Iterator[tuple[float, str]]:
        """In how many seconds what has to be looked at."""
        now = self._world.clock.now()
        own = seconds_until_due(run, now)
        if own is not None:
            yield own, run.id
        for step in (*run.open, *([run.undoing] if run.undoing else ())):
            with suppress(ActionNotFound):
                yield from self._waits_of_step(run, step, now)

    def _waits_of_step(self, run: WorkflowRun, step: str, now: datetime) -> Iterator[tuple[float, str]]:
        if step in run.nested:
            yield from self._waits(self._runs.load(run.run_of(step) or ""))
            return
        action = self._ledger.load(run.action_of(step) or "")
        wait = GLANCE if action.status is Status.ATTEMPTED else seconds_until_due(action, now)
        if wait is not None:
            yield wait, action.id
