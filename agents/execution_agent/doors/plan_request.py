"""A plan, read: each of its actions as the request of the contract, for the one gate to judge.

    {"actions": [{"action_type" or "type", "parameters", "priority"?, "reasoning"?, ...}, ...],
     "decision"?, "correlation_id"?, "human_review_required"?, "on_failure"?: "continue" | "stop",
     "summary"?, "review_notes"?}

`priority` and `reasoning` are words for `options.priority` and `decision.reason`; whatever else a request may have, an
action of a plan may have too. `decision` and `correlation_id` of the plan hold for each action that brings none.
`summary` and `review_notes` are for people who review: they are recorded where the plan asks for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from agents.execution_agent.doors.invocation import Invocation
from domain.errors import Code, FieldError
from domain.hold import Hold
from domain.refusal import dotted, kind_of, refusal, refusal_of_all

MOST_ACTIONS = 1_000
"""Of one plan."""
LONGEST_NOTE = 2_000
"""Characters of what is said to people who review."""

_MEMBERS = (
    "actions",
    "decision",
    "correlation_id",
    "human_review_required",
    "on_failure",
    "summary",
    "review_notes",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`requests` are not judged yet: what is wrong with one of them is said at its own place."""

    requests: list[Any]
    decision_id: str
    hold: Hold | None
    """What keeps its actions until a person approves them."""
    stops: bool


def read_plan(event: Mapping[str, Any], invocation: Invocation) -> Plan:
    """Raises MalformedRequest for what is wrong with the plan as a whole; then nothing of it may be done."""
    actions = event["actions"]
    if not actions:
        raise refusal_of_all(Code.MALFORMED, "a plan has at least one action")
    if len(actions) > MOST_ACTIONS:
        raise refusal_of_all(Code.TOO_LARGE, f"a plan has at most {MOST_ACTIONS} actions, this one has {len(actions)}")
    if problems := list(_problems(event)):
        raise refusal(problems)
    decision = _said(event.get("decision") or {})
    name = _name_of(invocation)
    return Plan(
        requests=[_request_of(action, event.get("correlation_id"), decision, name) for action in actions],
        decision_id=str(decision.get("id", name)),
        hold=_review(event) if event.get("human_review_required") else None,
        stops=event.get("on_failure") == "stop",
    )


def _review(event: Mapping[str, Any]) -> Hold:
    notes = {name: _note(event[name]) for name in ("summary", "review_notes") if event.get(name)}
    return Hold("human_review", "the decision agent asks that a person looks at it first", notes)


def _note(said: object) -> str:
    """What can be stored of it: nothing has judged this text."""
    text = said if isinstance(said, str) else kind_of(said)
    return "".join(c if c.isprintable() else " " for c in text[:LONGEST_NOTE]).encode("utf-8", "replace").decode()


def _name_of(invocation: Invocation) -> str:
    """What a plan is known by that brings no decision id.

    The same action in it twice is then a duplicate, and so is all of it when Lambda repeats an asynchronous invocation.
    Sent anew it is a new plan, as a request without a key is a new request.
    """
    return f"invocation:{invocation.id or uuid4()}"


def _problems(event: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in event:
        if name not in _MEMBERS:
            yield FieldError(dotted([name]), Code.UNKNOWN_FIELD, f"unknown field; there are {', '.join(_MEMBERS)}")
    held = event.get("human_review_required")
    if not (held is None or isinstance(held, bool)):
        yield FieldError("human_review_required", Code.INVALID_TYPE, f"must be true or false, this is {kind_of(held)}")
    decision = event.get("decision")
    if not (decision is None or isinstance(decision, dict)):
        yield FieldError("decision", Code.INVALID_TYPE, f"must be an object, this is {kind_of(decision)}")
    if event.get("on_failure") not in (None, "continue", "stop"):
        yield FieldError("on_failure", Code.INVALID_OPTIONS, "must be continue or stop")
    if held is True and event.get("on_failure") == "stop":
        message = "cannot be stop in a plan that asks for human review: people approve one by one, in any order"
        yield FieldError("on_failure", Code.INVALID_OPTIONS, message)


def _request_of(action: object, correlation_id: object, decision: Mapping[str, Any], name: str) -> object:
    if not isinstance(action, dict):
        return action
    request = dict(action)
    if "type" in request and "action_type" not in request:
        request["action_type"] = request.pop("type")
    _move(request, "priority", "options", "priority")
    _move(request, "reasoning", "decision", "reason")
    if request.get("correlation_id") is None and correlation_id is not None:
        request["correlation_id"] = correlation_id
    own = request.get("decision")
    if own is None or isinstance(own, dict):
        request["decision"] = {**decision, **_said(own or {})}
        # A key covers the whole request: a name that is another one each time must not get into it.
        if request.get("idempotency_key") is None:
            request["decision"].setdefault("id", name)
    return request


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that are null, which means that they are absent."""
    return {name: member for name, member in members.items() if member is not None}


def _move(request: dict[str, Any], name: str, group: str, member: str) -> None:
    """To where the contract has it; a word that is given in both places stays, and is refused."""
    there = request.get(group)
    if name in request and (there is None or (isinstance(there, dict) and member not in there)):
        request[group] = {**(there or {}), member: request.pop(name)}
