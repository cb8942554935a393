"""One call of the function: what Lambda says beside the event, and how much may still begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.execution_agent.handler import LambdaContext

TOOL_NAME = "bedrockAgentCoreToolName"
"""By this member of the client context a gateway's call is known."""

TIME_TO_ANSWER = 3.0
"""Seconds before Lambda's own end by which the outcome must be recorded and the answer given."""
LEAST_TIME = 5.0
"""Seconds. With less than this left, no attempt starts."""
LEAST_TIME_TO_ACCEPT = 1.0
"""Seconds. With less than this left, nothing is accepted any more: its answer might never go out."""
TIME_TO_ACCEPT = 0.02
"""Seconds kept for each request that has yet to be recorded: none is lost because those before it took long."""


class Invocation:
    """Without a context (a test in a console) there is no end, and the agent's own patience holds."""

    def __init__(self, context: LambdaContext | None) -> None:
        self._context = context

    @property
    def id(self) -> str | None:
        """Lambda's own name for the call: the same when Lambda repeats one that was asynchronous."""
        name = getattr(self._context, "aws_request_id", None)
        return name if isinstance(name, str) and name else None

    @property
    def custom(self) -> Mapping[str, Any]:
        """What the caller has put into the client context."""
        return custom_of(self._context)

    def wait(self, *, kept: float = 0.0) -> float | None:
        """Seconds that the next action may take; 0.0 is only enough to accept it. `kept` are for those after it."""
        if self._context is None:
            return None
        remaining = self._remaining(self._context) - kept
        return remaining - TIME_TO_ANSWER if remaining >= LEAST_TIME else 0.0

    @property
    def allows_to_accept(self) -> bool:
        return self._context is None or self._remaining(self._context) >= LEAST_TIME_TO_ACCEPT

    @staticmethod
    def _remaining(context: LambdaContext) -> float:
        return context.get_remaining_time_in_millis() / 1000


def custom_of(context: object) -> Mapping[str, Any]:
    """`context.client_context.custom`, empty where there is none."""
    custom = getattr(getattr(context, "client_context", None), "custom", None)
    return custom if isinstance(custom, Mapping) else {}
