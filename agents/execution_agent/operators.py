"""The command line of those who look after actions: cancel, retry-now, redrive, resolve, approve, deny, undo, one or
many, and list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from agents.execution_agent import console
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.shell import USAGE, ActionId, Json, agent_of, print_json, refused
from domain.lifecycle import Status
from domain.workflow_standing import RunStatus

DUE_NOW = "It is due now; a worker carries it out: execution-agent work"

Actor = Annotated[str, typer.Option(help="Who does this; recorded.")]
Reason = Annotated[str, typer.Option(help="Why; recorded.")]
Executed = Annotated[bool, typer.Option("--executed", help="The effect stands.")]
Force = Annotated[bool, typer.Option("--force", help="Also over what somebody changed since, once it was shown.")]
Hash = Annotated[str | None, typer.Option("--hash", help="Only if it is still held for what was shown under this.")]
NotExecuted = Annotated[bool, typer.Option("--not-executed", help="Certainly nothing happened.")]


# Made of both, so that a status that is added to either can be listed; the checker wants members that it can read.
Listed = StrEnum("Listed", list(dict.fromkeys([*map(str, Status), *map(str, RunStatus)])))  # type: ignore[misc]
"""Where what is listed can stand: actions, and workflow runs beside them."""


class Verb(StrEnum):
    """What can be done to many actions at once, and where it makes sense."""

    CANCEL = "cancel"
    RETRY_NOW = "retry-now"
    REDRIVE = "redrive"
    RESOLVE_EXECUTED = "resolve-executed"
    RESOLVE_NOT_EXECUTED = "resolve-not-executed"
    APPROVE = "approve"
    DENY = "deny"
    UNDO = "undo"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (cancel, retry_now, redrive, resolve, approve, deny, undo, bulk):
        app.command()(command)
    app.command("list")(list_actions)


def cancel(action_id: ActionId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Make no attempt any more; while one runs, none after it."""
    _act(
        as_json,
        lambda agent: agent.cancel(action_id, actor=actor, reason=reason),
        {"attempted": "An attempt is running; none will follow it."},
    )


def retry_now(action_id: ActionId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Make the next attempt due now."""
    _act(
        as_json,
        lambda agent: agent.retry_now(action_id, actor=actor, reason=reason),
        {"scheduled": DUE_NOW, "retrying": DUE_NOW},
    )


def redrive(action_id: ActionId, actor: Actor, reason: Reason, as_json: Json = False) -> None:
    """Give a failed action its retries once more, under the same effect key."""
    _act(as_json, lambda agent: agent.redrive(action_id, actor=actor, reason=reason), {"scheduled": DUE_NOW})


def resolve(
    action_id: ActionId,
    actor: Actor,
    reason: Reason,
    executed: Executed = False,
    not_executed: NotExecuted = False,
    as_json: Json = False,
) -> None:
    """Say what became of an action in doubt: --executed or --not-executed."""
    if executed == not_executed:
        raise refused(as_json, "usage", "say either --executed or --not-executed", USAGE)
    _act(as_json, lambda agent: agent.resolve(action_id, executed=executed, actor=actor, reason=reason))


def approve(
    action_id: ActionId, actor: Actor, reason: Reason, request_hash: Hash = None, as_json: Json = False
) -> None:
    """Let an action that is held go on, as it was held."""
    _act(
        as_json,
        lambda agent: agent.approve(action_id, actor=actor, reason=reason, request_hash=request_hash),
        {"scheduled": DUE_NOW},
    )


def deny(action_id: ActionId, actor: Actor, reason: Reason, request_hash: Hash = None, as_json: Json = False) -> None:
    """Do not let an action that is held go on."""
    _act(as_json, lambda agent: agent.deny(action_id, actor=actor, reason=reason, request_hash=request_hash))


def undo(
    action_id: ActionId,
    actor: Actor,
    reason: Reason,
    force: Force = False,
    request_hash: Hash = None,
    as_json: Json = False,
) -> None:
    """Take back what a succeeded action did, by an action of its own."""
    with agent_of(as_json) as agent:
        response = agent.undo(action_id, actor=actor, reason=reason, force=force, request_hash=request_hash)
        compensation = (response["result"] or {}).get("compensation")
        by = agent.status(compensation) if compensation else None
    if as_json:
        print_json(response)
    else:
        console.tell_status(response)
        if by is not None:
            console.say("It is taken back by:")
            console.tell_status(by)
    raise typer.Exit(1 if _is_refused(response) or response["status"] == "compensation_failed" else 0)


def bulk(
    verb: Annotated[Verb, typer.Argument(metavar="VERB", help=f"One of {', '.join(Verb)}.")],
    status: Annotated[Status, typer.Option(metavar="STATUS", help="The actions in this status.")],
    actor: Actor,
    reason: Reason,
    action_type: Annotated[str | None, typer.Option("--type", help="Only of this action type.")] = None,
    bulk_id: Annotated[str | None, typer.Option(help="Carry out the order that was counted under this id.")] = None,
    as_json: Json = False,
) -> None:
    """Count the actions that an act would concern; with --bulk-id, carry it out on each of them."""
    with agent_of(as_json) as agent:
        if bulk_id is None:
            count = agent.count_bulk(str(status), action_type=action_type)
            _say_count(count, verb, as_json)
            return
        report = agent.carry_out_bulk(
            _doer(agent, verb, actor, reason, bulk_id), bulk_id, str(status), action_type=action_type
        )
    refused = [item for item in report if _is_refused(item)]
    if as_json:
        print_json(report)
    else:
        for item in report:
            console.tell_status(item)
        console.say(f"{len(report) - len(refused)} done, {len(refused)} refused")
    raise typer.Exit(1 if refused else 0)


def list_actions(
    status: Annotated[Listed | None, typer.Option(metavar="STATUS", help="Only those in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many, the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """The newest actions and workflow runs, and where they stand."""
    with agent_of(as_json) as agent:
        rows = agent.list_actions(status and str(status), limit=limit + 1)
    if as_json:
        print_json(rows[:limit])
    else:
        console.tell_list(rows[:limit])
    if len(rows) > limit:
        typer.echo("execution-agent: there are more: execution-agent find", err=True)


def _act(
    as_json: bool, act: Callable[[ExecutionAgent], dict[str, Any]], explained: Mapping[str, str] | None = None
) -> None:
    """`explained`: what to tell a person of the status that the act left."""
    with agent_of(as_json) as agent:
        response = act(agent)
    if as_json:
        print_json(response)
    else:
        console.tell_status(response)
        if explained and not _is_refused(response) and response["status"] in explained:
            console.say(explained[response["status"]])
    raise typer.Exit(1 if _is_refused(response) else 0)


_REFUSED = ("not_found", "missing_field", "too_late", "irreversible", "conflict", "unreadable", "archived")


def _is_refused(response: dict[str, Any]) -> bool:
    """An act that was done leaves an error only where the action itself has one: it failed, or was cancelled."""
    error = response["error"]
    return bool(error) and error["code"] in _REFUSED


def _doer(agent: ExecutionAgent, verb: Verb, actor: str, reason: str, bulk_id: str) -> Callable[[str], dict[str, Any]]:
    order: dict[str, Any] = {"actor": actor, "reason": reason, "bulk": bulk_id}
    doers: dict[Verb, Callable[[str], dict[str, Any]]] = {
        Verb.CANCEL: lambda action_id: agent.cancel(action_id, **order),
        Verb.RETRY_NOW: lambda action_id: agent.retry_now(action_id, **order),
        Verb.REDRIVE: lambda action_id: agent.redrive(action_id, **order),
        Verb.RESOLVE_EXECUTED: lambda action_id: agent.resolve(action_id, executed=True, **order),
        Verb.RESOLVE_NOT_EXECUTED: lambda action_id: agent.resolve(action_id, executed=False, **order),
        Verb.APPROVE: lambda action_id: agent.approve(action_id, **order),
        Verb.DENY: lambda action_id: agent.deny(action_id, **order),
        Verb.UNDO: lambda action_id: agent.undo(action_id, **order),
    }
    return doers[verb]


def _say_count(count: dict[str, Any], verb: Verb, as_json: bool) -> None:
    if as_json:
        print_json(count)
        return
    console.say(f"{count['count']} actions are concerned; nothing was done.")
    if count["count"]:
        console.say(f"To {verb} them, give the same order again with --bulk-id {count['bulk_id']}")
