"""Lists and bulk orders on a ledger in DynamoDB, whose rows are kept apart from it and may be behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from click.testing import Result
from typer.testing import CliRunner

from adapters.dynamodb_views import DynamoDBViews
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.assembly import prepare_ledger
from agents.execution_agent.cli import app
from agents.execution_agent.config import Settings
from domain.outcome import Permanent
from domain.ports import World
from projections.status import view_of
from tests.engines import Engine
from tests.fakes import FakeClock, Greet, ScriptedProvider, fake_world
from tests.house import greet

ADA = ("--actor", "ada", "--reason", "the customer asked")
ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "revops-ai-v2-execution-agent"}
EXAMPLE = Path(__file__).parents[2] / "examples" / "renewal_reminder.json"
REFUSED = Permanent("http_404", "no such thing")


@pytest.fixture
def environ(ministack: Engine) -> dict[str, str]:
    """A ledger of which there is nothing yet."""
    return {
        "EXECUTION_AGENT_LEDGER": f"dynamodb://ledger-{uuid4().hex}?endpoint_url={quote(ministack.url, safe='')}",
        "EXECUTION_AGENT_LOG_LEVEL": "",
    }


# -- the command line, as on a laptop: nobody listens to a stream ---------------------------------------------------


@pytest.fixture
def cli(environ: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """What a command says, as a document; its exit code must be the one that is expected."""

    def call(*words: str, exits: int = 0) -> Any:
        outbox = {"EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox"}
        result: Result = CliRunner().invoke(app, [*words, "--json"], env=environ | outbox)
        assert result.exit_code == exits, result.output
        return json.loads(result.stdout)

    return call


def test_what_was_done_and_what_waits_is_listed_at_once(cli: Callable[..., Any]) -> None:
    cli("init")
    done = cli("run", str(EXAMPLE))["action_id"]
    waiting = cli("run", str(EXAMPLE), "--accept")["action_id"]
    assert [row["action_id"] for row in cli("list")] == [waiting, done]
    assert [row["action_id"] for row in cli("list", "--status", "scheduled")] == [waiting]
    cli("work", "--until-idle")
    assert [row["status"] for row in cli("list")] == ["succeeded"] * 2
    assert [row["action_id"] for row in cli("list", "--limit", "1")] == [waiting]


def test_a_bulk_order_is_counted_carried_out_and_never_done_twice(cli: Callable[..., Any]) -> None:
    cli("init")
    for _ in range(3):
        cli("run", str(EXAMPLE), "--accept")
    order = ("bulk", "cancel", "--status", "scheduled", *ADA)
    count = cli(*order)
    assert count["count"] == 3
    assert len(cli("list", "--status", "scheduled")) == 3
    late = cli("run", str(EXAMPLE), "--accept")["action_id"]
    assert [item["status"] for item in cli(*order, "--bulk-id", count["bulk_id"])] == ["cancelled"] * 3
    assert cli(*order, "--bulk-id", count["bulk_id"]) == []
    assert [row["action_id"] for row in cli("list", "--status", "scheduled")] == [late]


def test_a_ledger_without_a_table_of_rows_is_carried_on_with_and_a_list_says_what_is_missing(
    cli: Callable[..., Any], environ: dict[str, str]
) -> None:
    agent = ExecutionAgent(Settings.from_environment(environ))
    agent._parts.ledger.recorder.create_table()  # type: ignore[attr-defined]
    agent.close()
    assert cli("run", str(EXAMPLE))["status"] == "succeeded"
    assert "-views" in (said := cli("list", exits=3)["error"]["message"])
    assert "execution-agent init" in said
    cli("init")
    assert cli("list") == []


# -- the agent: who keeps the rows ----------------------------------------------------------------------------------


@pytest.fixture
def open_agent(environ: dict[str, str]) -> Iterator[Callable[..., ExecutionAgent]]:
    """Opens an agent on the ledger, on a laptop or on Lambda."""
    prepare_ledger(Settings.from_environment(environ))
    with ExitStack() as opened:

        def opener(world: World, **changes: str) -> ExecutionAgent:
            settings = Settings.from_environment(environ | changes)
            return opened.enter_context(ExecutionAgent(settings, world=world, actions=[Greet]))

        yield opener


def rows_of(agent: ExecutionAgent) -> DynamoDBViews:
    views = agent._parts.views
    assert isinstance(views, DynamoDBViews)
    return views


def requests_of(agent: ExecutionAgent) -> list[dict[str, int]]:
    """What was asked of the ledger, and of the rows beside it."""
    ledger: Any = agent._parts.ledger.recorder
    return [dict(ledger.dynamodb.requests), dict(rows_of(agent).dynamodb.requests)]


def test_on_lambda_an_action_is_two_puts_and_the_rows_are_left_to_the_stream(
    open_agent: Callable[..., ExecutionAgent],
) -> None:
    agent = open_agent(fake_world(extras={"provider": ScriptedProvider()}), **ON_LAMBDA)
    action_id = agent.process(greet())["action_id"]
    assert requests_of(agent) == [{"PutItem": 2}, {}]
    assert agent.list_actions() == []
    assert rows_of(agent).keep(view_of(agent._parts.ledger.load(action_id)))
    assert [row["status"] for row in agent.list_actions()] == ["succeeded"]


def test_elsewhere_each_commit_is_followed_by_its_row(open_agent: Callable[..., ExecutionAgent]) -> None:
    told: list[Any] = []

    def provider(_: object) -> Permanent:
        told.extend(agent.list_actions("attempted"))
        return REFUSED

    agent = open_agent(fake_world(extras={"provider": provider}))
    response = agent.process(greet())
    assert [row["action_id"] for row in told] == [response["action_id"]]
    assert [row["status"] for row in agent.list_actions()] == [response["status"]] == ["failed"]
    assert requests_of(agent)[0] == {"PutItem": 2}
    assert requests_of(agent)[1]["PutItem"] == 2


def test_a_worker_finds_what_is_due_without_asking_for_rows(open_agent: Callable[..., ExecutionAgent]) -> None:
    agent = open_agent(fake_world(extras={"provider": ScriptedProvider()}), **ON_LAMBDA)
    for _ in range(3):
        agent.process(greet(options={"mode": "accept"}))
    agent.worker(threads=2).run(Event(), until_idle=True)
    assert requests_of(agent)[1] == {}


# -- rows that are behind -------------------------------------------------------------------------------------------


def test_a_row_that_is_behind_makes_no_second_redrive(open_agent: Callable[..., ExecutionAgent]) -> None:
    """The order counts a failed action. Somebody redrives it, it fails again, and its row does not know yet."""
    clock = FakeClock()
    provider = ScriptedProvider(REFUSED, REFUSED)
    agent = open_agent(fake_world(clock=clock, extras={"provider": provider}), **ON_LAMBDA)
    action_id = agent.process(greet())["action_id"]
    rows_of(agent).keep(view_of(agent._parts.ledger.load(action_id)))
    order = agent.count_bulk("failed")
    assert order["count"] == 1

    clock.pass_time(1.0)
    agent.redrive(action_id, actor="bob", reason="I saw it first")
    agent.advance(action_id)
    before = agent.history(action_id)
    assert before[-1]["type"] == "failed"
    assert [row["version"] for row in agent.list_actions("failed")] == [5]

    def redrive(action_id: str) -> dict[str, Any]:
        return agent.redrive(action_id, actor="ada", reason="all of them", bulk=order["bulk_id"])

    assert agent.carry_out_bulk(redrive, order["bulk_id"], "failed") == []
    assert redrive(action_id)["error"]["code"] == "conflict"
    assert agent.history(action_id) == before


def test_a_bulk_order_that_is_repeated_while_rows_are_behind_does_nothing_twice(
    open_agent: Callable[..., ExecutionAgent],
) -> None:
    clock = FakeClock()
    agent = open_agent(fake_world(clock=clock, extras={"provider": ScriptedProvider()}), **ON_LAMBDA)
    waiting = [agent.process(greet(options={"mode": "accept"}))["action_id"] for _ in range(4)]
    for action_id in waiting:
        rows_of(agent).keep(view_of(agent._parts.ledger.load(action_id)))
    order = agent.count_bulk("scheduled")
    clock.pass_time(1.0)
    stopped_after_two: list[str] = []

    def cancel(action_id: str) -> dict[str, Any]:
        if len(stopped_after_two) == 2:
            raise KeyboardInterrupt
        stopped_after_two.append(action_id)
        return agent.cancel(action_id, actor="ada", reason="all of them", bulk=order["bulk_id"])

    with pytest.raises(KeyboardInterrupt):
        agent.carry_out_bulk(cancel, order["bulk_id"], "scheduled")
    assert stopped_after_two == waiting[:2]

    def cancel_on(action_id: str) -> dict[str, Any]:
        return agent.cancel(action_id, actor="ada", reason="all of them", bulk=order["bulk_id"])

    rest = agent.carry_out_bulk(cancel_on, order["bulk_id"], "scheduled")
    assert [(item["action_id"], item["status"]) for item in rest] == [(one, "cancelled") for one in waiting[2:]]
    assert agent.carry_out_bulk(cancel_on, order["bulk_id"], "scheduled") == []
    assert len(agent.list_actions("scheduled")) == 4
    assert [len(agent.history(action_id)) for action_id in waiting] == [3] * 4
