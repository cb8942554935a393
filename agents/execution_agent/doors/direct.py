"""The request of the contract as the payload, its response as the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from agents.execution_agent.doors.invocation import Invocation

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent


def answer(agent: ExecutionAgent, event: Any, invocation: Invocation) -> dict[str, Any]:
    """The response of the contract."""
    return agent.process(event, wait=invocation.wait())


def broken(event: Any, error: Exception) -> NoReturn:  # noqa: ARG001 - a door's shape
    """The function fails: whoever called it sees that nothing was answered, and an asynchronous call is repeated."""
    raise error
