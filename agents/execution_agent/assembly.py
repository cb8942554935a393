"""The composition root: the only module that names concrete adapters, and where everything meets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from adapters.email import email_sender
from adapters.memory_gates import MemoryGates
from adapters.no_webhooks import NoWebhooks
from adapters.system import SystemChance, SystemClock, SystemHolders, UnknownHolders
from adapters.templates import Templates
from agents.execution_agent.config import ACTIONS, Settings
from domain.base_action import BaseAction
from domain.errors import ConfigurationError
from domain.ledger import ActionLedger, translated
from domain.ports import Gates, Webhooks, World
from handlers.advance import Advance
from handlers.execute import Execute, ExecutionRules
from handlers.operate import Operate
from handlers.probe import Probe
from handlers.receive import Receive
from handlers.registry import ActionTypes
from handlers.validate import Validate
from projections.agenda import Agenda, StoredAgenda
from projections.status import view_of

if TYPE_CHECKING:
    from adapters.dynamodb import DynamoDB

ENTRY_POINTS = "execution_agent.actions"
"""The entry-point group by which an installed distribution brings action types."""


@dataclass(frozen=True)
class Parts:
    """The agent, put together."""

    settings: Settings
    world: World
    ledger: ActionLedger
    action_types: ActionTypes
    agenda: StoredAgenda
    receive: Receive
    advance: Advance
    operate: Operate


def assemble(
    settings: Settings,
    *,
    world: World | None = None,
    actions: Iterable[type[BaseAction[Any]]] | None = None,
) -> Parts:
    """Everything that `settings` ask for; a given `world` or set of `actions` takes the place of the configured one.

    Raises ConfigurationError, LedgerUnavailable.
    """
    world = world or outside_world(settings, os.environ)
    action_types = ActionTypes(ACTIONS, installed_actions) if actions is None else ActionTypes(actions)
    ledger = ActionLedger(settings.ledger, view_of=view_of)
    rules = ExecutionRules(settings.max_retries, settings.backoff, settings.clock_skew)
    validate = Validate(action_types, world)
    execute = Execute(ledger, validate, world, rules)
    advance = Advance(ledger, execute, Probe(ledger, action_types, world, rules), world)
    return Parts(
        settings=settings,
        world=world,
        ledger=ledger,
        action_types=action_types,
        agenda=StoredAgenda(cast("Agenda", ledger.recorder)),
        receive=Receive(ledger, validate, execute, advance, world),
        advance=advance,
        operate=Operate(ledger, world),
    )


def outside_world(settings: Settings, environ: Mapping[str, str]) -> World:
    """The real one. Each adapter loads its library when it is first used."""
    file = settings.ledger.get("SQLITE_DBNAME")
    return World(
        clock=SystemClock(),
        chance=SystemChance(),
        holders=SystemHolders() if file else UnknownHolders(),
        gates=_gates(settings),
        templates=Templates(settings.templates_path),
        email=email_sender(settings.email, settings.email_sender),
        webhooks=_webhooks(settings, environ),
    )


def _webhooks(settings: Settings, environ: Mapping[str, str]) -> Webhooks:
    if not settings.webhook_config_required and not Path(settings.webhook_config_path).exists():
        return NoWebhooks()
    # Imported here: the guard and its client are for those who have a target.
    from adapters.webhooks import Webhooks as ConfiguredWebhooks

    return ConfiguredWebhooks.from_file(
        settings.webhook_config_path, environ, required=settings.webhook_config_required
    )


def _gates(settings: Settings) -> Gates:
    # Imported here: a function on AWS needs no SQLite, and a laptop nothing of AWS.
    if "SQLITE_DBNAME" in settings.ledger:
        from adapters.sqlite_gates import SQLiteGates

        return SQLiteGates(settings.ledger["SQLITE_DBNAME"])
    if "DYNAMODB_TABLE" in settings.ledger:
        from adapters.dynamodb_gates import DynamoDBGates

        return DynamoDBGates(_table_of_gates(settings))
    return MemoryGates()


def _table_of_gates(settings: Settings) -> DynamoDB:
    from adapters.dynamodb import DynamoDB
    from adapters.dynamodb_gates import gates_table

    return DynamoDB(
        gates_table(settings.ledger["DYNAMODB_TABLE"]),
        region=settings.ledger.get("DYNAMODB_REGION"),
        endpoint_url=settings.ledger.get("DYNAMODB_ENDPOINT_URL"),
    )


def prepare_ledger(settings: Settings) -> str:
    """Creates the ledger where there is none, and says where it is. Raises LedgerUnavailable."""
    with translated():
        ActionLedger({**settings.ledger, "CREATE_TABLE": "y"}, view_of=view_of).close()
        if "DYNAMODB_TABLE" in settings.ledger:
            from adapters.dynamodb_gates import TABLE

            _table_of_gates(settings).create_table(**TABLE)
    return settings.ledger.get("SQLITE_DBNAME") or settings.ledger["DYNAMODB_TABLE"]


def installed_actions() -> tuple[type[BaseAction[Any]], ...]:
    """The action types of installed distributions: chosen by whoever installs, never by a request."""
    from importlib.metadata import entry_points

    return tuple(_load(entry_point) for entry_point in entry_points(group=ENTRY_POINTS))


def _load(entry_point: Any) -> type[BaseAction[Any]]:
    try:
        loaded = entry_point.load()
    except Exception as error:
        what = f"the action type {entry_point.name!r} ({entry_point.value}) cannot be loaded"
        raise ConfigurationError(f"{what}: {type(error).__name__}: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, BaseAction)):
        raise ConfigurationError(f"{entry_point.value} is no BaseAction; mend the entry point {entry_point.name!r}")
    return loaded
