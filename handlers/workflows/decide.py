"""What follows from what a run has learned: decided in the commit that says what it learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.action import Order
from domain.errors import Refused
from domain.identity import child_run_id, step_action_id
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, Step, StepKind, moment_of
from domain.workflow_events import RunLife, WorkflowEvent
from domain.workflow_ledger import RunLedger
from domain.workflow_progress import (
    MOST_TOGETHER,
    Begin,
    Complete,
    Conclude,
    GiveUp,
    NeedOperator,
    Next,
    RollBack,
    Undo,
    next_of,
)
from domain.workflow_standing import StepStatus
from domain.workflow_tidings import BY_ITSELF
from handlers.workflows.context import Contexts
from handlers.workflows.expressions import evaluate, holds
from handlers.workflows.remains import Remains
from handlers.workflows.timetable import keep_timetable

CALLED_OFF = frozenset({RunLife.CANCEL_REQUESTED, RunLife.ROLLBACK_BEGUN})
"""What the actions of its open steps have to hear, too: they wait for workers, for a retry or for approval."""
PASSED_ON = frozenset({RunLife.PAUSED, RunLife.RESUMED}) | CALLED_OFF
"""What happens to a run happens to the runs that its steps are."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a commit of a run leaves to be done: a step is to become an action or a run, or to be taken back; its run
    is to hear what has become of this one; or its action is called off, as this run is."""

    step: str
    is_undo: bool = False


class Decide:
    """Decides, and does nothing."""

    def __init__(self, runs: RunLedger, contexts: Contexts, world: World) -> None:
        self._runs = runs
        self._contexts = contexts
        self._remains = Remains(runs)
        self._world = world

    def __call__(self, run: WorkflowRun) -> list[Errand]:
        """All that follows now, until something has to happen first. Raises LedgerUnavailable."""
        definition, now = self._runs.definition_of(run), self._world.clock.now()
        if run.is_schedule:
            return [Errand(moment) for moment in keep_timetable(run, definition, now)]
        errands: list[Errand] = []
        _take_down_time(run, now)
        while (following := next_of(run, definition)) is not None:
            errands += self._follow(run, definition, following, now)
            _take_down_time(run, now)
            if len(run.pending_events) >= MOST_TOGETHER:
                break  # whoever carries these errands out decides again
        return [*errands, *(errand for errand in _passed_on(run) if errand not in errands)]

    def _follow(self, run: WorkflowRun, definition: Definition, following: Next, now: datetime) -> list[Errand]:
        match following:
            case Begin(steps):
                return [errand for step in steps for errand in self._begin(run, definition, step, now)]
            case Undo(step):
                run.begin_undo(step, at=now)
                return [Errand(step, is_undo=True)]
            case RollBack(why):
                run.begin_rollback(BY_ITSELF, why, at=now)
            case GiveUp(waiting, why):
                for name in waiting:
                    run.give_up_step(name, why, at=now)
            case NeedOperator(names, why):
                run.need_operator(names, why, at=now)
            case Complete():
                run.complete(at=now)
            case Conclude():
                run.conclude(self._remains.of(run), at=now)
        return []

    def _begin(self, run: WorkflowRun, definition: Definition, step: Step, now: datetime) -> Iterator[Errand]:
        """What cannot begin has failed: an expression that names nothing is the step's fault, not the engine's."""
        try:
            if not self._is_wanted(run, definition, step):
                run.skip_step(step.id, at=now)
            elif step.kind is StepKind.ACTION:
                run.begin_action(step.id, step_action_id(run.id, step.id), at=now)
                yield Errand(step.id)
            elif step.kind is StepKind.WAIT:
                run.begin_wait(step.id, self._end_of_wait(run, definition, step, now), at=now)
            elif step.kind is StepKind.WORKFLOW:
                run.begin_run(step.id, child_run_id(run.id, step.id), at=now)
                yield Errand(step.id)
            else:
                run.begin_callback(step.id, now + step.timeout if step.timeout else None, at=now)
        except Refused as refused:
            run.end_step(step.id, StepStatus.FAILED, code=str(refused.code), message=refused.message, at=now)

    def _is_wanted(self, run: WorkflowRun, definition: Definition, step: Step) -> bool:
        if step.condition is None:
            return True
        return holds(step.condition, self._contexts.of_condition(run, definition, step.condition))

    def _end_of_wait(self, run: WorkflowRun, definition: Definition, step: Step, now: datetime) -> datetime:
        if step.wait_for is not None:
            return now + step.wait_for
        context = self._contexts.of(run, definition, [step.wait_until])
        return moment_of(evaluate(step.wait_until, context))


def _take_down_time(run: WorkflowRun, now: datetime) -> None:
    """What waited until now has waited long enough; what waited for somebody to call back was not called back; and the
    step that the run is may take no longer."""
    if run.until is not None and run.until <= now and run.has_time_left:
        run.cancel(Order(BY_ITSELF, "it took longer than its step may take"), at=now)
    for step, one in list(run.open.items()):
        if one.until is None or one.until > now:
            continue
        if len(run.pending_events) >= MOST_TOGETHER:
            return
        if one.waits_for is None:
            run.end_step(step, StepStatus.SUCCEEDED, at=now)
        else:
            run.end_step(step, StepStatus.TIMED_OUT, code="timed_out", message="nobody called back in time", at=now)


def _passed_on(run: WorkflowRun) -> Iterator[Errand]:
    happened = {event.life for event in run.pending_events if isinstance(event, WorkflowEvent)}
    if happened & PASSED_ON:
        yield from (Errand(step) for step, one in run.open.items() if one.run is not None)
    if happened & CALLED_OFF:
        yield from (Errand(step) for step, one in run.open.items() if one.action is not None)
