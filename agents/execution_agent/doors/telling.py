"""Which door did an event come through? Its outermost members tell; a door is imported when it is first met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from agents.execution_agent.doors import direct
from agents.execution_agent.doors.invocation import TOOL_NAME, Invocation, custom_of

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent
    from domain.errors import ConfigurationError, LedgerError


class Door(Protocol):
    """A module of this package."""

    def answer(self, agent: ExecutionAgent, event: Any, invocation: Invocation) -> dict[str, Any]:
        """Carries out what the event asks for. Raises LedgerError, ConfigurationError."""
        ...

    def broken(self, event: Any, error: ConfigurationError | LedgerError) -> dict[str, Any]:
        """What goes out when the agent cannot work; raises `error` where a failed function says it best."""
        ...


def door_of(event: object, context: object) -> Door:  # noqa: C901, PLR0911 - one table
    """The door of this event: its module. Cheap however large the event is, and never raises."""
    # First, because the event is then the tool's arguments, which may have any names.
    if TOOL_NAME in custom_of(context):
        from agents.execution_agent.doors import agentcore

        return agentcore
    match event:
        case {"action_type": _}:
            return direct
        case {"actions": [*_]}:
            from agents.execution_agent.doors import plan

            return plan
        case {"undo": _}:
            from agents.execution_agent.doors import undo

            return undo
        case {"messageVersion": _, "actionGroup": _, "function": _}:
            from agents.execution_agent.doors import bedrock_function

            return bedrock_function
        case {"messageVersion": _, "actionGroup": _, "apiPath": _}:
            from agents.execution_agent.doors import bedrock_api

            return bedrock_api
        case {"version": "2.0", "requestContext": {"http": {}}}:
            from agents.execution_agent.doors import http_api

            return http_api
        case {"Records": [_, *_] as records} if all(map(_is_message, records)):
            from agents.execution_agent.doors import sqs

            return sqs
        case {"detail-type": _, "source": _, "detail": _}:
            from agents.execution_agent.doors import eventbridge

            return eventbridge
        case {"parameters": _}:
            return direct
    from agents.execution_agent.doors import unknown

    return unknown


def _is_message(record: object) -> bool:
    """Of SQS, and whole: one that could not be named in an answer would fail its whole batch."""
    match record:
        case {"eventSource": "aws:sqs", "messageId": str(name), "body": str()}:
            return name != ""
    return False
