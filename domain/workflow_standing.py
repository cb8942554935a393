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
from domain.identity import step_action_id
from domain.instant import from_text, to_text
from domain.workflow_events import RunLife, WorkflowEvent

FIRST_LOOK, LAST_LOOK = timedelta(minutes=1), timedelta(days=30)
"""Until somebody looks whether a step was lost. It doubles while nothing changes: whoever ends a step says so at once,
and the looks are for the case that a process died between two ledger entries."""


class RunStatus(StrEnum):
    """Where a run stands, in the words of the contract."""

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


OVER = frozenset({RunStatus.COMPLETED, RunStatus.COMPENSATED, RunStatus.PARTIALLY_COMPENSATED})
"""Nothing more happens by itself, nor has a person to see to anything."""

_FAILURES = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT})
_GOING_ON = frozenset({RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.ROLLING_BACK, RunStatus.NEEDS_OPERATOR})
_ANY = frozenset(RunStatus)

MAY_STAND_AT: Mapping[RunLife, frozenset[RunStatus]] = {
    RunLife.STEP_BEGUN: frozenset({RunStatus.RUNNING}),
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
    RunLife.PAUSED: frozenset({RunStatus.RUNNING}),
    RunLife.RESUMED: frozenset({RunStatus.PAUSED}),
    RunLife.CANCEL_REQUESTED: frozenset({RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.NEEDS_OPERATOR}),
    RunLife.LOOKED: _GOING_ON,
    RunLife.CALLBACK_REFUSED: _ANY,
    RunLife.CHECKPOINTED: _GOING_ON,
    RunLife.COMPLETED: frozenset({RunStatus.RUNNING}),
    RunLife.COMPENSATED: _GOING_ON,
    RunLife.PARTIALLY_COMPENSATED: _GOING_ON,
    RunLife.NEEDS_OPERATOR: frozenset({RunStatus.RUNNING, RunStatus.ROLLING_BACK, RunStatus.NEEDS_OPERATOR}),
}
"""What may happen to a run in which status. A step that ends, or is taken back, late is never ignored: the run then
goes on, and comes to its end anew."""


@dataclass(frozen=True, slots=True)
class Open:
    """A step that has begun and not ended: as an action, or waiting until a time, for a callback, or for both."""

    at: datetime
    action: str | None = None
    until: datetime | None = None
    waits_for: str | None = None


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
    def is_over(self) -> bool:
        return self._status in OVER

    @property
    def due_at(self) -> datetime | None:
        """When somebody must look: a wait is over, or a step might be lost."""
        times = [one.until for one in self.open.values() if one.until is not None]
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
        """Steps whose action succeeded and is not taken back, the last that succeeded first."""
        for step in reversed(self.ended):
            if step not in self.otherwise and step in self.acted and not self._is_compensated(step):
                yield step

    def _is_compensated(self, step: str) -> bool:
        undone = self.undone.get(step)
        return undone is not None and undone.status is UndoStatus.COMPENSATED

    def next_to_undo(self) -> str | None:
        """Whose turn it is to be taken back: the last that succeeded of those whose turn has not been yet."""
        return next((step for step in self.standing() if step not in self.undone), None)

    def action_of(self, step: str) -> str | None:
        """The id of the step's action, None where it became none."""
        return step_action_id(self.id, step) if step in self.acted else None

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
        self.open: dict[str, Open] = {}
        self.ended: dict[str, int] = {}
        """Steps, in the order in which they ended (what is taken back is taken back in reverse), and the version of the
        event that says so."""
        self.otherwise: dict[str, StepStatus] = {}
        """How those ended that did not succeed."""
        self.acted: set[str] = set()
        """Steps that became actions."""
        self.undone: dict[str, Undone] = {}
        self.undoing: str | None = None
        self.rollback: Mapping[str, str] | None = None
        self.cancelled: Mapping[str, str] | None = None
        self.needs: Mapping[str, Any] | None = None
        self.remaining: Sequence[Mapping[str, str]] | None = None
        self.refusals: int = 0
        self.looks: int = 0
        self.checkpointed_at: int = 0
        self._status = RunStatus.RUNNING
        self.look_at: datetime | None = None
        self._progressed(event)

    def _step_begun(self, event: events.StepBegun) -> None:
        until = None if event.until is None else from_text(event.until)
        self.open[event.step] = Open(event.timestamp, event.action, until, event.waits_for)
        if event.action is not None:
            self.acted.add(event.step)
        self._progressed(event)

    def _step_ended(self, event: events.StepEnded) -> None:
        self.open.pop(event.step, None)
        self.ended.pop(event.step, None)
        self.ended[event.step] = event.originator_version
        self.otherwise.pop(event.step, None)
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
        self._progressed(event)

    def _resumed(self, event: events.Resumed) -> None:
        self._status = RunStatus.RUNNING
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

    def _completed(self, _: events.Completed) -> None:
        self._ends(RunStatus.COMPLETED)

    def _compensated(self, _: events.Compensated) -> None:
        self._ends(RunStatus.COMPENSATED)

    def _partially_compensated(self, event: events.PartiallyCompensated) -> None:
        self.remaining = event.remaining
        self._ends(RunStatus.PARTIALLY_COMPENSATED)

    def _needs_operator(self, event: events.NeedsOperator) -> None:
        self.needs = {"steps": list(event.steps), "why": event.why}
        self._ends(RunStatus.NEEDS_OPERATOR)

    def _goes_on(self) -> None:
        """Whatever it had come to: something has changed. Only a pause is not ended by that."""
        self.needs = None
        self.remaining = None
        if self._status is not RunStatus.PAUSED:
            self._status = RunStatus.RUNNING if self.rollback is None else RunStatus.ROLLING_BACK

    def _progressed(self, event: WorkflowEvent) -> None:
        self.looks = 0
        is_idle = self._status is RunStatus.PAUSED and not self.open
        self.look_at = None if is_idle else event.timestamp + FIRST_LOOK

    def _ends(self, status: RunStatus) -> None:
        self._status = status
        self.look_at = None

    # -- written down whole -----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the events made of it but for `started`, in plain JSON values."""
        return {
            "status": str(self._status),
            "open": {step: _open_as_json(one) for step, one in self.open.items()},
            "ended": dict(self.ended),
            "otherwise": {step: str(status) for step, status in self.otherwise.items()},
            "without_action": [step for step in (*self.ended, *self.open) if step not in self.acted],
            "undone": {step: [str(undone.status), undone.version] for step, undone in self.undone.items()},
            "undoing": self.undoing,
            "rollback": self.rollback,
            "cancelled": self.cancelled,
            "needs": self.needs,
            "refusals": self.refusals,
            "looks": self.looks,
            "look_at": None if self.look_at is None else to_text(self.look_at),
        }

    def _checkpointed(self, event: events.Checkpointed) -> None:
        state = event.state
        self._status = RunStatus(state["status"])
        self.open = {step: _open_from_json(one) for step, one in state["open"].items()}
        self.ended = dict(state["ended"])
        self.otherwise = {step: StepStatus(word) for step, word in state["otherwise"].items()}
        self.acted = {*self.ended, *self.open}.difference(state["without_action"])
        self.undone = {step: Undone(UndoStatus(word), version) for step, (word, version) in state["undone"].items()}
        self.undoing = state["undoing"]
        self.rollback = state["rollback"]
        self.cancelled = state["cancelled"]
        self.needs = state["needs"]
        self.refusals = state["refusals"]
        self.looks = state["looks"]
        self.look_at = None if state["look_at"] is None else from_text(state["look_at"])
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
    }


def _open_as_json(one: Open) -> dict[str, Any]:
    said = {
        "at": to_text(one.at),
        "action": one.action,
        "until": None if one.until is None else to_text(one.until),
        "waits_for": one.waits_for,
    }
    return {name: value for name, value in said.items() if value is not None}


def _open_from_json(one: Mapping[str, Any]) -> Open:
    until = one.get("until")
    return Open(
        from_text(one["at"]), one.get("action"), None if until is None else from_text(until), one.get("waits_for")
    )
