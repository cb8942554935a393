"""Runs on a real store: many steps that end at once, under many threads, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from urllib.parse import quote
from uuid import uuid4

import pytest

from adapters.system import SystemChance, SystemClock
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.assembly import prepare_ledger
from agents.execution_agent.config import Settings
from tests.engines import Engine
from tests.fakes import fake_world
from tests.house import agent_with
from tests.workflow_house import ADA, TASKS, Desk, step, workflow

SIDE_BY_SIDE = [f"s{number:03}" for number in range(100)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def on_dynamodb(ministack: Engine) -> Iterator[tuple[ExecutionAgent, Desk]]:
    """A house whose ledger is a table."""
    url = f"dynamodb://runs-{uuid4().hex}?endpoint_url={quote(ministack.url, safe='')}"
    settings = Settings.from_environment({"EXECUTION_AGENT_LEDGER": url})
    prepare_ledger(settings)
    desk = Desk()
    world = fake_world(clock=SystemClock(), chance=SystemChance(), extras={"desk": desk})
    with agent_with(world=world, actions=TASKS, ledger=settings.ledger, wait=30.0) as agent:
        yield agent, desk


@pytest.fixture
def agent(tmp_path: Path, desk: Desk) -> Iterator[ExecutionAgent]:
    ledger = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(tmp_path / "ledger.db")}
    world = fake_world(clock=SystemClock(), chance=SystemChance(), extras={"desk": desk})
    with agent_with(world=world, actions=TASKS, ledger=ledger) as agent:
        yield agent


def test_a_hundred_steps_that_end_together_are_all_heard(agent: ExecutionAgent, desk: Desk) -> None:
    run = agent.start_workflow_run(workflow(*map(step, SIDE_BY_SIDE)), wait=0.0)
    tally = agent.worker(threads=16).run(Event(), until_idle=True)
    assert tally.quarantined == {}
    told = agent.workflow_status(run["run_id"])
    assert {one["status"] for one in told["steps"]} == {"succeeded"}
    assert told["status"] == "completed"
    assert sorted(desk.done) == SIDE_BY_SIDE
    ended = [entry["data"]["step"] for entry in agent.workflow_history(run["run_id"]) if entry["type"] == "step_ended"]
    assert sorted(ended) == SIDE_BY_SIDE


def test_they_are_taken_back_in_the_reverse_order_of_their_ends(agent: ExecutionAgent, desk: Desk) -> None:
    few = SIDE_BY_SIDE[:12]
    run = agent.start_workflow_run(workflow(*map(step, few)), wait=0.0)
    agent.worker(threads=8).run(Event(), until_idle=True)
    ended = [entry["data"]["step"] for entry in agent.workflow_history(run["run_id"]) if entry["type"] == "step_ended"]
    assert agent.undo_run(run["run_id"], **ADA)["status"] == "compensated"
    assert desk.done[len(few) :] == [f"undo {name}" for name in reversed(ended)]


def test_a_table_keeps_a_run_as_a_file_does(on_dynamodb: tuple[ExecutionAgent, Desk]) -> None:
    agent, desk = on_dynamodb
    chain = [step(name, needs=SIDE_BY_SIDE[:number][-1:]) for number, name in enumerate(SIDE_BY_SIDE[:30])]
    run = agent.start_workflow_run(workflow(*chain), idempotency_key="k1")
    assert run["status"] == "completed"
    words = [entry["type"] for entry in agent.workflow_history(run["run_id"])]
    assert (words.count("step_ended"), words[-1]) == (30, "completed")
    assert agent.start_workflow_run(workflow(*chain), idempotency_key="k1")["duplicate"]
    assert agent.undo_run(run["run_id"], **ADA, wait=60)["status"] == "compensated"
    assert desk.done[30:] == [f"undo {name}" for name in reversed(SIDE_BY_SIDE[:30])]
    assert [row["status"] for row in agent.list_workflow_runs("compensated")] == ["compensated"]
