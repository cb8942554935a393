"""What people see: an action's story as a timeline, in a terminal or plain when piped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from handlers.work import Tally

COLOURS: Mapping[str, str] = {
    "succeeded": "green",
    "failed": "red",
    "rejected": "red",
    "expired": "red",
    "in_doubt": "yellow",
    "attempt_failed": "yellow",
    "retrying": "yellow",
    "held": "yellow",
    "denied": "red",
    "compensating": "yellow",
    "compensated": "green",
    "compensation_failed": "red",
    "late_outcome": "magenta",
    "unknown": "magenta",
    "completed": "green",
    "partially_compensated": "red",
    "needs_operator": "yellow",
    "rolling_back": "yellow",
    "paused": "yellow",
    "undoing": "yellow",
    "irreversible": "red",
    "timed_out": "red",
    "skipped": "dim",
    "pending": "dim",
}
LONGEST_NOTE = 200
"""Characters of an event's own story that fit beside it; `--json` has the rest."""

_QUIET = frozenset(
    {
        "fingerprint",
        "request",
        "definition",
        "definition_hash",
        "state",
        "undo",
        "effect_key",
        "epoch",
        "holder",
        "reference",
        "bulk",
    }
)
"""What a person does not need to see of an event."""


def say(line: str) -> None:
    """One line, however long: somebody may want to copy it."""
    Console(soft_wrap=True).print(escape(line), highlight=False)


def tell(response: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> None:
    """An action's answer, its timeline, and where to look next."""
    tell_status(response)
    if history and response["status"] != "rejected":
        tell_history(history)
    outbox = (response["result"] or {}).get("outbox")
    if outbox:
        say(f"The mail is in {outbox}")
    if response["status"] == "in_doubt":
        say(f"When you know: execution-agent resolve {response['action_id']} --executed | --not-executed")
    if response["status"] == "held":
        shown = response["result"]["held"]["request_hash"]
        say(f"When you have decided: execution-agent approve | deny {response['action_id']} --hash {shown}")
    if response["status"] in ("scheduled", "retrying"):
        say("A worker carries it out when it is due: execution-agent work")
    if response["action_id"]:
        say(f"Ask again at any time: execution-agent history {response['action_id']}")


def tell_status(response: Mapping[str, Any]) -> None:
    """Where it stands, and what is wrong if anything is."""
    console = Console()
    status = response["status"]
    if response["action_id"] is None and response["error"]["code"] == "not_found":
        say(response["error"]["message"])
        return
    line = Text.assemble((status, f"bold {COLOURS.get(status, 'cyan')}"))
    line.append(f"  {response['action_id'] or 'no action'}")
    if response["duplicate"]:
        line.append("  (a duplicate: this is the original's answer)", style="dim")
    console.print(line)
    if status == "held" and response["result"]:
        _tell_held(console, response["result"]["held"])
    if status == "compensation_failed":
        result = response["result"]
        console.print(Text(f"  {one_line(result['owner'] or 'a person')} has to see to {result['compensation']}"))
    error = response["error"]
    if error:
        console.print(Text(f"  {error['code']}: {one_line(error['message'])}"))
        for detail in error["details"]:
            console.print(Text(f"    {detail['field'] or '(request)'}: {one_line(detail['message'])}", style="dim"))


def _tell_held(console: Console, held: Mapping[str, Any]) -> None:
    """What a person has to decide on; a difference is shown with all that were there."""
    console.print(Text(f"  {held['rule']}: {one_line(held['message'])}"))
    details = dict(held["details"])
    differences = details.pop("differences", None)
    if details:
        console.print(Text(f"    {one_line('  '.join(_told(details)))}", style="dim"))
    if isinstance(differences, list):
        console.print(_table_of(differences))
    console.print(Text(f"    hash {held['request_hash']}", style="dim"), soft_wrap=True)


def _table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 4))
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(_brief(value))) for value in row.values()))
    return table


def tell_history(history: Sequence[Mapping[str, Any]]) -> None:
    """The timeline: when it began, and then how much later, what, and what was said; `?` where nobody can tell when."""
    console = Console()
    times = [datetime.fromisoformat(entry["at"]) for entry in history if entry["at"]]
    if times:
        console.print(Text(f"  {times[0]:%Y-%m-%d %H:%M:%S} UTC", style="dim"))
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in history:
        later = f"+{(datetime.fromisoformat(entry['at']) - times[0]).total_seconds():.3f}s" if entry["at"] else "?"
        word = Text(entry["type"], style=COLOURS.get(entry["type"], "cyan"))
        table.add_row(later, word, Text(note_of(entry)))
    console.print(table)


def tell_actions(types: Sequence[Mapping[str, str]]) -> None:
    """The matrix of promises, a block for each type: what it does, and what may be relied on."""
    console = Console()
    for kind in types:
        console.print(Text.assemble((kind["action_type"], "bold cyan"), f"  {kind['summary']}"))
        for word in ("promise", "in_doubt", "undo", "limits"):
            if kind[word]:
                line = Text(f"{word.replace('_', ' ')}: {kind[word]}", style="dim")
                console.print(Padding(line, (0, 0, 0, 4)))


def tell_list(rows: Sequence[Mapping[str, Any]]) -> None:
    """One action a line, its id whole: somebody will want to copy it. What could not be taken back says for whom."""
    console = Console(soft_wrap=True)
    for row in rows:
        due = f"  due {row['due_at'][:16]}Z" if row["due_at"] else ""
        line = Text.assemble(row["action_id"], "  ", (f"{row['status']:<9}", COLOURS.get(row["status"], "cyan")))
        whose = f"  {one_line(row['actor'])}" if row["status"] == "compensation_failed" and row["actor"] else ""
        console.print(line.append(f"  {row['action_type']:<14}  {row['born'][:16]}Z{due}{whose}"))


@contextmanager
def live_tally(*, quiet: bool) -> Iterator[Callable[[Tally], None]]:
    """One line that follows the work, where somebody looks at it."""
    terminal = Console(stderr=True)
    if quiet or not terminal.is_terminal:
        yield lambda _: None
        return
    with terminal.status("waiting for work") as line:
        yield lambda tally: line.update(one_line(_tally(tally)))


def tell_tally(tally: Tally) -> None:
    """What a worker did, and what it could not read."""
    say(_tally(tally))
    for action_id, problem in tally.quarantined.items():
        say(f"set aside: {action_id}: {one_line(problem)}")


def _tally(tally: Tally) -> str:
    told = ", ".join(f"{count} {status}" for status, count in sorted(tally.by_status.items()))
    return f"{tally.running} running, {tally.advanced} handled" + (f": {told}" if told else "")


def note_of(entry: Mapping[str, Any]) -> str:
    """What was said, in a line."""
    data = entry["data"]
    if entry["type"] == "requested":
        request = data["request"]
        return one_line(f"{request.get('action_type')} {_brief(request.get('parameters'))}")
    return one_line("  ".join(_told(data)))


def _told(data: Mapping[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        if name in _QUIET:
            continue
        if isinstance(value, Mapping):
            yield from _told(value)
        else:
            yield f"{name}={_brief(value)}"


def _brief(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def one_line(text: str) -> str:
    """Whatever a provider or an agent wrote, it cannot move the cursor of whoever reads it."""
    visible = "".join(character if character.isprintable() else " " for character in text)
    return visible if len(visible) <= LONGEST_NOTE else visible[: LONGEST_NOTE - 1] + "…"
