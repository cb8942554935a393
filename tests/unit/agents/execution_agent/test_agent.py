"""The front door: what comes in, what goes out, and what stands in the ledger afterwards."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.errors import ConfigurationError, InvalidTemplate
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from domain.ports import World
from tests.fakes import FakeClock, Greet, GreetAgain, GreetParameters, ScriptedProvider, fake_world
from tests.house import agent_with, greet, words

NOT_SENT = Retry("connection_refused", "nobody listens")
UNKNOWN = Unknown("timed_out", "no answer")
NEVER = Permanent("http_404", "no such thing")


def test_a_request_is_carried_out_once_and_its_story_told() -> None:
    provider = ScriptedProvider(Succeeded({"greeting": "Hello Ada"}, reference="p1"))
    agent = agent_with(provider)

    response = agent.process(greet())

    assert set(response) == {"action_id", "status", "result", "error", "duplicate", "attempts"}
    assert response["status"] == "succeeded"
    assert response["result"] == {"greeting": "Hello Ada"}
    assert (response["error"], response["duplicate"], response["attempts"]) == (None, False, 1)
    assert len(provider.attempts) == 1
    assert words(agent, response) == ["requested", "validated", "attempted", "succeeded"]
    assert agent.status(response["action_id"]) == response


def test_text_is_as_good_as_a_dictionary() -> None:
    agent = agent_with()
    assert agent.process_json(b'{"action_type":"greet","parameters":{"name":"Ada"}}')["status"] == "succeeded"
    assert agent.process_json('{"action_type":"greet","parameters":{"name":"Ada"}}')["status"] == "succeeded"


def test_the_intent_is_on_disk_before_the_effect() -> None:
    seen: list[str] = []

    class Looking(Greet):
        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            seen.extend(entry["type"] for entry in agent.history(attempt.action_id))
            return Succeeded({})

    agent = agent_with(actions=[Looking])
    agent.process(greet())
    assert seen == ["requested", "validated", "attempted"]


def test_the_attempt_tells_key_number_and_time_left() -> None:
    provider = ScriptedProvider(NOT_SENT)
    agent = agent_with(provider)
    response = agent.process(greet())
    first, second = provider.attempts
    assert first.effect_key == second.effect_key == f"{response['action_id']}-r0"
    assert (first.number, second.number) == (1, 2)
    assert first.timeout == 10.0


def test_an_attempt_gets_no_more_time_than_its_caller_has() -> None:
    provider = ScriptedProvider()
    agent_with(provider).process(greet(), wait=4.0)
    assert provider.attempts[0].timeout == 4.0


def test_a_lease_lasts_the_deadline_and_twice_the_skew() -> None:
    agent = agent_with()
    response = agent.process(greet())
    attempted = agent.history(response["action_id"])[2]
    lease = datetime.fromisoformat(attempted["data"]["lease_until"]) - datetime.fromisoformat(attempted["at"])
    assert lease.total_seconds() == 10.0 + 2 * 30


# -- what the world refuses -----------------------------------------------------------------------------------------


def test_what_certainly_did_not_happen_is_tried_again_while_the_caller_waits() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(NOT_SENT, NOT_SENT)
    agent = agent_with(world=fake_world(clock=clock, extras={"provider": provider}))
    response = agent.process(greet())
    assert (response["status"], response["attempts"]) == ("succeeded", 3)
    assert clock.slept == [1.0, 2.0]
    assert words(agent, response) == [
        "requested",
        "validated",
        "attempted",
        "attempt_failed",
        "attempted",
        "attempt_failed",
        "attempted",
        "succeeded",
    ]


def test_retries_end() -> None:
    provider = ScriptedProvider(*[NOT_SENT] * 9)
    agent = agent_with(provider)
    response = agent.process(greet(options={"max_retries": 2}))
    assert (response["status"], response["attempts"]) == ("failed", 3)
    assert response["error"] == {"code": "connection_refused", "message": "nobody listens", "details": []}
    assert agent.history(response["action_id"])[-1]["data"]["reason"] == "exhausted"


@pytest.mark.parametrize(("options", "attempts"), [({}, 3), ({"max_retries": 0}, 1), ({"retry_policy": "none"}, 1)])
def test_settings_hold_where_the_request_is_silent(options: dict[str, Any], attempts: int) -> None:
    agent = agent_with(ScriptedProvider(*[NOT_SENT] * 9), max_retries=2)
    assert agent.process(greet(options=options))["attempts"] == attempts


def test_a_permanent_failure_is_not_tried_again() -> None:
    provider = ScriptedProvider(NEVER)
    agent = agent_with(provider)
    response = agent.process(greet())
    assert (response["status"], response["error"]["code"], len(provider.attempts)) == ("failed", "http_404", 1)
    assert words(agent, response)[-2:] == ["attempt_failed", "failed"]


@pytest.mark.parametrize("answer", [UNKNOWN, RuntimeError("half done"), TimeoutError()])
def test_what_nobody_can_know_is_in_doubt_and_never_sent_again(answer: Outcome | Exception) -> None:
    provider = ScriptedProvider(answer)
    agent = agent_with(provider)
    response = agent.process(greet())
    assert (response["status"], len(provider.attempts)) == ("in_doubt", 1)
    assert response["error"]["code"] in {"timed_out", "unhandled_exception"}
    assert words(agent, response)[-1] == "in_doubt"


@pytest.mark.parametrize("action_type", ["greet_again", "greet_once"])
def test_unknown_is_sent_again_under_the_same_key_where_that_is_declared_harmless(action_type: str) -> None:
    provider = ScriptedProvider(UNKNOWN)
    agent = agent_with(provider)
    response = agent.process(greet(action_type))
    assert (response["status"], response["attempts"]) == ("succeeded", 2)
    assert len({attempt.effect_key for attempt in provider.attempts}) == 1
    failed = agent.history(response["action_id"])[3]["data"]
    assert failed["failure"] == "unknown"


def test_retries_that_end_after_an_unknown_leave_doubt_not_failure() -> None:
    agent = agent_with(ScriptedProvider(UNKNOWN, NEVER))
    response = agent.process(greet("greet_again"))
    assert (response["status"], response["attempts"]) == ("in_doubt", 2)


def test_a_wait_longer_than_the_callers_stands_in_the_ledger() -> None:
    clock = FakeClock()
    provider = ScriptedProvider(Retry("http_429", "slow down", retry_after=600))
    agent = agent_with(world=fake_world(clock=clock, extras={"provider": provider}))
    response = agent.process(greet())
    assert (response["status"], response["attempts"], clock.slept) == ("retrying", 1, [])
    retry_at = agent.history(response["action_id"])[-1]["data"]["retry_at"]
    assert retry_at == "2026-03-01T12:10:01.000000Z"


def test_the_caller_is_answered_within_its_deadline() -> None:
    clock = FakeClock()
    agent = agent_with(world=fake_world(clock=clock, extras={"provider": ScriptedProvider(*[NOT_SENT] * 99)}))
    response = agent.process(greet(options={"max_retries": 99}), wait=20)
    assert response["status"] == "retrying"
    assert clock.monotonic() <= 20


def test_what_expires_between_two_attempts_is_not_attempted_again() -> None:
    provider = ScriptedProvider(NOT_SENT, NOT_SENT, NOT_SENT)
    agent = agent_with(provider)
    response = agent.process(greet(options={"expires_at": "2026-03-01T12:00:02Z"}))
    assert (response["status"], len(provider.attempts)) == ("expired", 2)


def test_an_answer_that_is_no_outcome_is_unknown() -> None:
    agent = agent_with(ScriptedProvider("done"))  # type: ignore[arg-type]
    assert agent.process(greet())["error"]["code"] == "no_outcome"


@pytest.mark.parametrize(
    "result",
    [{"when": datetime.now}, {"x": float("nan")}, {"x": "y" * 400_000}, {"x": "\ud800"}, {1, 2}, "done", [1], None],
)
def test_a_result_that_cannot_be_recorded_costs_the_result_and_not_the_fact(result: Any) -> None:
    agent = agent_with(ScriptedProvider(Succeeded(result, reference="p\ud800")))
    response = agent.process(greet())
    assert response["status"] == "succeeded"
    assert set(response["result"]) == {"not_recorded"}
    assert agent.status(response["action_id"]) == response


def test_a_message_as_long_as_a_book_is_cut() -> None:
    agent = agent_with(ScriptedProvider(Permanent("code", "\ud800" + "x" * 1_000_000)))
    assert len(agent.process(greet())["error"]["message"]) == 1_000


# -- what the rules refuse ------------------------------------------------------------------------------------------


def test_what_cannot_be_parsed_gets_no_id() -> None:
    agent = agent_with()
    response = agent.process_json(b"{")
    assert (response["action_id"], response["status"], response["error"]["code"]) == (None, "rejected", "malformed")


@pytest.mark.parametrize("request_", [None, 1, "x", [], {}, {"action_type": "greet"}, {1: 2}])
def test_a_request_never_raises(request_: Any) -> None:
    assert agent_with().process(request_)["status"] == "rejected"


def test_an_unknown_type_is_refused_and_recorded() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    response = agent.process(greet("drop_tables"))
    assert (response["status"], response["error"]["code"]) == ("rejected", "unknown_action_type")
    assert "greet_again" in response["error"]["message"]
    assert words(agent, response) == ["requested", "rejected"]
    assert provider.attempts == []


@pytest.mark.parametrize(
    ("parameters", "field", "code"),
    [
        ({}, "parameters.name", "missing_field"),
        ({"name": 1}, "parameters.name", "invalid_type"),
        ({"name": "Ada", "title": "Dr"}, "parameters.title", "unknown_field"),
    ],
)
def test_wrong_parameters_are_told_field_by_field(parameters: dict[str, Any], field: str, code: str) -> None:
    agent = agent_with()
    response = agent.process({"action_type": "greet", "parameters": parameters})
    assert response["error"]["code"] == "invalid_parameters"
    assert [(d["field"], d["code"]) for d in response["error"]["details"]] == [(field, code)]
    assert words(agent, response) == ["requested", "rejected"]
    assert agent.status(response["action_id"])["error"] == response["error"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"surprise": 1}, "unknown_field"),
        ({"options": {"max_retries": 101}}, "invalid_options"),
        ({"parameters": 1}, "invalid_type"),
    ],
)
def test_sound_json_that_breaks_the_schema_is_recorded(members: dict[str, Any], code: str) -> None:
    agent = agent_with()
    response = agent.process(greet() | members)
    assert (response["status"], response["error"]["code"]) == ("rejected", code)
    assert words(agent, response) == ["requested", "rejected"]
    assert agent.history(response["action_id"])[0]["data"]["request"] == greet() | members


def test_a_thousand_faults_are_told_by_the_hundred() -> None:
    agent = agent_with()
    response = agent.process({"action_type": "greet", "parameters": {f"k{n}": 1 for n in range(5_000)}})
    assert response["status"] == "rejected"
    assert len(response["error"]["details"]) == 100
    assert "5001" in response["error"]["message"]


@pytest.mark.parametrize("prepared", [KeyError("x"), None, Prepared(GreetParameters(name="Ada"), facts="no facts")])
def test_an_action_type_that_breaks_before_the_attempt_does_nothing_and_raises_nothing(prepared: Any) -> None:
    class Broken(Greet):
        def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
            if isinstance(prepared, Exception):
                raise prepared
            broken: Prepared[GreetParameters] = prepared
            return broken

    provider = ScriptedProvider()
    agent = agent_with(provider, actions=[Broken])
    response = agent.process(greet())
    if prepared is None or isinstance(prepared, Exception):
        assert (response["status"], response["error"]["code"]) == ("rejected", "action_type_broken")
        assert provider.attempts == []
    else:
        assert response["status"] == "succeeded"


def test_what_expired_before_it_came_is_refused() -> None:
    response = agent_with().process(greet(options={"expires_at": "2026-03-01T11:59:59Z"}))
    assert (response["status"], response["error"]["code"]) == ("rejected", "invalid_options")


# -- for later ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"mode": "accept"}, {"not_before": "2026-03-01T12:00:01Z"}])
def test_what_is_for_later_is_accepted_and_not_attempted(options: dict[str, str]) -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    response = agent.process(greet(options=options))
    assert (response["status"], response["attempts"], provider.attempts) == ("scheduled", 0, [])
    assert words(agent, response) == ["requested", "validated"]


def test_a_caller_without_time_leaves_the_work_in_the_ledger() -> None:
    provider = ScriptedProvider()
    assert agent_with(provider).process(greet(), wait=0.0)["status"] == "scheduled"
    assert provider.attempts == []


# -- twice ----------------------------------------------------------------------------------------------------------


def test_the_same_key_twice_is_one_effect_and_one_answer() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    first = agent.process(greet(idempotency_key="order-7"))
    second = agent.process(greet(idempotency_key="order-7"))
    assert second == first | {"duplicate": True}
    assert len(provider.attempts) == 1


def test_the_same_key_for_another_request_is_refused_and_does_nothing() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    first = agent.process(greet(idempotency_key="order-7"))
    other = agent.process({"action_type": "greet", "parameters": {"name": "Bob"}, "idempotency_key": "order-7"})
    assert (other["status"], other["error"]["code"]) == ("rejected", "idempotency_mismatch")
    assert other["action_id"] != first["action_id"]
    assert first["action_id"] in other["error"]["message"]
    assert len(provider.attempts) == 1


def test_a_rejected_request_does_not_use_up_its_key() -> None:
    agent = agent_with()
    refused = agent.process({"action_type": "greet", "parameters": {}, "idempotency_key": "order-7"})
    repaired = agent.process(greet(idempotency_key="order-7"))
    assert (refused["status"], repaired["status"], repaired["duplicate"]) == ("rejected", "succeeded", False)


def test_the_same_action_of_the_same_decision_is_a_duplicate_without_any_key() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    first = agent.process(greet(decision={"id": "d-1", "reason": "a renewal is near"}))
    again = agent.process(greet(decision={"id": "d-1", "reason": "said in other words"}, options={"priority": "high"}))
    other = agent.process(greet("greet_again", decision={"id": "d-1"}))
    assert (again["action_id"], again["duplicate"]) == (first["action_id"], True)
    assert other["duplicate"] is False
    assert len(provider.attempts) == 2


def test_without_key_and_decision_two_requests_are_two_actions() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    assert agent.process(greet())["action_id"] != agent.process(greet())["action_id"]
    assert len(provider.attempts) == 2


def test_a_duplicate_is_recognised_even_if_it_would_be_refused_today() -> None:
    class Fickle(Greet):
        refuses = False

        def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
            if Fickle.refuses:
                raise InvalidTemplate("the template is gone")
            return super().prepare(parameters, intent, world)

    agent = agent_with(actions=[Fickle])
    first = agent.process(greet(idempotency_key="order-7"))
    Fickle.refuses = True
    assert agent.process(greet(idempotency_key="order-7")) == first | {"duplicate": True}
    assert agent.process(greet(idempotency_key="order-8"))["error"]["code"] == "invalid_template"


def test_a_duplicate_waits_for_the_attempt_that_is_running() -> None:
    clock = FakeClock()
    answers: list[dict[str, Any]] = []

    class Reentrant(Greet):
        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            answers.append(agent.process(greet(idempotency_key="order-7"), wait=2.0))
            return Succeeded({})

    agent = agent_with(world=fake_world(clock=clock), actions=[Reentrant])
    agent.process(greet(idempotency_key="order-7"))
    assert (answers[0]["status"], answers[0]["duplicate"]) == ("attempted", True)
    assert 1.5 <= clock.monotonic() <= 2.0


# -- what is gone by the second attempt -----------------------------------------------------------------------------


def test_a_template_that_is_gone_by_the_next_attempt_ends_the_action() -> None:
    class Fading(GreetAgain):
        def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
            if provider.attempts:
                raise InvalidTemplate("the template is gone")
            return super().prepare(parameters, intent, world)

    provider = ScriptedProvider(NOT_SENT)
    agent = agent_with(provider, actions=[Fading])
    response = agent.process(greet("greet_again"))
    assert (response["status"], response["error"]["code"]) == ("failed", "invalid_template")
    assert len(provider.attempts) == 1


# -- a zombie -------------------------------------------------------------------------------------------------------


def test_an_outcome_that_comes_after_somebody_else_decided_is_kept_and_not_applied() -> None:
    class Overtaken(Greet):
        def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
            ledger = agent._parts.ledger
            other = ledger.load(attempt.action_id)
            other.succeed(Succeeded({"by": "somebody else"}), epoch=other.epoch or 0, at=world.clock.now())
            ledger.record(other)
            return Succeeded({"by": "the zombie"}, reference="z1")

    agent = agent_with(actions=[Overtaken])
    response = agent.process(greet())
    assert response["result"] == {"by": "somebody else"}
    assert words(agent, response)[-2:] == ["succeeded", "late_outcome"]
    assert agent.history(response["action_id"])[-1]["data"]["reference"] == "z1"


# -- asking ---------------------------------------------------------------------------------------------------------


def test_an_unknown_id_is_not_found() -> None:
    agent = agent_with()
    assert agent.status("act_nobody")["error"]["code"] == "not_found"
    assert agent.history("act_nobody") == []


@pytest.mark.parametrize("action_id", ["\ud800", "é", "", "x" * 100_000, "act\x00", None, 7, b"act_1"])
def test_whatever_is_asked_for_is_not_found(action_id: Any) -> None:
    agent = agent_with()
    told = agent.status(action_id)["error"]
    assert told["code"] == "not_found"
    assert len(told["message"]) < 200
    assert agent.history(action_id) == []
    assert agent.cancel(action_id, actor="ada", reason="x")["error"]["code"] == "not_found"


def test_two_types_of_one_name_are_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="greet"):
        agent_with(actions=[Greet, Greet])


def test_a_type_without_a_proper_name_is_refused_at_the_start() -> None:
    class Nameless(Greet):
        action_type = "Not A Name"

    classes: list[type[BaseAction[Any]]] = [Nameless]
    with pytest.raises(ConfigurationError, match="Nameless"):
        agent_with(actions=classes)


def test_nothing_ends_silently(caplog: pytest.LogCaptureFixture) -> None:
    agent = agent_with(ScriptedProvider(UNKNOWN))
    with caplog.at_level(logging.INFO, logger="execution_agent"):
        response = agent.process(greet())
    told = [record for record in caplog.records if getattr(record, "action_id", None) == response["action_id"]]
    assert [(record.levelname, getattr(record, "status", None)) for record in told] == [("WARNING", "in_doubt")]
