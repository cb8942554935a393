"""Undo of one action by its id, for programs that act for an operator.

    in: {"undo": {"action_id", "actor", "reason", "request_hash"?, "force"?}}       out: the response of the contract
    POST /actions/{id}/undo, with the others as the body                            the same

Whoever may ask for actions may be an agent that somebody has talked into something, so a door takes no undo unless
EXECUTION_AGENT_UNDO names it; there is none for tools, queues and buses. Actor and reason are recorded, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from agents.execution_agent.doors.invocation import Invocation
from domain.errors import Code, FieldError
from domain.refusal import dotted, kind_of, refusal_of_all
from domain.refusal import refusal as refusal_with
from projections.status import refusal

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

SETTING = "EXECUTION_AGENT_UNDO"

_MEMBERS: Mapping[str, tuple[type, str]] = {
    "action_id": (str, "a string"),
    "actor": (str, "a string"),
    "reason": (str, "a string"),
    "request_hash": (str, "a string"),
    "force": (bool, "true or false"),
}
_REQUIRED = ("action_id", "actor", "reason")


def answer(agent: ExecutionAgent, event: Any, invocation: Invocation) -> dict[str, Any]:
    """The response of the contract."""
    if set(event) != {"undo"}:
        others = ", ".join(sorted(dotted([name]) for name in event if name != "undo"))
        return refusal(refusal_of_all(Code.MALFORMED, f"an undo stands alone; beside it is {others}")).as_dict()
    return undone(agent, event["undo"], invocation, door="direct", path="undo")


def broken(event: Any, error: Exception) -> NoReturn:  # noqa: ARG001 - a door's shape
    """The function fails: whoever called it sees that nothing was answered."""
    raise error


def undone(agent: ExecutionAgent, order: object, invocation: Invocation, *, door: str, path: str) -> dict[str, Any]:
    """The response to an order that came through `door`; `path` is where it stands, in words of the caller."""
    if not agent.takes_undo_from(door):
        message = f"nobody takes anything back through this door: {SETTING} does not name {door}"
        return refusal(refusal_of_all(Code.NOT_ALLOWED, message)).as_dict()
    if not isinstance(order, dict):
        message = f"must be an object; it is {kind_of(order)}"
        return refusal(refusal_with([FieldError(path, Code.INVALID_TYPE, message)])).as_dict()
    problems = [*_problems(order, path)]
    if problems:
        return refusal(refusal_with(problems)).as_dict()
    return agent.undo(
        order["action_id"],
        actor=order["actor"],
        reason=order["reason"],
        force=order.get("force", False),
        request_hash=order.get("request_hash"),
        wait=invocation.wait(),
    )


def _problems(order: Mapping[Any, Any], path: str) -> Iterator[FieldError]:
    for name in order:
        if name not in _MEMBERS:
            there = ", ".join(_MEMBERS)
            yield FieldError(
                dotted([*([path] if path else []), name]), Code.UNKNOWN_FIELD, f"unknown; there are {there}"
            )
    for name, (kind, wanted) in _MEMBERS.items():
        where = f"{path}.{name}" if path else name
        if name not in order:
            if name in _REQUIRED:
                yield FieldError(where, Code.MISSING_FIELD, f"is required: {wanted}")
        elif type(order[name]) is not kind:
            yield FieldError(where, Code.INVALID_TYPE, f"must be {wanted}; it is {kind_of(order[name])}")
    if order.get("force") is True and "request_hash" not in order:
        # Whoever insists has seen what is held, and says so.
        where = f"{path}.request_hash" if path else "request_hash"
        yield FieldError(where, Code.MISSING_FIELD, "is required with force: the hash of what is held")
