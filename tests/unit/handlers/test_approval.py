"""What a person has to approve waits for a person, and goes on exactly as it was approved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from domain.outcome import Permanent, Unknown
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
    assert held["result"]["held"] == {
        "rule": "eve",
        "message": "nobody greets Eve unseen",
        "details": {"name": "Eve"},
        "request_hash": house.agent.history(held["action_id"])[2]["data"]["request_hash"],
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


# -- exactly what was shown -----------------------------------------------------------------------------------------


def test_a_person_approves_what_was_shown_and_nothing_that_came_in_its_place() -> None:
    house = House()
    house.extras["changed"] = {"answer": "CFO"}
    action_id = house.ask({"action_type": "ungreet", "parameters": {"name": "Ada"}})["action_id"]
    shown = house.agent.status(action_id)["result"]["held"]["request_hash"]
    house.agent.approve(action_id, **ADA, request_hash=shown)
    house.extras["changed"] = {"answer": "CEO"}
    assert house.agent.advance(action_id)["status"] == "held"
    refused = house.agent.approve(action_id, actor="bob", reason="fine", request_hash=shown)
    assert (refused["status"], refused["error"]["code"]) == ("held", "conflict")
    now = house.agent.status(action_id)["result"]["held"]
    assert now["details"] == {"answer": "CEO"}
    assert house.agent.approve(action_id, **ADA, request_hash=now["request_hash"])["status"] == "scheduled"
    assert house.agent.advance(action_id)["status"] == "succeeded"


def test_what_is_approved_is_looked_at_once_more_and_only_once() -> None:
    """Were it looked at twice in one attempt, what changes between the two looks would pass unseen."""
    house = House()
    looks: list[str] = []
    answers = iter(["CFO", "CFO", "CEO"])

    class Answer(Mapping[str, str]):
        def __iter__(self) -> Iterator[str]:
            looks.append(next(answers))
            return iter(["answer"])

        def __len__(self) -> int:
            return 1

        def __getitem__(self, name: str) -> str:
            return looks[-1]

    house.extras["changed"] = Answer()
    action_id = house.ask({"action_type": "ungreet", "parameters": {"name": "Ada"}})["action_id"]
    house.agent.approve(action_id, **ADA)
    assert house.agent.advance(action_id)["status"] == "succeeded"
    assert looks == ["CFO", "CFO"]


def test_an_approval_of_one_route_is_none_of_the_next() -> None:
    house = House(Permanent("http_404", "no such thing"))
    fallback = [{"action_type": "greet_reversibly", "parameters": {"name": "Eve"}}]
    action_id = house.ask({**to_eve(fallback=fallback)})["action_id"]
    house.agent.approve(action_id, **ADA)
    assert house.agent.advance(action_id)["status"] == "held"
    assert len(house.provider.attempts) == 1
    house.agent.approve(action_id, **ADA)
    assert house.agent.advance(action_id)["status"] == "succeeded"


def test_a_time_that_was_brought_forward_before_it_was_held_can_be_brought_forward_after() -> None:
    house = House()
    later = {"not_before": "2026-06-01T12:00:00Z"}
    action_id = house.ask({"action_type": "ungreet", "parameters": {"name": "Ada"}, "options": later})["action_id"]
    house.agent.retry_now(action_id, **ADA)
    house.extras["changed"] = {"answer": "hello"}
    assert house.agent.advance(action_id)["status"] == "held"
    house.agent.approve(action_id, **ADA)
    assert house.agent.retry_now(action_id, **ADA)["status"] == "scheduled"
    assert house.agent.advance(action_id)["status"] == "succeeded"
