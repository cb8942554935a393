"""One action is taken back by its id: through doors that the settings name, and through no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.handler import answer
from tests.house import agent_with, greet
from tests.lambda_calls import RESPONSE, Context
from tests.workflow_house import House

ADA = {"actor": "ada", "reason": "the wrong person"}
GATEWAY = {"bedrockAgentCoreToolName": "revops___undo"}


def agent_that_takes(*doors: str) -> ExecutionAgent:
    return agent_with(undo_doors=frozenset(doors))


def done(agent: ExecutionAgent, action_type: str = "greet_reversibly") -> str:
    action_id: str = agent.process(greet(action_type))["action_id"]
    return action_id


def http(action_id: str, body: Any, method: str = "POST") -> dict[str, Any]:
    path = f"/actions/{action_id}/undo"
    context = {"http": {"method": method, "path": path}, "stage": "$default"}
    text = body if isinstance(body, str) else json.dumps(body)
    return {"version": "2.0", "rawPath": path, "headers": {}, "requestContext": context, "body": text}


def told(reply: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(reply["body"])
    return response


def test_an_action_is_taken_back_by_its_id_with_who_and_why() -> None:
    agent = agent_that_takes("direct")
    action_id = done(agent)
    response = answer(agent, {"undo": {"action_id": action_id, **ADA}}, Context())
    assert set(response) == RESPONSE
    assert (response["action_id"], response["status"], response["error"]) == (action_id, "compensated", None)
    order = next(entry for entry in agent.history(action_id) if entry["type"] == "compensation_requested")["data"]
    assert (order["by"], order["why"]) == ("ada", "the wrong person")
    assert answer(agent, {"undo": {"action_id": action_id, **ADA}}, Context())["duplicate"]


def test_so_it_is_over_http() -> None:
    agent = agent_that_takes("http")
    action_id = done(agent)
    reply = answer(agent, http(action_id, ADA), Context())
    assert (reply["statusCode"], told(reply)["status"]) == (200, "compensated")


@pytest.mark.parametrize(
    ("open_door", "closed"), [("direct", "http"), ("http", "direct"), (None, "http"), (None, "direct")]
)
def test_a_door_that_is_not_named_takes_no_undo_and_nothing_is_touched(open_door: str | None, closed: str) -> None:
    agent = agent_that_takes(*([open_door] if open_door else []))
    action_id = done(agent)
    before = agent.history(action_id)
    if closed == "direct":
        response = answer(agent, {"undo": {"action_id": action_id, **ADA}}, Context())
    else:
        reply = answer(agent, http(action_id, ADA), Context())
        response = told(reply)
        assert reply["statusCode"] == 403
    assert (response["action_id"], response["status"], response["error"]["code"]) == (None, "rejected", "not_allowed")
    assert closed in response["error"]["message"]
    assert agent.history(action_id) == before


def test_no_door_of_agents_queues_or_buses_takes_one() -> None:
    agent = agent_that_takes("direct", "http")
    action_id = done(agent)
    before = agent.history(action_id)
    undo = {"undo": {"action_id": action_id, **ADA}}
    listed = [{"name": name, "type": "string", "value": value} for name, value in undo["undo"].items()]
    bedrock = {"messageVersion": "1.0", "actionGroup": "g"}
    answer(agent, undo, Context(custom=GATEWAY))
    answer(agent, undo["undo"], Context(custom=GATEWAY))
    answer(agent, {**bedrock, "function": "undo", "parameters": listed}, Context())
    for path in (f"/actions/{action_id}/undo", "/actions/undo"):
        answer(agent, {**bedrock, "apiPath": path, "httpMethod": "POST", "parameters": listed}, Context())
    record = {"eventSource": "aws:sqs", "messageId": "1", "body": json.dumps(undo)}
    answer(agent, {"Records": [record]}, Context())
    event = {"version": "0", "id": "1", "detail-type": "d", "source": "s", "detail": undo}
    answer(agent, event, Context())
    answer(agent, {"actions": [undo]}, Context())
    answer(agent, {**undo, "action_type": "greet", "parameters": {"name": "Ada"}}, Context())
    assert agent.history(action_id) == before


@pytest.mark.parametrize(
    ("order", "field", "code"),
    [
        ({"reason": "r", "action_id": "act_x"}, "undo.actor", "missing_field"),
        ({**ADA}, "undo.action_id", "missing_field"),
        ({**ADA, "action_id": 7}, "undo.action_id", "invalid_type"),
        ({**ADA, "action_id": "act_x", "force": "yes"}, "undo.force", "invalid_type"),
        ({**ADA, "action_id": "act_x", "force": 1}, "undo.force", "invalid_type"),
        ({**ADA, "action_id": "act_x", "force": True}, "undo.request_hash", "missing_field"),
        ({**ADA, "action_id": "act_x", "bulk": "b"}, "undo.bulk", "unknown_field"),
        (["act_x"], "undo", "invalid_type"),
        ("act_x", "undo", "invalid_type"),
        (None, "undo", "invalid_type"),
    ],
)
def test_what_is_no_order_is_refused_with_what_to_repair(order: Any, field: str, code: str) -> None:
    response = answer(agent_that_takes("direct"), {"undo": order}, Context())
    assert (response["status"], response["error"]["code"]) == ("rejected", code)
    assert response["error"]["details"][0]["field"] == field


def test_an_undo_stands_alone() -> None:
    response = answer(agent_that_takes("direct"), {"undo": {}, "also": 1}, Context())
    assert response["error"]["code"] == "malformed"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"actor": "ada"}, 400, "missing_field"),
        ({**ADA, "action_id": "act_other"}, 400, "unknown_field"),
        ({**ADA, "actor": ""}, 400, "missing_field"),
        ('{"actor": "ada", "actor": "bob", "reason": "r"}', 400, "duplicate_key"),
        ("[]", 400, "malformed"),
        ("", 400, "malformed"),
        (ADA, 404, "not_found"),
    ],
)
def test_over_http_each_refusal_has_its_status(body: Any, status: int, code: str) -> None:
    reply = answer(agent_that_takes("http"), http("act_nobody", body), Context())
    assert (reply["statusCode"], told(reply)["error"]["code"]) == (status, code)


def test_what_cannot_be_taken_back_is_a_conflict() -> None:
    agent = agent_that_takes("http")
    reply = answer(agent, http(done(agent, "greet"), ADA), Context())
    assert (reply["statusCode"], told(reply)["error"]["code"]) == (409, "irreversible")
    assert answer(agent, http("act_x", ADA, "GET"), Context())["headers"]["allow"] == "POST"


def test_an_undo_that_is_held_is_forced_under_what_was_shown_and_nothing_else() -> None:
    house = House(undo_doors=frozenset({"direct"}))
    house.desk.held.add("undo a")
    action_id = house.agent.process({"action_type": "do", "parameters": {"name": "a"}})["action_id"]
    order = {"action_id": action_id, **ADA}
    held = answer(house.agent, {"undo": order}, Context())
    shown = house.agent.status(held["result"]["compensation"])["result"]["held"]["request_hash"]
    wrong = answer(house.agent, {"undo": {**order, "force": True, "request_hash": "0" * 64}}, Context())
    assert (wrong["status"], wrong["error"]["code"]) == ("compensating", "conflict")
    answer(house.agent, {"undo": {**order, "force": True, "request_hash": shown}}, Context())
    house.drive()
    assert house.agent.status(action_id)["status"] == "compensated"
