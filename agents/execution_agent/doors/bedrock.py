"""What both forms of Bedrock Agents Classic have alike: whom a request is from, and what goes around a response.

Bedrock gives a call no name of its own, so the same call sent again cannot be told from a second one. Whoever invokes
the agent can: a `decision_id` among the session's attributes, best those of the prompt, makes the same action of the
same decision a duplicate. The session's id is recorded as the correlation id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.execution_agent.doors.bedrock_values import read_values
from agents.execution_agent.model_schemas import types_of
from domain.errors import MalformedRequest
from projections.status import refusal

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

DECISION_ID = "decision_id"


def carry_out(
    agent: ExecutionAgent, event: Mapping[str, Any], action_type: object, listed: object, wait: float | None
) -> dict[str, Any]:
    """The response to a call of `action_type` with `listed` values."""
    try:
        parameters = read_values(listed, _own_types(agent, action_type))
    except MalformedRequest as malformed:
        return refusal(malformed).as_dict()
    request = {"action_type": action_type, "parameters": parameters, "decision": _decision_of(event)}
    if session := _text(event.get("sessionId")):
        request["correlation_id"] = session
    return agent.process(request, wait=wait)


def enveloped(event: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """The reply around `response`; the session's attributes go back as they came."""
    return {
        "messageVersion": "1.0",
        "response": response,
        "sessionAttributes": _attributes(event, "sessionAttributes"),
        "promptSessionAttributes": _attributes(event, "promptSessionAttributes"),
    }


def _own_types(agent: ExecutionAgent, action_type: object) -> Mapping[str, str]:
    for known in agent.action_types:
        if known.action_type == action_type:
            return types_of(known.parameters)
    return {}


def _decision_of(event: Mapping[str, Any]) -> dict[str, Any]:
    decision: dict[str, Any] = {}
    for attributes in ("promptSessionAttributes", "sessionAttributes"):
        if given := _attributes(event, attributes).get(DECISION_ID):
            decision["id"] = given
            break
    agent = event.get("agent")
    if isinstance(agent, dict) and (name := _text(agent.get("name"))):
        decision["agent"] = name
    return decision


def _attributes(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    attributes = event.get(name)
    return attributes if isinstance(attributes, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
