"""Bedrock Agents Classic, an action group of function details: a function is an action type.

What the model and its session are told, beside the response itself:

    REPROMPT   it was refused: the model is asked again, and can repair the call
    FAILURE    it ended without success, or the agent cannot work: the turn ends, for no other call would mend it
    nothing    it succeeded, is on its way, or is in doubt: the model says so to its user. In doubt, REPROMPT would
               invite the model to do it twice, and FAILURE would keep from everybody that it may have happened
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.execution_agent.doors.bedrock import carry_out, enveloped
from agents.execution_agent.doors.invocation import Invocation
from agents.execution_agent.doors.outage import report
from domain.errors import ConfigurationError, LedgerError
from domain.lifecycle import Status

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

REPROMPT, FAILURE = "REPROMPT", "FAILURE"

_STATES: Mapping[str, str] = {
    Status.REJECTED: REPROMPT,
    Status.FAILED: FAILURE,
    Status.DENIED: FAILURE,
    Status.CANCELLED: FAILURE,
    Status.EXPIRED: FAILURE,
}


def answer(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """The response of the contract as the function's text."""
    response = carry_out(agent, event, event["function"], event.get("parameters"), invocation.wait())
    return _reply(event, response, _STATES.get(response["status"]))


def broken(event: Mapping[str, Any], error: ConfigurationError | LedgerError) -> dict[str, Any]:
    """The turn ends; the body says what is broken."""
    return _reply(event, report(error), FAILURE)


def _reply(event: Mapping[str, Any], body: dict[str, Any], state: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {"responseBody": {"TEXT": {"body": json.dumps(body)}}}
    if state is not None:
        told["responseState"] = state
    response = {"actionGroup": event["actionGroup"], "function": event["function"], "functionResponse": told}
    return enveloped(event, response)
