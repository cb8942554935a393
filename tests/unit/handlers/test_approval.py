"""What a person has to approve waits for a person, and goes on exactly as it was approved."""

from __future__ import annotations

from typing import Any

import pytest

from domain.outcome import Unknown
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import agent_with, greet, words

ADA = {"actor": "ada", "reason": "I have looked at it"}


def to_eve(**options: Any) -> dict[str, Any]:
    return {"action_type": "greet_reversibly", "parameters": {"name": "Eve"}, "options": options}


class House:
    def __init__(self, *answers: Any) -> None:
        self.clock, self.provider, self.extras = FakeClock(), ScriptedProvider(*answers), {}
        self.extras = {"provider": self.provider}
        self.agent = agent_with(world=fake_world(clock=self.clock, extras=self.extras))

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.agent.process(request)


def test_what_is_held_says_why_and_does_nothing() -> None:
    house = House()
    held = house.ask(to_eve())
    assert (held["status"], held["error"], held["attempts"]) == ("held", None, 0)
    assert held["result"] == {
        "held": {"rule": "eve", "message": "nobody greets Eve unseen", "details": {"name": "Eve"}}
    }
    assert words(house.agent, held) == ["requested", "validated", "held"]
    house.clock.pass_time(86_400)
    assert house.agent.advance(held["action_id"])["status"] == "held"
    assert house.provider.attempts == []


def test_what_is_approved_is_carried_out_and_says_who_approved_it() -> None:
    house = House()
    action_id = house.ask(to_eve())["action_id"]
    assert house.agent.approve(action_id, **ADA)["status"] == "scheduled"
    assert house.agent.advance(action_id)["status"] == "succeeded"
    told = house.agent.history(action_id)
    held, approved = told[2]["data"], told[3]["data"]
    assert approved == {"request_hash": held["request_hash"], "by": "ada", "why": "I have looked at it"}
    assert len(house.provider.attempts) == 1


def test_what_is_denied_is_over() -> None:
    house = House()
    action_id = house.ask(to_eve())["action_id"]
    denied = house.agent.deny(action_id, **ADA)
    assert (denied["status"], denied["error"]["code"]) == ("denied", "denied")
    assert house.agent.advance(action_id)["status"] == "denied"
    assert house.agent.approve(action_id, **ADA)["error"]["code"] == "conflict"
    assert house.provider.attempts == []


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_an_approval_needs_an_actor_a_reason_and_something_held(verb: str) -> None:
    house = House()
    held, done = house.ask(to_eve())["action_id"], house.ask(greet())["action_id"]
    act = getattr(house.agent, verb)
    assert act(held, actor="", reason="x")["error"]["code"] == "missing_field"
    assert act(held, actor="ada", reason=" ")["error"]["code"] == "missing_field"
    assert act(done, **ADA)["error"]["code"] in ("too_late", "conflict")
    assert act("act_nobody", **ADA)["error"]["code"] == "not_found"
    assert house.agent.status(held)["status"] == "held"


def test_approved_twice_is_approved_once() -> None:
    house = House()
    action_id = house.ask(to_eve())["action_id"]
    house.agent.approve(action_id, **ADA)
    assert house.agent.approve(action_id, **ADA)["error"]["code"] == "conflict"
    assert [entry["type"] for entry in house.agent.history(action_id)].count("approved") == 1


def test_what_is_held_can_be_cancelled_and_expires() -> None:
    house = House()
    cancelled = house.ask(to_eve())["action_id"]
    assert house.agent.cancel(cancelled, **ADA)["status"] == "cancelled"
    expiring = house.ask(to_eve(expires_at="2026-03-01T13:00:00Z"))["action_id"]
    house.clock.pass_time(3_600)
    assert house.agent.advance(expiring)["status"] == "expired"


def test_an_approval_is_for_what_was_held_and_not_for_what_changed_since() -> None:
    house = House()
    house.extras["changed"] = {"answer": "hello"}
    action_id = house.ask({"action_type": "ungreet", "parameters": {"name": "Ada"}})["action_id"]
    house.agent.approve(action_id, **ADA)
    house.extras["changed"] = {"answer": "something else"}
    assert house.agent.advance(action_id)["status"] == "held"
    assert house.provider.attempts == []
    house.agent.approve(action_id, **ADA)
    assert house.agent.advance(action_id)["status"] == "succeeded"


def test_an_approved_action_still_waits_for_its_time() -> None:
    house = House()
    action_id = house.ask(to_eve(not_before="2026-03-01T13:00:00Z"))["action_id"]
    house.agent.approve(action_id, **ADA)
    assert house.agent.advance(action_id)["status"] == "scheduled"
    house.clock.pass_time(3_600)
    assert house.agent.advance(action_id)["status"] == "succeeded"


def test_an_approved_action_that_is_tried_again_needs_no_other_approval() -> None:
    house = House(Unknown("timed_out", "no answer"))
    action_id = house.ask(to_eve())["action_id"]
    house.agent.approve(action_id, **ADA)
    assert house.agent.advance(action_id)["status"] == "retrying"
    house.clock.pass_time(60)
    assert house.agent.advance(action_id)["status"] == "succeeded"


def test_a_denial_does_not_hide_that_an_earlier_attempt_may_stand() -> None:
    house = House(Unknown("timed_out", "no answer"))
    action_id = house.ask({"action_type": "ungreet", "parameters": {"name": "Ada"}, "options": {"mode": "accept"}})[
        "action_id"
    ]
    assert house.agent.advance(action_id)["status"] == "retrying"
    house.extras["changed"] = {"answer": "hello"}
    house.clock.pass_time(60)
    assert house.agent.advance(action_id)["status"] == "held"
    assert house.agent.deny(action_id, **ADA)["status"] == "in_doubt"


def test_the_same_request_again_is_a_duplicate_of_the_held_one() -> None:
    house = House()
    request = {**to_eve(), "idempotency_key": "eve-1"}
    first, second = house.ask(request), house.ask(request)
    assert second == {**first, "duplicate": True}


def test_a_fallback_is_held_when_its_turn_comes_and_not_before() -> None:
    house = House()
    response = house.ask(
        greet(options={"fallback": [{"action_type": "greet_reversibly", "parameters": {"name": "Eve"}}]})
    )
    assert response["status"] == "succeeded"
