"""The doorbell: what is due is done, once, whoever rings and however often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.action import Action
from domain.base_action import Attempt, Prepared
from domain.errors import LedgerUnavailable
from domain.gate import Limits
from domain.lifecycle import Status
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


def test_a_duplicate_of_an_attempt_whose_process_is_dead_does_not_wait_for_it() -> None:
    agent, _, clock, holders = house(Died())
    with pytest.raises(Died):
        agent.process(greet(idempotency_key="order-7"))
    holders.dead.add("me")
    again = agent.process(greet(idempotency_key="order-7"))
    assert (again["status"], again["duplicate"], clock.slept) == ("in_doubt", True, [])


def test_a_key_that_the_provider_has_forgotten_is_not_used_again() -> None:
    agent, provider, clock, _ = house(UNKNOWN)
    action_id = accepted(agent, "greet_today")
    assert agent.advance(action_id)["status"] == "retrying"
    clock.pass_time(600 - LEASE)
    response = agent.advance(action_id)
    assert (response["status"], response["error"]["code"]) == ("in_doubt", "key_window_over")
    assert len(provider.attempts) == 1


def test_a_lease_that_ends_when_the_key_is_forgotten_ends_in_doubt() -> None:
    agent, provider, clock, _ = house(Died())
    action_id = died_in_attempt(agent, "greet_today")
    clock.pass_time(600)
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
    assert response["result"] == {"greeting": "Hello", "route": {"number": 1, "action_type": "greet_once"}}
    assert [attempt.effect_key[-3:] for attempt in provider.attempts] == ["-r0", "-r1"]


def test_the_first_route_says_that_it_won() -> None:
    agent, _, _, _ = house()
    assert agent.process(with_fallback())["result"]["route"] == {"number": 0, "action_type": "greet"}


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


@pytest.mark.parametrize(("slow", "status"), [(10.0, "expired"), (0.0, "succeeded")])
def test_an_intent_that_took_too_long_to_record_is_not_sent_after_its_time(slow: float, status: str) -> None:
    agent, provider, clock, _ = house()
    ledger = agent._parts.ledger
    record = ledger.record

    def record_slowly(action: Action) -> None:
        record(action)
        if action.status is Status.ATTEMPTED:
            clock.pass_time(slow)

    ledger.record = record_slowly  # type: ignore[method-assign]
    response = agent.process(greet(options={"expires_at": "2026-03-01T12:00:05Z"}))
    assert response["status"] == status
    assert len(provider.attempts) == (1 if status == "succeeded" else 0)


def test_what_recording_took_is_not_there_for_the_attempt() -> None:
    agent, provider, clock, _ = house()
    ledger = agent._parts.ledger
    record, delays = ledger.record, [4.0, 0.0, 10.0, 0.0]

    def record_slowly(action: Action) -> None:
        record(action)
        clock.pass_time(delays.pop(0))

    ledger.record = record_slowly  # type: ignore[method-assign]
    agent.process(greet())
    assert [attempt.timeout for attempt in provider.attempts] == [6.0]
    assert agent.process(greet(options={"max_retries": 0}))["error"]["code"] == "recorded_too_late"
    assert len(provider.attempts) == 1


def _unavailable(_: object) -> None:
    raise LedgerUnavailable("the disk is full")


# -- gates ----------------------------------------------------------------------------------------------------------


class Limited(Greet):
    """A target that bears one attempt a second, and a breaker that opens after three sick actions."""

    limits = Limits(per_second=1.0, failures=3, pause=30.0)


def limited_house(*answers: Outcome) -> tuple[ExecutionAgent, ScriptedProvider, FakeClock]:
    clock, provider = FakeClock(), ScriptedProvider(*answers)
    return agent_with(world=fake_world(clock=clock, extras={"provider": provider}), actions=[Limited]), provider, clock


def test_waiting_for_a_target_spends_no_attempt() -> None:
    agent, provider, clock = limited_house()
    first, second = accepted(agent), accepted(agent)
    assert agent.advance(first)["status"] == "succeeded"
    waiting = agent.advance(second)
    assert (waiting["status"], waiting["attempts"], len(provider.attempts)) == ("scheduled", 0, 1)
    deferred = agent.history(second)[-1]
    assert (deferred["type"], deferred["data"]["reason"], deferred["data"]["target"]) == (
        "deferred",
        "rate_limited",
        "greet",
    )
    clock.pass_time(1.0)
    assert agent.advance(second)["status"] == "succeeded"


def test_whoever_waits_long_for_a_place_asks_less_often() -> None:
    class Narrow(Greet):
        limits = Limits(at_once=1)

        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            for _ in range(60):
                agent.advance(waiting)
                clock.pass_time(1.0)
            return Succeeded({})

    clock = FakeClock()
    agent = agent_with(world=fake_world(clock=clock), actions=[Narrow])
    waiting = accepted(agent)
    agent.process(greet())
    deferred = [entry["at"] for entry in agent.history(waiting) if entry["type"] == "deferred"]
    assert 5 <= len(deferred) <= 8
    assert agent.status(waiting)["status"] == "scheduled"


def test_an_attempt_that_was_never_sent_says_nothing_about_its_target() -> None:
    agent, provider, clock = limited_house()
    ledger = agent._parts.ledger
    record = ledger.record

    def record_slowly(action: Action) -> None:
        record(action)
        if action.status is Status.ATTEMPTED:
            clock.pass_time(10.0)

    ledger.record = record_slowly  # type: ignore[method-assign]
    for _ in range(4):
        assert agent.advance(accepted(agent, retry_policy="none"))["error"]["code"] == "recorded_too_late"
    ledger.record = record  # type: ignore[method-assign]
    assert agent.advance(accepted(agent))["status"] == "succeeded"
    assert len(provider.attempts) == 1


def test_a_caller_who_waits_waits_for_the_target_too() -> None:
    agent, _, clock = limited_house()
    agent.process(greet())
    assert agent.process(greet())["status"] == "succeeded"
    assert clock.slept == [1.0]


def test_a_provider_that_is_down_is_left_in_peace() -> None:
    """A thousand due actions, ten minutes without a provider: what it is asked, and how it is woken."""
    clock = FakeClock()
    asked: list[float] = []

    def down_for_ten_minutes(_: Attempt) -> Outcome:
        asked.append(clock.monotonic())
        return NOT_SENT if clock.monotonic() < 600 else Succeeded({})

    class Mail(Greet):
        limits = Limits(per_second=20.0)

    agent = agent_with(world=fake_world(clock=clock, extras={"provider": down_for_ten_minutes}), actions=[Mail])
    ids = [accepted(agent, max_retries=10) for _ in range(1_000)]
    agenda = agent._parts.agenda
    while due := agenda.due(clock.now() + timedelta(days=1), 2_000):
        for action_id in agenda.due(clock.now(), 2_000):
            agent.advance(action_id)
        clock.pass_time(0.5 if due else 0)

    assert {agent.status(action_id)["status"] for action_id in ids} == {"succeeded"}
    probes = [at for at in asked if at < 600]
    assert len(probes) <= 40
    assert len(asked) <= 1.1 * 1_000 + len(probes)
    after = [at for at in asked if at >= 600]
    assert max(sum(1 for at in after if start <= at < start + 1) for start in after) <= 2 * 20


def test_a_person_who_says_that_the_target_is_well_is_believed_once() -> None:
    agent, provider, _ = limited_house(*[NOT_SENT] * 3)
    ids = [accepted(agent, retry_policy="none") for _ in range(4)]
    clock = agent._parts.world.clock
    assert isinstance(clock, FakeClock)
    for action_id in ids[:3]:
        agent.advance(action_id)
        clock.pass_time(1.0)
    assert agent.advance(ids[3])["status"] == "scheduled"
    agent.retry_now(ids[3], actor="ada", reason="the provider says that it is back")
    assert agent.advance(ids[3])["status"] == "succeeded"
    assert len(provider.attempts) == 4
