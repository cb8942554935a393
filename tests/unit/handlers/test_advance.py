"""The doorbell: what is due is done, once, whoever rings and however often."""

from __future__ import annotations

from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.base_action import Attempt, Prepared
from domain.errors import LedgerUnavailable
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from domain.ports import World
from tests.fakes import (
    FakeClock,
    FakeHolders,
    Greet,
    GreetAgain,
    GreetOnce,
    GreetParameters,
    GreetToday,
    ScriptedProvider,
    fake_world,
)
from tests.house import agent_with, greet, words

NOT_SENT = Retry("connection_refused", "nobody listens")
UNKNOWN = Unknown("timed_out", "no answer")
NEVER = Permanent("http_404", "no such thing")
LEASE = 10.0 + 2 * 30


class Died(BaseException):
    """The process is gone: nothing after it is carried out."""


def house(*answers: Outcome | BaseException) -> tuple[ExecutionAgent, ScriptedProvider, FakeClock, FakeHolders]:
    clock, holders, provider = FakeClock(), FakeHolders(), ScriptedProvider(*answers)
    world = fake_world(clock=clock, holders=holders, extras={"provider": provider})
    return agent_with(world=world), provider, clock, holders


def accepted(agent: ExecutionAgent, action_type: str = "greet", **options: Any) -> str:
    action_id = agent.process(greet(action_type, options={"mode": "accept", **options}))["action_id"]
    assert isinstance(action_id, str)
    return action_id


def died_in_attempt(agent: ExecutionAgent, action_type: str = "greet", **options: Any) -> str:
    action_id = accepted(agent, action_type, **options)
    with pytest.raises(Died):
        agent.advance(action_id)
    assert agent.status(action_id)["status"] == "attempted"
    return action_id


def test_what_was_accepted_is_carried_out_by_the_next_ring() -> None:
    agent, provider, _, _ = house()
    action_id = accepted(agent)
    assert agent.advance(action_id)["status"] == "succeeded"
    assert len(provider.attempts) == 1


def test_ringing_again_does_nothing_more() -> None:
    agent, provider, _, _ = house()
    action_id = accepted(agent)
    answers = [agent.advance(action_id) for _ in range(5)]
    assert answers == [answers[0]] * 5
    assert len(provider.attempts) == 1


def test_what_is_not_due_waits() -> None:
    agent, provider, clock, _ = house()
    action_id = accepted(agent, not_before="2026-03-03T12:00:00Z")
    assert agent.advance(action_id)["status"] == "scheduled"
    clock.pass_time(2 * 86_400)
    assert agent.advance(action_id)["status"] == "succeeded"
    assert len(provider.attempts) == 1


def test_nothing_sleeps_for_a_retry() -> None:
    agent, provider, clock, _ = house(NOT_SENT)
    action_id = accepted(agent)
    assert agent.advance(action_id)["status"] == "retrying"
    assert agent.advance(action_id)["status"] == "retrying"
    assert (len(provider.attempts), clock.slept) == (1, [])
    clock.pass_time(1.0)
    assert agent.advance(action_id)["status"] == "succeeded"


def test_a_mail_that_was_due_yesterday_is_never_sent() -> None:
    agent, provider, clock, _ = house()
    action_id = accepted(agent, expires_at="2026-03-01T13:00:00Z")
    clock.pass_time(3_600)
    assert agent.advance(action_id)["status"] == "expired"
    assert provider.attempts == []


def test_nobody_has_heard_of_it() -> None:
    agent, _, _, _ = house()
    assert agent.advance("act_nobody")["error"]["code"] == "not_found"


# -- an attempt that nobody ends ------------------------------------------------------------------------------------


def test_an_attempt_belongs_to_its_holder_until_the_lease_is_over() -> None:
    agent, provider, clock, _ = house(Died())
    action_id = died_in_attempt(agent)
    clock.pass_time(LEASE - 0.001)
    assert agent.advance(action_id)["status"] == "attempted"
    clock.pass_time(0.001)
    assert agent.advance(action_id)["status"] == "in_doubt"
    assert len(provider.attempts) == 1


def test_at_most_once_is_in_doubt_and_stays_there() -> None:
    agent, provider, clock, _ = house(Died())
    action_id = died_in_attempt(agent)
    clock.pass_time(LEASE)
    for _ in range(3):
        agent.advance(action_id)
        clock.pass_time(86_400)
    assert agent.status(action_id)["status"] == "in_doubt"
    assert agent.status(action_id)["error"]["code"] == "lease_lapsed"
    assert len(provider.attempts) == 1


@pytest.mark.parametrize("action_type", ["greet_again", "greet_once"])
def test_what_may_be_sent_again_is_sent_again_under_the_same_key(action_type: str) -> None:
    agent, provider, clock, _ = house(Died())
    action_id = died_in_attempt(agent, action_type)
    clock.pass_time(LEASE)
    assert agent.advance(action_id)["status"] == "retrying"
    clock.pass_time(1.0)
    assert agent.advance(action_id)["status"] == "succeeded"
    assert [attempt.effect_key for attempt in provider.attempts] == [f"{action_id}-r0"] * 2


def test_a_dead_process_is_not_waited_for() -> None:
    agent, _, _, holders = house(Died())
    action_id = died_in_attempt(agent)
    assert agent.advance(action_id)["status"] == "attempted"
    holders.dead.add("me")
    assert agent.advance(action_id)["status"] == "in_doubt"


def test_a_key_that_the_provider_has_forgotten_is_not_used_again() -> None:
    agent, provider, clock, _ = house(UNKNOWN)
    action_id = accepted(agent, "greet_today")
    assert agent.advance(action_id)["status"] == "retrying"
    clock.pass_time(60)
    response = agent.advance(action_id)
    assert (response["status"], response["error"]["code"]) == ("in_doubt", "key_window_over")
    assert len(provider.attempts) == 1


def test_a_lease_that_lasts_longer_than_the_key_ends_in_doubt() -> None:
    agent, provider, clock, _ = house(Died())
    action_id = died_in_attempt(agent, "greet_today")
    clock.pass_time(LEASE)
    assert agent.advance(action_id)["status"] == "in_doubt"
    assert len(provider.attempts) == 1


def test_a_zombie_that_wakes_up_is_heard_and_not_obeyed() -> None:
    class Frozen(Greet):
        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            clock.pass_time(LEASE)
            assert agent.advance(attempt.action_id)["status"] == "in_doubt"
            return Succeeded({"greeting": "Hello"}, reference="z1")

    clock = FakeClock()
    agent = agent_with(world=fake_world(clock=clock), actions=[Frozen])
    response = agent.process(greet())
    assert response["status"] == "in_doubt"
    assert words(agent, response)[-2:] == ["in_doubt", "late_outcome"]


@pytest.mark.parametrize("kind", [GreetAgain, GreetOnce, GreetToday])
def test_a_zombie_does_not_end_the_attempt_that_follows_it(kind: type[Greet]) -> None:
    seen: list[str] = []

    class Frozen(kind):  # type: ignore[misc, valid-type]
        action_type = "greet"
        key_window = None

        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            seen.append(attempt.effect_key)
            if len(seen) == 1:
                clock.pass_time(LEASE)
                agent.advance(attempt.action_id)
                clock.pass_time(1.0)
                assert agent.advance(attempt.action_id)["result"] == {"by": 2}
            return Succeeded({"by": len(seen)})

    clock = FakeClock()
    agent = agent_with(world=fake_world(clock=clock), actions=[Frozen])
    response = agent.process(greet())
    assert response["result"] == {"by": 2}
    assert words(agent, response)[-2:] == ["succeeded", "late_outcome"]
    assert len(set(seen)) == 1


# -- fallbacks ------------------------------------------------------------------------------------------------------


def with_fallback(first: str = "greet", then: str = "greet_once", **options: Any) -> dict[str, Any]:
    fallback = [{"action_type": then, "parameters": {"name": "Bob"}}]
    return greet(first, options={"fallback": fallback, **options})


def test_when_the_first_route_is_over_the_next_one_is_taken() -> None:
    agent, provider, _, _ = house(NEVER)
    response = agent.process(with_fallback())
    assert (response["status"], response["attempts"]) == ("succeeded", 2)
    assert response["result"] == {"greeting": "Hello", "route": "greet_once"}
    assert [attempt.effect_key[-3:] for attempt in provider.attempts] == ["-r0", "-r1"]


def test_the_first_route_says_that_it_won() -> None:
    agent, _, _, _ = house()
    assert agent.process(with_fallback())["result"]["route"] == "greet"


def test_a_route_has_retries_of_its_own() -> None:
    agent, provider, _, _ = house(NOT_SENT, NOT_SENT, NOT_SENT, NOT_SENT)
    response = agent.process(with_fallback(max_retries=1))
    assert (response["status"], len(provider.attempts)) == ("failed", 4)
    assert agent.history(response["action_id"])[-1]["data"]["reason"] == "no_route"


def test_doubt_never_falls_back() -> None:
    agent, provider, _, _ = house(UNKNOWN)
    assert agent.process(with_fallback())["status"] == "in_doubt"
    assert len(provider.attempts) == 1


def test_a_fallback_that_could_never_work_is_refused_at_the_door() -> None:
    agent, provider, _, _ = house()
    unknown = agent.process(with_fallback(then="drop_tables"))
    assert unknown["error"]["code"] == "unknown_action_type"
    assert unknown["error"]["details"][0]["field"] == "options.fallback.0.action_type"
    wrong = agent.process(greet(options={"fallback": [{"action_type": "greet", "parameters": {}}]}))
    assert wrong["error"]["details"][0]["field"] == "options.fallback.0.parameters.name"
    assert provider.attempts == []


# -- a ledger that fails --------------------------------------------------------------------------------------------


def test_an_intent_that_cannot_be_recorded_lets_nothing_leave() -> None:
    agent, provider, _, _ = house()
    action_id = accepted(agent)
    ledger = agent._parts.ledger
    record, ledger.record = ledger.record, _unavailable  # type: ignore[method-assign]
    with pytest.raises(LedgerUnavailable):
        agent.advance(action_id)
    ledger.record = record  # type: ignore[method-assign]
    assert provider.attempts == []
    assert agent.advance(action_id)["status"] == "succeeded"


def _unavailable(_: object) -> None:
    raise LedgerUnavailable("the disk is full")
