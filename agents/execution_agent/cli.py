"""The command line: `execution-agent run FILE|-`, `status ID`, `history ID`, `actions`, `init`.

With `--json` exactly one JSON document goes to stdout. Everything for people goes to the terminal, logs to stderr.
Exit codes: 0 done or accepted, 1 the action was refused, failed or is in doubt, 2 usage, 3 ledger or configuration.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

try:
    import typer
except ImportError:  # a Lambda needs no command line
    raise SystemExit("the command line is an extra: pip install 'execution-agent[cli]'") from None

from agents.execution_agent import console
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.assembly import prepare_ledger
from agents.execution_agent.config import Settings
from domain.errors import ConfigurationError, ExecutionAgentError, LedgerError
from domain.json_value import MAX_BYTES

DONE_OR_ACCEPTED = frozenset({"succeeded", "scheduled", "attempted", "retrying", "held"})
REFUSED_OR_FAILED = 1
USAGE = 2
BROKEN = 3

app = typer.Typer(
    name="execution-agent",
    help="Carries out the decisions of an AI agent, once, and can prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
ActionId = Annotated[str, typer.Argument(metavar="ID", help="The action's id: act_...")]


@app.command()
def run(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The request as JSON; - reads standard input.")],
    as_json: Json = False,
) -> None:
    """Carry out the action that FILE asks for."""
    text = _read(file)
    with _agent(as_json) as agent:
        response = agent.process_json(text)
        history = agent.history(response["action_id"]) if response["action_id"] else []
    if as_json:
        _print_json(response)
    else:
        console.tell(response, history)
    raise typer.Exit(0 if response["status"] in DONE_OR_ACCEPTED else REFUSED_OR_FAILED)


@app.command()
def status(action_id: ActionId, as_json: Json = False) -> None:
    """Where the action stands."""
    with _agent(as_json) as agent:
        response = agent.status(action_id)
    if as_json:
        _print_json(response)
    else:
        console.tell_status(response)
    raise typer.Exit(REFUSED_OR_FAILED if _is_not_found(response) else 0)


@app.command()
def history(action_id: ActionId, as_json: Json = False) -> None:
    """What happened to the action, event by event."""
    with _agent(as_json) as agent:
        life = agent.history(action_id)
        response = agent.status(action_id)
    if as_json:
        _print_json(life if life else response)
    elif life:
        console.tell_history(life)
    else:
        console.tell_status(response)
    raise typer.Exit(0 if life else REFUSED_OR_FAILED)


@app.command()
def actions(as_json: Json = False) -> None:
    """What this agent can do, and what each action type promises."""
    with _agent(as_json) as agent:
        types = [
            {"action_type": kind.action_type, "delivery": str(kind.delivery), "summary": kind.summary}
            for kind in agent.action_types
        ]
    if as_json:
        _print_json(types)
    else:
        console.tell_actions(types)


@app.command()
def init(as_json: Json = False) -> None:
    """Create the ledger: the SQLite file, or the DynamoDB table for development."""
    with _broken_is_one_line(as_json):
        where = prepare_ledger(_settings())
    if as_json:
        _print_json({"ledger": where})
    else:
        console.say(f"The ledger is ready: {where}")


def main() -> None:
    """The entry point of the `execution-agent` command."""
    app()


def _settings() -> Settings:
    # On a terminal the answer itself says what happened; whoever wants the log as well asks for it.
    settings = Settings.from_environment({"EXECUTION_AGENT_LOG_LEVEL": "ERROR", **os.environ})
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    return settings


@contextmanager
def _agent(as_json: bool) -> Iterator[ExecutionAgent]:
    with _broken_is_one_line(as_json), ExecutionAgent(_settings()) as agent:
        yield agent


@contextmanager
def _broken_is_one_line(as_json: bool) -> Iterator[None]:
    """A wrong setting or a broken ledger is one clear line; the trace is for those who ask for it."""
    try:
        yield
    except (ConfigurationError, LedgerError) as error:
        if os.environ.get("EXECUTION_AGENT_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        if as_json:
            _print_json({"error": {"code": _code_of(error), "message": str(error), "details": []}})
        typer.echo(f"execution-agent: {error}", err=True)
        raise typer.Exit(BROKEN) from None


def _code_of(error: ExecutionAgentError) -> str:
    return "configuration" if isinstance(error, ConfigurationError) else "ledger"


def _read(file: str) -> bytes:
    """At most one byte more than a request may have: the gate says the rest."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(file).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        typer.echo(f"execution-agent: cannot read {file}: {error.strerror}", err=True)
        raise typer.Exit(USAGE) from None


def _is_not_found(response: dict[str, Any]) -> bool:
    return bool(response["error"]) and response["error"]["code"] == "not_found" and response["action_id"] is None


def _print_json(document: object) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False))
