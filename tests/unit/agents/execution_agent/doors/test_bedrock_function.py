"""Bedrock Agents Classic, function details: text becomes parameters, a response becomes text and a state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import Field

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.handler import answer
from domain.base_action import Attempt, BaseAction, Parameters, Prepared
from domain.outcome import Outcome, Permanent, Succeeded, Unknown
from domain.ports import World
from tests.fakes import ScriptedProvider
from tests.house import agent_with
from tests.lambda_calls import RESPONSE, Context, failing_ledger


class EveryTypeParameters(Parameters):
    """One parameter of each type, and of types that may be null."""

    text: str = ""
    whole: int = 0
    ratio: float = 0.0
    sure: bool = False
    names: list[str] = Field(default_factory=list)
    fields: dict[str, Any] = Field(default_factory=dict)
    perhaps: int | None = None
    either: int | str = 0


class EveryType(BaseAction[EveryTypeParameters]):
    """Echoes what it was given."""

    action_type = "every_type"
    summary = "Echoes."
    parameters = EveryTypeParameters

    def execute(self, prepared: Prepared[EveryTypeParameters], attempt: Attempt, world: World) -> Outcome:
        return Succeeded(prepared.parameters.model_dump(exclude_unset=True))


def call(function: str, *parameters: tuple[str, str, Any], **members: Any) -> dict[str, Any]:
    return {
        "messageVersion": "1.0",
        "agent": {"name": "renewals", "id": "A1", "alias": "live", "version": "3"},
        "inputText": "remind Ada",
        "sessionId": "session-1",
        "actionGroup": "revops",
        "function": function,
        "parameters": [{"name": name, "type": kind, "value": value} for name, kind, value in parameters],
        "sessionAttributes": {"tenant": "acme"},
        "promptSessionAttributes": {"tone": "kind"},
        **members,
    }


GREET = call("greet", ("name", "string", "Ada"))


def told(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The body: a response of the contract, as text."""
    body: dict[str, Any] = json.loads(reply["response"]["functionResponse"]["responseBody"]["TEXT"]["body"])
    return body


def state(reply: Mapping[str, Any]) -> str | None:
    word: str | None = reply["response"]["functionResponse"].get("responseState")
    return word


def echoed(*parameters: tuple[str, str, Any]) -> dict[str, Any]:
    return told(answer(agent_with(actions=[EveryType]), call("every_type", *parameters), Context()))


def test_the_reply_has_the_members_that_bedrock_reads_and_no_others() -> None:
    reply = answer(agent_with(), GREET, Context())
    assert reply == {
        "messageVersion": "1.0",
        "response": {
            "actionGroup": "revops",
            "function": "greet",
            "functionResponse": {"responseBody": {"TEXT": {"body": json.dumps(told(reply))}}},
        },
        "sessionAttributes": {"tenant": "acme"},
        "promptSessionAttributes": {"tone": "kind"},
    }
    assert set(told(reply)) == RESPONSE
    assert told(reply)["status"] == "succeeded"


def test_who_asked_is_recorded() -> None:
    agent = agent_with()
    action_id = told(answer(agent, GREET, Context()))["action_id"]
    request = agent.history(action_id)[0]["data"]["request"]
    assert request == {
        "action_type": "greet",
        "parameters": {"name": "Ada"},
        "decision": {"agent": "renewals"},
        "correlation_id": "session-1",
    }


# -- values ---------------------------------------------------------------------------------------------------------

READ: list[tuple[str, str, Any, Any]] = [
    ("text", "string", "true", "true"),
    ("text", "string", "12", "12"),
    ("text", "string", '{"a": 1}', '{"a": 1}'),
    ("whole", "integer", "-12", -12),
    ("ratio", "number", "0.5", 0.5),
    ("ratio", "number", "3", 3),
    ("whole", "number", "3", 3),
    ("sure", "boolean", "true", True),
    ("sure", "boolean", "False", False),
    ("names", "array", '["Ada", "Ben"]', ["Ada", "Ben"]),
    ("fields", "string", '{"since": {"year": 1998}}', {"since": {"year": 1998}}),
    ("fields", "object", ' {"a": [1]} ', {"a": [1]}),
    ("names", "string", "[]", []),
    ("whole", "string", "7", 7),
    ("perhaps", "string", "7", 7),
    ("either", "string", "seven", "seven"),
    ("whole", "integer", 12, 12),
]


@pytest.mark.parametrize(("name", "kind", "value", "read"), READ)
def test_a_value_is_read_as_what_it_is_declared_to_be(name: str, kind: str, value: Any, read: Any) -> None:
    response = echoed((name, kind, value))
    assert (response["status"], response["error"]) == ("succeeded", None)
    found = response["result"][name]
    assert (found, type(found)) == (read, type(read)) or (name == "ratio" and found == read)


WRONG: list[tuple[str, str, Any]] = [
    ("whole", "integer", "twelve"),
    ("whole", "integer", "1.5"),
    ("whole", "integer", "true"),
    ("whole", "integer", ""),
    ("whole", "integer", "9" * 5_000),
    ("ratio", "number", "NaN"),
    ("ratio", "number", "true"),
    ("sure", "boolean", "yes"),
    ("sure", "boolean", "1"),
    ("names", "array", "[Ada, Ben]"),
    ("names", "array", '{"0": "Ada"}'),
    ("fields", "string", "{since=1998}"),
    ("fields", "string", "[1]"),
    ("fields", "string", '{"a": 1, "a": 2}'),
    ("fields", "string", '{}, "other": 2'),
    ("fields", "string", '1}, {"value": {}'),
    ("fields", "string", '{"a": ' * 5_000),
]


@pytest.mark.parametrize(("name", "kind", "value"), WRONG)
def test_a_value_that_is_something_else_goes_back_to_the_model(name: str, kind: str, value: str) -> None:
    provider = ScriptedProvider()
    reply = answer(agent_with(provider, actions=[EveryType]), call("every_type", (name, kind, value)), Context())
    assert (state(reply), told(reply)["status"], told(reply)["action_id"]) == ("REPROMPT", "rejected", None)
    assert told(reply)["error"]["details"][0]["field"].startswith(f"parameters.{name}")
    assert len(json.dumps(reply)) < 5_000


def test_every_wrong_value_is_told_at_once() -> None:
    response = echoed(("whole", "integer", "x"), ("names", "array", "x"), ("text", "string", "x"))
    assert [detail["field"] for detail in response["error"]["details"]] == ["parameters.whole", "parameters.names"]
    assert response["error"]["code"] == "invalid_type"


def test_a_parameter_that_is_given_twice_is_refused() -> None:
    response = echoed(("text", "string", "a"), ("text", "string", "b"))
    assert response["error"]["code"] == "duplicate_key"


@pytest.mark.parametrize("parameters", ["text", {"name": "Ada"}, [7], [{"name": "name"}], [{"name": 1, "value": "x"}]])
def test_parameters_of_another_shape_are_malformed(parameters: Any) -> None:
    reply = answer(agent_with(), {**GREET, "parameters": parameters}, Context())
    assert (state(reply), told(reply)["error"]["code"]) == ("REPROMPT", "malformed")


def test_what_the_action_type_refuses_is_recorded_and_goes_back_to_the_model() -> None:
    agent = agent_with()
    reply = answer(agent, call("greet", ("nam", "string", "Ada")), Context())
    assert state(reply) == "REPROMPT"
    assert [entry["type"] for entry in agent.history(told(reply)["action_id"])] == ["requested", "rejected"]


@pytest.mark.parametrize("function", ["fly", "", None, 7, ["greet"]])
def test_an_unknown_function_goes_back_to_the_model(function: Any) -> None:
    reply = answer(agent_with(), call(function), Context())
    assert (state(reply), reply["response"]["function"]) == ("REPROMPT", function)


# -- states ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status", "word"),
    [
        (Succeeded(), "succeeded", None),
        (Permanent("gone", "never"), "failed", "FAILURE"),
        (Unknown("reset", "the connection broke"), "in_doubt", None),
    ],
)
def test_the_state_says_who_can_go_on(outcome: Outcome, status: str, word: str | None) -> None:
    reply = answer(agent_with(ScriptedProvider(outcome)), GREET, Context())
    assert (told(reply)["status"], state(reply)) == (status, word)


def test_without_time_it_is_accepted_and_the_model_told_so() -> None:
    provider = ScriptedProvider()
    reply = answer(agent_with(provider), GREET, Context(4.9))
    assert (told(reply)["status"], state(reply), provider.attempts) == ("scheduled", None, [])


def test_a_ledger_that_cannot_be_used_ends_the_turn_and_keeps_its_secrets() -> None:
    agent = agent_with()
    with failing_ledger(agent):
        reply = answer(agent, GREET, Context())
    assert (state(reply), set(told(reply)), told(reply)["error"]["code"]) == ("FAILURE", {"error"}, "ledger")
    assert reply["sessionAttributes"] == {"tenant": "acme"}
    assert "/var/secret" not in json.dumps(reply)


# -- once -----------------------------------------------------------------------------------------------------------


def greeted(agent: ExecutionAgent, **attributes: Any) -> bool:
    duplicate: bool = told(answer(agent, {**GREET, **attributes}, Context()))["duplicate"]
    return duplicate


def test_a_decision_id_of_the_session_makes_the_same_call_a_duplicate() -> None:
    agent = agent_with(provider := ScriptedProvider())
    by_prompt = {"promptSessionAttributes": {"decision_id": "d-1"}, "sessionAttributes": {"decision_id": "d-0"}}
    by_session = {"sessionAttributes": {"decision_id": "d-0"}}
    asked = [by_prompt, by_prompt, by_session, by_session]
    assert [greeted(agent, **attributes) for attributes in asked] == [False, True, False, True]
    assert len(provider.attempts) == 2


def test_without_one_every_call_is_a_new_one() -> None:
    agent = agent_with()
    assert [greeted(agent), greeted(agent)] == [False, False]


@pytest.mark.parametrize("attributes", [None, "text", [1]])
def test_attributes_of_another_shape_come_back_empty(attributes: Any) -> None:
    reply = answer(agent_with(), {**GREET, "sessionAttributes": attributes, "agent": attributes}, Context())
    assert (told(reply)["status"], reply["sessionAttributes"]) == ("succeeded", {})
