"""What people see of a workflow run: its graph with the state of each step, in a terminal or as a Mermaid diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from agents.execution_agent.console import COLOURS, one_line, say
from agents.execution_agent.workflow_marks import MARKS

WIDEST = 2_000
"""Columns of the line of a step."""
DEEPEST = 20
"""Steps that are drawn one within the other. In a longer chain the next ones stand below each other."""


def tell(told: Mapping[str, Any]) -> None:
    """Where a run stands, its graph, and what a person has to know of it."""
    if told["run_id"] is None:
        _tell_error(told["error"])
        return
    draw(told)
    if told["schedule"] is not None:
        _tell_schedule(told["schedule"])
    if told["error"] is not None:
        _tell_error(told["error"])
    if told["needs_operator"] is not None:
        _tell_needs(told["needs_operator"], told["steps"])
    for left in told["remaining"]:
        say(f"Left: {left['step']} ({left['action_type']}, {left['action_id']}): {left['status']}, {left['why']}")
    if told["status"] in ("running", "rolling_back"):
        say("Workers carry it on: execution-agent work")
    say(f"Ask again at any time: execution-agent workflow show {told['run_id']}")


def draw(told: Mapping[str, Any]) -> None:
    """Each step under the last one that it waits for; what else it waits for stands beside it."""
    steps: Sequence[Mapping[str, Any]] = told["steps"]
    head = Text.assemble((told["status"], f"bold {COLOURS.get(told['status'], 'cyan')}"), f"  {told['run_id']}")
    root = Tree(head.append(f"  {told['name']}", style="dim"), guide_style="dim")
    branches: dict[str | None, tuple[Tree, int]] = {None: (root, 0)}
    within: dict[str, str | None] = {}
    for step in steps:
        parent = next((need for need in reversed(step["needs"]) if need in branches), None)
        if branches[parent][1] == DEEPEST and parent is not None:
            parent = within[parent]
        others = [need for need in step["needs"] if need != parent]
        branch, depth = branches[parent]
        branches[step["id"]] = branch.add(_line(step, others)), depth + 1
        within[step["id"]] = parent
    # A tree cuts off what is wider than the console, and somebody will want to copy an id.
    Console(soft_wrap=True, width=WIDEST).print(root)


def _line(step: Mapping[str, Any], others: Sequence[str]) -> Text:
    state = step["status"]
    line = Text.assemble(
        (f"{MARKS[state]} {step['id']}", COLOURS.get(state, "cyan")), f"  {step['uses'] or step['kind']}"
    )
    line.append(f"  {state}", style=COLOURS.get(state, "cyan"))
    if step["error"] is not None:
        line.append(f"  {step['error']['code']}: {one_line(step['error']['message'])}")
    if others:
        line.append(f"  also after {', '.join(others)}", style="dim")
    any_id = step["action_id"] or step["run_id"]
    return line.append(f"  {any_id}", style="dim") if any_id else line


def _tell_needs(needs: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> None:
    who = f"{one_line(needs['owner'])} has" if needs["owner"] else "A person has"
    say(f"{who} to see to {', '.join(needs['steps'])}: {needs['why']}")
    for step in steps:
        if step["id"] in needs["steps"] and step["action_id"]:
            say(f"What became of {step['id']}, its undo included: execution-agent audit show {step['action_id']}")


def _tell_schedule(schedule: Mapping[str, Any]) -> None:
    say(f"The next run begins at {schedule['next']}." if schedule["next"] else "No run will begin any more.")
    if schedule["queued"]:
        say(f"The run of {schedule['queued']} begins when the one before has ended.")
    if schedule["run_id"]:
        say(f"This run goes on: {schedule['run_id']}")


def mermaid_of(told: Mapping[str, Any]) -> str:
    """A flowchart for a page that draws Mermaid; names of steps are of letters, digits, `_` and `-` only."""
    return "\n".join(["flowchart TD", *_mermaid_lines(told["steps"])])


def _mermaid_lines(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    numbers = {step["id"]: f"s{number}" for number, step in enumerate(steps)}
    for step in steps:
        label = f"{step['id']}<br/>{step['uses'] or step['kind']}<br/>{step['status']}"
        yield f'    {numbers[step["id"]]}["{label}"]:::{step["status"]}'
        yield from (f"    {numbers[need]} --> {numbers[step['id']]}" for need in step["needs"])
    yield "    classDef succeeded,compensated stroke:#2a2"
    yield "    classDef failed,timed_out,compensation_failed,irreversible stroke:#c22"
    yield "    classDef running,waiting,undoing stroke:#c80"


def _tell_error(error: Mapping[str, Any]) -> None:
    say(f"{error['code']}: {error['message']}")
    for detail in error["details"]:
        say(f"  {detail['field'] or '(request)'}: {detail['message']}")
