"""AWS Lambda entry points."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Protocol

# A function has no use for pydantic's plugins, and to look for them is to read every installed distribution.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from agents.execution_agent.agent import ExecutionAgent

TIME_TO_ANSWER = 3.0
"""Seconds before Lambda's own end by which the outcome must be recorded and the answer given."""
LEAST_TIME = 5.0
"""Seconds. With less than this left, no attempt starts."""


class LambdaContext(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int: ...


@cache
def the_agent() -> ExecutionAgent:
    """One for each execution environment, made at the first event."""
    return ExecutionAgent()


def invoke(event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """The request of the contract in, its response out. Raises only when nothing could be recorded."""
    return answer(the_agent(), event, context)


def answer(agent: ExecutionAgent, event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """What `invoke` does, for any agent. Without a context (a test in a console) the agent's own patience holds."""
    if context is None:
        return agent.process(event)
    remaining = context.get_remaining_time_in_millis() / 1000
    wait = remaining - TIME_TO_ANSWER if remaining >= LEAST_TIME else 0.0
    return agent.process(event, wait=wait)
