"""A whole agent on a memory ledger, its world in the hands of the test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from domain.base_action import BaseAction
from domain.ports import World
from tests.fakes import (
    Greet,
    GreetAgain,
    GreetAsked,
    GreetOnce,
    GreetReversibly,
    GreetToday,
    ScriptedProvider,
    Ungreet,
    fake_world,
)

MEMORY = {"PERSISTENCE_MODULE": "adapters.memory_events"}


def settings(environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
    """The defaults on a memory ledger, with what the test changes."""
    return replace(Settings.from_environment(environ or {}), **({"ledger": MEMORY} | changes))


def agent_with(
    provider: ScriptedProvider | None = None,
    *,
    world: World | None = None,
    actions: Iterable[type[BaseAction[Any]]] = (
        Greet,
        GreetAgain,
        GreetOnce,
        GreetToday,
        GreetAsked,
        GreetReversibly,
        Ungreet,
    ),
    **changes: Any,
) -> ExecutionAgent:
    """An agent whose `greet` types ask `provider`."""
    world = world or fake_world(extras={"provider": provider or ScriptedProvider()})
    return ExecutionAgent(settings(**changes), world=world, actions=actions)


def greet(action_type: str = "greet", **members: Any) -> dict[str, Any]:
    """A request to greet Ada."""
    return {"action_type": action_type, "parameters": {"name": "Ada"}, **members}


def words(agent: ExecutionAgent, response: Mapping[str, Any]) -> list[str]:
    """The events of the action that was answered with `response`."""
    return [entry["type"] for entry in agent.history(response["action_id"])]
