"""The commands of keeping and letting go: `execution-agent archive run`, `prune`, `verify`, `find`, and
`execution-agent legal-hold place`, `lift`, `list`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from agents.execution_agent import archiving
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import place_of_files
from agents.execution_agent.console import one_line, say
from agents.execution_agent.held_together import held_together
from agents.execution_agent.operators import Actor, Reason
from agents.execution_agent.shell import (
    REFUSED_OR_FAILED,
    USAGE,
    Json,
    agent_of,
    broken_is_one_line,
    print_json,
    refused,
    settings_of_environment,
)
from domain.archive import Illegible
from handlers.archive.prune import ALWAYS
from projections.archived import Finding, Place

MOST_SHOWN = 100
"""Findings that people are shown; `--json` has all."""

Where = Annotated[
    str | None,
    typer.Option("--archive", metavar="WHERE", help="A directory or s3://BUCKET/PREFIX; else EXECUTION_AGENT_ARCHIVE."),
]
Matter = Annotated[str, typer.Option(help="What the hold is for, such as a case; recorded.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of actions.")]

archive = typer.Typer(name="archive", help="Copies of what is over, outside the ledger; and what may go from it.")
legal_hold = typer.Typer(name="legal-hold", help="What must stay in the ledger, however old it is.")


def register(app: typer.Typer) -> None:
    """Adds both groups."""
    app.add_typer(archive)
    app.add_typer(legal_hold)


@archive.command()
def run(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Since when nothing has happened: 400d, or 36h.")],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="WHERE", help="A directory or s3://BUCKET/PREFIX; else EXECUTION_AGENT_ARCHIVE."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy what is over and old enough into an archive. The ledger keeps it all."""
    before = _before(older_than, as_json)
    with _broken_is_one_line(as_json):
        settings = settings_of_environment()
        report = archiving.copy(settings, _named(to, settings), before)
    if as_json:
        print_json(report.as_dict())
    else:
        say(f"{report.lives} actions and runs, {report.commits} commits, in {len(report.files)} files")
        say(f"{report.before} were in the archive before{_counted('; left alone', report.stay)}")
        _tell_findings(report.findings)
    raise typer.Exit(REFUSED_OR_FAILED if report.findings else 0)


@archive.command()
def prune(
    actor: Actor,
    reason: Reason,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only that to which nothing has happened since: 800d.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Take out of a ledger in SQLite what the archive verifiably holds; what is on legal hold stays."""
    before = ALWAYS if older_than is None else _before(older_than, as_json)
    with _broken_is_one_line(as_json):
        settings = settings_of_environment()
        report = archiving.prune(settings, _named(where, settings), actor=actor, reason=reason, before=before)
    if as_json:
        print_json(report.as_dict())
    else:
        say(f"{report.pruned} actions are in the archive alone{_counted('; left alone', report.stay)}")
        _tell_findings(report.findings)
    raise typer.Exit(REFUSED_OR_FAILED if report.findings else 0)


@archive.command()
def verify(where: Where = None, as_json: Json = False) -> None:
    """Hold every file of an archive, and every commit in it, against its hash."""
    with _broken_is_one_line(as_json):
        verified = archiving.verify(_named(where, settings_of_environment()))
    if as_json:
        print_json({"sound": not verified.findings, **asdict(verified)})
    else:
        word = "found to be wrong" if verified.findings else "sound"
        held = f"{verified.files} files, {verified.lives} lives, {verified.commits} commits"
        say(f"{word}: {verified.manifests} manifests, {held}")
        _tell_findings(verified.findings)
        if verified.strays:
            say(f"{verified.strays} files are named by no manifest: an interrupted copy left them, and they do no harm")
    raise typer.Exit(REFUSED_OR_FAILED if verified.findings else 0)


@archive.command()
def find(
    any_id: Annotated[str, typer.Argument(metavar="ID", help="The id of an action, or of a run.")],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Tell where in an archive the life of an action, or of a run, is."""
    with _broken_is_one_line(as_json):
        places = archiving.find(_named(where, settings_of_environment()), any_id)
    if as_json:
        print_json([_place_as_dict(place) for place in places])
    else:
        for place in places:
            kept = f"versions up to {place.kept.last}, {place.kept.commits} commits"
            say(f"{place.file.name}  {kept}, {place.manifest.name}")
        if not places:
            say(f"the archive has nothing of {any_id[:80]!a}")
    raise typer.Exit(0 if places else REFUSED_OR_FAILED)


# -- legal holds ------------------------------------------------------------------------------------------------------


@legal_hold.command()
def place(  # noqa: PLR0913, PLR0917 - each is an option
    matter: Matter,
    actor: Actor,
    reason: Reason,
    ids: Ids = None,
    subject: Annotated[str | None, typer.Option(help="And all actions about this one.")] = None,
    decision: Annotated[str | None, typer.Option(help="And all actions of this decision.")] = None,
    correlation: Annotated[str | None, typer.Option(help="And all actions under this correlation id.")] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="RUN", help="And all actions of this run, and of runs within it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep actions in the ledger, whatever their age, as long as a matter is open."""
    wanted = {"subject": subject, "decision": decision, "correlation": correlation, "workflow": workflow}
    _on_each(
        ids,
        wanted,
        lambda agent, action_id: agent.place_legal_hold(action_id, matter=matter, actor=actor, reason=reason),
        as_json,
    )


@legal_hold.command()
def lift(
    matter: Matter,
    actor: Actor,
    reason: Reason,
    ids: Ids = None,
    everywhere: Annotated[bool, typer.Option("--all", help="Wherever there is a hold for this matter.")] = False,
    as_json: Json = False,
) -> None:
    """Say that a matter is closed. Holds for others stay."""
    named = list(ids or ())
    if everywhere:
        with broken_is_one_line(as_json):
            named += [hold["action_id"] for hold in archiving.holds(settings_of_environment(), matter)]
    _on_each(
        named,
        {},
        lambda agent, action_id: agent.lift_legal_hold(action_id, matter=matter, actor=actor, reason=reason),
        as_json,
        may_be_none=everywhere,
    )


@legal_hold.command("list")
def list_holds(
    matter: Annotated[str | None, typer.Option(help="Only holds for this.")] = None, as_json: Json = False
) -> None:
    """List the holds that stand. This reads the whole ledger."""
    with broken_is_one_line(as_json):
        found = archiving.holds(settings_of_environment(), matter)
    if as_json:
        print_json(found)
    else:
        for hold in found:
            said = one_line(f"{hold['matter']}  {hold['by']}: {hold['why']}")
            say(f"{hold['action_id']}  {hold['at'][:16]}Z  {said}")


def _on_each(
    ids: Sequence[str] | None,
    wanted: Mapping[str, str | None],
    act: Callable[[ExecutionAgent, str], dict[str, Any]],
    as_json: bool,
    *,
    may_be_none: bool = False,
) -> None:
    asked = {name: value for name, value in wanted.items() if value is not None}
    if not ids and not asked and not may_be_none:
        raise refused(as_json, "usage", "say which actions: their ids, or what they have in common", USAGE)
    with agent_of(as_json) as agent:
        if asked:
            _require_searchable(agent, as_json)
        named = dict.fromkeys([*(ids or ()), *held_together(agent, asked)])
        told = [{"action_id": action_id, **_told(act(agent, action_id))} for action_id in named]
    if as_json:
        print_json(told)
    else:
        for one in told:
            say(f"{one['action_id']}  {'done' if one['error'] is None else one_line(one['error']['message'])}")
        say(f"{sum(one['error'] is None for one in told)} of {len(told)}")
    raise typer.Exit(REFUSED_OR_FAILED if any(one["error"] for one in told) or (asked and not told) else 0)


def _told(response: Mapping[str, Any]) -> dict[str, Any]:
    """What became of the act: that the action itself has an error is no news here."""
    error = response["error"]
    is_refused = error is not None and error["code"] in ("not_found", "missing_field", "conflict", "unreadable")
    return {"status": response["status"], "error": error if is_refused else None}


def _require_searchable(agent: ExecutionAgent, as_json: bool) -> None:
    """What cannot be found would not be held, and nobody would know."""
    if missed := agent.count_not_searchable():
        message = (
            f"nothing is held: {missed} rows of an earlier release cannot be found by this yet, and some would be"
            " missed. First: execution-agent views rebuild"
        )
        raise refused(as_json, "ledger", message, REFUSED_OR_FAILED)


# -- what is shared ---------------------------------------------------------------------------------------------------


def _named(where: str | None, settings: Any) -> str:
    return place_of_files(archiving.archive_named(where, settings), "the archive")


def _before(age: str, as_json: bool) -> datetime:
    found = re.fullmatch(r"(\d{1,6})([dh])", age)
    if found is None:
        raise refused(
            as_json, "usage", f"--older-than is a number of days or hours, such as 400d, not {age[:40]!r}", USAGE
        )
    unit = timedelta(days=1) if found[2] == "d" else timedelta(hours=1)
    try:
        return datetime.now(UTC) - int(found[1]) * unit
    except OverflowError:
        raise refused(as_json, "usage", f"--older-than {age} is before all time", USAGE) from None


@contextmanager
def _broken_is_one_line(as_json: bool) -> Iterator[None]:
    """A damaged archive is a finding, not a broken ledger."""
    with broken_is_one_line(as_json):
        try:
            yield
        except Illegible as illegible:
            raise refused(as_json, "archive", str(illegible), REFUSED_OR_FAILED) from None


def _counted(what: str, counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} ({why})" for why, count in sorted(counts.items()) if count)
    return f"{what}: {told}" if told else ""


def _tell_findings(findings: Sequence[Finding]) -> None:
    console = Console(soft_wrap=True)
    for finding in findings[:MOST_SHOWN]:
        console.print(Text.assemble(("  " + finding.name, "red"), f"  {one_line(finding.problem)}"), highlight=False)
    if len(findings) > MOST_SHOWN:
        say(f"and {len(findings) - MOST_SHOWN} more")


def _place_as_dict(place: Place) -> dict[str, Any]:
    return {
        "action_id": place.kept.action_id,
        "manifest": place.manifest.name,
        "file": place.file.name,
        "offset": place.kept.offset,
        "last_version": place.kept.last,
        "commits": place.kept.commits,
        "head": place.kept.head.hex(),
        "at": place.manifest.at,
    }
