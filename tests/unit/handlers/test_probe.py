"""A doubt is settled by asking the provider, where it can be asked, and by nobody's guess."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.outcome import CannotTell, Executed, Finding, NotExecuted, Outcome, Retry, Unknown
from domain.policy import PROBE_WAITS
from tests.fakes import FakeClock, FakeHolders, ScriptedProvider, fake_world
from tests.house import agent_with, greet, words

UNKNOWN = Unknown("timed_out", "no answer")
NOT_SENT = Retry("connection_refused", "nobody listens")
FIRST = PROBE_WAITS[0].total_seconds()
LEASE = 10.0 + 2 * 30
SEEN = Executed({"message": "1712.5"}, {"greeting": "Hello"}, "ref-1")
NOT_SEEN = NotExecuted({"searched": "the last hour"})


class Died(BaseException):
    """The process is gone: nothing after it is carried out."""


class House:
    """An agent whose provider can be asked, and one action in doubt."""

    def __init__(
        self,
        *answers: Outcome | BaseException,
        findings: tuple[Finding | BaseException, ...] = (),
        action_type: str = "greet_asked",
        **options: object,
    ) -> None:
        self.clock, self.holders = FakeClock(), FakeHolders()
        self.provider = ScriptedProvider(*(answers or (UNKNOWN,)), findings=findings)
        world = fake_world(clock=self.clock, holders=self.holders, extras={"provider": self.provider})
        self.agent: ExecutionAgent = agent_with(world=world)
        self.asked = greet(action_type, options={"mode": "accept", **options})
        self.action_id = self.agent.process(self.asked)["action_id"]

    def ring(self, after: float = 0.0) -> str:
        self.clock.pass_time(after)
        status: str = self.agent.advance(self.action_id)["status"]
        return status

    @property
    def words(self) -> list[str]:
        return words(self.agent, {"action_id": self.action_id})

    def last(self) -> dict[str, object]:
        data: dict[str, object] = self.agent.history(self.action_id)[-1]["data"]
        return data


def test_what_is_found_has_succeeded_with_what_the_provider_says_of_it() -> None:
    house = House(findings=(SEEN,))
    assert house.ring() == "in_doubt"
    assert house.ring(after=FIRST) == "succeeded"
    answer = house.agent.status(house.action_id)
    assert (answer["result"], answer["error"], answer["attempts"]) == ({"greeting": "Hello"}, None, 1)
    resolved = house.agent.history(house.action_id)[-2]["data"]
    assert resolved == {
        "verdict": "executed",
        "by": "probe",
        "why": "the provider was asked",
        "evidence": {"message": "1712.5"},
    }
    assert house.last()["reference"] == "ref-1"


def test_the_question_names_the_effect_and_the_attempt() -> None:
    house = House(findings=(SEEN,))
    house.ring()
    house.ring(after=FIRST)
    (inquiry,), (attempt,) = house.provider.inquiries, house.provider.attempts
    assert (inquiry.effect_key, inquiry.number) == (attempt.effect_key, 1)
    assert (inquiry.at, inquiry.action_id, dict(inquiry.facts)) == (attempt.at, house.action_id, {})
    assert 0 < inquiry.timeout <= 10.0


def test_nobody_is_asked_before_the_request_could_arrive() -> None:
    house = House(findings=(SEEN,))
    house.ring()
    assert house.ring(after=FIRST - 0.001) == "in_doubt"
    assert house.provider.inquiries == []


def test_what_was_certainly_not_done_is_done_again_under_the_same_key() -> None:
    house = House(findings=(NOT_SEEN,))
    house.ring()
    assert house.ring(after=FIRST) == "retrying"
    assert house.ring(after=1.0) == "succeeded"
    assert house.words == [
        "requested",
        "validated",
        "attempted",
        "in_doubt",
        "resolved",
        "attempted",
        "succeeded",
    ]
    first, second = house.provider.attempts
    assert (first.effect_key, first.number, second.number) == (second.effect_key, 1, 2)


def test_what_was_certainly_not_done_fails_when_no_retry_is_left() -> None:
    house = House(findings=(NOT_SEEN,), max_retries=0)
    house.ring()
    assert house.ring(after=FIRST) == "failed"
    answer = house.agent.status(house.action_id)
    assert answer["error"]["code"] == "not_executed"
    assert house.last()["reason"] == "exhausted"


def test_the_next_route_begins_once_it_is_certain_that_this_one_did_nothing() -> None:
    fallback = [{"action_type": "greet", "parameters": {"name": "Ada"}}]
    house = House(findings=(NOT_SEEN,), retry_policy="none", fallback=fallback)
    house.ring()
    assert house.ring(after=FIRST) == "succeeded"
    first, second = house.provider.attempts
    assert (first.effect_key[-3:], second.effect_key[-3:]) == ("-r0", "-r1")


@pytest.mark.parametrize(
    "finding", [CannotTell("nothing is found yet"), ValueError("the provider is down"), None, "yes"]
)
def test_what_tells_nothing_leaves_the_doubt_and_is_asked_again_a_few_times(finding: object) -> None:
    asked = len(PROBE_WAITS)
    house = House(findings=(finding,) * (asked + 1))  # type: ignore[arg-type]
    house.ring()
    for wait in PROBE_WAITS:
        assert house.ring(after=wait.total_seconds()) == "in_doubt"
    assert house.words.count("probed") == asked == len(house.provider.inquiries)
    assert "again_at" not in house.last()
    house.ring(after=timedelta(days=400).total_seconds())
    assert len(house.provider.inquiries) == asked


def test_a_provider_that_will_never_know_is_not_asked_again() -> None:
    house = House(findings=(CannotTell("no record is kept", again=False),))
    house.ring()
    house.ring(after=FIRST)
    house.ring(after=timedelta(days=1).total_seconds())
    assert len(house.provider.inquiries) == 1
    assert house.last() == {"finding": "cannot_tell", "message": "no record is kept"}


def test_a_type_that_cannot_ask_waits_for_a_person() -> None:
    house = House(action_type="greet")
    house.ring()
    assert house.ring(after=timedelta(days=1).total_seconds()) == "in_doubt"
    assert house.words[-1] == "in_doubt"
    assert "probe_at" not in house.last()


def test_a_person_may_know_before_the_probe_does() -> None:
    house = House(findings=(SEEN,))
    house.ring()
    answer = house.agent.resolve(house.action_id, executed=False, actor="ada", reason="they called")
    assert answer["status"] == "failed"
    house.ring(after=FIRST)
    assert house.provider.inquiries == []


# -- whoever may still act ------------------------------------------------------------------------------------------


def abandoned(*findings: Finding) -> House:
    house = House(Died(), findings=findings)
    with pytest.raises(Died):
        house.ring()
    return house


def test_as_long_as_a_process_may_wake_up_its_attempt_is_not_taken_for_undone() -> None:
    house = abandoned(NOT_SEEN, SEEN)
    assert house.ring(after=LEASE) == "in_doubt"
    assert house.ring(after=FIRST) == "in_doubt"
    assert house.last()["finding"] == "not_executed"
    assert house.last()["evidence"] == {"searched": "the last hour"}
    assert house.ring(after=PROBE_WAITS[1].total_seconds()) == "succeeded"
    assert len(house.provider.attempts) == 1


def test_a_process_that_is_certainly_dead_will_not() -> None:
    house = abandoned(NOT_SEEN)
    house.holders.dead.add("me")
    assert house.ring() == "in_doubt"
    assert house.agent.status(house.action_id)["error"]["code"] == "holder_died"
    assert house.ring(after=FIRST) == "retrying"
    assert house.ring(after=1.0) == "succeeded"


def test_a_cancelled_action_is_not_attempted_again_when_nothing_had_happened() -> None:
    house = abandoned(NOT_SEEN)
    house.agent.cancel(house.action_id, actor="ada", reason="too late")
    house.holders.dead.add("me")
    assert house.ring() == "in_doubt"
    assert house.ring(after=FIRST) == "cancelled"
    assert len(house.provider.attempts) == 1


def test_an_expired_action_expires_when_nothing_had_happened() -> None:
    house = House(findings=(NOT_SEEN,), expires_at="2026-03-01T12:00:30Z")
    house.ring()
    house.ring(after=FIRST)
    assert house.ring(after=1.0) == "expired"
    assert len(house.provider.attempts) == 1


def test_two_who_ask_at_once_settle_it_once() -> None:
    house = House(findings=(SEEN,))
    house.ring()
    house.clock.pass_time(FIRST)
    inner = house.provider.find

    def asked_meanwhile(inquiry: object) -> Finding:
        house.provider.find = inner  # type: ignore[method-assign]
        house.ring()
        return SEEN

    house.provider.find = asked_meanwhile  # type: ignore[method-assign, assignment]
    assert house.ring() == "succeeded"
    assert house.words.count("succeeded") == 1
