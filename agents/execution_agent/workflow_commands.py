"""The command line of workflow runs: `execution-agent workflow run FILE`, `show`, `status`, `list`, `schedule`, and the
acts of people: `cancel`, `pause`, `resume`, `undo`, `callback`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.execution_agent import console, workflow_console
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.operators import Actor, Reason
from agents.execution_agent.shell import REFUSED_OR_FAILED, USAGE, Json, agent_of, print_json, read_request, refused
from agents.execution_agent.workflow_svg import svg_of
from domain.errors import MalformedRequest
from domain.json_text import read_text
from domain.workflow_standing import RunStatus

WELL = frozenset({"scheduled", "running", "paused", "rolling_back", "completed"})
NOTHING_LEFT = WELL | {"compensated"}
"""Where it is as well that nothing is left of a run: somebody wanted its end."""

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id: run_...")]

File = Annotated[str, typer.Argument(metavar="FILE|-", help="The definition, YAML or JSON; - reads standard input.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="NAME=VALUE", help="Text where a string or a date is declared, else JSON."),
]

app = typer.Typer(name="workflow", help="Runs of workflows: several actions, and what follows when one fails.")
schedule_app = typer.Typer(name="schedule", help="Runs that begin by themselves, when a definition says so.")
app.add_typer(schedule_app)


class Drawing(StrEnum):
    """How a run is shown."""

    TERMINAL = "terminal"
    MERMAID = "mermaid"
    SVG = "svg"


@app.command()
def run(
    file: File,
    inputs: Inputs = None,
    key: Annotated[str | None, typer.Option("--key", help="The same key again is the same run.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who wants it; recorded.")] = None,
    wait: Annotated[float | None, typer.Option(min=0.0, max=900.0, help="Seconds to wait for its end.")] = None,
    as_json: Json = False,
) -> None:
    """Carry out the workflow that FILE defines; the files that it names are read beside it."""
    text, files = read_request(file, as_json), _folder_of(file)
    texts = _texts(inputs or (), as_json)

    def start(agent: ExecutionAgent) -> dict[str, Any]:
        given = agent.workflow_inputs(text, texts, files=files)
        return agent.start_workflow_run(text, given, files=files, idempotency_key=key, actor=actor, wait=wait)

    _act(as_json, start)


@schedule_app.command("add")
def add_schedule(
    file: File,
    inputs: Inputs = None,
    actor: Annotated[str | None, typer.Option(help="Who wants it; recorded.")] = None,
    as_json: Json = False,
) -> None:
    """Begin a run at each moment that the schedule in FILE tells, with these inputs."""
    text, files = read_request(file, as_json), _folder_of(file)
    texts = _texts(inputs or (), as_json)

    def add(agent: ExecutionAgent) -> dict[str, Any]:
        given = agent.workflow_inputs(text, texts, files=files)
        return agent.add_schedule(text, given, files=files, actor=actor)

    _act(as_json, add)


@schedule_app.command("list")
def list_schedules(as_json: Json = False) -> None:
    """The schedules that there are, and when each begins its next run."""
    with agent_of(as_json) as agent:
        told = agent.list_schedules()
    if as_json:
        print_json(told)
    else:
        for one in told:
            workflow_console.tell(one)


@schedule_app.command("remove")
def remove_schedule(run_id: RunId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Begin no run any more; one that goes on goes on."""
    _act(as_json, lambda agent: agent.cancel_run(run_id, actor=actor, reason=reason))


@app.command()
def show(
    run_id: RunId,
    drawing: Annotated[Drawing, typer.Option("--format", metavar="FORMAT", help="terminal, mermaid or svg.")] = (
        Drawing.TERMINAL
    ),
    as_json: Json = False,
) -> None:
    """Draw the graph of a run, and where each step stands."""
    with agent_of(as_json) as agent:
        told = agent.workflow_status(run_id)
    if as_json or told["run_id"] is None:
        _tell(told, as_json)
    elif drawing is Drawing.MERMAID:
        typer.echo(workflow_console.mermaid_of(told))
    elif drawing is Drawing.SVG:
        typer.echo(svg_of(told), nl=False)
    else:
        workflow_console.draw(told)
    raise typer.Exit(0 if told["run_id"] else REFUSED_OR_FAILED)


@app.command()
def status(run_id: RunId, as_json: Json = False) -> None:
    """Where a run stands, and what is left of it."""
    with agent_of(as_json) as agent:
        told = agent.workflow_status(run_id)
    _tell(told, as_json)
    raise typer.Exit(0 if told["run_id"] else REFUSED_OR_FAILED)


@app.command("list")
def list_runs(
    status: Annotated[RunStatus | None, typer.Option(metavar="STATUS", help="Only those in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """The newest runs, and where they stand."""
    with agent_of(as_json) as agent:
        rows = agent.list_workflow_runs(status and str(status), limit=limit)
    if as_json:
        print_json(rows)
    else:
        console.tell_list(rows)


@app.command()
def cancel(run_id: RunId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Begin no step any more; what has not left does not leave, and what was done stands."""
    _act(as_json, lambda agent: agent.cancel_run(run_id, actor=actor, reason=reason), good=NOTHING_LEFT)


@app.command()
def pause(run_id: RunId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Begin no step until the run is resumed."""
    _act(as_json, lambda agent: agent.pause_run(run_id, actor=actor, reason=reason))


@app.command()
def resume(run_id: RunId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Let a paused run go on."""
    _act(as_json, lambda agent: agent.resume_run(run_id, actor=actor, reason=reason))


@app.command()
def undo(run_id: RunId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Take back what a run did, the last step first."""
    _act(as_json, lambda agent: agent.undo_run(run_id, actor=actor, reason=reason), good=NOTHING_LEFT)


@app.command()
def callback(
    token: Annotated[str, typer.Argument(help="What the step that waits has handed out.")],
    payload: Annotated[str, typer.Option(help="The answer, a JSON object: it becomes the step's result.")],
    as_json: Json = False,
) -> None:
    """End the step that waits for this token."""
    try:
        brought = read_text(payload)
    except MalformedRequest as malformed:
        raise refused(as_json, "usage", f"--payload: {malformed.message}", USAGE) from None
    _act(as_json, lambda agent: agent.callback(token, brought))


def _act(as_json: bool, act: Callable[[ExecutionAgent], dict[str, Any]], *, good: frozenset[str] = WELL) -> None:
    with agent_of(as_json) as agent:
        told = act(agent)
    _tell(told, as_json)
    raise typer.Exit(0 if told["error"] is None and told["status"] in good else REFUSED_OR_FAILED)


def _tell(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        workflow_console.tell(told)


def _folder_of(file: str) -> Path | None:
    """What comes from standard input stands in no folder."""
    return None if file == "-" else Path(file).parent


def _texts(inputs: Sequence[str], as_json: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in (_input(one, as_json) for one in inputs):
        if name in found:
            raise refused(as_json, "usage", f"--input {name[:80]!r} is given twice", USAGE)
        found[name] = value
    return found


def _input(text: str, as_json: bool) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise refused(as_json, "usage", f"--input is NAME=VALUE, not {text[:80]!r}", USAGE)
    return name, value
