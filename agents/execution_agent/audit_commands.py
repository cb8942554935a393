"""The command line of auditors: `execution-agent audit show`, the trail of what was done, and `audit export`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any, BinaryIO

import typer

from agents.execution_agent import audit_console
from agents.execution_agent.assembly import secret_named
from agents.execution_agent.shell import REFUSED_OR_FAILED, USAGE, Json, agent_of, print_json, refused
from domain.errors import Refused
from domain.field_class import REVEALABLE
from domain.instant import from_text
from handlers.export import SCHEMAS, Format

Wanted = Annotated[Format, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(Format)}.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to the group."""
    for command in (show, export, schema):
        app.command()(command)


def show(
    action_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="An action or a workflow run.")] = None,
    decision: Annotated[str | None, typer.Option(help="All that came of this decision.")] = None,
    correlation: Annotated[str | None, typer.Option(help="All that belongs to this correlation id.")] = None,
    workflow: Annotated[str | None, typer.Option(metavar="RUN", help="A workflow run and all its steps.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME|VERSION", help="As it was known then: 2026-11-25T09:00:00Z, or 3.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Who, what, why, each attempt and its end, acts of people, and what took it back."""
    if sum(one is not None for one in (action_id, decision, correlation, workflow)) != 1:
        raise refused(as_json, "usage", "say either an ID, --decision, --correlation or --workflow", USAGE)
    moment = None if at is None else _moment(at, as_json)
    with agent_of(as_json) as agent:
        told = agent.audit(action_id, decision=decision, correlation=correlation, workflow=workflow, at=moment)
    if as_json:
        print_json(told)
    else:
        audit_console.tell(told, moment, now=datetime.now(UTC))
    raise typer.Exit(REFUSED_OR_FAILED if told["error"] or _has_findings(told["trails"]) else 0)


def export(
    wanted: Wanted,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="Only lives born on this day (UTC) or later.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Only those born on this day or earlier.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; else standard output.")] = None,
    reveal: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help=f"Show {', '.join(sorted(REVEALABLE))} fields; say it again for more."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="Where the key of the digests is: env:NAME, file:/PATH.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Every event of the lives that began in a span of days, redacted by the class of its fields."""
    if as_json and out is None:
        raise refused(as_json, "usage", "with --json say --out: standard output has room for one of both", USAGE)
    with agent_of(as_json, refusal=REFUSED_OR_FAILED) as agent:
        secret = None if key is None else secret_named(key, os.environ).encode()
        pieces, tally = agent.export(wanted, since=since, until=until, reveal=reveal or (), key=secret)
        with _written_to(out) as stream:
            stream.writelines(piece.encode() for piece in pieces)
    if as_json:
        print_json(asdict(tally))
    else:
        audit_console.tell_tally(tally)
    raise typer.Exit(REFUSED_OR_FAILED if tally.findings else 0)


def schema(wanted: Wanted) -> None:
    """How an export in this format is made, as one JSON document."""
    print_json(SCHEMAS[wanted]())


@contextmanager
def _written_to(out: Path | None) -> Iterator[BinaryIO]:
    """A file is there when it is whole, and for its owner alone. Raises Refused where none can be written."""
    if out is None:
        yield typer.get_binary_stream("stdout")
        return
    if out.is_dir():
        raise Refused(f"cannot write {out}: it is a directory")
    try:
        with NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}-", delete=False) as stream:
            yield from _in_place_when_whole(stream, out)
    except OSError as error:
        raise Refused(f"cannot write {out}: {error.strerror}") from None


def _in_place_when_whole(stream: Any, out: Path) -> Iterator[BinaryIO]:
    try:
        yield stream
        stream.flush()
        Path(stream.name).replace(out)
    except BaseException:
        Path(stream.name).unlink()
        raise


def _moment(text: str, as_json: bool) -> datetime | int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        moment = from_text(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        known = "a version, such as 3, or a time with its offset, such as 2026-11-25T09:00:00Z"
        raise refused(as_json, "usage", f"--at is {known}, not {text[:80]!r}", USAGE)
    return moment


def _has_findings(trails: list[dict[str, Any]]) -> bool:
    return any(
        trail["findings"] or _has_findings([link["trail"] for link in trail["linked"] if link["trail"] is not None])
        for trail in trails
    )
