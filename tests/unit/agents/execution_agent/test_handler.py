"""The Lambda entry point: the request in, the response out, and never an attempt without time for its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.execution_agent.handler import answer
from tests.fakes import ScriptedProvider
from tests.house import agent_with, greet


class Context:
    """What Lambda hands in."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


def test_the_response_of_the_contract_goes_out_as_it_is() -> None:
    response = answer(agent_with(), greet(), Context(30_000))
    assert set(response) == {"action_id", "status", "result", "error", "duplicate", "attempts"}
    assert response["status"] == "succeeded"
    assert json.loads(json.dumps(response)) == response


def test_an_attempt_ends_three_seconds_before_lambda_does() -> None:
    provider = ScriptedProvider()
    answer(agent_with(provider), greet(), Context(8_000))
    assert provider.attempts[0].timeout == 5.0


@pytest.mark.parametrize("milliseconds", [0, 1_000, 4_999])
def test_with_less_than_five_seconds_left_nothing_is_attempted_and_nothing_lost(milliseconds: int) -> None:
    provider = ScriptedProvider()
    agent = agent_with(provider)
    response = answer(agent, greet(), Context(milliseconds))
    assert (response["status"], provider.attempts) == ("scheduled", [])
    assert agent.advance(response["action_id"])["status"] == "succeeded"


@pytest.mark.parametrize("event", [None, "text", 7, [], {}, {"Payload": b"x"}, {"StatusCode": 200, "Payload": "x"}])
def test_what_is_no_request_is_refused_and_never_a_silent_success(event: Any) -> None:
    response = answer(agent_with(), event, Context(30_000))
    assert (response["status"], response["action_id"]) == ("rejected", None)
    assert response["error"]["code"] in {"malformed", "invalid_type"}


def test_a_console_has_no_context() -> None:
    assert answer(agent_with(), greet(), None)["status"] == "succeeded"
