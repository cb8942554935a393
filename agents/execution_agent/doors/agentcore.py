"""AgentCore Gateway, a Lambda target: a tool is an action type, the event its arguments.

The gateway takes an exception for a fault of the function, and tells the agent nothing of it. So everything is
answered: an error stands in the response's `error`, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.execution_agent.doors.invocation import TOOL_NAME, Invocation
from agents.execution_agent.doors.outage import report
from domain.errors import ConfigurationError, LedgerError

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

BETWEEN_TARGET_AND_TOOL = "___"
REQUEST_ID = "bedrockAgentCoreAwsRequestId"
GATEWAY_ID = "bedrockAgentCoreGatewayId"


def answer(agent: ExecutionAgent, event: Any, invocation: Invocation) -> dict[str, Any]:
    """The response of the contract."""
    request = {
        "action_type": _tool(invocation.custom[TOOL_NAME]),
        "parameters": event,
        "decision": _decision_of(invocation.custom),
    }
    return agent.process(request, wait=invocation.wait())


def broken(event: Any, error: ConfigurationError | LedgerError) -> dict[str, Any]:  # noqa: ARG001 - a door's shape
    """`{"error": {...}}` alone."""
    return report(error)


def _tool(name: object) -> object:
    """The tool without its target."""
    if not isinstance(name, str):
        return name
    target, between, tool = name.partition(BETWEEN_TARGET_AND_TOOL)
    return tool if between else target


def _decision_of(custom: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway's request is the decision: when it is sent again, the same call is a duplicate."""
    decision = {"gateway": custom.get(GATEWAY_ID)}
    if request_id := custom.get(REQUEST_ID):
        decision["id"] = f"gateway:{request_id}"
    return {name: told for name, told in decision.items() if told}
