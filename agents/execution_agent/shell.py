"""What the commands share: the agent of this environment, one JSON document, one clear line for what is broken."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from domain.errors import ConfigurationError, ExecutionAgentError, LedgerError, Refused
from domain.json_value import MAX_BYTES

REFUSED_OR_FAILED = 1
USAGE = 2
BROKEN = 3

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
ActionId = Annotated[str, typer.Argument(metavar="ID", help="The action's id: act_...")]


def settings_of_environment() -> Settings:
    # On a terminal the answer itself says what happened; whoever wants the log as well asks for it.
    settings = Settings.from_environment({"EXECUTION_AGENT_LOG_LEVEL": "ERROR", **os.environ})
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    return settings


@contextmanager
def agent_of(as_json: bool, *, refusal: int = USAGE) -> Iterator[ExecutionAgent]:
    """`refusal` is the exit code of what the agent refuses: 1 where that is the answer to a question."""
    with broken_is_one_line(as_json, refusal=refusal), ExecutionAgent(settings_of_environment()) as agent:
        yield agent


@contextmanager
def broken_is_one_line(as_json: bool, *, refusal: int = USAGE) -> Iterator[None]:
    """A wrong setting or a broken ledger is one clear line; the trace is for those who ask for it."""
    try:
        yield
    except Refused as error:
        raise refused(as_json, str(error.code), error.message, refusal) from None
    except (ConfigurationError, LedgerError) as error:
        if os.environ.get("EXECUTION_AGENT_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        raise refused(as_json, _code_of(error), str(error), BROKEN) from None


def refused(as_json: bool, code: str, message: str, exit_code: int) -> typer.Exit:
    """One clear line for people, one document for programs; the exit to raise."""
    if as_json:
        print_json({"error": {"code": code, "message": message, "details": []}})
    typer.echo(f"execution-agent: {message}", err=True)
    return typer.Exit(exit_code)


def _code_of(error: ExecutionAgentError) -> str:
    return "configuration" if isinstance(error, ConfigurationError) else "ledger"


def read_request(file: str, as_json: bool) -> bytes:
    """At most one byte more than a request may have: the gate says the rest."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(file).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise refused(as_json, "usage", f"cannot read {file}: {error.strerror}", USAGE) from None


def is_not_found(response: dict[str, Any]) -> bool:
    return bool(response["error"]) and response["error"]["code"] == "not_found" and response["action_id"] is None


def is_unreadable(response: dict[str, Any]) -> bool:
    return bool(response["error"]) and response["error"]["code"] == "unreadable"


def print_json(document: object) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False))
