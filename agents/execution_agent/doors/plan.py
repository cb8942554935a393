"""A decision agent's plan: many actions, one answer. See `read_plan` for what goes in.

    out: {"status": "succeeded | partial | failed | held", "totals": {status: number}, "actions": [response, ...]}

`succeeded` is said of a plan whose every action succeeded, `failed` of one of which certainly nothing happened and
nothing will, `held` of one of which nothing happened and a person has to decide on something. Everything else is
`partial`: something succeeded, is still on its way, or is in doubt.

Each action is answered at its own place, with the response of the contract. One that fails stops no other, unless the
plan says `"on_failure": "stop"`: then one that is held stops those after it, too. What was never recorded has no action
id: `not_started`. In a plan that asks for human review each action is accepted, and held until a person approves or
denies it.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from agents.execution_agent.doors.invocation import TIME_TO_ACCEPT, Invocation
from agents.execution_agent.doors.plan_request import Plan, read_plan
from domain.errors import ErrorReport, LedgerError, MalformedRequest
from domain.lifecycle import Status
from projections.status import Response, refusal

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

log = logging.getLogger("execution_agent.doors")

NOT_STARTED = "not_started"

ROOM_FOR_WHOLE_ANSWERS = 4_000_000
"""Bytes. Lambda takes 6 MB from a function, and fails one that says more: what was done would go untold."""
LONGEST_SHORTENED = 200
"""Characters of an error's message in an answer that is not whole."""

_NOTHING_HAPPENED = frozenset(
    {Status.REJECTED, Status.FAILED, Status.DENIED, Status.CANCELLED, Status.EXPIRED, NOT_STARTED}
)

_STOPPED = "an action before this one has not succeeded, and the plan says on_failure: stop"
_TOO_LATE = "no time was left to accept it; send it again"
_LEDGER_GONE = "the ledger could not be used any more; send it again"
_LEDGER_FAILED = (
    "the ledger failed while this action was carried out, so nobody can tell here what became of it;"
    " send it again under its own idempotency_key or decision id, or else under the decision id {}"
)


def answer(agent: ExecutionAgent, event: Any, invocation: Invocation) -> dict[str, Any]:
    """Carries the plan out, or refuses it as a whole where it is no plan."""
    try:
        plan = read_plan(event, invocation)
    except MalformedRequest as malformed:
        return refusal(malformed).as_dict()
    responses = list(_carried_out(agent, plan, invocation))
    return _reply(_status_of(responses), responses)


def broken(event: Any, error: Exception) -> NoReturn:  # noqa: ARG001 - a door's shape
    """The function fails, and nothing of the plan was carried out."""
    raise error


def _carried_out(agent: ExecutionAgent, plan: Plan, invocation: Invocation) -> Iterator[dict[str, Any]]:
    """The answers, in order. Raises LedgerError while no action has been answered: then nothing was done."""
    not_started: str | None = None
    for position, request in enumerate(plan.requests):
        if not_started is None and not invocation.allows_to_accept:
            not_started = _TOO_LATE
        if not_started is not None:
            yield _unrecorded(NOT_STARTED, NOT_STARTED, not_started)
            continue
        after = 0 if plan.stops else len(plan.requests) - position - 1
        try:
            response = agent.process(request, wait=invocation.wait(kept=after * TIME_TO_ACCEPT), hold=plan.hold)
        except LedgerError as error:
            if position == 0:
                raise
            log.error("the ledger failed at action %d of a plan: %s", position, error)
            not_started = _LEDGER_GONE
            yield _unrecorded(Status.IN_DOUBT, "ledger", _LEDGER_FAILED.format(plan.decision_id))
            continue
        if plan.stops and response["status"] != Status.SUCCEEDED:
            not_started = _STOPPED
        yield response


def _unrecorded(status: str, code: str, message: str) -> dict[str, Any]:
    return Response(None, str(status), error=ErrorReport(code, message)).as_dict()


def _status_of(responses: Iterable[dict[str, Any]]) -> str:
    statuses = {response["status"] for response in responses}
    if statuses == {Status.SUCCEEDED}:
        return "succeeded"
    if Status.HELD in statuses and statuses <= _NOTHING_HAPPENED | {Status.HELD}:
        return "held"
    return "failed" if statuses <= _NOTHING_HAPPENED else "partial"


def _reply(status: str, responses: list[dict[str, Any]]) -> dict[str, Any]:
    totals = Counter(response["status"] for response in responses)
    return {"status": str(status), "totals": dict(totals), "actions": list(_fitting(responses))}


def _fitting(responses: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each answer whole as long as there is room; then without what the ledger tells as well."""
    room = ROOM_FOR_WHOLE_ANSWERS
    for response in responses:
        room -= len(json.dumps(response))
        yield response if room >= 0 else _shortened(response)


def _shortened(response: dict[str, Any]) -> dict[str, Any]:
    result, error = response["result"], response["error"]
    return {
        **response,
        "result": result and {"not_shown": "the answer would be too large; ask for the action's status"},
        "error": error and {**error, "message": error["message"][:LONGEST_SHORTENED], "details": []},
    }
