"""What people see of a trail: who wanted what, each attempt and its end, the timeline, and what took it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree
from typer import echo

from agents.execution_agent.console import COLOURS, note_of, one_line, say
from domain.instant import from_text, to_text
from handlers.export import Tally

_OUTCOMES: Mapping[str, str] = {"succeeded": "green", "permanent": "red", "retry": "yellow", "unknown": "yellow"}


def tell(told: Mapping[str, Any], at: datetime | int | None, *, now: datetime) -> None:
    """Every trail, one after another. `at` is as of when they are told: a time, a version of one, or None for now."""
    if told["error"] is not None:
        say(told["error"]["message"])
    console = Console()
    for trail in told["trails"]:
        tell_trail(console, trail, then=_moment(trail, at, now))
        if isinstance(at, int) and trail["as_of"] is not None and trail["as_of"]["version"] < at:
            say(f"there is no version {at}: this is version {trail['as_of']['version']}, the last")
    if told["more"]:
        say("There are more: execution-agent audit export has all of them.")


def _moment(trail: Mapping[str, Any], at: datetime | int | None, now: datetime) -> datetime:
    """The moment as of which the trail is told; with a version, when that happened."""
    if not isinstance(at, int):
        return at or now
    return now if trail["as_of"] is None else from_text(trail["as_of"]["at"])


def tell_tally(tally: Tally) -> None:
    """What an export holds, where it does not stand in the way of the export itself."""
    echo(f"lives: {tally.lives}, events: {tally.events}, findings: {tally.findings}", err=True)
    for finding in tally.named:
        echo(one_line(_finding(finding)), err=True)


def tell_trail(console: Console, trail: Mapping[str, Any], *, then: datetime, role: str = "", depth: int = 0) -> None:
    """One trail, as of `then`, and below it those that it leads to, further in."""
    for part in _parts(trail, role, then):
        console.print(Padding(part, (0, 0, 0, 4 * depth)))
    for link in trail["linked"]:
        named = f"{link['role']} {link.get('step', '')}".strip()
        if link["trail"] is None:
            console.print(Padding(Text(f"{named}  {link['id']}  (nothing is known of it)"), (0, 0, 0, 4 * depth + 4)))
        else:
            tell_trail(console, link["trail"], then=then, role=named, depth=depth + 1)


def _parts(trail: Mapping[str, Any], role: str, then: datetime) -> Iterator[Any]:
    status = trail["status"]
    head = Text.assemble((role and f"{role}: ", "dim"), (status, f"bold {COLOURS.get(status, 'cyan')}"))
    yield head.append(f"  {one_line(trail['id'])}")
    yield _facts(trail)
    if trail["attempts"]:
        yield _attempts(trail["attempts"], then)
    yield _timeline(trail["timeline"])
    for finding in trail["findings"]:
        yield Text(f"  ! {one_line(_finding(finding))}", style="bold red")


def _facts(trail: Mapping[str, Any]) -> Table:
    table = _bare(("dim", None))
    what = trail["what"]
    told = {
        "what": _brief(what.get("action_type") or what.get("name")),
        **{name: _brief(value) for name, value in (what.get("parameters") or what.get("inputs") or {}).items()},
        "why": _brief(trail["why"].get("reason")),
        **{name.replace("_", " "): _brief(value) for name, value in trail["who"].items()},
        "takes back": _brief(trail["links"]["compensates"]),
        "step of": _brief(trail["links"]["workflow"]),
        "request": _brief(trail["fingerprint"]),
        "as of": _brief(trail["as_of"]),
    }
    for name, value in told.items():
        if value:
            table.add_row(Text(f"  {one_line(name)}"), Text(one_line(value)))
    return table


def _attempts(attempts: Sequence[Mapping[str, Any]], then: datetime) -> Tree:
    tree = Tree(Text("  attempts", style="dim"), guide_style="dim")
    for attempt in attempts:
        branch = tree.add(_attempt(attempt, then))
        for line in _about(attempt):
            branch.add(Text(one_line(line), style="dim"))
    return tree


def _attempt(attempt: Mapping[str, Any], then: datetime) -> Text:
    outcome, route = attempt["outcome"], attempt["route"]
    taken = one_line(f"route {route['number']} {_brief(route['action_type'])}")
    line = Text(f"{attempt['number']}  {_when(attempt['began'])}  {taken}")
    if outcome is None and _brief(attempt["lease_until"]) > to_text(then):
        return line.append(f"  under way until {one_line(_when(_brief(attempt['lease_until'])))}", style="cyan")
    if outcome is None:
        return line.append("  nobody knows what became of it", style="yellow")
    line.append(f"  {outcome['class']}", style=_OUTCOMES.get(outcome["class"], "cyan"))
    code = f"  {one_line(_brief(outcome['code']))}" if outcome["code"] else ""
    return line.append(f" after {outcome['seconds']:.3f} s{code}")


def _about(attempt: Mapping[str, Any]) -> Iterator[str]:
    outcome = attempt["outcome"] or {}
    if outcome.get("message"):
        yield _brief(outcome["message"])
    if attempt["template"]:
        yield f"template {attempt['template']} {attempt['template_sha256']}"
    rules = "not recorded" if attempt["policy"] is None else f"{_told(attempt['policy'])}  {attempt['policy_sha256']}"
    yield f"policy {attempt['delivery']}  {rules}"
    if outcome.get("next"):
        yield f"next {_told(outcome['next'])}"
    for name in ("settled", "late"):
        if attempt[name]:
            yield f"{name} {_told(attempt[name])}"
    for probe in attempt["probes"]:
        yield f"asked {_told(probe)}"


def _timeline(timeline: Sequence[Mapping[str, Any]]) -> Table:
    table = _bare(("dim", None, None))
    for entry in timeline:
        word = entry["type"] if entry["problem"] is None else f"{entry['type']}: {entry['problem']}"
        style = "bold red" if entry["problem"] else COLOURS.get(entry["type"], "cyan")
        table.add_row(
            Text(f"  {entry['version']:>3}  {one_line(_when(entry['at']))}"),
            Text(one_line(word), style=style),
            Text(note_of(entry) if entry["problem"] is None else one_line(_told(entry["data"]))),
        )
    return table


def _when(at: str) -> str:
    """To the millisecond, in UTC."""
    return at[:23].replace("T", " ")


def _bare(styles: Sequence[str | None]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for style in styles[:-1]:
        table.add_column(style=style, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _finding(finding: Mapping[str, Any]) -> str:
    return f"{finding['action_id']} version {finding['version']}: {finding['problem']}: {finding['message']}"


def _told(said: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={_brief(value)}" for name, value in said.items() if value is not None)


def _brief(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
