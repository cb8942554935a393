"""The workflow run: an event-sourced aggregate of its own.

    started ──► running ──► completed
                 │  ▲ │
                 │  │ └──► paused ──► running
                 │  │
                 │  └────── needs_operator ◄── a step failed, and the definition says stop; or a person is waited for
                 ▼
             rolling_back ──► compensated              nothing is left of what it did
                          ──► partially_compensated    this is left: ...

A public method decides: it refuses (IllegalTransition) or says what happened, as an event. Steps are actions, or runs
of their own, and the run knows of them only how they ended: results stay with them, so a run stays small. What an event
makes of the run stands in `domain.workflow_standing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from eventsourcing.utils import register_topic

from domain import workflow_events as events
from domain.action import Order
from domain.errors import IllegalTransition
from domain.events import RUN_TOPIC
from domain.instant import to_text
from domain.workflow_events import RunLife, WorkflowEvent
from domain.workflow_standing import MAY_STAND_AT, RunStanding, StepStatus, UndoStatus

CHECKPOINT_EVERY = 64
"""Events after which the whole state is written down, so that no reader needs more than these."""
MOST_REFUSALS = 32
"""Refused callbacks that are recorded of a run: whoever forges many fills no ledger."""
LONGEST_WHY = 120
"""Characters of a reason that a run keeps; the action has all of it."""


class WorkflowRun(RunStanding):
    """One run: what may be decided about it."""

    TOPIC: ClassVar[str] = RUN_TOPIC

    @classmethod
    def started(
        cls,
        run_id: str,
        *,
        name: str,
        definition: Mapping[str, Any],
        definition_hash: str,
        inputs: Mapping[str, Any],
        cause: Mapping[str, Any],
        at: datetime,
    ) -> WorkflowRun:
        """A new run, of the definition as it is now."""
        return cls._create(
            events.Started,
            id=run_id,
            name=name,
            definition=definition,
            definition_hash=definition_hash,
            inputs=inputs,
            cause=cause,
            timestamp=at,
        )

    @classmethod
    def as_of(cls, started: events.Started, checkpoint: events.Checkpointed) -> WorkflowRun:
        """The run as a checkpoint has it."""
        run: Any = started.mutate(None)
        run.version = checkpoint.originator_version - 1
        checkpoint.mutate(run)
        found: WorkflowRun = run
        return found

    # -- a timetable ------------------------------------------------------------------------------------------------

    def schedule(self, first: datetime, *, at: datetime) -> None:
        """It is to start runs, the first at that moment."""
        self._happened(events.Scheduled, at, next=to_text(first))

    def moment_came(
        self, moment: datetime, following: datetime | None, why: str | None = None, *, at: datetime
    ) -> None:
        """This moment has come, and `following` is the next. `why` says why no run begins."""
        after = None if following is None else to_text(following)
        self._happened(events.MomentCame, at, moment=to_text(moment), next=after, why=why)

    # -- steps ------------------------------------------------------------------------------------------------------

    def begin_action(self, step: str, action_id: str, *, at: datetime) -> None:
        """The step goes on as this action."""
        self._require_fresh(step)
        self._happened(events.StepBegun, at, step=step, action=action_id)

    def begin_run(self, step: str, run_id: str, *, at: datetime) -> None:
        """The step goes on as this run."""
        self._require_fresh(step)
        self._happened(events.StepBegun, at, step=step, run=run_id)

    def begin_wait(self, step: str, until: datetime, *, at: datetime) -> None:
        """The step is over at that time."""
        self._require_fresh(step)
        self._happened(events.StepBegun, at, step=step, until=to_text(until))

    def begin_callback(self, step: str, until: datetime | None, *, at: datetime) -> None:
        """The step is over when somebody calls back; `until` is when nobody waits any longer."""
        self._require_fresh(step)
        self._happened(
            events.StepBegun, at, step=step, until=None if until is None else to_text(until), waits_for="callback"
        )

    def skip_step(self, step: str, *, at: datetime) -> None:
        """Its condition does not hold."""
        self._require_fresh(step)
        self._happened(events.StepEnded, at, step=step, status=str(StepStatus.SKIPPED))

    def give_up_step(self, step: str, why: str, *, at: datetime) -> None:
        """It waited, and what it waited for does not matter any more."""
        self._require_open(step)
        error = {"code": "given_up", "message": why}
        self._happened(events.StepEnded, at, step=step, status=str(StepStatus.SKIPPED), error=error)

    def end_step(
        self,
        step: str,
        status: StepStatus,
        *,
        code: str | None = None,
        message: str = "",
        result: Mapping[str, Any] | None = None,
        at: datetime,
    ) -> None:
        """It has ended so. One that failed may still succeed, when a person redrives its action; a run may come to
        another end than it had, and more or less may be left of it."""
        may_end_anew = step in self.nested or (self.has_failed(step) and status is StepStatus.SUCCEEDED)
        if step in self.ended and not may_end_anew:
            raise IllegalTransition(f"the step {step!r} is {self.end_of(step)} already")
        error = None if code is None else {"code": code, "message": message[:LONGEST_WHY]}
        self._happened(events.StepEnded, at, step=step, status=str(status), error=error, result=result)

    def _require_fresh(self, step: str) -> None:
        if step in self.open or step in self.ended:
            raise IllegalTransition(f"the step {step!r} has begun already")

    def _require_open(self, step: str) -> None:
        if step not in self.open:
            raise IllegalTransition(f"the step {step!r} is not running")

    # -- taking back ------------------------------------------------------------------------------------------------

    def begin_rollback(self, by: str, why: str, *, at: datetime) -> None:
        """What it did is to be taken back."""
        if self.is_schedule:
            raise IllegalTransition("a schedule does nothing itself: take back the runs that it has started")
        if self.rollback is not None:
            raise IllegalTransition("it is taken back already")
        self._happened(events.RollbackBegun, at, by=by, why=why)

    def begin_undo(self, step: str, *, at: datetime) -> None:
        """The turn of this step has come."""
        if self.undoing is not None or step != self.next_to_undo():
            raise IllegalTransition(f"it is not the turn of the step {step!r}")
        self._happened(events.StepUndoBegun, at, step=step)

    def end_undo(
        self, step: str, status: UndoStatus, *, code: str | None = None, message: str = "", at: datetime
    ) -> None:
        """It is taken back, or stays. What failed may still succeed, when a person redrives the compensation; and of a
        run, a step that succeeds late may bring it to another end."""
        before = self.undone.get(step)
        may_change = before is None or (
            before.status is not status
            if step in self.nested
            else before.status is UndoStatus.COMPENSATION_FAILED and status is UndoStatus.COMPENSATED
        )
        has_happened = self.end_of(step) is StepStatus.SUCCEEDED or (step in self.nested and step in self.ended)
        if not may_change or not has_happened:
            raise IllegalTransition(f"there is nothing to take back of the step {step!r}")
        error = None if code is None else {"code": code, "message": message[:LONGEST_WHY]}
        self._happened(events.StepUndone, at, step=step, status=str(status), error=error)

    # -- people -----------------------------------------------------------------------------------------------------

    def pause(self, order: Order, *, through: str | None = None, at: datetime) -> None:
        """No step begins until it is resumed. `through` is the run with which it is paused."""
        self._happened(events.Paused, at, by=order.by, why=order.why, through=through)

    def resume(self, order: Order, *, through: str | None = None, at: datetime) -> None:
        """It goes on."""
        if self.paused_through not in (None, through):
            raise IllegalTransition(f"it was paused with {self.paused_through}: resume that")
        self._happened(events.Resumed, at, by=order.by, why=order.why, through=through)

    def cancel(self, order: Order, *, at: datetime) -> None:
        """No step begins any more, and what was done stands."""
        if self.cancelled is not None:
            raise IllegalTransition("it is cancelled already")
        self._happened(events.CancelRequested, at, by=order.by, why=order.why)

    def refuse_callback(self, step: str, why: str, *, at: datetime) -> bool:
        """Whether it is recorded: after many it is not, so that nobody can fill the ledger."""
        if self.refusals >= MOST_REFUSALS:
            return False
        self._happened(events.CallbackRefused, at, step=step, why=why)
        return True

    # -- where it stands --------------------------------------------------------------------------------------------

    def look_again(self, until: datetime, *, at: datetime) -> None:
        """Nothing has changed: somebody looks once more at that time."""
        self._happened(events.Looked, at, until=to_text(until))

    def complete(self, *, at: datetime) -> None:
        """Every step has ended."""
        self._happened(events.Completed, at)

    def conclude(self, remaining: Sequence[Mapping[str, str]], *, at: datetime) -> None:
        """It is over, and this is left of what it did."""
        if remaining:
            self._happened(events.PartiallyCompensated, at, remaining=list(remaining))
        else:
            self._happened(events.Compensated, at)

    def need_operator(self, steps: Sequence[str], why: str, *, at: datetime) -> None:
        """A person has to see to these steps; nothing goes on by itself."""
        self._happened(events.NeedsOperator, at, steps=list(steps), why=why)

    def reported(self, *, at: datetime) -> None:
        """Whoever waits for it has been told of its end."""
        self._happened(events.Reported, at, to=self.reports_to)

    def checkpoint(self, *, at: datetime) -> None:
        """Writes the state down, once enough has happened since the last time. What is over is not read often."""
        if not self.is_over and self.version - self.checkpointed_at >= CHECKPOINT_EVERY:
            self._happened(events.Checkpointed, at, state=self.state())

    # -- deciding ---------------------------------------------------------------------------------------------------

    def _happened(self, event: type[WorkflowEvent], at: datetime, **says: Any) -> None:
        require_may_stand(event.life, self)
        happened = event(originator_id=self.id, originator_version=self.version + 1, timestamp=at, **says)
        happened.mutate(self)
        self.pending_events.append(happened)


def require_may_stand(event: RunLife, run: RunStanding) -> None:
    """Raises IllegalTransition unless the table lets `event` happen to a run in this status."""
    if run.status not in MAY_STAND_AT[event]:
        raise IllegalTransition(f"{event.value!r} may not happen to a run that is {run.status.value!r}")


register_topic(RUN_TOPIC, WorkflowRun)
