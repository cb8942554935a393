"""What a run learns of the actions, and of the runs, that its steps became."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from domain.action import Action
from domain.lifecycle import Status
from domain.workflow import WorkflowRun
from domain.workflow_standing import RunStatus, StepStatus, UndoStatus

BY_ITSELF = "workflow"
"""Who acts on a run, where no person does."""

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


def learn_of_run(run: WorkflowRun, step: str, child: WorkflowRun, *, at: datetime) -> None:
    """The same where the step is a run of its own.

    One that has stopped has failed, as an action has that waits for a redrive; one that is held up by a person goes on.
    """
    if not child.is_news or (run.is_schedule and step not in run.open):
        return
    status = _end_of(child)
    if step not in run.ended or (run.has_failed(step) and status is StepStatus.SUCCEEDED):
        code, message = _why_not_completed(child)
        run.end_step(step, status, code=code, message=message, at=at)
    undone = _what_became_of_taking_back(child)
    was_asked_for = step == run.undoing or step in run.undone or run.end_of(step) is StepStatus.SUCCEEDED
    before = run.undone.get(step)
    if undone is not None and was_asked_for:
        if before is None or before.status is not undone:
            run.end_undo(step, undone, **_what_is_left(child), at=at)
    elif _is_told_otherwise(run, step, child):
        code, message = _why_not_completed(child)
        run.end_step(step, status, code=code, message=message, at=at)


def _is_told_otherwise(run: WorkflowRun, step: str, child: WorkflowRun) -> bool:
    """Whether a run says of a step that something is left of it, and that is not so any more, or the other way round:
    something in it has succeeded late, or was taken back. Then it ends anew, and has its turn anew."""
    undone = run.undone.get(step)
    has_left = child.status is not RunStatus.COMPENSATED and any(True for _ in child.standing())
    if undone is not None and undone.status is UndoStatus.COMPENSATED:
        return has_left
    if run.status not in (RunStatus.COMPENSATED, RunStatus.PARTIALLY_COMPENSATED):
        return False
    return has_left is not any(left["step"] == step for left in run.remaining or ())


def _end_of(child: WorkflowRun) -> StepStatus:
    if child.status is RunStatus.COMPLETED:
        return StepStatus.SUCCEEDED
    is_too_late = child.cancelled is not None and child.cancelled["by"] == BY_ITSELF
    return StepStatus.TIMED_OUT if is_too_late else StepStatus.FAILED


def _why_not_completed(child: WorkflowRun) -> tuple[str | None, str]:
    if child.status is RunStatus.COMPLETED:
        return None, ""
    order = child.rollback or child.cancelled or child.needs or {}
    word = "cancelled" if child.cancelled is not None and child.rollback is None else str(child.status)
    return word, str(order.get("why", ""))


def _what_became_of_taking_back(child: WorkflowRun) -> UndoStatus | None:
    """None where nobody has asked for it, and something may be left."""
    if child.status is RunStatus.COMPENSATED or _was_taken_back_step_by_step(child):
        return UndoStatus.COMPENSATED
    if child.rollback is None or not child.is_over:
        return None
    left = {str(one["status"]) for one in child.remaining or ()}
    return UndoStatus.IRREVERSIBLE if left <= {UndoStatus.IRREVERSIBLE} else UndoStatus.COMPENSATION_FAILED


def _was_taken_back_step_by_step(child: WorkflowRun) -> bool:
    """Whether people have taken back all that it did, and not it as a whole."""
    return child.status is RunStatus.COMPLETED and bool(child.undone) and not any(True for _ in child.standing())


def _what_is_left(child: WorkflowRun) -> dict[str, str]:
    if not child.remaining:
        return {}
    names = ", ".join(str(one["step"]) for one in child.remaining)
    return {"code": str(child.status), "message": f"this is left of it: {names}"}
