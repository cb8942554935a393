"""Where a workflow run stands: what its events have made of it, and what may happen to it when.

These methods apply. They run on every read, so they never refuse and never fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from eventsourcing.domain import BaseAggregate

from domain import workflow_events as events
from domain.identity import child_run_id, step_action_id
from domain.instant import from_text, to_text
from domain.workflow_events import RunLife, WorkflowEvent

FIRST_LOOK, LAST_LOOK = timedelta(minutes=1), timedelta(days=30)
"""Until somebody looks whether a step was lost. It doubles while nothing changes: whoever ends a step says so at once,
and the looks are for the case that a process died between two ledger entries."""

REPORT_WITHIN = timedelta(minutes=1)
"""Whoever ends a run tells whoever waits for it at once. Somebody looks after so long whether that was done."""


class RunStatus(StrEnum):
    """Where a run stands, in the words of the contract."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    PARTIALLY_COMPENSATED = "partially_compensated"
    NEEDS_OPERATOR = "needs_operator"


class StepStatus(StrEnum):
    """How a step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"


class UndoStatus(StrEnum):
    """What became of taking a step back."""

    COMPENSATED = "compensated"
    IRREVERSIBLE = "irreversible"
    COMPENSATION_FAILED = "compensation_failed"


MISSED, OVERLAP, QUEUED = "missed", "overlap", "queued"
"""Why a moment has come, and no run has begun."""

OVER = frozenset({RunStatus.COMPLETED, RunStatus.COMPENSATED, RunStatus.PARTIALLY_COMPENSATED})
"""Nothing more happens by itself, nor has a person to see to anything."""

_FAILURES = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT})
_GOING_ON = frozenset(RunStatus) - OVER
_BEGINS = frozenset({RunStatus.SCHEDULED, RunStatus.RUNNING})
_ANY = frozenset(RunStatus)

MAY_STAND_AT: Mapping[RunLife, frozenset[RunStatus]] = {
    RunLife.STEP_BEGUN: _BEGINS,
    RunLife.STEP_ENDED: _ANY,
    RunLife.ROLLBACK_BEGUN: frozenset(
        {
            RunStatus.RUNNING,
            RunStatus.PAUSED,
            RunStatus.NEEDS_OPERATOR,
            RunStatus.COMPLETED,
            RunStatus.PARTIALLY_COMPENSATED,
        }
    ),
    RunLife.STEP_UNDO_BEGUN: frozenset({RunStatus.ROLLING_BACK}),
    RunLife.STEP_UNDONE: _ANY,
    RunLife.PAUSED: _BEGINS,
    RunLife.RESUMED: frozenset({RunStatus.PAUSED}),
    RunLife.CANCEL_REQUESTED: _BEGINS | {RunStatus.PAUSED, RunStatus.NEEDS_OPERATOR},
    RunLife.LOOKED: _GOING_ON,
    RunLife.CALLBACK_REFUSED: _ANY,
    RunLife.CHECKPOINTED: _GOING_ON,
    RunLife.COMPLETED: _BEGINS | {RunStatus.PAUSED},
    RunLife.COMPENSATED: _GOING_ON,
    RunLife.PARTIALLY_COMPENSATED: _GOING_ON,
    RunLife.NEEDS_OPERATOR: frozenset({RunStatus.RUNNING, RunStatus.ROLLING_BACK, RunStatus.NEEDS_OPERATOR}),
    RunLife.REPORTED: OVER | {RunStatus.NEEDS_OPERATOR},
    RunLife.SCHEDULED: frozenset({RunStatus.RUNNING}),
    RunLife.MOMENT_CAME: frozenset({RunStatus.SCHEDULED}),
}
"""What may happen to a run in which status. A step that ends, or is taken back, late is never ignored: the run then
goes on, and comes to its end anew."""


@dataclass(frozen=True, slots=True)
class Open:
    """A step that has begun and not ended: as an action or a run, or waiting for a time, for a callback, or both."""

    at: datetime
    action: str | None = None
    until: datetime | None = None
    waits_for: str | None = None
    run: str | None = None

    @property
    def only_waits(self) -> bool:
        """Nothing is done meanwhile."""
        return self.action is None and self.run is None


@dataclass(frozen=True, slots=True)
class Parent:
    """The run, and its step, that another run is."""

    run: str
    step: str


@dataclass(frozen=True, slots=True)
class Undone:
    """A step whose turn to be taken back is over, and the version of the event that says what became of it."""

    status: UndoStatus
    version: int


class RunStanding(BaseAggregate[str]):
    """The state of a run, read-only to everybody but its events."""

    @property
    def status(self) -> RunStatus:
        """Where it stands, in the words of the contract."""
        return self._status

    @property
    def called_off(self) -> Mapping[str, str] | None:
        """By whom, and why, it goes forwards no more: what has not left is not to leave."""
        return self.rollback or self.cancelled

    @property
    def is_over(self) -> bool:
        return self._status in OVER

    @property
    def has_stopped(self) -> bool:
        """A step failed, and nothing goes on until a person has acted: whoever waits for the run waits in vain."""
        is_at_work = bool(self.open) or self.undoing is not None or self.rollback is not None
        return self._status is RunStatus.NEEDS_OPERATOR and not is_at_work

    @property
    def is_news(self) -> bool:
        """Whether whoever waits for it has to hear how it stands."""
        return self.is_over or self.has_stopped

    @property
    def reports_to(self) -> str | None:
        """Who has to be told when it has come to an end: the run that it is a step of, or its schedule."""
        return None if self.parent is None else self.parent.run

    @property
    def has_time_left(self) -> bool:
        """Whether it will be cancelled when its time is over: it goes on, and nobody has stopped it yet."""
        return not (self.is_news or self.cancelled is not None or self.rollback is not None)

    @property
    def due_at(self) -> datetime | None:
        """When somebody must look: a wait or its own time is over, its next moment comes, or a step might be lost."""
        times = [one.until for one in self.open.values() if one.until is not None]
        if self.until is not None and self.has_time_left:
            times.append(self.until)
        if self.next_moment is not None and self._status is RunStatus.SCHEDULED:
            times.append(self.next_moment)
        if self.look_at is not None:
            times.append(self.look_at)
        return min(times, default=None)

    def end_of(self, step: str) -> StepStatus | None:
        """How the step ended, None where it has not."""
        return self.otherwise.get(step, StepStatus.SUCCEEDED) if step in self.ended else None

    def has_failed(self, step: str) -> bool:
        """Whether it ended, and not well."""
        return self.otherwise.get(step) in _FAILURES

    @property
    def failed(self) -> list[str]:
        """The steps that ended, and not well."""
        return [step for step, status in self.otherwise.items() if status in _FAILURES]

    def standing(self) -> Iterator[str]:
        """Steps whose action succeeded and is not taken back, the last that succeeded first.

        A run may have done something however it ended: it is among them until it is taken back, too.
        """
        for step in reversed(self.ended):
            if self._may_have_done_something(step) and not self._is_compensated(step):
                yield step

    def _may_have_done_something(self, step: str) -> bool:
        return step in self.nested or (step in self.acted and step not in self.otherwise)

    def _is_compensated(self, step: str) -> bool:
        undone = self.undone.get(step)
        return undone is not None and undone.status is UndoStatus.COMPENSATED

    def next_to_undo(self) -> str | None:
        """Whose turn it is to be taken back: the last that succeeded of those whose turn has not been yet."""
        return next((step for step in self.standing() if step not in self.undone), None)

    def action_of(self, step: str) -> str | None:
        """The id of the step's action, None where it became none."""
        return step_action_id(self.id, step) if step in self.acted else None

    def run_of(self, step: str) -> str | None:
        """The id of the run that the step became, None where it became none."""
        return child_run_id(self.id, step) if step in self.nested else None

    def apply(self, event: WorkflowEvent) -> None:
        """Called by the library for every event, new or read back."""
        self._APPLY[event.life](self, event)

    # -- its life ---------------------------------------------------------------------------------------------------

    def _started(self, event: events.Started) -> None:
        self.name: str = event.name
        self.definition: Mapping[str, Any] = event.definition
        self.definition_hash: str = event.definition_hash
        self.inputs: Mapping[str, Any] = event.inputs
        self.cause: Mapping[str, Any] = event.cause
        self.parent: Parent | None = Parent(event.cause["run"], event.cause["step"]) if "run" in event.cause else None
        """The step of another run that it is, None for all others."""
        self.until: datetime | None = from_text(event.cause["until"]) if "until" in event.cause else None
        """When its time is over: then it is cancelled."""
        self.open: dict[str, Open] = {}
        self.ended: dict[str, int] = {}
        """Steps, in the order in which they ended (what is taken back is taken back in reverse), and the version of the
        event that says so."""
        self.otherwise: dict[str, StepStatus] = {}
        """How those ended that did not succeed."""
        self.acted: set[str] = set()
        """Steps that became actions."""
        self.nested: set[str] = set()
        """Steps that became runs."""
        self.undone: dict[str, Undone] = {}
        self.undoing: str | None = None
        self.rollback: Mapping[str, str] | None = None
        self.cancelled: Mapping[str, str] | None = None
        self.needs: Mapping[str, Any] | None = None
        self.remaining: Sequence[Mapping[str, str]] | None = None
        self.refusals: int = 0
        self.looks: int = 0
        self.checkpointed_at: int = 0
        self.is_reported: bool = False
        self.is_schedule: bool = False
        """It carries out no step, and starts runs."""
        self.next_moment: datetime | None = None
        self.queued: str | None = None
        """A moment that has come, and waits for the end of the run before."""
        self.paused_through: str | None = None
        """The run that it was paused with, and goes on with."""
        self._status = RunStatus.RUNNING
        self.look_at: datetime | None = None
        self._progressed(event)

    def _step_begun(self, event: events.StepBegun) -> None:
        until = None if event.until is None else from_text(event.until)
        self.open[event.step] = Open(event.timestamp, event.action, until, event.waits_for, event.run)
        if event.action is not None:
            self.acted.add(event.step)
        if event.run is not None:
            self.nested.add(event.step)
        if event.step == self.queued:
            self.queued = None
        self._progressed(event)

    def _step_ended(self, event: events.StepEnded) -> None:
        self.open.pop(event.step, None)
        if self.is_schedule:
            # There is no end of moments: what became of each is told by its run.
            self.nested.discard(event.step)
            self._progressed(event)
            return
        self.ended.pop(event.step, None)
        self.ended[event.step] = event.originator_version
        self.otherwise.pop(event.step, None)
        if event.step in self.nested:
            # What it has done since has its turn to be taken back.
            self.undone.pop(event.step, None)
        if event.status != StepStatus.SUCCEEDED:
            self.otherwise[event.step] = StepStatus(event.status)
        self._goes_on()
        self._progressed(event)

    def _rollback_begun(self, event: events.RollbackBegun) -> None:
        self.rollback = {"by": event.by, "why": event.why}
        self._goes_on()
        self._status = RunStatus.ROLLING_BACK
        self._progressed(event)

    def _step_undo_begun(self, event: events.StepUndoBegun) -> None:
        self.undoing = event.step
        self._progressed(event)

    def _step_undone(self, event: events.StepUndone) -> None:
        self.undone[event.step] = Undone(UndoStatus(event.status), event.originator_version)
        if self.undoing == event.step:
            self.undoing = None
        self._goes_on()
        self._progressed(event)

    def _paused(self, event: events.Paused) -> None:
        self._status = RunStatus.PAUSED
        self.paused_through = event.through
        self._progressed(event)

    def _resumed(self, event: events.Resumed) -> None:
        self._status = self._at_work
        self.paused_through = None
        self._progressed(event)

    def _cancel_requested(self, event: events.CancelRequested) -> None:
        self.cancelled = {"by": event.by, "why": event.why}
        self._goes_on()
        self._progressed(event)

    def _looked(self, event: events.Looked) -> None:
        self.looks += 1
        self.look_at = from_text(event.until)

    def _callback_refused(self, _: events.CallbackRefused) -> None:
        self.refusals += 1

    def _scheduled(self, event: events.Scheduled) -> None:
        self.is_schedule = True
        self.next_moment = from_text(event.next)
        self._status = RunStatus.SCHEDULED
        self._progressed(event)

    def _moment_came(self, event: events.MomentCame) -> None:
        self.next_moment = None if event.next is None else from_text(event.next)
        if event.why == QUEUED:
            self.queued = event.moment

    def _reported(self, _: events.Reported) -> None:
        self.is_reported = True
        self.look_at = None

    def _completed(self, event: events.Completed) -> None:
        if self.is_schedule:
            # What it has started goes on without it.
            self.open.clear()
            self.queued = None
        self._ends(RunStatus.COMPLETED, event)

    def _compensated(self, event: events.Compensated) -> None:
        self._ends(RunStatus.COMPENSATED, event)

    def _partially_compensated(self, event: events.PartiallyCompensated) -> None:
        self.remaining = event.remaining
        self._ends(RunStatus.PARTIALLY_COMPENSATED, event)

    def _needs_operator(self, event: events.NeedsOperator) -> None:
        self.needs = {"steps": list(event.steps), "why": event.why}
        self._ends(RunStatus.NEEDS_OPERATOR, event)

    def _goes_on(self) -> None:
        """Whatever it had come to: something has changed. Only a pause is not ended by that."""
        self.needs = None
        self.remaining = None
        if self._status is not RunStatus.PAUSED:
            self._status = self._at_work

    @property
    def _at_work(self) -> RunStatus:
        if self.is_schedule:
            return RunStatus.SCHEDULED
        return RunStatus.RUNNING if self.rollback is None else RunStatus.ROLLING_BACK

    def _progressed(self, event: WorkflowEvent) -> None:
        self.looks = 0
        is_idle = (self._status is RunStatus.PAUSED or self.is_schedule) and not self.open
        self.look_at = None if is_idle else event.timestamp + FIRST_LOOK

    def _ends(self, status: RunStatus, event: WorkflowEvent) -> None:
        self._status = status
        self.is_reported = False
        has_to_tell = self.reports_to is not None and self.is_news
        self.look_at = event.timestamp + REPORT_WITHIN if has_to_tell else None

    # -- written down whole -----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the events made of it but for `started`, in plain JSON values."""
        return {
            "status": str(self._status),
            "open": {step: _open_as_json(one) for step, one in self.open.items()},
            "ended": dict(self.ended),
            "otherwise": {step: str(status) for step, status in self.otherwise.items()},
            "without_action": [step for step in (*self.ended, *self.open) if step not in self.acted],
            "runs": [step for step in (*self.ended, *self.open) if step in self.nested],
            "undone": {step: [str(undone.status), undone.version] for step, undone in self.undone.items()},
            "undoing": self.undoing,
            "rollback": self.rollback,
            "cancelled": self.cancelled,
            "needs": self.needs,
            "refusals": self.refusals,
            "looks": self.looks,
            "look_at": None if self.look_at is None else to_text(self.look_at),
            "reported": self.is_reported,
            "paused_through": self.paused_through,
            "schedule": None
            if not self.is_schedule
            else {"next": None if self.next_moment is None else to_text(self.next_moment), "queued": self.queued},
        }

    def _checkpointed(self, event: events.Checkpointed) -> None:
        state = event.state
        self._status = RunStatus(state["status"])
        self.open = {step: _open_from_json(one) for step, one in state["open"].items()}
        self.ended = dict(state["ended"])
        self.otherwise = {step: StepStatus(word) for step, word in state["otherwise"].items()}
        self.acted = {*self.ended, *self.open}.difference(state["without_action"])
        self.nested = set(state.get("runs", ()))
        self.undone = {step: Undone(UndoStatus(word), version) for step, (word, version) in state["undone"].items()}
        self.undoing = state["undoing"]
        self.rollback = state["rollback"]
        self.cancelled = state["cancelled"]
        self.needs = state["needs"]
        self.refusals = state["refusals"]
        self.looks = state["looks"]
        self.look_at = None if state["look_at"] is None else from_text(state["look_at"])
        self.is_reported = state.get("reported", False)
        self.paused_through = state.get("paused_through")
        schedule = state.get("schedule")
        self.is_schedule = schedule is not None
        if schedule is not None:
            self.next_moment = None if schedule["next"] is None else from_text(schedule["next"])
            self.queued = schedule["queued"]
        self.checkpointed_at = event.originator_version

    _APPLY: ClassVar[Mapping[RunLife, Callable[[Any, Any], None]]] = {
        RunLife.STARTED: _started,
        RunLife.STEP_BEGUN: _step_begun,
        RunLife.STEP_ENDED: _step_ended,
        RunLife.ROLLBACK_BEGUN: _rollback_begun,
        RunLife.STEP_UNDO_BEGUN: _step_undo_begun,
        RunLife.STEP_UNDONE: _step_undone,
        RunLife.PAUSED: _paused,
        RunLife.RESUMED: _resumed,
        RunLife.CANCEL_REQUESTED: _cancel_requested,
        RunLife.LOOKED: _looked,
        RunLife.CALLBACK_REFUSED: _callback_refused,
        RunLife.CHECKPOINTED: _checkpointed,
        RunLife.COMPLETED: _completed,
        RunLife.COMPENSATED: _compensated,
        RunLife.PARTIALLY_COMPENSATED: _partially_compensated,
        RunLife.NEEDS_OPERATOR: _needs_operator,
        RunLife.REPORTED: _reported,
        RunLife.SCHEDULED: _scheduled,
        RunLife.MOMENT_CAME: _moment_came,
    }


def _open_as_json(one: Open) -> dict[str, Any]:
    said = {
        "at": to_text(one.at),
        "action": one.action,
        "until": None if one.until is None else to_text(one.until),
        "waits_for": one.waits_for,
        "run": one.run,
    }
    return {name: value for name, value in said.items() if value is not None}


def _open_from_json(one: Mapping[str, Any]) -> Open:
    until = one.get("until")
    return Open(
        from_text(one["at"]),
        one.get("action"),
        None if until is None else from_text(until),
        one.get("waits_for"),
        one.get("run"),
    )
