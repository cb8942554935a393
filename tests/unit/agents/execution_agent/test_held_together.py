"""Which actions a legal hold is for that names none: too many rather than too few."""

from __future__ import annotations

import pytest

from agents.execution_agent.held_together import PAGE, held_together
from domain.identity import compensating_action_id, keyed_run_id
from tests.fakes import ScriptedProvider, fake_world
from tests.house import agent_with, greet
from tests.workflow_house import ADA, House, child_step, step, workflow


@pytest.fixture(scope="module")
def house() -> House:
    """A run that was taken back, with `a` in it, and within it a run of `b`, and within that one a run of `c`."""
    house = House()
    files = {
        "child.yaml": workflow(step("b"), child_step("deeper", "deeper.yaml", needs=["b"]), name="child"),
        "deeper.yaml": workflow(step("c"), name="deeper"),
    }
    run = house.start(step("a"), child_step("sub", needs=["a"]), files=files, key="r-1")
    assert house.agent.undo_run(run["run_id"], **ADA)["status"] == "compensated"
    house.agent.process({"action_type": "do", "parameters": {"name": "of no run"}})
    assert house.desk.done == ["a", "b", "c", "undo c", "undo b", "undo a", "of no run"]
    return house


def names(house: House, **asked: str) -> list[str]:
    """What those did that are held; none of them is a run."""
    held = set(held_together(house.agent, asked))
    assert all(any_id.startswith("act_") for any_id in held)
    requests = [house.agent._parts.ledger.load(any_id).request for any_id in held]
    return sorted(f"{request['action_type']} {request['parameters']['name']}" for request in requests)


def test_a_run_is_held_with_the_runs_within_it_and_all_that_takes_them_back(house: House) -> None:
    run = {"run_id": keyed_run_id("r-1")}
    child = house.child(run, "sub")
    assert names(house, workflow=run["run_id"]) == ["do a", "do b", "do c", "undo a", "undo b", "undo c"]
    assert names(house, workflow=child["run_id"]) == ["do b", "do c", "undo b", "undo c"]
    assert names(house, workflow=house.child(child, "deeper")["run_id"]) == ["do c", "undo c"]
    assert names(house, workflow="run_nobody") == []


def test_what_a_decision_or_a_conversation_led_to_is_held_with_what_took_it_back() -> None:
    agent = agent_with()
    request = greet("greet_reversibly", decision={"id": "d-1", "agent": "a", "reason": "r"}, correlation_id="c-1")
    action_id = agent.process(request)["action_id"]
    assert agent.undo(action_id, **ADA)["status"] == "compensated"
    both = [action_id, compensating_action_id(action_id)]
    assert list(held_together(agent, {"decision": "d-1"})) == both
    assert list(held_together(agent, {"correlation": "c-1"})) == both
    assert list(held_together(agent, {"decision": "d-2"})) == []


def test_where_it_was_asked_for_anew_each_is_held() -> None:
    agent = agent_with(world=fake_world(extras={"provider": ScriptedProvider(), "changed": {"by": "Ada"}}))
    action_id = agent.process(greet("greet_reversibly", correlation_id="c-1"))["action_id"]
    agent.undo(action_id, **ADA)
    compensations = [compensating_action_id(action_id, number) for number in (1, 2)]
    agent.deny(compensations[0], **ADA)
    agent.undo(action_id, **ADA)
    assert list(held_together(agent, {"correlation": "c-1"})) == [action_id, *compensations]


def test_all_pages_are_held() -> None:
    agent = agent_with()
    ids = {agent.process(greet(correlation_id="c-1"))["action_id"] for _ in range(PAGE + 1)}
    assert set(held_together(agent, {"correlation": "c-1"})) == ids
