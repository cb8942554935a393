"""EventBridge: the request in `detail`, the event's id its key; and whatever else travels on a bus."""

from __future__ import annotations

from typing import Any

import pytest

from agents.execution_agent.handler import answer
from domain.errors import LedgerUnavailable
from tests.fakes import ScriptedProvider
from tests.house import agent_with, greet
from tests.lambda_calls import RESPONSE, Context, failing_ledger


def event(detail: Any, name: str = "e-1", **members: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": name,
        "detail-type": "Action Requested",
        "source": "acme.planner",
        "account": "123456789012",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
        **members,
    }


def test_the_detail_is_the_request_and_the_id_its_key() -> None:
    agent = agent_with(provider := ScriptedProvider())
    told = [answer(agent, event(greet(), name), Context()) for name in ("e-1", "e-1", "e-2")]
    assert all(set(response) == RESPONSE for response in told)
    assert [(response["status"], response["duplicate"]) for response in told] == [
        ("succeeded", False),
        ("succeeded", True),
        ("succeeded", False),
    ]
    assert len(provider.attempts) == 2


def test_a_key_or_decision_of_its_own_holds_across_events() -> None:
    agent = agent_with(provider := ScriptedProvider())
    for detail in (greet(idempotency_key="k-1"), greet(decision={"id": "d-1"})):
        duplicates = [answer(agent, event(detail, name), Context())["duplicate"] for name in ("e-1", "e-2")]
        assert duplicates == [False, True]
    assert len(provider.attempts) == 2


@pytest.mark.parametrize(
    ("other", "looks"),
    [
        (event({}, **{"detail-type": "Scheduled Event", "source": "aws.events"}), ["Scheduled Event", "aws.events"]),
        (event({"action_id": "act_1", "status": "succeeded"}), ["a response of the execution agent"]),
        (event({"actions": [greet()]}), ["a plan"]),
        (event(None), ["null"]),
        (event("text"), ["a string"]),
        (event({"bucket": {"name": "secret"}}), ["the members bucket"]),
    ],
)
def test_another_event_is_refused_and_told_what_it_looks_like(other: dict[str, Any], looks: list[str]) -> None:
    response = answer(agent_with(), other, Context())
    assert set(response) == RESPONSE
    assert (response["status"], response["error"]["code"]) == ("rejected", "malformed")
    for look in looks:
        assert look in response["error"]["message"]
    assert "secret" not in response["error"]["message"]


def test_without_time_it_is_accepted() -> None:
    assert answer(agent_with(), event(greet()), Context(1.0))["status"] == "scheduled"


def test_a_ledger_that_cannot_be_used_fails_the_function_so_that_lambda_repeats_it() -> None:
    agent = agent_with()
    with failing_ledger(agent), pytest.raises(LedgerUnavailable):
        answer(agent, event(greet()), Context())
