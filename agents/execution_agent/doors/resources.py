"""Actions as resources: what HTTP and an API schema of Bedrock say alike.

200   it has come to an end, or into doubt: `status` says to which        400   refused, with what to repair
202   accepted; it goes on by itself                                      404   nobody has heard of it
403   no undo through this door                                         409   the key belongs to another request,
503   the agent cannot work now, or a later release has to                    or it cannot be taken back
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from domain.errors import Code, ConfigurationError, LedgerError
from domain.lifecycle import ENDED, Status
from domain.refusal import refusal_of_all
from projections.status import refusal

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

_SETTLED = ENDED | {Status.IN_DOUBT}

_REFUSED: Mapping[str, HTTPStatus] = {
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.IDEMPOTENCY_MISMATCH: HTTPStatus.CONFLICT,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is plain JSON. `allow` names the methods that a path knows, where another one was used."""

    status: HTTPStatus
    body: Any
    allow: str | None = None


def carried_out(response: dict[str, Any]) -> Answer:
    """The answer to a request, from the response of the contract."""
    if response["error"] and response["error"]["code"] == Code.UNREADABLE:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, response)
    if response["status"] == Status.REJECTED:
        return Answer(_REFUSED.get(response["error"]["code"], HTTPStatus.BAD_REQUEST), response)
    return Answer(HTTPStatus.OK if response["status"] in _SETTLED else HTTPStatus.ACCEPTED, response)


def taken_back(response: dict[str, Any]) -> Answer:
    """The answer to an order to take an action back. What cannot be taken back, as things are, is a conflict."""
    error = response["error"]
    if error and error["code"] in (Code.CONFLICT, Code.IRREVERSIBLE, Code.ARCHIVED):
        return Answer(HTTPStatus.CONFLICT, response)
    return carried_out(response)


def status_of(agent: ExecutionAgent, action_id: str) -> Answer:
    """Where it stands. That it was rejected is no error of whoever asks."""
    response = agent.status(action_id)
    return Answer(HTTPStatus.NOT_FOUND if response["action_id"] is None else HTTPStatus.OK, response)


def history_of(agent: ExecutionAgent, action_id: str) -> Answer:
    """Its life, a list of events."""
    life = agent.history(action_id)
    return Answer(HTTPStatus.OK, life) if life else status_of(agent, action_id)


def refused(status: HTTPStatus, code: Code, message: str, *, allow: str | None = None) -> Answer:
    """The answer to what is wrong with the envelope."""
    return Answer(status, refusal(refusal_of_all(code, message)).as_dict(), allow)


def unavailable(error: ConfigurationError | LedgerError) -> Answer:
    """The answer of an agent that cannot work."""
    from agents.execution_agent.doors.outage import report

    return Answer(HTTPStatus.SERVICE_UNAVAILABLE, report(error))
