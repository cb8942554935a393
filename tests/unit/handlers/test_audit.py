"""The audit reads whole stories: of one action and what it led to, or of all that came of a decision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.errors import Refused
from domain.outcome import Retry, Unknown
from handlers.audit import MOST_TRAILS, Audit, ids_found
from projections.reading import NOW
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import agent_with, greet
from tests.lives import MAPPER, ListedJournal, greeted


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def agent(clock: FakeClock) -> Iterator[ExecutionAgent]:
    provider = ScriptedProvider(Retry("refused", "not now"))
    with agent_with(world=fake_world(clock=clock, extras={"provider": provider})) as agent:
        yield agent


def only_trail(told: dict[str, Any]) -> dict[str, Any]:
    (trail,) = told["trails"]
    found: dict[str, Any] = trail
    return found


def test_the_trail_of_an_action_has_its_attempts_and_the_rules_that_held(agent: ExecutionAgent) -> None:
    response = agent.process(greet(options={"max_retries": 2, "retry_policy": "fixed"}))
    trail = only_trail(agent.audit(response["action_id"]))

    assert [attempt["outcome"]["class"] for attempt in trail["attempts"]] == ["retry", "succeeded"]
    assert trail["attempts"][0]["policy"] == {"retries": "fixed", "limit": 2, "backoff_ms": 1000}
    assert trail["attempts"][0]["policy_sha256"] == trail["attempts"][1]["policy_sha256"]


def test_what_took_an_action_back_is_told_with_it(agent: ExecutionAgent) -> None:
    response = agent.process(greet("greet_reversibly"))
    undone = agent.undo(response["action_id"], actor="ada", reason="the wrong person")
    trail = only_trail(agent.audit(response["action_id"]))

    (link,) = trail["linked"]
    assert link["id"] == undone["result"]["compensation"]
    assert link["trail"]["status"] == "succeeded"
    assert link["trail"]["links"]["compensates"] == response["action_id"]
    assert [act["act"] for act in trail["acts"]] == ["compensation_requested"]


def test_as_of_then_an_undo_that_came_later_is_not_told(agent: ExecutionAgent, clock: FakeClock) -> None:
    response = agent.process(greet("greet_reversibly"))
    known = len(agent.history(response["action_id"]))
    clock.pass_time(60)
    agent.undo(response["action_id"], actor="ada", reason="the wrong person")

    assert only_trail(agent.audit(response["action_id"], at=known))["linked"] == []
    earlier = only_trail(agent.audit(response["action_id"], at=clock.now() - timedelta(seconds=30)))
    assert earlier["status"] == "succeeded"
    assert only_trail(agent.audit(response["action_id"]))["status"] == "compensated"


def test_as_of_a_version_the_undo_is_told_as_far_as_it_was_then(agent: ExecutionAgent, clock: FakeClock) -> None:
    response = agent.process(greet("greet_reversibly"))
    undone = agent.undo(response["action_id"], actor="ada", reason="the wrong person", wait=0.0)
    clock.pass_time(5)
    agent.advance(undone["result"]["compensation"])
    requested = next(one for one in agent.history(response["action_id"]) if one["type"] == "compensation_requested")
    trail = only_trail(agent.audit(response["action_id"], at=requested["version"]))

    assert trail["status"] == "compensating"
    assert trail["linked"][0]["trail"]["status"] == "scheduled"
    assert only_trail(agent.audit(response["action_id"]))["linked"][0]["trail"]["status"] == "succeeded"


def test_nothing_was_known_before_it_was_born(agent: ExecutionAgent, clock: FakeClock) -> None:
    born = clock.now()
    response = agent.process(greet())
    told = agent.audit(response["action_id"], at=born - timedelta(seconds=1))

    assert told["trails"] == []
    assert told["error"]["code"] == "not_found"
    assert told["error"]["message"].endswith("or was known then")


@pytest.mark.parametrize("nobody", ["act_nobody", "\x00", "ä" * 300, ""])
def test_of_what_nobody_has_heard_of_there_is_no_trail(agent: ExecutionAgent, nobody: str) -> None:
    assert agent.audit(nobody)["error"]["code"] == "not_found"


def test_a_decision_has_the_trails_of_all_that_came_of_it(agent: ExecutionAgent) -> None:
    decision = {"id": "d-7", "agent": "renewals"}
    ids = {agent.process(greet(parameters={"name": name}, decision=decision))["action_id"] for name in ("Ada", "Bob")}
    agent.process(greet(decision={"id": "d-8"}))

    told = agent.audit(decision="d-7")
    assert {trail["id"] for trail in told["trails"]} == ids
    assert told["more"] is False
    assert agent.audit(decision="d-9")["error"]["code"] == "not_found"


def test_a_correlation_id_has_the_trails_of_all_that_belongs_to_it(agent: ExecutionAgent) -> None:
    response = agent.process(greet(correlation_id="c-7"))
    agent.process(greet(correlation_id="c-8"))

    assert only_trail(agent.audit(correlation="c-7"))["id"] == response["action_id"]


def test_a_run_has_the_trails_of_its_steps(agent: ExecutionAgent) -> None:
    steps = [{"id": name, "uses": "greet_once", "with": {"name": name}} for name in ("ada", "bob")]
    run = agent.start_workflow_run(json.dumps({"name": "greetings", "steps": steps}), {}, wait=5)
    trail = only_trail(agent.audit(workflow=run["run_id"]))

    assert trail["kind"] == "workflow_run"
    assert [link["step"] for link in trail["linked"]] == [step["id"] for step in run["steps"]]
    assert all(link["trail"]["links"]["workflow"]["run"] == run["run_id"] for link in trail["linked"])


def test_a_version_is_of_one_action_only(agent: ExecutionAgent) -> None:
    with pytest.raises(Refused):
        agent.audit(decision="d-1", at=3)


def test_it_has_to_be_said_what_is_wanted(agent: ExecutionAgent) -> None:
    for wanted in ({}, {"decision": "d-1", "correlation": "c-1"}):
        with pytest.raises(Refused):
            agent.audit(**wanted)


def test_all_pages_of_what_is_found_are_read() -> None:
    pages = {None: (["act_a", "act_b"], "1"), "1": ([], "2"), "2": (["act_c"], None)}

    def find(*, decision: str, cursor: str | None) -> dict[str, Any]:
        assert decision == "d-1"
        ids, following = pages[cursor]
        return {"actions": [{"action_id": action_id} for action_id in ids], "next": following}

    assert list(ids_found(find, decision="d-1")) == ["act_a", "act_b", "act_c"]


def test_an_answer_that_would_be_too_long_says_that_there_is_more() -> None:
    lives = [greeted(f"act_{number:04d}") for number in range(MOST_TRAILS + 1)]
    journal = ListedJournal(*lives[:3])
    audit = Audit(journal, MAPPER)

    few = audit.of_many([life.action_id for life in lives[:3]], NOW, "decision 'd-1'")
    assert (len(few["trails"]), few["more"]) == (3, False)
    many = Audit(_Every(lives), MAPPER).of_many([life.action_id for life in lives], NOW, "decision 'd-1'")
    assert (len(many["trails"]), many["more"]) == (MOST_TRAILS, True)


def test_what_is_found_twice_is_told_once() -> None:
    told = Audit(ListedJournal(greeted()), MAPPER).of_many([greeted().action_id] * 2, NOW, "decision 'd-1'")
    assert len(told["trails"]) == 1


def test_a_doubt_and_its_end_are_one_story(clock: FakeClock) -> None:
    provider = ScriptedProvider(Unknown("timeout", "no answer"))
    with agent_with(world=fake_world(clock=clock, extras={"provider": provider})) as agent:
        response = agent.process(greet())
        agent.resolve(response["action_id"], executed=True, actor="ada", reason="it is in the mailbox")
        trail = only_trail(agent.audit(response["action_id"]))

    assert trail["attempts"][0]["outcome"]["class"] == "unknown"
    assert trail["attempts"][0]["settled"]["why"] == "it is in the mailbox"


class _Every(ListedJournal):
    """One that finds each by its id at once."""

    def __init__(self, lives: list[Any]) -> None:
        super().__init__(*lives)
        self._by_id = {life.action_id: life for life in lives}

    def life(self, action_id: str) -> Any:
        return self._by_id.get(action_id)
