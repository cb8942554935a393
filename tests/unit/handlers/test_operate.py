"""What people do: allowed or told why not, recorded with who and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.base_action import Attempt, Prepared
from domain.outcome import Outcome, Permanent, Retry, Unknown
from domain.ports import World
from tests.fakes import Greet, GreetParameters, ScriptedProvider
from tests.house import agent_with, greet

ADA = {"actor": "ada", "reason": "the customer asked"}
IN_DOUBT = Unknown("timed_out", "no answer")
FAILED = Permanent("http_404", "no such thing")
LATER = Retry("http_429", "slow down", retry_after=600)

Verb = Callable[[ExecutionAgent, str, dict[str, str]], dict[str, Any]]
VERBS: dict[str, Verb] = {
    "cancel": lambda agent, action_id, order: agent.cancel(action_id, **order),
    "redrive": lambda agent, action_id, order: agent.redrive(action_id, **order),
    "retry_now": lambda agent, action_id, order: agent.retry_now(action_id, **order),
    "resolve_executed": lambda agent, action_id, order: agent.resolve(action_id, executed=True, **order),
    "resolve_not_executed": lambda agent, action_id, order: agent.resolve(action_id, executed=False, **order),
}
ALLOWED = {
    ("cancel", "scheduled"): "cancelled",
    ("cancel", "retrying"): "cancelled",
    ("retry_now", "scheduled"): "scheduled",
    ("retry_now", "retrying"): "retrying",
    ("redrive", "failed"): "scheduled",
    ("resolve_executed", "in_doubt"): "succeeded",
    ("resolve_not_executed", "in_doubt"): "failed",
}
ANSWERS: dict[str, Outcome | None] = {
    "succeeded": None,
    "in_doubt": IN_DOUBT,
    "failed": FAILED,
    "retrying": LATER,
}


def standing(status: str) -> tuple[ExecutionAgent, str, ScriptedProvider]:
    """An agent with one action in this status."""
    answer = ANSWERS.get(status)
    provider = ScriptedProvider(*([answer] if answer else []))
    agent = agent_with(provider)
    request = greet(options={"mode": "accept"}) if status == "scheduled" else greet()
    if status == "rejected":
        request = {"action_type": "greet", "parameters": {}}
    response = agent.process(request)
    assert response["status"] == status
    return agent, response["action_id"], provider


@pytest.mark.parametrize("status", ["scheduled", "retrying", "succeeded", "in_doubt", "failed", "rejected"])
@pytest.mark.parametrize("verb", VERBS)
def test_each_act_is_allowed_where_it_makes_sense_and_changes_nothing_elsewhere(verb: str, status: str) -> None:
    agent, action_id, _ = standing(status)
    before = agent.history(action_id)
    response = VERBS[verb](agent, action_id, ADA)
    if (verb, status) in ALLOWED:
        assert response["status"] == ALLOWED[verb, status]
        acts = [entry["data"] for entry in agent.history(action_id) if "by" in entry["data"]]
        assert [(act["by"], act["why"]) for act in acts] == [("ada", "the customer asked")]
    else:
        assert response["status"] == status
        assert response["error"]["code"] == ("too_late" if status == "succeeded" else "conflict")
        assert agent.history(action_id) == before


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("order", "fields"),
    [
        ({"actor": "", "reason": "x"}, ["actor"]),
        ({"actor": "ada", "reason": " "}, ["reason"]),
        ({"actor": "a\nb", "reason": "x" * 501}, ["actor", "reason"]),
        ({"actor": None, "reason": 7}, ["actor", "reason"]),
    ],
)
def test_an_act_without_actor_or_reason_is_refused(verb: str, order: dict[str, Any], fields: list[str]) -> None:
    agent, action_id, _ = standing("scheduled")
    before = agent.history(action_id)
    error = VERBS[verb](agent, action_id, order)["error"]
    assert error["code"] == "missing_field"
    assert [detail["field"] for detail in error["details"]] == fields
    assert agent.history(action_id) == before


@pytest.mark.parametrize("verb", VERBS)
def test_an_act_on_nobodys_action_is_refused(verb: str) -> None:
    assert VERBS[verb](agent_with(), "act_nobody", ADA)["error"]["code"] == "not_found"


@pytest.mark.parametrize(("verb", "status"), list(ALLOWED))
def test_the_same_act_twice_is_refused_the_second_time(verb: str, status: str) -> None:
    agent, action_id, _ = standing(status)
    VERBS[verb](agent, action_id, ADA)
    before = agent.history(action_id)
    assert VERBS[verb](agent, action_id, ADA)["error"] is not None
    assert agent.history(action_id) == before


def test_a_wish_to_cancel_is_recorded_once() -> None:
    agent = agent_with(ScriptedProvider())
    answers: list[dict[str, Any]] = []

    class Slow(Greet):
        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            answers.extend(agent.cancel(attempt.action_id, **ADA) for _ in range(2))
            return Retry("connection_refused", "nobody listens")

    agent = agent_with(actions=[Slow])
    response = agent.process(greet())
    assert [(answer["status"], answer["error"] and answer["error"]["code"]) for answer in answers] == [
        ("attempted", None),
        ("attempted", "conflict"),
    ]
    assert response["status"] == "cancelled"


def test_a_cancelled_action_is_never_attempted() -> None:
    agent, action_id, provider = standing("scheduled")
    agent.cancel(action_id, **ADA)
    assert agent.advance(action_id)["status"] == "cancelled"
    assert provider.attempts == []


def test_what_is_brought_forward_is_attempted_at_once() -> None:
    agent, action_id, provider = standing("retrying")
    assert agent.advance(action_id)["status"] == "retrying"
    agent.retry_now(action_id, **ADA)
    assert agent.advance(action_id)["status"] == "succeeded"
    assert len(provider.attempts) == 2


def test_a_redriven_action_is_the_same_effect() -> None:
    agent, action_id, provider = standing("failed")
    agent.redrive(action_id, **ADA)
    assert agent.advance(action_id)["status"] == "succeeded"
    assert {attempt.effect_key for attempt in provider.attempts} == {f"{action_id}-r0"}
    assert [attempt.number for attempt in provider.attempts] == [1, 2]


def test_what_was_not_executed_can_be_sent_after_all() -> None:
    agent, action_id, provider = standing("in_doubt")
    agent.resolve(action_id, executed=False, **ADA)
    agent.redrive(action_id, **ADA)
    assert agent.advance(action_id)["status"] == "succeeded"
    assert len(provider.attempts) == 2


def test_evidence_is_kept() -> None:
    agent, action_id, _ = standing("in_doubt")
    response = agent.resolve(action_id, executed=True, evidence={"message_id": "m1"}, **ADA)
    assert response["result"] == {"message_id": "m1"}
    resolved = next(entry for entry in agent.history(action_id) if entry["type"] == "resolved")
    assert resolved["data"]["evidence"] == {"message_id": "m1"}


def test_a_bulk_order_acts_once_on_each_action() -> None:
    agent, action_id, provider = standing("failed")
    operate = agent._parts.operate
    first = operate.redrive(action_id, bulk="b-1", **ADA)
    assert (first.status, first.duplicate) == ("scheduled", False)
    provider._answers = [FAILED]
    agent.advance(action_id)
    again = operate.redrive(action_id, bulk="b-1", **ADA)
    assert (again.status, again.duplicate) == ("failed", True)
    assert operate.redrive(action_id, bulk="b-2", **ADA).status == "scheduled"
