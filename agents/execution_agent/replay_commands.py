"""The command line of replays, `execution-agent replay`, and of the rows that lists are made of, `views rebuild` and
`views status`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from agents.execution_agent import replay_console
from agents.execution_agent.assembly import opened_upkeep, with_archive
from agents.execution_agent.config import Settings
from agents.execution_agent.rebuilding import rebuild as rebuild_rows
from agents.execution_agent.rebuilding import repair
from agents.execution_agent.replaying import (
    Account,
    Made,
    Places,
    Question,
    projection_called,
    slice_of_one,
    slices,
    slices_beside_each_other,
    span_of,
    stopped_by_signals,
    taken_up,
)
from agents.execution_agent.shell import (
    REFUSED_OR_FAILED,
    Json,
    broken_is_one_line,
    print_json,
    refused,
    settings_of_environment,
)
from domain.errors import Refused
from domain.journal import EVERYTHING, Journal, Span
from domain.ledger import translated
from projections.rebuild import Upkeep, Views
from projections.replay import Slice

MANY = 20_000
"""Actions for which it is worth to start other processes."""
PLACE = Path(".execution-agent/replay.json")
"""Where a replay that is stopped is put down: in the folder that somebody is in."""

views = typer.Typer(name="views", help="The rows that lists are made of: how they stand to the ledger, and anew.")

Workers = Annotated[int | None, typer.Option(min=1, max=64, help="Processes; for a small ledger one, else all cores.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command()(replay)
    app.add_typer(views)


def replay(
    projection: Annotated[str, typer.Argument(help="What is made of the events: counts, rows, or one of yours.")] = (
        "counts"
    ),
    since: Annotated[str | None, typer.Option(metavar="DAY", help="Only actions born on this day (UTC) or later.")] = (
        None
    ),
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Only actions born on this day or earlier.")] = None,
    action: Annotated[str | None, typer.Option(metavar="ID", help="Only this one.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the one that was stopped.")] = False,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Tell what happened once more, to a projection. Nothing is carried out: there is nothing that could."""
    with _at_the_ledger(as_json) as (settings, stored, upkeep):
        journal = with_archive(stored, settings)
        account = _read(PLACE) if resume else Account(Question(projection, span_of(since, until), action))
        with stopped_by_signals() as stop:
            complete = _replay(settings, journal, upkeep, account, workers, stop)
    report = account.report(is_complete=complete)
    if as_json:
        print_json(report)
    else:
        replay_console.tell_replay(report)
    if not complete:
        typer.echo("Stopped. Go on: execution-agent replay --resume", err=True)
    is_there = account.question.action_id is None or account.actions > 0
    if not is_there:
        typer.echo(f"execution-agent: no action has the id {account.question.action_id!a}", err=True)
    raise typer.Exit(0 if complete and is_there and not account.findings else REFUSED_OR_FAILED)


def _replay(
    settings: Settings,
    journal: Journal,
    upkeep: Upkeep,
    account: Account,
    workers: int | None,
    stop: Callable[[], bool],
) -> bool:
    """Whether it came to its end."""
    question = account.question
    made = projection_called(question.projection)
    if question.action_id is not None:
        account.take(slice_of_one(journal, made, question.action_id))
        return True
    expected = upkeep.extent(question.span)
    put_down = _PutDown(PLACE, account)
    with replay_console.progress(expected, already=account.actions) as tell:
        workers = _workers(workers, expected)
        for told in _slices(settings, journal, made, question.span, account.places, workers, archive=True):
            account.take(told)
            tell(told)
            put_down.now_and_then()
            if stop():
                put_down()
                return False
    put_down.forget()
    return True


@views.command()
def rebuild(
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Put each row in its place, without a table beside; stray rows stay.")
    ] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Forget what an interrupted rebuild has made.")] = False,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Make the rows of lists anew, beside those that are there, compare them, and switch. Interrupted, it goes on."""
    with _at_the_ledger(as_json) as (settings, journal, upkeep), stopped_by_signals() as stop:
        if abandon:
            upkeep.rebuild(journal).abandon()
            raise typer.Exit(0)
        expected = upkeep.extent(EVERYTHING)

        def telling(places: Places) -> Iterator[Slice]:
            return _slices(settings, journal, Views, EVERYTHING, places, _workers(workers, expected), archive=False)

        with replay_console.progress(expected) as tell:
            if in_place:
                account = repair(upkeep, telling, stop=stop, tell=tell)
            else:
                account = rebuild_rows(journal, upkeep, telling, stop=stop, tell=tell)
    report = account.as_dict()
    if as_json:
        print_json(report)
    else:
        replay_console.tell_rebuild(report)
    raise typer.Exit(0 if account.is_complete and not account.findings else REFUSED_OR_FAILED)


@views.command()
def status(as_json: Json = False) -> None:
    """How many rows there are, and how far they are behind the ledger."""
    with _at_the_ledger(as_json) as (_, journal, upkeep):
        standing = upkeep.standing(journal, datetime.now(UTC))
    if as_json:
        print_json(standing.as_dict())
    else:
        replay_console.tell_standing(standing)
    raise typer.Exit(0 if standing.is_well else REFUSED_OR_FAILED)


@contextmanager
def _at_the_ledger(as_json: bool) -> Iterator[tuple[Settings, Journal, Upkeep]]:
    """The ledger and nothing else. What cannot be asked so is one clear line."""
    with broken_is_one_line(as_json):
        settings = settings_of_environment()
        try:
            with translated(), opened_upkeep(settings) as (journal, upkeep):
                yield settings, journal, upkeep
        except Refused as error:
            raise refused(as_json, str(error.code), error.message, REFUSED_OR_FAILED) from None


def _slices(
    settings: Settings, journal: Journal, made: Made, span: Span, places: Places, workers: int, *, archive: bool
) -> Iterator[Slice]:
    if workers == 1:
        return slices(journal, made, span, places)
    return slices_beside_each_other(settings, journal, made, span, places, workers=workers, archive=archive)


def _workers(asked: int | None, expected: int | None) -> int:
    if asked is not None:
        return asked
    return 1 if expected is not None and expected < MANY else os.cpu_count() or 1


class _PutDown:
    """Writes down what a replay has come to: when it is stopped, and now and then, in case that it is killed."""

    def __init__(self, place: Path, account: Account) -> None:
        self._place = place
        self._account = account
        self._next = monotonic() + 1

    def __call__(self) -> None:
        began = monotonic()
        self._place.parent.mkdir(parents=True, exist_ok=True)
        beside = self._place.with_name(f"{self._place.name}.{os.getpid()}")
        beside.write_text(json.dumps(self._account.put_down()), "utf-8")
        beside.replace(self._place)
        # It is not to take more than a twentieth of the time.
        self._next = monotonic() + max(1.0, 20 * (monotonic() - began))

    def now_and_then(self) -> None:
        if monotonic() >= self._next:
            self()

    def forget(self) -> None:
        """It has come to its end."""
        self._place.unlink(missing_ok=True)


def _read(place: Path) -> Account:
    try:
        document: Mapping[str, Any] = json.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        raise Refused("there is nothing to resume: no replay was stopped in this folder", code="bad_place") from None
    except (OSError, ValueError) as error:
        raise Refused(f"{place} cannot be read: {type(error).__name__}", code="bad_place") from None
    return taken_up(document)
