"""A plan of a decision agent: every action answered at its place, none done twice, none lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.handler import answer
from domain.base_action import Attempt
from domain.errors import LedgerUnavailable
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import agent_with
from tests.lambda_calls import RESPONSE, Context, failing_ledger

REFUSED = Permanent("no_such_person", "there is nobody of this name")


def action(name: str = "Ada", **members: Any) -> dict[str, Any]:
    return {"type": "greet", "parameters": {"name": name}, **members}


def plan(*actions: Any, **members: Any) -> dict[str, Any]:
    return {"actions": list(actions), **members}


def statuses(reply: Mapping[str, Any]) -> list[str]:
    return [response["status"] for response in reply["actions"]]


def requested(agent: ExecutionAgent, response: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger has of the request."""
    request: dict[str, Any] = agent.history(response["action_id"])[0]["data"]["request"]
    return request


def test_a_plan_is_answered_with_a_status_totals_and_each_response() -> None:
    reply = answer(agent_with(), plan(action("Ada"), action("Ben")), Context())
    assert set(reply) == {"status", "totals", "actions"}
    assert (reply["status"], reply["totals"]) == ("succeeded", {"succeeded": 2})
    assert all(set(response) == RESPONSE for response in reply["actions"])
    assert json.loads(json.dumps(reply)) == reply


def test_the_words_of_the_framework_become_those_of_the_contract() -> None:
    agent = agent_with()
    asked = action(priority="high", reasoning="the contract ends soon", options={"max_retries": 1})
    reply = answer(agent, plan(asked, summary="renewals", review_notes="none", human_review_required=False), Context())
    request = requested(agent, reply["actions"][0])
    assert request == {
        "action_type": "greet",
        "parameters": {"name": "Ada"},
        "options": {"max_retries": 1, "priority": "high"},
        "decision": {"id": f"invocation:{Context().aws_request_id}", "reason": "the contract ends soon"},
    }


def test_decision_and_correlation_of_the_plan_hold_where_an_action_has_none_of_its_own() -> None:
    agent = agent_with()
    own = action("Ben", decision={"id": "d-2"}, correlation_id="c-2")
    empty = action("Cleo", decision={"id": None}, correlation_id=None)
    whole = plan(action(), own, empty, decision={"id": "d-1", "agent": "planner"}, correlation_id="c-1")
    first, second, third = answer(agent, whole, Context())["actions"]
    assert requested(agent, first)["decision"] == {"id": "d-1", "agent": "planner"}
    assert requested(agent, first)["correlation_id"] == "c-1"
    assert requested(agent, second)["decision"] == {"id": "d-2", "agent": "planner"}
    assert requested(agent, second)["correlation_id"] == "c-2"
    assert requested(agent, third)["decision"] == requested(agent, first)["decision"]
    assert requested(agent, third)["correlation_id"] == "c-1"


# -- how it ends ----------------------------------------------------------------------------------------------------

ENDS: list[tuple[list[Outcome], str, dict[str, int]]] = [
    ([Succeeded(), Succeeded()], "succeeded", {"succeeded": 2}),
    ([Succeeded(), REFUSED], "partial", {"succeeded": 1, "failed": 1}),
    ([REFUSED, REFUSED], "failed", {"failed": 2}),
    ([Unknown("reset", "the connection broke"), REFUSED], "partial", {"in_doubt": 1, "failed": 1}),
]


@pytest.mark.parametrize(("outcomes", "status", "totals"), ENDS)
def test_it_succeeds_only_as_a_whole_and_fails_only_where_certainly_nothing_happened(
    outcomes: list[Outcome], status: str, totals: dict[str, int]
) -> None:
    reply = answer(agent_with(ScriptedProvider(*outcomes)), plan(action("Ada"), action("Ben")), Context())
    assert (reply["status"], reply["totals"]) == (status, totals)


def test_what_is_accepted_for_later_makes_it_partial() -> None:
    reply = answer(agent_with(), plan(action(options={"mode": "accept"})), Context())
    assert (reply["status"], reply["totals"]) == ("partial", {"scheduled": 1})


def test_a_failure_stops_no_other() -> None:
    provider = ScriptedProvider(REFUSED)
    reply = answer(agent_with(provider), plan(action("Ada"), action("Ben"), on_failure="continue"), Context())
    assert statuses(reply) == ["failed", "succeeded"]


def test_it_stops_where_the_plan_says_so_and_tells_what_was_not_started() -> None:
    provider = ScriptedProvider(Succeeded(), REFUSED)
    whole = plan(action("Ada"), action("Ben"), action("Cleo"), action("Dan"), on_failure="stop")
    reply = answer(agent_with(provider), whole, Context())
    assert statuses(reply) == ["succeeded", "failed", "not_started", "not_started"]
    assert (reply["status"], reply["totals"]) == ("partial", {"succeeded": 1, "failed": 1, "not_started": 2})
    assert reply["actions"][2]["action_id"] is None
    assert "on_failure" in reply["actions"][2]["error"]["message"]
    assert len(provider.attempts) == 2


@pytest.mark.parametrize(
    "outcome", [Unknown("reset", "the connection broke"), Retry("busy", "not now", retry_after=3_600.0)]
)
def test_a_plan_that_stops_goes_on_only_after_a_success(outcome: Outcome) -> None:
    reply = answer(
        agent_with(ScriptedProvider(outcome)), plan(action("Ada"), action("Ben"), on_failure="stop"), Context()
    )
    assert statuses(reply)[1] == "not_started"


def test_a_broken_action_is_refused_at_its_place_and_the_others_go_on() -> None:
    broken = [
        7,
        {},
        {"type": "greet"},
        {"type": "fly", "parameters": {}},
        action("Ben", surprise=1),
        action("Cleo", action_type="greet"),
        action("Dan", priority="high", options={"priority": "low"}),
        action("Eve", priority="soon"),
        action("Fay", decision="because"),
    ]
    reply = answer(agent_with(), plan(action(), *broken, action("Zoe")), Context())
    assert [(r["error"] or {"code": r["status"]})["code"] for r in reply["actions"]] == [
        "succeeded",
        "malformed",
        "malformed",
        "missing_field",
        "unknown_action_type",
        "unknown_field",
        "unknown_field",
        "unknown_field",
        "invalid_options",
        "invalid_type",
        "succeeded",
    ]
    assert reply["status"] == "partial"


# -- once -----------------------------------------------------------------------------------------------------------


def test_identical_actions_of_a_plan_are_done_once() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    reply = answer(agent, plan(action(), action(reasoning="again"), action("Ben")), Context())
    assert [response["duplicate"] for response in reply["actions"]] == [False, True, False]
    assert len(provider.attempts) == 2
    assert [r["duplicate"] for r in answer(agent, plan(action(), action()), None)["actions"]] == [False, True]


def test_a_plan_sent_again_under_its_decision_id_does_nothing_twice() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    whole = plan(action("Ada"), action("Ben"), decision={"id": "d-1"})
    first = answer(agent, whole, Context(request_id="one"))
    again = answer(agent, whole, Context(request_id="two"))
    assert again["actions"] == [{**response, "duplicate": True} for response in first["actions"]]
    assert len(provider.attempts) == 2


def test_without_a_decision_id_only_a_repeated_invocation_is_the_same_plan() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    for request_id, duplicate in [("one", False), ("one", True), ("two", False)]:
        reply = answer(agent, plan(action()), Context(request_id=request_id))
        assert [response["duplicate"] for response in reply["actions"]] == [duplicate]
    assert len(provider.attempts) == 2


@pytest.mark.parametrize("decision", [None, {"agent": "planner"}, {"id": "invocation:of my own"}])
def test_an_action_with_a_key_of_its_own_is_known_by_it_whatever_invocation_brings_it(decision: Any) -> None:
    agent = agent_with()
    whole = plan(action(idempotency_key="k-1"), decision=decision)
    for request_id, duplicate in [("one", False), ("two", True)]:
        (response,) = answer(agent, whole, Context(request_id=request_id))["actions"]
        assert (response["status"], response["duplicate"]) == ("succeeded", duplicate)


# -- held, and no plan at all ---------------------------------------------------------------------------------------


def test_a_plan_that_asks_for_review_is_accepted_and_held_until_a_person_decides() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    asked = plan(action("Ada"), action("Ben"), human_review_required=True, review_notes="Ben is\ud800 new\n")
    reply = answer(agent, asked, Context())
    assert (reply["status"], reply["totals"]) == ("held", {"held": 2})
    held = reply["actions"][0]["result"]["held"]
    assert (held["rule"], held["details"]) == ("human_review", {"review_notes": "Ben is  new "})
    assert held["message"] == "the decision agent asks that a person looks at it first"
    assert provider.attempts == []
    ada, ben = [response["action_id"] for response in reply["actions"]]
    agent.approve(ada, actor="ada", reason="fine")
    agent.deny(ben, actor="ada", reason="not yet")
    assert agent.advance(ada)["status"] == "succeeded"
    assert agent.advance(ben)["status"] == "denied"
    assert len(provider.attempts) == 1


def test_a_plan_that_stops_does_not_go_on_past_what_a_person_has_to_approve() -> None:
    provider = ScriptedProvider()
    held = {"type": "greet_reversibly", "parameters": {"name": "Eve"}}
    reply = answer(agent_with(provider), plan(held, action("Ada"), on_failure="stop"), Context())
    assert statuses(reply) == ["held", "not_started"]
    assert reply["status"] == "held"
    assert provider.attempts == []


def test_a_reviewed_plan_that_is_sent_again_is_a_duplicate() -> None:
    agent = agent_with()
    asked = plan(action("Ada"), human_review_required=True, decision={"id": "d-1"})
    first, second = answer(agent, asked, Context())["actions"][0], answer(agent, asked, Context())["actions"][0]
    assert second == {**first, "duplicate": True}


def test_what_is_refused_of_a_plan_that_asks_for_review_is_refused_at_once() -> None:
    broken = {"action_type": "greet", "parameters": {}}
    reply = answer(agent_with(), plan(action("Ada"), broken, human_review_required=True), Context())
    assert (reply["status"], reply["totals"]) == ("held", {"held": 1, "rejected": 1})


@pytest.mark.parametrize(
    ("whole", "code", "field"),
    [
        (plan(), "malformed", ""),
        (plan(*[action()] * 1_001), "too_large", ""),
        (plan(action(), human_review_requred=True), "unknown_field", "human_review_requred"),
        (plan(action(), human_review_required="yes"), "invalid_type", "human_review_required"),
        (plan(action(), decision="d-1"), "invalid_type", "decision"),
        (plan(action(), on_failure="panic"), "invalid_options", "on_failure"),
        (plan(action(), human_review_required=True, on_failure="stop"), "invalid_options", "on_failure"),
    ],
)
def test_what_is_wrong_with_the_plan_itself_stops_all_of_it(whole: dict[str, Any], code: str, field: str) -> None:
    provider = ScriptedProvider()
    reply = answer(agent_with(provider), whole, Context())
    assert set(reply) == RESPONSE
    assert (reply["status"], reply["error"]["code"]) == ("rejected", code)
    assert [detail["field"] for detail in reply["error"]["details"]] == [field]
    assert provider.attempts == []


# -- time, and a ledger that breaks ---------------------------------------------------------------------------------


class SlowProvider(ScriptedProvider):
    """Takes its time for each attempt."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock, self._seconds = clock, seconds

    def __call__(self, attempt: Attempt) -> Outcome:
        self._clock.pass_time(self._seconds)
        return super().__call__(attempt)


def slow_house(seconds: float) -> tuple[ExecutionAgent, SlowProvider, FakeClock]:
    clock = FakeClock()
    provider = SlowProvider(clock, seconds)
    return agent_with(world=fake_world(clock=clock, extras={"provider": provider})), provider, clock


def test_a_thousand_actions_and_too_little_time_none_is_lost() -> None:
    agent, provider, clock = slow_house(1.0)
    context = Context(60.0, clock=clock)
    names = [f"person-{number}" for number in range(1_000)]
    reply = answer(agent, plan(*map(action, names)), context)
    assert set(statuses(reply)) == {"succeeded", "scheduled"}
    assert (reply["status"], reply["totals"]["succeeded"]) == ("partial", len(provider.attempts))
    assert len({response["action_id"] for response in reply["actions"]}) == 1_000
    # 20 seconds were kept to accept those who came after, and 5 in which no attempt starts.
    assert statuses(reply).index("scheduled") == 36
    assert context.get_remaining_time_in_millis() >= 4_000
    assert agent.advance(reply["actions"][-1]["action_id"])["status"] == "succeeded"


def test_no_attempt_takes_the_time_that_the_others_need_to_be_accepted() -> None:
    agent, provider, clock = slow_house(0.0)
    answer(agent, plan(*[action(str(number)) for number in range(101)]), Context(12.0, clock=clock))
    assert provider.attempts[0].timeout == pytest.approx(12.0 - 3.0 - 100 * 0.02)


def test_what_there_is_no_time_to_accept_is_told_as_not_started() -> None:
    agent, _, clock = slow_house(9.5)
    reply = answer(agent, plan(action("Ada"), action("Ben")), Context(10.0, clock=clock))
    assert statuses(reply)[1] == "not_started"
    assert "time" in reply["actions"][1]["error"]["message"]
    assert len(agent.list_actions()) == 1


def test_a_ledger_that_was_never_there_fails_the_function() -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    with failing_ledger(agent), pytest.raises(LedgerUnavailable):
        answer(agent, plan(action("Ada"), action("Ben")), Context())
    assert provider.attempts == []


def test_a_ledger_that_breaks_in_the_middle_does_not_hide_what_was_done() -> None:
    # Two commits for the first action, one for the second: its outcome cannot be recorded.
    agent = agent_with()
    with failing_ledger(agent, after=3):
        reply = answer(agent, plan(action("Ada"), action("Ben"), action("Cleo")), Context(request_id="one"))
    assert statuses(reply) == ["succeeded", "in_doubt", "not_started"]
    assert reply["status"] == "partial"
    assert "the decision id invocation:one" in reply["actions"][1]["error"]["message"]
    assert "/var/secret" not in json.dumps(reply)


# -- its size -------------------------------------------------------------------------------------------------------


def test_an_answer_that_lambda_would_refuse_is_cut_where_the_ledger_has_the_rest() -> None:
    big = Succeeded({"text": "x" * 100_000})
    agent = agent_with(ScriptedProvider(*[big] * 60))
    reply = answer(agent, plan(*[action(str(number)) for number in range(60)]), Context())
    assert len(json.dumps(reply)) < 6_000_000
    assert (reply["status"], len(reply["actions"])) == ("succeeded", 60)
    assert reply["actions"][0]["result"] == {"text": "x" * 100_000}
    last = reply["actions"][-1]
    assert set(last["result"]) == {"not_shown"}
    assert agent.status(last["action_id"])["result"] == {"text": "x" * 100_000}


def test_refusals_without_end_fit_as_well() -> None:
    broken = [{"type": "greet", "parameters": {"name": "Ada"}, **{f"{n:0100}": 1 for n in range(100)}}] * 300
    reply = answer(agent_with(), plan(*broken), Context(900.0))
    assert reply["totals"] == {"rejected": 300}
    assert len(json.dumps(reply)) < 6_000_000
