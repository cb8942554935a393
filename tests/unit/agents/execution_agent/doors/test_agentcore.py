"""AgentCore Gateway: a tool is an action type, its arguments are the event, and nothing is ever raised."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.execution_agent.handler import answer
from tests.fakes import ScriptedProvider
from tests.house import agent_with
from tests.lambda_calls import RESPONSE, Context, failing_ledger


def gateway(tool: Any, request_id: str = "", seconds: float = 30.0) -> Context:
    custom = {
        "bedrockAgentCoreMessageVersion": "1.0",
        "bedrockAgentCoreAwsRequestId": request_id,
        "bedrockAgentCoreMcpMessageId": "7",
        "bedrockAgentCoreGatewayId": "gateway-1",
        "bedrockAgentCoreTargetId": "TARGET1",
        "bedrockAgentCoreToolName": tool,
    }
    return Context(seconds, custom=custom)


@pytest.mark.parametrize("tool", ["revops___greet", "greet"])
def test_a_tool_is_called_by_its_name_without_its_target(tool: str) -> None:
    agent = agent_with()
    response = answer(agent, {"name": "Ada"}, gateway(tool))
    assert set(response) == RESPONSE
    assert response["status"] == "succeeded"
    assert agent.history(response["action_id"])[0]["data"]["request"] == {
        "action_type": "greet",
        "parameters": {"name": "Ada"},
        "decision": {"gateway": "gateway-1"},
    }


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("revops___greet", {}, "invalid_parameters"),
        ("revops___greet", {"name": 7}, "invalid_parameters"),
        ("revops___greet", None, "invalid_type"),
        ("revops___greet", "Ada", "invalid_type"),
        ("revops___fly", {}, "unknown_action_type"),
        ("revops___", {}, "unknown_action_type"),
        ("revops___greet___now", {}, "unknown_action_type"),
        (None, {}, "invalid_type"),
        (7, {}, "invalid_type"),
    ],
)
def test_an_error_is_answered_in_the_response(tool: Any, arguments: Any, code: str) -> None:
    response = answer(agent_with(), arguments, gateway(tool))
    assert set(response) == RESPONSE
    assert (response["status"], response["error"]["code"]) == ("rejected", code)


def test_arguments_that_look_like_another_door_are_arguments() -> None:
    response = answer(agent_with(), {"actions": [], "Records": [], "name": "Ada"}, gateway("revops___greet"))
    assert [detail["field"] for detail in response["error"]["details"]] == ["parameters.actions", "parameters.Records"]


def test_a_gateway_that_sends_its_request_again_is_told_what_was_done() -> None:
    agent = agent_with(provider := ScriptedProvider())
    told = [
        answer(agent, {"name": name}, gateway("revops___greet", request_id))["duplicate"]
        for name, request_id in [
            ("Ada", "one"),
            ("Ada", "one"),
            ("Ben", "one"),
            ("Ada", "two"),
            ("Ada", ""),
            ("Ada", ""),
        ]
    ]
    assert told == [False, True, False, False, False, False]
    assert len(provider.attempts) == 5


def test_without_time_it_is_accepted() -> None:
    response = answer(agent_with(), {"name": "Ada"}, gateway("revops___greet", seconds=4.9))
    assert response["status"] == "scheduled"


def test_a_ledger_that_cannot_be_used_is_an_error_and_no_exception() -> None:
    agent = agent_with()
    with failing_ledger(agent):
        response = answer(agent, {"name": "Ada"}, gateway("revops___greet"))
    assert set(response) == {"error"}
    assert (set(response["error"]), response["error"]["code"]) == ({"code", "message", "details"}, "ledger")
    assert "/var/secret" not in json.dumps(response)
