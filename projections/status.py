"""Where does it stand? The response of the contract and the view's row, from an action alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from domain.action import Action
from domain.errors import Code, ErrorReport, Refused
from domain.lifecycle import Status
from domain.priority import Priority
from projections.search_keys import keys_of, keys_of_run, search_key
from projections.view import ActionView

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request: six members, always all."""

    action_id: str | None
    status: str
    result: Mapping[str, Any] | None = None
    error: ErrorReport | None = None
    duplicate: bool = False
    attempts: int = 0

    def as_duplicate(self) -> Response:
        return replace(self, duplicate=True)

    def with_error(self, error: ErrorReport) -> Response:
        return replace(self, error=error)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "action_id": self.action_id,
            "status": self.status,
            "result": None if self.result is None else dict(self.result),
            "error": None if self.error is None else error_as_dict(self.error),
            "duplicate": self.duplicate,
            "attempts": self.attempts,
        }


def error_as_dict(error: ErrorReport) -> dict[str, Any]:
    """`{code, message, details}`, in plain JSON values."""
    details = [{"field": d.field, "code": str(d.code), "message": d.message} for d in error.details]
    return {"code": str(error.code), "message": error.message, "details": details}


def response_of(action: Action | WorkflowRun) -> Response:
    """Where the action stands; of a workflow run, where that stands."""
    if not isinstance(action, Action):
        return _response_of_run(action)
    return Response(
        action_id=action.id,
        status=str(action.status),
        result=_result_of(action),
        error=action.error,
        attempts=action.attempts,
    )


def _response_of_run(run: WorkflowRun) -> Response:
    result: dict[str, Any] = {"workflow": run.name}
    if run.remaining is not None:
        result["remaining"] = [dict(one) for one in run.remaining]
    if run.needs is not None:
        result["needs_operator"] = dict(run.needs)
    return Response(run.id, str(run.status), result)


def _result_of(action: Action) -> Mapping[str, Any] | None:
    """The result; where the request named fallbacks, `route` says which one won: 0 is the request's own.

    What is held says by which rule, and what there is to decide on; what is taken back says by which action, and who
    has to see to it where that failed.
    """
    if action.status is Status.HELD and action.hold is not None:
        hold = action.hold
        return {
            "held": {
                "rule": hold.rule,
                "message": hold.message,
                "details": dict(hold.details or {}),
                "request_hash": hold.request_hash,
            }
        }
    if action.compensation is not None:
        owner = {"owner": _owner_of(action)} if action.status is Status.COMPENSATION_FAILED else {}
        return {**(action.result or {}), "compensation": action.compensation, **owner}
    if action.result is None or not action.fallbacks:
        return action.result
    return {"route": {"number": action.route, "action_type": action.asked["action_type"]}, **action.result}


def _owner_of(action: Action) -> str | None:
    """Who wanted it taken back; None where its workflow run did, without a person: then the run has an owner."""
    from domain.workflow_tidings import BY_ITSELF

    by = None if action.compensation_order is None else action.compensation_order.by
    return None if action.workflow is not None and by == BY_ITSELF else by


def refusal(error: Refused) -> Response:
    """The answer to what could not be parsed: no id, no ledger entry."""
    return Response(action_id=None, status="rejected", error=ErrorReport.of(error))


def not_found(action_id: str) -> Response:
    """The answer about an action that nobody has heard of."""
    return Response(
        None, "rejected", error=ErrorReport(Code.NOT_FOUND, f"no action has the id {str(action_id)[:80]!a}")
    )


def view_of(action: Action | WorkflowRun) -> ActionView:
    """The action's row in lists and in the agenda, or the run's."""
    if not isinstance(action, Action):
        return _view_of_run(action)
    return ActionView(
        action_id=action.id,
        version=action.version,
        status=str(action.status),
        action_type=search_key(str(action.request.get("action_type", ""))) or "",
        due_at=action.due_at,
        born=action.created_on,
        updated=action.modified_on,
        holder=action.holder if action.status is Status.ATTEMPTED else None,
        priority=_priority_of(action),
        **keys_of(action),
    )


def _view_of_run(run: WorkflowRun) -> ActionView:
    return ActionView(
        action_id=run.id,
        version=run.version,
        status=str(run.status),
        action_type=f"workflow:{run.name}",
        due_at=run.due_at,
        born=run.created_on,
        updated=run.modified_on,
        **keys_of_run(run),
    )


def _priority_of(action: Action) -> Priority:
    """What was refused has a row too, and may have asked for anything."""
    options = action.request.get("options")
    return Priority.of(options.get("priority")) if isinstance(options, Mapping) else Priority.NORMAL
