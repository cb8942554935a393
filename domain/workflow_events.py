"""What is stored of a workflow run: its events, their topics, and the closed registry of both.

The rules are those of `domain.events`: facts in plain JSON values, topics that are words, fields that are only added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from eventsourcing.domain import CanInitAggregate
from eventsourcing.utils import register_topic

from domain.events import RUN_TOPIC, RecordedEvent

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun


class RunLife(StrEnum):
    """The events of a run. The stored topic is `workflow.` + this word, for ever."""

    STARTED = "started"
    STEP_BEGUN = "step_begun"
    STEP_ENDED = "step_ended"
    ROLLBACK_BEGUN = "rollback_begun"
    STEP_UNDO_BEGUN = "step_undo_begun"
    STEP_UNDONE = "step_undone"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCEL_REQUESTED = "cancel_requested"
    LOOKED = "looked"
    CALLBACK_REFUSED = "callback_refused"
    CHECKPOINTED = "checkpointed"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    PARTIALLY_COMPENSATED = "partially_compensated"
    NEEDS_OPERATOR = "needs_operator"
    REPORTED = "reported"
    SCHEDULED = "scheduled"
    MOMENT_CAME = "moment_came"

    @property
    def topic(self) -> str:
        return f"{RUN_TOPIC}.{self.value}"


@dataclass(frozen=True, eq=False, repr=False)
class WorkflowEvent(RecordedEvent):
    """The base of all."""

    life: ClassVar[RunLife]

    def apply(self, aggregate: WorkflowRun) -> None:
        aggregate.apply(self)


@dataclass(frozen=True, eq=False, repr=False)
class Started(CanInitAggregate[str], WorkflowEvent):
    """A run begins. `definition` is the whole document, as it was then: a file that changes later changes no run.

    `cause` says who wanted it: `idempotency_key`, `correlation_id`, `actor`, as far as they were told. A run that is
    a step says of which: `run`, `step`, and until when it is waited for, `until`. To one that a schedule started, the
    schedule is that run, and the moment that step.
    """

    originator_topic: str
    name: str
    definition: Mapping[str, Any]
    definition_hash: str
    inputs: Mapping[str, Any]
    cause: Mapping[str, Any]

    life = RunLife.STARTED
    TOPIC = RunLife.STARTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class StepBegun(WorkflowEvent):
    """A step is on its way: as the action or the `run` of this id, or waiting `until` a time, or for a callback
    (`waits_for`)."""

    step: str
    action: str | None = None
    until: str | None = None
    waits_for: str | None = None
    run: str | None = None

    life = RunLife.STEP_BEGUN
    TOPIC = RunLife.STEP_BEGUN.topic


@dataclass(frozen=True, eq=False, repr=False)
class StepEnded(WorkflowEvent):
    """`status` is succeeded, failed, skipped or timed_out; `error` is `{code, message}`.

    `result` is there only where no action holds one: what a callback brought.
    """

    step: str
    status: str
    error: Mapping[str, str] | None = None
    result: Mapping[str, Any] | None = None

    life = RunLife.STEP_ENDED
    TOPIC = RunLife.STEP_ENDED.topic


@dataclass(frozen=True, eq=False, repr=False)
class RollbackBegun(WorkflowEvent):
    """What the run did is taken back, the last first. No step begins any more."""

    by: str
    why: str

    life = RunLife.ROLLBACK_BEGUN
    TOPIC = RunLife.ROLLBACK_BEGUN.topic


@dataclass(frozen=True, eq=False, repr=False)
class StepUndoBegun(WorkflowEvent):
    """It is the turn of this step to be taken back."""

    step: str

    life = RunLife.STEP_UNDO_BEGUN
    TOPIC = RunLife.STEP_UNDO_BEGUN.topic


@dataclass(frozen=True, eq=False, repr=False)
class StepUndone(WorkflowEvent):
    """`status` is compensated, irreversible or compensation_failed; the last two leave the effect as it is."""

    step: str
    status: str
    error: Mapping[str, str] | None = None

    life = RunLife.STEP_UNDONE
    TOPIC = RunLife.STEP_UNDONE.topic


@dataclass(frozen=True, eq=False, repr=False)
class Paused(WorkflowEvent):
    """No step begins until the run is resumed; what runs ends. `through` is the run that it was paused with."""

    by: str
    why: str
    through: str | None = None

    life = RunLife.PAUSED
    TOPIC = RunLife.PAUSED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Resumed(WorkflowEvent):
    """It goes on."""

    by: str
    why: str
    through: str | None = None

    life = RunLife.RESUMED
    TOPIC = RunLife.RESUMED.topic


@dataclass(frozen=True, eq=False, repr=False)
class CancelRequested(WorkflowEvent):
    """No step begins any more, and what was done stands; the run ends with its last running step."""

    by: str
    why: str

    life = RunLife.CANCEL_REQUESTED
    TOPIC = RunLife.CANCEL_REQUESTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Looked(WorkflowEvent):
    """Somebody looked, and nothing had changed: look again at `until`."""

    until: str

    life = RunLife.LOOKED
    TOPIC = RunLife.LOOKED.topic


@dataclass(frozen=True, eq=False, repr=False)
class CallbackRefused(WorkflowEvent):
    """Somebody called back who was not waited for: too early, too late, twice, or with a forged token."""

    step: str
    why: str

    life = RunLife.CALLBACK_REFUSED
    TOPIC = RunLife.CALLBACK_REFUSED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Checkpointed(WorkflowEvent):
    """All that the events before it made of the run: whoever reads it needs none of them, but `started`."""

    state: Mapping[str, Any]

    life = RunLife.CHECKPOINTED
    TOPIC = RunLife.CHECKPOINTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Completed(WorkflowEvent):
    """Every step has ended, or was not needed."""

    life = RunLife.COMPLETED
    TOPIC = RunLife.COMPLETED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Compensated(WorkflowEvent):
    """Nothing is left of what the run did."""

    life = RunLife.COMPENSATED
    TOPIC = RunLife.COMPENSATED.topic


@dataclass(frozen=True, eq=False, repr=False)
class PartiallyCompensated(WorkflowEvent):
    """This is left of what the run did: `{step, action_id, action_type, status, why}` of each, the last first."""

    remaining: Sequence[Mapping[str, str]]

    life = RunLife.PARTIALLY_COMPENSATED
    TOPIC = RunLife.PARTIALLY_COMPENSATED.topic


@dataclass(frozen=True, eq=False, repr=False)
class NeedsOperator(WorkflowEvent):
    """Nothing goes on by itself: a person has to see to these steps."""

    steps: Sequence[str]
    why: str

    life = RunLife.NEEDS_OPERATOR
    TOPIC = RunLife.NEEDS_OPERATOR.topic


@dataclass(frozen=True, eq=False, repr=False)
class Reported(WorkflowEvent):
    """It has come to an end, and `to` has been told so: the run that it is a step of, or its schedule."""

    to: str

    life = RunLife.REPORTED
    TOPIC = RunLife.REPORTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Scheduled(WorkflowEvent):
    """It carries out no step, and starts a run at each moment of its definition's timetable. `next` is the first."""

    next: str

    life = RunLife.SCHEDULED
    TOPIC = RunLife.SCHEDULED.topic


@dataclass(frozen=True, eq=False, repr=False)
class MomentCame(WorkflowEvent):
    """A moment of the timetable has come; `next` is the one after it, None that there is none.

    Its run is a step that begins, of this moment, unless `why` says why not: `missed` (nobody looked in time, nor at
    what came up to `next`), `overlap` (the run before still goes on) or `queued` (so it waits for that).
    """

    moment: str
    next: str | None = None
    why: str | None = None

    life = RunLife.MOMENT_CAME
    TOPIC = RunLife.MOMENT_CAME.topic


RUN_REGISTRY: Mapping[str, type[WorkflowEvent]] = {
    event.TOPIC: event
    for event in (
        Started,
        StepBegun,
        StepEnded,
        RollbackBegun,
        StepUndoBegun,
        StepUndone,
        Paused,
        Resumed,
        CancelRequested,
        Looked,
        CallbackRefused,
        Checkpointed,
        Completed,
        Compensated,
        PartiallyCompensated,
        NeedsOperator,
        Reported,
        Scheduled,
        MomentCame,
    )
}
"""Every topic of a run that may stand in a ledger."""

for _topic, _event in RUN_REGISTRY.items():
    register_topic(_topic, _event)
