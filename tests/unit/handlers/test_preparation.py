"""Making an attempt ready takes time, may be refused, and must cost neither an attempt nor what is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.http import NotSent
from adapters.memory_events import MemoryRecorder
from domain.base_action import Attempt, Inquiry, Intent, Prepared
from domain.errors import EventTooLarge, Refused
from domain.outcome import Executed, Finding, Outcome, Succeeded, Unknown
from domain.policy import Delivery
from domain.ports import World
from tests.fakes import FakeClock, Greet, GreetParameters, ScriptedProvider, fake_world
from tests.house import agent_with, greet, words

UNKNOWN = Unknown("timed_out", "no answer")


class SlowToPrepare(Greet):
    """Asks somebody before it can greet: `world.extras["prepare"]` says what that brings."""

    def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
        prepare: Callable[[Intent], Any] = world.extras["prepare"]
        return Prepared(parameters, facts={"found": prepare(intent)})


class AskedAfterwards(SlowToPrepare):
    """The same, for a provider that takes a key once, and can be asked."""

    action_type = "greet_asked"
    delivery = Delivery.IDEMPOTENT_BY_KEY

    def probe(self, parameters: GreetParameters, inquiry: Inquiry, world: World) -> Finding:
        provider: ScriptedProvider = world.extras["provider"]
        return provider.find(inquiry)


class House:
    def __init__(self, *answers: Outcome, findings: tuple[Finding, ...] = ()) -> None:
        self.clock, self.provider = FakeClock(), ScriptedProvider(*answers, findings=findings)
        self.intents: list[Intent] = []
        self.takes = 0.0
        self.refuses = False
        extras = {"provider": self.provider, "prepare": self._prepare}
        self.agent = agent_with(
            world=fake_world(clock=self.clock, extras=extras), actions=(SlowToPrepare, AskedAfterwards)
        )

    def _prepare(self, intent: Intent) -> int:
        self.intents.append(intent)
        self.clock.pass_time(self.takes)
        if self.refuses:
            raise Refused("the target is gone for a moment")
        return len(self.intents)


def test_an_attempt_that_has_no_time_left_once_it_is_ready_is_not_begun() -> None:
    house = House()
    action_id = house.agent.process(greet(options={"mode": "accept", "max_retries": 0}))["action_id"]
    house.takes = 9.0
    action = house.agent._parts.advance(action_id, within=9.2)
    assert (str(action.status), action.attempts) == ("scheduled", 0)
    assert house.agent.advance(action_id)["status"] == "succeeded"


def test_a_request_that_took_all_its_time_to_be_made_ready_is_accepted_and_carried_out_later() -> None:
    house = House()
    house.takes = 9.0
    response = house.agent.process(greet(options={"max_retries": 0}), wait=9.2)
    assert (response["status"], response["attempts"]) == ("scheduled", 0)
    house.takes = 0.0
    assert house.agent.advance(response["action_id"])["status"] == "succeeded"


def test_whoever_prepares_is_told_how_long_it_may_take() -> None:
    house = House()
    fallback = [{"action_type": "greet", "parameters": {"name": "Bob"}}]
    house.agent.process(greet(options={"fallback": fallback}), wait=4.0)
    assert [intent.within for intent in house.intents] == [4.0, 0.0]


def test_what_is_only_accepted_asks_nobody() -> None:
    house = House()
    action_id = house.agent.process(greet(options={"mode": "accept"}))["action_id"]
    house.agent.advance(action_id)
    assert [intent.within for intent in house.intents] == [0.0, 10.0]


def test_what_was_only_checked_is_not_carried_out_because_its_time_has_come_meanwhile() -> None:
    house = House()
    house.takes = 9.0
    response = house.agent.process(greet(options={"not_before": "2026-03-01T12:00:05Z"}))
    assert (response["status"], house.provider.attempts) == ("scheduled", [])
    assert house.agent.advance(response["action_id"])["status"] == "succeeded"
    assert [intent.within for intent in house.intents] == [0.0, 10.0]


def test_a_refused_preparation_forgets_nothing_of_an_earlier_attempt_in_doubt() -> None:
    house = House(UNKNOWN, findings=(Executed({"seen": True}, {"greeting": "Hello"}),))
    asked = {"action_type": "greet_asked", "parameters": {"name": "Ada"}, "options": {"mode": "accept"}}
    action_id = house.agent.process(asked)["action_id"]
    assert house.agent.advance(action_id)["status"] == "retrying"
    house.refuses = True
    house.clock.pass_time(60)
    assert house.agent.advance(action_id)["status"] == "in_doubt"
    house.clock.pass_time(60)
    assert house.agent.advance(action_id)["status"] == "succeeded"
    (inquiry,), (attempt,) = house.provider.inquiries, house.provider.attempts
    assert (dict(inquiry.facts), inquiry.at) == ({"found": 2}, attempt.at)


def test_a_key_is_not_used_so_late_that_it_might_arrive_when_it_is_forgotten() -> None:
    class Forgetful(Greet):
        action_type = "greet_forgetful"
        delivery = Delivery.IDEMPOTENT_BY_KEY
        key_window = timedelta(minutes=5)
        timeout = 30.0

    clock, provider = FakeClock(), ScriptedProvider(UNKNOWN)
    agent = agent_with(world=fake_world(clock=clock, extras={"provider": provider}), actions=(Forgetful,))
    asked = greet("greet_forgetful", options={"mode": "accept"})
    action_id = agent.process(asked)["action_id"]
    agent.advance(action_id)
    lease = 30 + 2 * 30
    clock.pass_time(5 * 60 - lease)
    assert agent.advance(action_id)["status"] == "in_doubt"
    assert len(provider.attempts) == 1


def test_what_is_too_large_to_be_recorded_is_refused_and_raises_nothing() -> None:
    agent = agent_with()
    recorder = agent._parts.ledger.recorder
    insert = recorder.insert_events

    def bounded(events: Any, **more: Any) -> Any:
        if len(events) > 2:
            raise EventTooLarge("together they take 393532 bytes")
        return insert(events, **more)

    assert isinstance(recorder, MemoryRecorder)
    recorder.insert_events = bounded  # type: ignore[method-assign]
    answer = agent.process({"action_type": "greet_reversibly", "parameters": {"name": "Eve"}})
    assert (answer["status"], answer["error"]["code"]) == ("rejected", "too_large")
    assert words(agent, answer) == ["requested", "rejected"]


@pytest.mark.parametrize("poisoned", [0, 1, 2])
def test_one_that_cannot_be_read_holds_up_no_bulk_order(poisoned: int) -> None:
    agent = agent_with(ScriptedProvider(*(Unknown("timed_out", "no answer") for _ in range(3))))
    ids = [agent.process(greet())["action_id"] for _ in range(3)]
    recorder = agent._parts.ledger.recorder
    select = recorder.select_events

    def poison(originator_id: Any, **more: Any) -> Any:
        from domain.errors import CorruptEvent

        if originator_id == ids[poisoned]:
            raise CorruptEvent("it cannot be read")
        return select(originator_id, **more)

    recorder.select_events = poison  # type: ignore[method-assign]
    count = agent.count_bulk("in_doubt")
    report = agent.carry_out_bulk(
        lambda action_id: agent.resolve(action_id, executed=True, actor="ada", reason="seen"),
        count["bulk_id"],
        "in_doubt",
    )
    told = {item["action_id"]: (item["error"] or {}).get("code") for item in report}
    assert told == {action_id: "conflict" if action_id == ids[poisoned] else None for action_id in ids}


def test_whatever_a_type_raises_before_it_acts_is_a_refusal() -> None:
    class Clumsy(Greet):
        def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
            raise NotSent("connection_refused", "nobody listens")

    answer = agent_with(actions=(Clumsy,)).process(greet())
    assert (answer["status"], answer["error"]["code"]) == ("rejected", "action_type_broken")


def test_a_type_that_cannot_say_whether_it_can_ask_is_not_asked() -> None:
    class Clumsy(Greet):
        def can_probe(self, world: World) -> bool:
            raise ValueError("who knows")

    agent = agent_with(actions=(Clumsy,))
    assert agent.process(greet())["status"] == "succeeded"


def test_a_type_without_time_is_still_checked() -> None:
    """What is refused is refused at the door, whoever carries it out later."""
    house = House(Succeeded())
    house.refuses = True
    assert house.agent.process(greet(options={"mode": "accept"}))["status"] == "rejected"


def test_an_attempt_names_what_was_found() -> None:
    house = House()
    response = house.agent.process(greet())
    (attempted,) = [entry for entry in house.agent.history(response["action_id"]) if entry["type"] == "attempted"]
    assert attempted["data"]["facts"] == {"found": 1}
    assert isinstance(house.provider.attempts[0], Attempt)
