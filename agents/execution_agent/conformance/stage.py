"""Where a case is examined: a ledger, and processes that come, die and are followed by others."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any, Self, cast
from uuid import uuid4

from adapters.email import email_sender
from adapters.no_webhooks import NoWebhooks
from adapters.system import SystemChance
from adapters.templates import Templates
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from agents.execution_agent.conformance.case import Case
from agents.execution_agent.conformance.traces import Traces
from domain.base_action import Attempt, BaseAction, Prepared
from domain.gate import Entry, Pass
from domain.identity import keyed_action_id
from domain.outcome import Outcome
from domain.ports import World

SENDER = "conformance@example.com"
PERSON: dict[str, Any] = {"actor": "conformance", "reason": "it is examined"}


class Death(StrEnum):
    """When the process of an attempt dies."""

    BEFORE = "before the effect"
    AFTER = "after the effect"


class Died(BaseException):
    """The process is gone: nothing after it is carried out."""


@dataclass(frozen=True)
class Holders:
    """The port `domain.ports.Holders`."""

    name: str
    dead: set[str]

    def me(self) -> str:
        return self.name

    def is_dead(self, holder: str | None) -> bool:
        return holder in self.dead


class OpenGates:
    """The port `domain.ports.Gates`: nobody has to wait."""

    def enter(self, target: str, limits: Any, token: str, **_: Any) -> Entry:  # noqa: ARG002 - of the port
        return Pass(token)

    def leave(self, *_: Any, **__: Any) -> None:
        pass


class Stage:
    """A ledger in `folder`, for any number of processes; or for one alone, in memory.

    What it tells when the `with` ends is shown to `traces`.
    """

    def __init__(self, case: Case, folder: Path, traces: Traces, *, in_memory: bool = False) -> None:
        self.case = case
        self.traces = traces
        file = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(folder / f"{uuid4().hex}.db")}
        self._settings = replace(
            Settings.from_environment({"EXECUTION_AGENT_LOG_LEVEL": "DEBUG"}),
            ledger={"PERSISTENCE_MODULE": "adapters.memory_events"} if in_memory else file,
            backoff=timedelta(seconds=1),
        )
        self._outbox = folder / "outbox"
        self._dead: set[str] = set()
        self._numbers = count(1)
        self._open = ExitStack()
        self.agent = self.process()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.traces.keep_story(self.agent)
        self._open.close()

    def world(self) -> World:
        """The world as a new process makes it."""
        parts: dict[str, Any] = {
            "clock": self.case.clock,
            "chance": SystemChance(),
            "holders": Holders(f"process {next(self._numbers)}", self._dead),
            "gates": OpenGates(),
            "templates": Templates(),
            "email": email_sender(f"outbox:{self._outbox}", SENDER),
            "webhooks": NoWebhooks(),
        }
        world = World(**{**parts, **self.case.world()})
        self.traces.keep("the world's repr", repr(world))
        return world

    def process(self, death: Death | None = None) -> ExecutionAgent:
        """Another process on this ledger, which dies in its first attempt if it is to."""
        return self._process(self.world(), death)

    def dies(self, death: Death, request: Mapping[str, Any]) -> str:
        """A process begins with the request, and dies; the id of what it leaves behind."""
        world = self.world()
        try:
            self._process(world, death).process(dict(request))
        except Died:
            self._dead.add(str(world.holders.me()))
        return keyed_action_id(request["idempotency_key"])

    def _process(self, world: World, death: Death | None) -> ExecutionAgent:
        action = self.case.action if death is None else mortal(self.case.action, death)
        return self._open.enter_context(
            ExecutionAgent(self._settings, world=world, actions=dict.fromkeys((action, *self.case.others)))
        )

    def request(self, **options: Any) -> dict[str, Any]:
        """A request for one more effect, of an action of its own."""
        return {
            "action_type": self.case.action.action_type,
            "parameters": dict(self.case.parameters()),
            "options": options,
            "idempotency_key": uuid4().hex,
        }


def mortal(action: type[BaseAction[Any]], death: Death) -> type[BaseAction[Any]]:
    """The same action type, in whose attempts the process dies."""

    def execute(self: BaseAction[Any], prepared: Prepared[Any], attempt: Attempt, world: World) -> Outcome:
        if death is Death.AFTER:
            action.execute(self, prepared, attempt, world)
        raise Died

    return cast("type[BaseAction[Any]]", type(action.__name__, (action,), {"execute": execute}))


def events(agent: ExecutionAgent, action_id: str, word: str) -> list[dict[str, Any]]:
    """What the events of this kind say, oldest first."""
    return [event["data"] for event in agent.history(action_id) if event["type"] == word]
