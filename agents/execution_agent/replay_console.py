"""What people see of replays and of the rows that are made anew: a bar on stderr, a table on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice
from time import monotonic
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from agents.execution_agent.console import one_line, say
from projections.rebuild import Standing
from projections.replay import Slice

MOST_LINES = 40
"""Lines of a table that people are shown; `--json` has the rest."""
MOST_FINDINGS = 20


@contextmanager
def progress(expected: int | None, *, already: int = 0) -> Iterator[Callable[[Slice], None]]:
    """A bar with rate and time left, where somebody looks at it. Without an expectation it has no end."""
    terminal = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("actions, {task.fields[rate]:,.0f} events a second, left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=expected, completed=already, rate=0.0)
        began, events = monotonic(), 0

        def tell(told: Slice) -> None:
            nonlocal events
            events += told.events
            bar.update(task, advance=told.actions, rate=events / max(monotonic() - began, 1e-9))

        yield tell


def tell_replay(report: Mapping[str, Any]) -> None:
    """What a replay has made, and what it could not tell."""
    _tell_result(report["result"])
    say(f"{report['events']:,} events of {report['actions']:,} actions")
    tell_findings(report["findings"])


def _tell_result(result: object) -> None:
    """Rows as a table, with as many columns as a line has room for; anything else as it is."""
    if not (isinstance(result, list) and result and all(isinstance(row, dict) for row in result)):
        say(str(result))
        return
    terminal = Console()
    shown = result[-MOST_LINES:]
    names = list(islice(result[0], _fitting(shown, terminal.width)))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, justify="right" if isinstance(result[0][name], int) else "left")
    for row in shown:
        table.add_row(*(Text(_cell(row.get(name))) for name in names))
    terminal.print(table)
    if len(names) < len(result[0]):
        say(f"... and {len(result[0]) - len(names):,} columns more; --json has all")
    if len(result) > MOST_LINES:
        say(f"... and {len(result) - MOST_LINES:,} before these; --json has all")


def _fitting(rows: Sequence[Mapping[str, Any]], width: int) -> int:
    """How many of the columns stand in a line whole; the first one does in any case."""
    widths = [max(cell_len(text) for text in (name, *(_cell(row.get(name)) for row in rows))) for name in rows[0]]
    ends = accumulate(widths, lambda end, column: end + 2 + column)
    return max(1, sum(end <= width for end in ends))


def _cell(value: object) -> str:
    return one_line("" if value is None else str(value))


def tell_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """One line each, a few of many."""
    for finding in findings[:MOST_FINDINGS]:
        say(f"{finding['action_id']} version {finding['version']}: {one_line(finding['problem'])}")
    if len(findings) > MOST_FINDINGS:
        say(f"... and {len(findings) - MOST_FINDINGS:,} findings more; --json has all")


def tell_rebuild(report: Mapping[str, Any]) -> None:
    """What was made, how it compares, and what was left as it is."""
    compared = report["comparison"]
    if compared is not None:
        say(
            f"{compared['rows']:,} rows: {compared['missing']:,} were missing, {compared['changed']:,} said something"
            f" else, {compared['stray']:,} had no action"
        )
        if compared["untold"]:
            say(f"{compared['untold']:,} rows of actions that no index has told of were made good")
    elif report["complete"]:
        say(f"{report['actions'] - len(report['findings']):,} rows were put in their places")
    tell_findings(report["findings"])
    if not report["complete"]:
        say("It is not complete: the same command goes on")


def tell_standing(standing: Standing) -> None:
    """In words, the numbers that matter first."""
    looked = "" if standing.within_s is None else f" (of the last {standing.within_s:,.0f} seconds)"
    of = "" if standing.actions is None else f" of {standing.actions:,} actions"
    say(f"{'unknown' if standing.rows is None else f'{standing.rows:,}'} rows{of}")
    say(f"behind by {standing.behind:,} commits, {standing.lag_s:.1f} seconds{looked}")
    for count, problem in (
        (standing.missing, "actions have no row: they are in no list, and nobody looks at what is due of them"),
        (standing.stray, "rows have no action"),
        (standing.ahead, "rows say more than their action does"),
        (standing.unreadable, "rows cannot be read: they are in no list"),
        (standing.unsearchable, "rows do not say by what they are found: an earlier release wrote them"),
    ):
        if count:
            say(f"{count:,} {problem}")
    if standing.is_rebuilt:
        say("a rebuild has begun and is not complete")
    if not standing.is_well:
        say("Make them anew: execution-agent views rebuild")
