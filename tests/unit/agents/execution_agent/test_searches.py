"""Actions are found by who, what, why and when, page after page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import BUILT_IN, built_in
from domain.base_action import Attempt, Intent, Prepared
from domain.errors import ConfigurationError, Refused
from domain.outcome import Outcome, Permanent, Succeeded
from domain.ports import World
from handlers.registry import ActionTypes
from tests.fakes import FakeClock, Greet, GreetParameters, GreetReversibly, ScriptedProvider, Ungreet, fake_world
from tests.house import agent_with, greet, settings


class GreetSomebody(GreetReversibly):
    """Says whom it is about, and whom it turns to."""

    action_type = "greet_somebody"
    subject = "parameters.name"

    def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
        return replace(super().prepare(parameters, intent, world), target=f"ear:{parameters.name}")


class UngreetSomebody(Ungreet):
    """Is about the same person as what it takes back."""

    subject = "parameters.name"


class Meet(Greet):
    """Makes what it is about."""

    action_type = "meet"
    subject = "result.acquaintance"

    def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
        return Succeeded({"acquaintance": f"{prepared.parameters.name}-1"})


@pytest.fixture
def agent() -> Iterator[ExecutionAgent]:
    with agent_with(actions=(Greet, GreetSomebody, Meet, UngreetSomebody)) as agent:
        yield agent


def somebody(name: str = "Ada", **members: Any) -> dict[str, Any]:
    return {"action_type": "greet_somebody", "parameters": {"name": name}, **members}


def ids(found: dict[str, Any]) -> list[str]:
    return [row["action_id"] for row in found["actions"]]


def test_an_action_is_found_by_whom_it_is_about_why_and_whom_it_turns_to(agent: ExecutionAgent) -> None:
    cause = {"correlation_id": "c-1", "decision": {"id": "d-1", "agent": "renewals"}}
    told = agent.process(somebody(**cause))
    agent.process(somebody("Grace"))
    row = agent.find(subject="Ada")["actions"][0]
    assert row == {
        **row,
        "action_id": told["action_id"],
        "status": "succeeded",
        "action_type": "greet_somebody",
        "subject": "Ada",
        "target": "ear:Ada",
        "agent": "renewals",
        "decision": "d-1",
        "correlation": "c-1",
        "workflow": None,
        "actor": None,
        "error": None,
    }
    for name in ("subject", "target", "agent", "decision", "correlation"):
        assert ids(agent.find(**{name: row[name]})) == [told["action_id"]]
    assert ids(agent.find(subject="Ada", agent="other")) == []


def test_what_was_refused_is_found_by_what_it_was_to_be_about(agent: ExecutionAgent) -> None:
    refused = agent.process(somebody(colour="red", decision={"agent": "renewals"}))
    assert ids(agent.find(subject="Ada", status="rejected", error="unknown_field")) == [refused["action_id"]]
    strange = agent.process({"action_type": ["greet_somebody"], "parameters": "Ada", "decision": 7})
    assert strange["action_id"] in ids(agent.find(status="rejected"))


def test_what_an_action_made_is_what_it_is_about(agent: ExecutionAgent) -> None:
    met = agent.process({"action_type": "meet", "parameters": {"name": "Ada"}})
    assert ids(agent.find(subject="Ada-1")) == [met["action_id"]]


def test_what_waits_is_found_by_whom_it_will_turn_to(agent: ExecutionAgent) -> None:
    waiting = agent.process(somebody(options={"mode": "accept"}))
    assert ids(agent.find(target="ear:Ada", status="scheduled")) == [waiting["action_id"]]


def test_an_action_is_found_by_who_acted_on_it_and_so_is_its_undo_by_whom_it_is_about(agent: ExecutionAgent) -> None:
    done = agent.process(somebody())
    undone = agent.undo(done["action_id"], actor="grace", reason="it was the wrong one")
    assert ids(agent.find(actor="grace")) == [done["action_id"]]
    assert ids(agent.find(agent="grace")) == [undone["result"]["compensation"]]
    assert ids(agent.find(subject="Ada")) == [undone["result"]["compensation"], done["action_id"]]


def test_a_run_is_found_with_its_steps_and_each_step_by_whom_it_is_about(agent: ExecutionAgent) -> None:
    steps = [{"id": "greet", "uses": "greet_somebody", "with": {"name": "Ada"}}]
    definition = json.dumps({"name": "greeting", "steps": steps})
    run = agent.start_workflow_run(definition, correlation_id="c-1", actor="grace")
    agent.process(somebody("Ada"))
    (step,) = ids(agent.find(workflow=run["run_id"], action_type="greet_somebody"))
    assert set(ids(agent.find(workflow=run["run_id"]))) == {run["run_id"], step}
    assert ids(agent.find(workflow=run["run_id"], subject="Ada", target="ear:Ada")) == [step]
    assert ids(agent.find(correlation="c-1", actor="grace", action_type="workflow:greeting")) == [run["run_id"]]


def test_the_code_of_what_is_wrong_finds_it_until_it_is_right() -> None:
    provider = ScriptedProvider(Permanent("http_404", "gone"))
    with agent_with(provider) as agent:
        failed = agent.process(greet())
        assert ids(agent.find(error="http_404", status="failed")) == [failed["action_id"]]
        agent.redrive(failed["action_id"], actor="ada", reason="it is back")
        agent.advance(failed["action_id"])
        assert ids(agent.find(error="http_404")) == []
        assert ids(agent.find(actor="ada", status="succeeded")) == [failed["action_id"]]


def test_pages_follow_one_another_while_others_are_born(agent: ExecutionAgent) -> None:
    told = [agent.process(greet())["action_id"] for _ in range(7)]
    first = agent.find(action_type="greet", limit=3)
    agent.process(greet())
    second = agent.find(action_type="greet", limit=3, cursor=first["next"])
    third = agent.find(action_type="greet", limit=50, cursor=second["next"])
    assert [*ids(first), *ids(second), *ids(third)] == told[::-1]
    assert third["next"] is None


def test_a_cursor_of_other_filters_is_refused(agent: ExecutionAgent) -> None:
    for _ in range(3):
        agent.process(greet())
    cursor = agent.find(action_type="greet", limit=1)["next"]
    for filters in ({}, {"action_type": "meet"}, {"action_type": "greet", "since": "2026-03-01"}):
        with pytest.raises(Refused, match="cursor: this is no cursor of this search"):
            agent.find(**filters, cursor=cursor)  # type: ignore[arg-type]


def test_a_cursor_of_another_ledger_is_refused_and_of_the_same_one_is_not(tmp_path: Path) -> None:
    def at(name: str) -> ExecutionAgent:
        ledger = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(tmp_path / name)}
        world = fake_world(extras={"provider": ScriptedProvider()})
        return ExecutionAgent(settings(ledger=ledger), world=world, actions=[Greet])

    with at("a.db") as here, at("b.db") as elsewhere, at("./sub/../a.db") as here_again:
        told = [here.process(greet())["action_id"] for _ in range(2)]
        cursor = here.find(limit=1)["next"]
        assert ids(here_again.find(cursor=cursor)) == told[:1]
        with pytest.raises(Refused):
            elsewhere.find(cursor=cursor)


@pytest.mark.parametrize(
    "filters", [{"colour": "red"}, {"status": "nope"}, {"since": "soon"}, {"limit": 0}, {"limit": 1_001}, {"agent": ""}]
)
def test_what_is_no_filter_is_refused(agent: ExecutionAgent, filters: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        agent.find(**filters)
    assert refusal.value.code == "invalid_options"


def test_actions_are_counted_by_hour_status_and_type() -> None:
    clock = FakeClock()
    world = fake_world(clock=clock, extras={"provider": ScriptedProvider()})
    with agent_with(world=world) as agent:
        agent.process(greet())
        agent.process(greet(colour="red"))
        clock.pass_time(3_600)
        agent.process(greet())
        counts = agent.counters()
        assert counts == [
            {"hour": "2026-03-01T12", "status": "rejected", "action_type": "greet", "count": 1},
            {"hour": "2026-03-01T12", "status": "succeeded", "action_type": "greet", "count": 1},
            {"hour": "2026-03-01T13", "status": "succeeded", "action_type": "greet", "count": 1},
        ]
        assert agent.counters(since="2026-03-01T13:00:00Z") == counts[2:]
        with pytest.raises(Refused):
            agent.counters(since="2026-03-02", until="2026-03-01")


# -- what action types declare --------------------------------------------------------------------------------------


def test_every_built_in_type_that_is_about_something_says_where_that_is() -> None:
    subjects = {name: built_in(name).subject for name in BUILT_IN}
    assert {name for name, subject in subjects.items() if subject is None} == {
        # Theirs is the connection, which is their target.
        "invoke_function",
        "send_teams",
        "signal_workflow",
    }
    assert subjects["send_email"] == subjects["send_sms"] == "parameters.recipient"
    assert subjects["crm_update"] == subjects["crm_delete"] == "parameters.id"
    assert subjects["crm_create"] == "result.id"
    ActionTypes(built_in(name) for name in BUILT_IN)


@pytest.mark.parametrize(
    "path",
    ["name", "parameters", "parameters.nobody", "parameters.", "result", "facts.name", "", 7, "parameters.name.a b"],
)
def test_a_subject_that_is_nowhere_is_a_mistake_of_the_type(path: Any) -> None:
    class Lost(Greet):
        action_type = "lost"
        subject = path

    with pytest.raises(ConfigurationError, match="the action type lost has no such subject as"):
        ActionTypes([Lost])


def test_a_target_that_cannot_be_stored_is_replaced_and_costs_no_action(agent: ExecutionAgent) -> None:
    done = agent.process(somebody("\U0001f98b" * 2_000))
    assert done["status"] == "succeeded"
    (row,) = agent.find(action_type="greet_somebody")["actions"]
    assert len(row["target"]) <= 255
    assert len(row["subject"]) <= 255
    assert ids(agent.find(subject="\U0001f98b" * 2_000)) == [done["action_id"]]
