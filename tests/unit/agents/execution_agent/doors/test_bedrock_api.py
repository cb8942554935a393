"""Bedrock Agents Classic, API schema: operations on actions, answered with the status codes of HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agents.execution_agent.handler import answer
from domain.outcome import Permanent, Unknown
from tests.fakes import ScriptedProvider
from tests.house import agent_with
from tests.lambda_calls import RESPONSE, Context, failing_ledger


def call(method: str, path: str, *properties: tuple[str, str, str], **members: Any) -> dict[str, Any]:
    event = {
        "messageVersion": "1.0",
        "agent": {"name": "renewals", "id": "A1", "alias": "live", "version": "3"},
        "inputText": "remind Ada",
        "sessionId": "session-1",
        "actionGroup": "revops",
        "apiPath": path,
        "httpMethod": method,
        "parameters": [],
        "sessionAttributes": {"tenant": "acme"},
        "promptSessionAttributes": {},
    }
    if method == "POST":
        listed = [{"name": name, "type": kind, "value": value} for name, kind, value in properties]
        event["requestBody"] = {"content": {"application/json": {"properties": listed}}}
    return event | members


GREET = call("POST", "/actions/greet", ("name", "string", "Ada"))


def code(reply: Mapping[str, Any]) -> int:
    number: int = reply["response"]["httpStatusCode"]
    return number


def told(reply: Mapping[str, Any]) -> Any:
    return json.loads(reply["response"]["responseBody"]["application/json"]["body"])


def test_the_reply_has_the_members_that_bedrock_reads_and_no_others() -> None:
    reply = answer(agent_with(), GREET, Context())
    assert reply == {
        "messageVersion": "1.0",
        "response": {
            "actionGroup": "revops",
            "apiPath": "/actions/greet",
            "httpMethod": "POST",
            "httpStatusCode": 200,
            "responseBody": {"application/json": {"body": json.dumps(told(reply))}},
        },
        "sessionAttributes": {"tenant": "acme"},
        "promptSessionAttributes": {},
    }
    assert set(told(reply)) == RESPONSE
    assert told(reply)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/actions/{id}", [{"name": "id", "type": "string", "value": "ID"}]),
        ("/actions/ID", []),
    ],
)
def test_an_action_is_looked_up_by_a_path_as_the_schema_has_it_or_filled_in(
    path: str, parameters: list[dict[str, str]]
) -> None:
    agent = agent_with()
    done = told(answer(agent, GREET, Context()))
    event = json.loads(json.dumps(call("GET", path, parameters=parameters)).replace("ID", done["action_id"]))
    reply = answer(agent, event, Context())
    assert (code(reply), told(reply)) == (200, done)
    assert reply["response"]["apiPath"] == event["apiPath"]
    history = answer(agent, {**event, "apiPath": event["apiPath"] + "/history"}, Context())
    assert code(history) == 200
    assert [entry["type"] for entry in told(history)] == ["requested", "validated", "attempted", "succeeded"]


def test_a_rejected_action_is_found_as_well() -> None:
    agent = agent_with()
    refused = answer(agent, call("POST", "/actions/greet"), Context())
    assert code(refused) == 400
    found = answer(agent, call("GET", f"/actions/{told(refused)['action_id']}"), Context())
    assert (code(found), told(found)) == (200, told(refused))


@pytest.mark.parametrize(
    ("event", "number", "error"),
    [
        (call("GET", "/actions/act_nobody"), 404, "not_found"),
        (call("GET", "/actions/act_nobody/history"), 404, "not_found"),
        (call("GET", "/actions/{id}"), 404, "not_found"),
        (call("GET", "/nowhere"), 404, "not_found"),
        (call("GET", "/actions"), 404, "not_found"),
        (call("PUT", "/actions/greet"), 404, "not_found"),
        (call("POST", "/actions/fly"), 400, "unknown_action_type"),
        (call("POST", "/actions/greet", ("name", "integer", "Ada")), 400, "invalid_type"),
        (call("POST", "/actions/greet", requestBody={"content": "text"}), 400, "invalid_parameters"),
        ({**GREET, "apiPath": None}, 404, "not_found"),
    ],
)
def test_what_is_refused_says_so_in_code_and_body(event: dict[str, Any], number: int, error: str) -> None:
    reply = answer(agent_with(), event, Context())
    assert (code(reply), told(reply)["error"]["code"]) == (number, error)
    assert set(told(reply)) == RESPONSE


@pytest.mark.parametrize(
    ("outcome", "number", "status"),
    [(Permanent("gone", "never"), 200, "failed"), (Unknown("reset", "it broke"), 200, "in_doubt")],
)
def test_what_has_come_to_an_end_is_answered(outcome: Any, number: int, status: str) -> None:
    reply = answer(agent_with(ScriptedProvider(outcome)), GREET, Context())
    assert (code(reply), told(reply)["status"]) == (number, status)


def test_without_time_it_is_accepted() -> None:
    reply = answer(agent_with(), GREET, Context(4.9))
    assert (code(reply), told(reply)["status"]) == (202, "scheduled")


def test_a_ledger_that_cannot_be_used_is_unavailable() -> None:
    agent = agent_with()
    for event in (GREET, call("GET", "/actions/act_1")):
        with failing_ledger(agent):
            reply = answer(agent, event, Context())
        assert (code(reply), set(told(reply)), told(reply)["error"]["code"]) == (503, {"error"}, "ledger")
        assert "/var/secret" not in json.dumps(reply)
