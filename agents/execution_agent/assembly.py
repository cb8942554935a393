"""The composition root: the only module that names concrete adapters, and where everything meets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from adapters.memory_gates import MemoryGates
from adapters.no_webhooks import NoWebhooks
from adapters.system import SystemChance, SystemClock, SystemHolders, UnknownHolders
from agents.execution_agent.config import BUILT_IN, PushTarget, Settings, built_in
from domain.base_action import BaseAction
from domain.connections import Connections, NoConnections
from domain.errors import ConfigurationError, Refused
from domain.ledger import ActionLedger, translated
from domain.ports import Announcer, Clock, Doorbells, Gates, Quarantine, Webhooks, World
from handlers.advance import Advance
from handlers.compensate import Compensate
from handlers.execute import Execute, ExecutionRules
from handlers.operate import Operate
from handlers.probe import Probe
from handlers.receive import Receive
from handlers.registry import ActionTypes
from handlers.report import Report
from handlers.validate import Validate
from projections.agenda import Agenda, SeparateViews, StoredAgenda
from projections.status import view_of

if TYPE_CHECKING:
    from adapters.dynamodb import DynamoDB
    from adapters.dynamodb_views import DynamoDBViews
    from domain.journal import Journal, JournaledRecorder
    from domain.knock import Knock
    from domain.workflow_sources import Sources
    from handlers.batch import Batch
    from handlers.recall import Recall
    from handlers.sweep import Sweep
    from handlers.workflows.workflows import Workflows
    from projections.archived import Archive
    from projections.rebuild import Upkeep
    from projections.unswept import Unswept

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
    views: SeparateViews | None
    """Where the rows of lists are kept; None where the ledger keeps them itself, in the transaction of their events."""
    receive: Receive
    advance: Advance
    operate: Operate
    compensate: Compensate
    recall: Callable[[], Recall]
    """Put together when an archived action is first met."""
    workflows: Callable[[], Workflows]
    """Put together when they are first wanted."""


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
    action_types = _installed_types() if actions is None else ActionTypes(actions)
    views = _views(settings)
    keep = views.keep_if_possible if views is not None and settings.keeps_views else None
    ledger = ActionLedger(settings.ledger, view_of=view_of, keep=keep)
    rules = ExecutionRules(settings.max_retries, settings.backoff, settings.clock_skew)
    validate = Validate(action_types, world)
    execute = Execute(ledger, validate, world, rules)
    compensate = Compensate(ledger, action_types, validate, execute, world)
    workflows = cache(lambda: _workflows(ledger, validate, execute, compensate, world))
    report = Report(ledger, compensate, workflows)
    recall = cache(lambda: _recall(ledger, settings))
    advance = Advance(ledger, execute, Probe(ledger, action_types, world, rules), compensate, report, workflows, world)
    return Parts(
        settings=settings,
        world=world,
        ledger=ledger,
        action_types=action_types,
        agenda=StoredAgenda(cast("Agenda", ledger.recorder), views),
        views=views,
        receive=Receive(ledger, validate, execute, advance, recall, world),
        advance=advance,
        compensate=compensate,
        recall=recall,
        operate=Operate(ledger, report, world),
        workflows=workflows,
    )


def _workflows(
    ledger: ActionLedger, validate: Validate, execute: Execute, compensate: Compensate, world: World
) -> Workflows:
    # Imported here: a function that starts cold has mostly an action to carry out.
    from domain.workflow_ledger import RunLedger
    from handlers.workflows.callbacks import CallBack
    from handlers.workflows.children import Children
    from handlers.workflows.conduct import Conduct, Doers
    from handlers.workflows.context import Contexts
    from handlers.workflows.decide import Decide
    from handlers.workflows.operate import OperateRuns
    from handlers.workflows.schedules import Schedules
    from handlers.workflows.start import Start
    from handlers.workflows.steps import Steps
    from handlers.workflows.tokens import Tokens
    from handlers.workflows.workflows import Workflows

    runs, tokens = RunLedger(ledger), Tokens(world.callback_key)
    contexts = Contexts(ledger, runs, tokens)
    steps = Steps(ledger, runs, contexts, validate, execute, world)
    doers = Doers(steps, Children(runs, contexts, world), compensate)
    conduct = Conduct(ledger, runs, Decide(runs, contexts, world), doers, world)
    start = Start(runs, conduct, tokens, world)
    return Workflows(
        runs=runs,
        conduct=conduct,
        start=start,
        schedules=Schedules(runs, start, world),
        operate=OperateRuns(runs, conduct),
        call_back=CallBack(runs, conduct, tokens),
    )


def definition_sources(files: str | Path | Mapping[str, bytes | str] | None) -> Sources | None:
    """Where a definition finds those that it starts: in a folder, or among texts at hand."""
    if files is None:
        return None
    if isinstance(files, Mapping):
        from handlers.workflows.sources import Texts

        return Texts(files)
    from adapters.workflow_files import WorkflowFiles

    return WorkflowFiles(files)


def _recall(ledger: ActionLedger, settings: Settings) -> Recall:
    # Imported here: hardly anybody asks for what is archived.
    from handlers.recall import Recall

    journal = cast("JournaledRecorder", ledger.recorder).journal()
    return Recall(ledger, journal, archive_at(settings.archive) if settings.archive else None)


def _installed_types() -> ActionTypes:
    return ActionTypes(built_in=BUILT_IN, load=built_in, installed=installed_actions)


@dataclass(frozen=True)
class Rounds:
    """What goes on without a request: knocks are answered, and what is due is looked for."""

    knocks_in: Callable[[object], Sequence[Knock]]
    """Raises ConfigurationError for an event that is no batch of knocks."""
    batch: Batch
    sweep: Sweep


def rounds(parts: Parts) -> Rounds:
    """On the parts of an agent. Imported here is what a function needs that answers no requests."""
    from adapters.streams import knocks_in
    from handlers.announce import Announce
    from handlers.batch import Batch
    from handlers.doorbell import Doorbell
    from handlers.set_aside import SetAside
    from handlers.sweep import Sweep
    from handlers.visit import Visit

    set_aside = SetAside(parts.world)
    visit = Visit(Doorbell(parts.advance, parts.views, parts.world), set_aside)
    return Rounds(
        knocks_in=partial(knocks_in, table=parts.settings.ledger.get("DYNAMODB_TABLE")),
        batch=Batch(visit, Announce(parts.ledger, set_aside, parts.world)),
        sweep=Sweep(parts.ledger, parts.agenda, _unswept(parts), visit, parts.world),
    )


def _unswept(parts: Parts) -> Unswept:
    if "DYNAMODB_TABLE" not in parts.settings.ledger:
        from projections.unswept import WholeAgenda

        return WholeAgenda(parts.agenda)
    from adapters.dynamodb_events import DynamoDBRecorder
    from adapters.dynamodb_gates import gates_table
    from adapters.dynamodb_unswept import DynamoDBUnswept

    gates = _table(parts.settings, gates_table(parts.settings.ledger["DYNAMODB_TABLE"]))
    recorder = cast("DynamoDBRecorder", parts.ledger.recorder)
    return DynamoDBUnswept(recorder, gates, parts.settings.clock_skew)


def outside_world(settings: Settings, environ: Mapping[str, str]) -> World:
    """The real one. Each adapter loads its library when it is first used."""
    # Imported here: whoever only reads the ledger cannot even name what acts.
    from adapters.email import email_sender
    from adapters.templates import Templates

    file = settings.ledger.get("SQLITE_DBNAME")
    clock, webhooks = SystemClock(), _webhooks(settings, environ)
    return World(
        clock=clock,
        chance=SystemChance(),
        holders=SystemHolders() if file else UnknownHolders(),
        gates=_gates(settings),
        templates=Templates(settings.templates_path),
        email=email_sender(settings.email, settings.email_sender),
        webhooks=webhooks,
        connections=_connections(settings, environ),
        doorbells=_doorbells(settings),
        quarantine=_quarantine(settings),
        announcers=tuple(_announcer(target, webhooks, clock) for target in settings.push),
        callback_key=_callback_key(settings, environ),
    )


def _webhooks(settings: Settings, environ: Mapping[str, str]) -> Webhooks:
    if not settings.webhook_config_required and not Path(settings.webhook_config_path).exists():
        return NoWebhooks()
    # Imported here: the guard and its client are for those who have a target.
    from adapters.webhooks import Webhooks as ConfiguredWebhooks

    return ConfiguredWebhooks.from_file(
        settings.webhook_config_path, environ, required=settings.webhook_config_required
    )


def _connections(settings: Settings, environ: Mapping[str, str]) -> Connections:
    if not settings.connections_path:
        return NoConnections()
    from adapters.connections import ConfiguredConnections
    from adapters.secrets import Secrets

    return ConfiguredConnections.from_file(settings.connections_path, Secrets(environ))


def _callback_key(settings: Settings, environ: Mapping[str, str]) -> Callable[[], bytes] | None:
    if not settings.callback_key:
        return None
    from adapters.secrets import Secrets, checked_reference

    try:
        reference = checked_reference(settings.callback_key)
    except ValueError as error:
        raise ConfigurationError(f"EXECUTION_AGENT_CALLBACK_KEY: {error}") from None
    secrets = Secrets(environ)
    return lambda: secrets.value(reference).encode()


def secret_named(reference: str, environ: Mapping[str, str]) -> str:
    """The secret that a reference names. Raises ConfigurationError where it cannot be had, or is no reference."""
    from adapters.secrets import Secrets, checked_reference

    try:
        return Secrets(environ).value(checked_reference(reference))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _doorbells(settings: Settings) -> Doorbells | None:
    if not settings.doorbells:
        return None
    from adapters.queues import Queue, QueuedDoorbells

    return QueuedDoorbells(Queue(settings.doorbells))


def _quarantine(settings: Settings) -> Quarantine | None:
    if not settings.quarantine:
        return None
    from adapters.queues import Queue, QueuedQuarantine

    return QueuedQuarantine(Queue(settings.quarantine))


def _announcer(target: PushTarget, webhooks: Webhooks, clock: Clock) -> Announcer:
    if target.kind == "eventbridge":
        from adapters.event_bus import EventBus

        return EventBus(target.name)
    from adapters.webhook_announcer import WebhookAnnouncer

    try:
        return WebhookAnnouncer(target.name, webhooks, clock)
    except Refused as refused:
        raise ConfigurationError(f"EXECUTION_AGENT_PUSH: {refused.details[0].message}") from None


def _gates(settings: Settings) -> Gates:
    # Imported here: a function on AWS needs no SQLite, and a laptop nothing of AWS.
    if "SQLITE_DBNAME" in settings.ledger:
        from adapters.sqlite_gates import SQLiteGates

        return SQLiteGates(settings.ledger["SQLITE_DBNAME"])
    if "DYNAMODB_TABLE" in settings.ledger:
        from adapters.dynamodb_gates import DynamoDBGates, gates_table

        return DynamoDBGates(_table(settings, gates_table(settings.ledger["DYNAMODB_TABLE"])))
    return MemoryGates()


def _views(settings: Settings) -> DynamoDBViews | None:
    if "DYNAMODB_TABLE" not in settings.ledger:
        return None
    from adapters.dynamodb_live_views import LiveViewsTable
    from adapters.dynamodb_views import DynamoDBViews

    return DynamoDBViews(
        LiveViewsTable(
            settings.ledger["DYNAMODB_TABLE"],
            region=settings.ledger.get("DYNAMODB_REGION"),
            endpoint_url=settings.ledger.get("DYNAMODB_ENDPOINT_URL"),
        )
    )


def _table(settings: Settings, name: str) -> DynamoDB:
    from adapters.dynamodb import DynamoDB

    return DynamoDB(
        name,
        region=settings.ledger.get("DYNAMODB_REGION"),
        endpoint_url=settings.ledger.get("DYNAMODB_ENDPOINT_URL"),
    )


def prepare_ledger(settings: Settings) -> str:
    """Creates the ledger where there is none, and says where it is. Raises LedgerUnavailable."""
    with translated():
        ActionLedger({**settings.ledger, "CREATE_TABLE": "y"}, view_of=view_of).close()
        if "DYNAMODB_TABLE" in settings.ledger:
            _create_tables_beside(settings)
    return settings.ledger.get("SQLITE_DBNAME") or settings.ledger["DYNAMODB_TABLE"]


def _create_tables_beside(settings: Settings) -> None:
    from adapters import dynamodb_gates, dynamodb_views

    ledger = settings.ledger["DYNAMODB_TABLE"]
    _table(settings, dynamodb_gates.gates_table(ledger)).create_table(**dynamodb_gates.TABLE)
    _table(settings, dynamodb_views.views_table(ledger)).create_table(**dynamodb_views.TABLE)


def archive_at(where: str) -> Archive:
    """The archive in a directory, or at s3://BUCKET/PREFIX."""
    from projections.archived import Archive

    if not where.startswith("s3://"):
        from adapters.checkpoint_directory import CheckpointDirectory

        return Archive(CheckpointDirectory(Path(where), kept="archive"))
    from adapters.checkpoint_bucket import CheckpointBucket

    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    return Archive(CheckpointBucket(bucket, prefix, kept="archive"))


def journal_of(parts: Parts) -> Journal:
    """All that the ledger's store holds, for those who replay, audit and verify."""
    return cast("JournaledRecorder", parts.ledger.recorder).journal()


def whole_journal_of(parts: Parts) -> Journal:
    """The same, and what the archive at hand has of what was pruned."""
    return with_archive(journal_of(parts), parts.settings)


def with_archive(journal: Journal, settings: Settings) -> Journal:
    """The journal, and what the archive at hand, where there is one, has of what was pruned."""
    if not settings.archive:
        return journal
    from projections.archived import WholeJournal

    return WholeJournal(journal, archive_at(settings.archive))


@contextmanager
def opened_whole_journal(settings: Settings) -> Iterator[Journal]:
    """As `opened_journal`, and what the archive at hand has of what was pruned."""
    with opened_journal(settings) as journal:
        yield with_archive(journal, settings)


@contextmanager
def opened_journal(settings: Settings) -> Iterator[Journal]:
    """The journal with no agent around it: nothing is assembled that could act. Raises LedgerUnavailable."""
    ledger = ActionLedger(settings.ledger, view_of=view_of)
    try:
        yield cast("JournaledRecorder", ledger.recorder).journal()
    finally:
        ledger.close()


@contextmanager
def opened_upkeep(settings: Settings) -> Iterator[tuple[Journal, Upkeep]]:
    """The same, and the upkeep of the rows that lists are made of."""
    ledger = ActionLedger(settings.ledger, view_of=view_of)
    try:
        journal = cast("JournaledRecorder", ledger.recorder).journal()
        yield journal, _upkeep(settings, ledger)
    finally:
        ledger.close()


def _upkeep(settings: Settings, ledger: ActionLedger) -> Upkeep:
    if "DYNAMODB_TABLE" not in settings.ledger:
        from adapters.sqlite_events import SQLiteRecorder

        return cast("SQLiteRecorder", ledger.recorder).upkeep()
    from adapters.dynamodb_gates import gates_table
    from adapters.dynamodb_upkeep import DynamoDBUpkeep

    table = settings.ledger["DYNAMODB_TABLE"]
    return DynamoDBUpkeep(table, _table(settings, gates_table(table)), cache(partial(_table, settings)))


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
