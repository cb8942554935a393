"""Our side: agents on real ledgers and the machine's own clock, and the action types that the bench carries out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.assembly import outside_world
from agents.execution_agent.config import Settings
from domain.base_action import Attempt, BaseAction, Parameters, Prepared
from domain.outcome import Outcome, Succeeded
from domain.ports import World


class Message(Parameters):
    """What is sent."""

    template: str
    recipient: str
    variables: dict[str, str]


class BenchPost(BaseAction[Message]):
    """Its effect is the floor's own POST."""

    action_type = "bench_post"
    parameters = Message

    def execute(self, prepared: Prepared[Message], attempt: Attempt, world: World) -> Outcome:
        return Succeeded(world.extras["post"](prepared.parameters.model_dump()))


class BenchNote(BaseAction[Message]):
    """Its effect is nothing: what remains is ours alone."""

    action_type = "bench_note"
    parameters = Message

    def execute(self, prepared: Prepared[Message], attempt: Attempt, world: World) -> Outcome:
        return Succeeded({"ok": True})


def sqlite_ledger(path: Path) -> dict[str, str]:
    """The setting that puts the ledger into this file."""
    return {"EXECUTION_AGENT_LEDGER": f"sqlite:///{path}"}


def bench_agent(environ: Mapping[str, str], **extras: Any) -> ExecutionAgent:
    """An agent for the bench's action types; `extras` are the world's, such as `post`."""
    settings = Settings.from_environment(environ)
    world = replace(outside_world(settings, os.environ), extras=extras)
    return ExecutionAgent(settings, world=world, actions=[BenchPost, BenchNote])


def recorder_of(agent: ExecutionAgent) -> Any:
    """The store's own counters are asked, which the front door has no word for."""
    return agent._parts.ledger.recorder


def must_succeed(response: Mapping[str, Any]) -> None:
    """A bench that measures refusals would look splendid."""
    if response["status"] != "succeeded":
        raise RuntimeError(f"the bench's action ended otherwise: {response}")
