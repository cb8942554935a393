"""The command line of searches: `execution-agent find` and `counters`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.execution_agent import console
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.operators import Listed
from agents.execution_agent.shell import REFUSED_OR_FAILED, Json, agent_of, print_json

LARGEST_PAGE = 1_000
"""Rows that are asked for together."""
WIDE = 240
"""Columns of a table that nobody looks at on a terminal."""

_NEEDS_KEYS = ("subject", "target", "agent", "decision", "correlation", "workflow", "actor", "error")

Since = Annotated[str | None, typer.Option(metavar="TIME", help="Born then or later: a day, or a time with offset.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Born before then; a day is included.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(find)
    app.command()(counters)


def find(  # noqa: PLR0913, PLR0917 - each is an option
    status: Annotated[Listed | None, typer.Option(metavar="STATUS", help="Where it stands.")] = None,
    action_type: Annotated[str | None, typer.Option("--type", help="Its action type.")] = None,
    subject: Annotated[str | None, typer.Option(help="Whom or what it is about: recipient, record, channel.")] = None,
    target: Annotated[str | None, typer.Option(help="Who bears the effect: webhook:NAME, crm:CONNECTION.")] = None,
    agent: Annotated[str | None, typer.Option(help="The agent that decided it.")] = None,
    decision: Annotated[str | None, typer.Option(help="The decision's id.")] = None,
    correlation: Annotated[str | None, typer.Option(help="Its correlation id.")] = None,
    workflow: Annotated[str | None, typer.Option(help="The run that it is a step of: run_...")] = None,
    actor: Annotated[str | None, typer.Option(help="The person who acted on it last.")] = None,
    error: Annotated[str | None, typer.Option(help="The code of what is wrong with it.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended: its `next`.")] = None,
    as_json: Json = False,
) -> None:
    """Find actions of which all this is true, the newest first."""
    filters = {
        "status": status and str(status),
        "action_type": action_type,
        "subject": subject,
        "target": target,
        "agent": agent,
        "decision": decision,
        "correlation": correlation,
        "workflow": workflow,
        "actor": actor,
        "error": error,
        "since": since,
        "until": until,
    }
    with agent_of(as_json, refusal=REFUSED_OR_FAILED) as front_door:
        found = _found(front_door, filters, limit, cursor)
        missed = front_door.count_not_searchable() if any(filters[key] for key in _NEEDS_KEYS) else 0
    if as_json:
        print_json(found)
    else:
        _tell_found(found)
    if missed:
        typer.echo(
            f"execution-agent: {missed} rows of an earlier release cannot be found by this yet:"
            " execution-agent views rebuild",
            err=True,
        )
    raise typer.Exit(0 if found["actions"] else REFUSED_OR_FAILED)


def counters(since: Since = None, until: Until = None, as_json: Json = False) -> None:
    """Count actions by the hour of their birth, and where they stand now."""
    with agent_of(as_json, refusal=REFUSED_OR_FAILED) as agent:
        counts = agent.counters(since=since, until=until)
    if as_json:
        print_json({"counters": counts})
    else:
        _tell_counts(counts)


def _found(agent: ExecutionAgent, filters: Mapping[str, Any], limit: int, cursor: str | None) -> dict[str, Any]:
    """Page after page, as one may hold less than it has room for."""
    rows: list[dict[str, Any]] = []
    while True:
        page = agent.find(**filters, limit=min(limit - len(rows), LARGEST_PAGE), cursor=cursor)
        rows += page["actions"]
        cursor = page["next"]
        if cursor is None or len(rows) == limit:
            return {"actions": rows, "next": cursor}


def _tell_found(found: Mapping[str, Any]) -> None:
    rows = found["actions"]
    if not rows:
        console.say("Nothing is found.")
        return
    table = _table("id", "status", "type", "born", "subject", "target", "agent", "error")
    for row in rows:
        table.add_row(
            row["action_id"],
            Text(row["status"], style=console.COLOURS.get(row["status"], "cyan")),
            *(
                Text(console.one_line(value or ""))
                for value in (
                    row["action_type"],
                    f"{row['born'][:16]}Z",
                    row["subject"],
                    row["target"],
                    row["agent"],
                    row["error"],
                )
            ),
        )
    _show(table)
    if found["next"] is not None:
        console.say(f"There may be more: the same with --cursor {found['next']}")


def _tell_counts(counts: Sequence[Mapping[str, Any]]) -> None:
    table = _table("hour", "status", "type", "count")
    for count in counts:
        table.add_row(
            f"{count['hour']}Z",
            Text(count["status"], style=console.COLOURS.get(count["status"], "cyan")),
            Text(console.one_line(count["action_type"])),
            f"{count['count']:,}",
        )
    _show(table)


def _table(*names: str) -> Table:
    """The first column stays whole: somebody will want to copy it."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(names):
        table.add_column(name, no_wrap=place == 0, overflow="fold", justify="right" if name == "count" else "left")
    return table


def _show(table: Table) -> None:
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=WIDE)).print(table)
