"""What a run learns of the actions that its steps became."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from domain.action import Action
from domain.lifecycle import Status
from domain.workflow import WorkflowRun
from domain.workflow_standing import StepStatus, UndoStatus

_ENDED: Mapping[Status, StepStatus] = {
    Status.SUCCEEDED: StepStatus.SUCCEEDED,
    Status.COMPENSATING: StepStatus.SUCCEEDED,
    Status.COMPENSATED: StepStatus.SUCCEEDED,
    Status.COMPENSATION_FAILED: StepStatus.SUCCEEDED,
    Status.EXPIRED: StepStatus.TIMED_OUT,
    Status.FAILED: StepStatus.FAILED,
    Status.REJECTED: StepStatus.FAILED,
    Status.DENIED: StepStatus.FAILED,
    Status.CANCELLED: StepStatus.FAILED,
}
_UNDONE: Mapping[Status, UndoStatus] = {
    Status.COMPENSATED: UndoStatus.COMPENSATED,
    Status.COMPENSATION_FAILED: UndoStatus.COMPENSATION_FAILED,
}


def is_news(action: Action) -> bool:
    """Whether its run has to hear how it stands."""
    return action.status in _ENDED


def learn(run: WorkflowRun, step: str, action: Action, *, at: datetime) -> None:
    """The run takes down how its step's action stands; nothing where it knows already, or the action goes on."""
    status = _ENDED.get(action.status)
    if status is None:
        return
    code, message = (str(action.error.code), action.error.message) if action.error else (None, "")
    if step not in run.ended or (run.has_failed(step) and status is StepStatus.SUCCEEDED):
        failed = status is not StepStatus.SUCCEEDED
        run.end_step(step, status, code=code if failed else None, message=message, at=at)
    undone = _UNDONE.get(action.status)
    before = run.undone.get(step)
    if undone is not None and (before is None or (before.status is not undone and undone is UndoStatus.COMPENSATED)):
        run.end_undo(step, undone, code=code, message=message, at=at)
