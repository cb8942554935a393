"""AWS Lambda entry points."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

# A function has no use for pydantic's plugins, and to look for them is to read every installed distribution.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.doors.invocation import TIME_TO_ANSWER, Invocation
from agents.execution_agent.doors.telling import door_of
from agents.execution_agent.metrics import tell_of_batch, tell_of_sweep
from domain.errors import ConfigurationError, CorruptEvent, LedgerError

if TYPE_CHECKING:
    from agents.execution_agent.config import Settings

log = logging.getLogger("execution_agent.handler")


class LambdaContext(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int: ...


@cache
def the_agent() -> ExecutionAgent:
    """One for each execution environment, made at the first event."""
    return ExecutionAgent()


def invoke(event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """A request, a plan, or an event of one of the doors in; its answer out.

    When nothing can be recorded, a door that knows a word for that says it; the others raise.
    """
    return _through_its_door(the_agent, event, context)


def answer(agent: ExecutionAgent, event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """What `invoke` does, for any agent. Without a context (a test in a console) the agent's own patience holds."""
    return _through_its_door(lambda: agent, event, context)


def _through_its_door(agent: Callable[[], ExecutionAgent], event: Any, context: LambdaContext | None) -> dict[str, Any]:
    door = door_of(event, context)
    try:
        return door.answer(agent(), event, Invocation(context))
    except (ConfigurationError, LedgerError) as error:
        log.error("the agent cannot work: %s", error)
        return door.broken(event, error)


def on_stream(event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """A batch of the ledger's stream or of the doorbell queue in; the records that have to come again out.

    Raises ConfigurationError for what is no such batch: nobody would notice a trigger that is refused politely.
    """
    return answer_knocks(the_agent(), event, context)


def answer_knocks(agent: ExecutionAgent, event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """What `on_stream` does, for any agent."""
    report = agent.answer_knocks(event, within=_time_for_rings(context))
    tell_of_batch(report)
    return {"batchItemFailures": [{"itemIdentifier": name} for name in report.failed]}


def sweep(event: Any, context: LambdaContext | None) -> dict[str, Any]:  # noqa: ARG001 - the clock has nothing to say
    """Everything that is due and was not rung for is looked at; what was found, in numbers.

    Raises LedgerUnavailable when nobody can say what is due.
    """
    return sweep_with(the_agent(), context)


def sweep_with(agent: ExecutionAgent, context: LambdaContext | None) -> dict[str, Any]:
    """What `sweep` does, for any agent."""
    report = agent.sweep(within=_time_for_rings(context))
    tell_of_sweep(report)
    return report.as_dict()


def replay(event: Any, context: LambdaContext | None) -> dict[str, Any]:
    """What happened is told once more, as far as time goes: `agents.execution_agent.replay_door` has the event.

    Nothing is carried out: no agent is made, and nothing that it could act with is even loaded.
    """
    from agents.execution_agent.config import Settings
    from agents.execution_agent.replay_door import answer_replay

    def has_time() -> bool:
        return context is None or context.get_remaining_time_in_millis() / 1000 > TIME_FOR_A_SLICE

    return answer_replay(Settings.from_environment(os.environ), event, has_time=has_time)


def checkpoint(event: Any, context: LambdaContext | None) -> dict[str, Any]:  # noqa: ARG001 - nothing to say to it
    """What is new in the ledger is signed, outside it; the checkpoint's number, its size, and its header's hash.

    Raises CorruptEvent, once it is made, when the ledger is not what earlier ones hold, so that an alarm rings;
    LedgerUnavailable or ConfigurationError when there can be none.
    """
    from agents.execution_agent.config import Settings

    return checkpoint_with(Settings.from_environment(os.environ))


def checkpoint_with(settings: Settings) -> dict[str, Any]:
    """What `checkpoint` does, for any settings."""
    from agents.execution_agent.evidence import seal

    sealed = seal(settings)
    for finding in sealed.findings:
        log.error("%s version %s: %s: %s", finding.action_id, finding.version, finding.trouble, finding.message)
    if sealed.findings:
        raise CorruptEvent(f"{len(sealed.findings)} commits are not what they were; see `execution-agent audit verify`")
    return {"number": sealed.header.number, "size": sealed.header.size, "hash": sealed.header.hash.hex()}


TIME_FOR_A_SLICE = 20.0
"""Seconds: what a few hundred actions take when DynamoDB is slow."""


def _time_for_rings(context: LambdaContext | None) -> float:
    """Seconds. A console has no end, so a minute must do."""
    return 60.0 if context is None else context.get_remaining_time_in_millis() / 1000 - TIME_TO_ANSWER
