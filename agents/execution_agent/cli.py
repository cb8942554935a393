"""The command line: `execution-agent run FILE|-`, `status ID`, `history ID`, `work`, `actions`, `schema`, `init`, and
the acts of people in `operators`.

With `--json` exactly one JSON document goes to stdout. Everything for people goes to the terminal, logs to stderr.
Exit codes: 0 done or accepted, 1 the action was refused, failed or is in doubt, 2 usage, 3 ledger or configuration.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from threading import Event
from typing import Annotated

try:
    import typer
except ImportError:  # a Lambda needs no command line
    sys.stderr.write("execution-agent: the command line is an extra: pip install 'execution-agent[cli]'\n")
    raise SystemExit(3) from None

from agents.execution_agent import (
    archive_commands,
    audit_commands,
    audit_group,
    console,
    operators,
    promises,
    proof_commands,
    replay_commands,
    search_commands,
    workflow_commands,
)
from agents.execution_agent.assembly import prepare_ledger
from agents.execution_agent.model_schemas import DoesNotFit
from agents.execution_agent.schemas import Format, chosen, document_of
from agents.execution_agent.shell import (
    REFUSED_OR_FAILED,
    ActionId,
    Json,
    agent_of,
    broken_is_one_line,
    is_not_found,
    is_unreadable,
    print_json,
    read_request,
    refused,
    settings_of_environment,
)

DONE_OR_ACCEPTED = frozenset({"succeeded", "scheduled", "attempted", "retrying", "held"})

app = typer.Typer(
    name="execution-agent",
    help="Carries out the decisions of an AI agent, once, and can prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The request as JSON; - reads standard input.")],
    accept: Annotated[bool, typer.Option("--accept", help="Only accept it; a worker carries it out.")] = False,
    as_json: Json = False,
) -> None:
    """Carry out the action that FILE asks for."""
    text = read_request(file, as_json)
    with agent_of(as_json) as agent:
        response = agent.process_json(text, wait=0.0 if accept else None)
        history = agent.history(response["action_id"]) if response["action_id"] else []
    if as_json:
        print_json(response)
    else:
        console.tell(response, history)
    is_well = response["status"] in DONE_OR_ACCEPTED and not is_unreadable(response)
    raise typer.Exit(0 if is_well else REFUSED_OR_FAILED)


@app.command()
def status(action_id: ActionId, as_json: Json = False) -> None:
    """Where the action stands."""
    with agent_of(as_json) as agent:
        response = agent.status(action_id)
    if as_json:
        print_json(response)
    else:
        console.tell_status(response)
    raise typer.Exit(REFUSED_OR_FAILED if is_not_found(response) or is_unreadable(response) else 0)


@app.command()
def history(action_id: ActionId, as_json: Json = False) -> None:
    """What happened to the action, event by event."""
    with agent_of(as_json) as agent:
        life = agent.history(action_id)
        response = agent.status(action_id)
    if as_json:
        print_json(life if life else response)
    elif life:
        console.tell_history(life)
    else:
        console.tell_status(response)
    raise typer.Exit(0 if life else REFUSED_OR_FAILED)


@app.command()
def actions(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the table of the README.")] = False,
    as_json: Json = False,
) -> None:
    """What this agent can do, and what each action type promises, as it declares it."""
    with agent_of(as_json) as agent:
        types = agent.action_types
    if as_json:
        print_json([promises.document_of(kind) for kind in types])
    elif markdown:
        typer.echo(promises.as_markdown(types))
    else:
        console.tell_actions([promises.row_of(kind) for kind in types])


@app.command()
def schema(
    wanted: Annotated[Format, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(Format)}.")],
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this action type; say it again for more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print action types, all or some, as tools for other agents."""
    with agent_of(as_json) as agent:
        try:
            document = document_of(wanted, chosen(agent.action_types, types))
        except DoesNotFit as reason:
            raise refused(as_json, "does_not_fit", str(reason), REFUSED_OR_FAILED) from None
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


@app.command()
def init(as_json: Json = False) -> None:
    """Create the ledger: the SQLite file, or the DynamoDB table for development."""
    with broken_is_one_line(as_json):
        where = prepare_ledger(settings_of_environment())
    if as_json:
        print_json({"ledger": where})
    else:
        console.say(f"The ledger is ready: {where}")


@app.command()
def work(
    threads: Annotated[int, typer.Option(min=1, max=256, help="Attempts at the same time.")] = 8,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is due.")] = False,
    as_json: Json = False,
) -> None:
    """Carry out what is due, until SIGTERM or Ctrl-C; what has begun is finished."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with agent_of(as_json) as agent, console.live_tally(quiet=as_json) as tell:
        tally = agent.worker(threads=threads).run(stop, until_idle=until_idle, tell=tell)
    if as_json:
        print_json(asdict(tally))
    else:
        console.tell_tally(tally)
    raise typer.Exit(REFUSED_OR_FAILED if tally.quarantined else 0)


operators.register(app)
search_commands.register(app)
replay_commands.register(app)
app.add_typer(workflow_commands.app)
audit_commands.register(audit_group.app)
archive_commands.register(app)
proof_commands.register(audit_group.app)
app.add_typer(audit_group.app)


def main() -> None:
    """The entry point of the `execution-agent` command."""
    app()
