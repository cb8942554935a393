"""What came through no door is told what it looked like: refused where somebody reads that, else the function fails."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.execution_agent.doors.telling import door_of
from agents.execution_agent.handler import answer
from domain.errors import ConfigurationError
from tests.house import agent_with
from tests.lambda_calls import RESPONSE, Context

LOOKS: list[tuple[Any, str]] = [
    (None, "null"),
    ("text", "a string"),
    (7, "a number"),
    (True, "a boolean"),
    ([], "an array"),
    ({}, "an empty object"),
    ({"ResponseMetadata": {"HTTPStatusCode": 200}, "MessageId": "1"}, "boto3"),
    ({"StatusCode": 200, "Payload": "x"}, "boto3"),
    ({"action_id": "act_1", "status": "succeeded"}, "a response of the execution agent"),
    ({"actions": {"type": "greet"}}, "a plan whose actions are an object"),
    ({"httpMethod": "POST", "resource": "/actions", "body": "{}"}, "payload format 2.0"),
    ({"httpMethod": "POST", "requestContext": {"elb": {}}}, "load balancer"),
    ({"version": "1.0", "requestContext": {}}, "payload format 1.0"),
    ({"key1": "secret", "key2": 2}, "the members key1, key2"),
    ({f"member{number}": number for number in range(50)}, "member7, ..."),
    ({7: 1, "\u202e": 2}, "the members 7, \\u202e"),
]


@pytest.mark.parametrize(("event", "look"), LOOKS)
def test_the_refusal_says_what_it_looked_like(event: Any, look: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        response = answer(agent_with(), event, Context())
    assert "refused: this looks like" in caplog.text
    assert look in caplog.text
    assert "secret" not in caplog.text
    assert set(response) == RESPONSE
    assert (response["status"], response["action_id"], response["result"]) == ("rejected", None, None)
    assert response["error"]["code"] == "malformed"
    assert look in response["error"]["message"]
    assert "secret" not in json.dumps(response)
    assert "action_type" in response["error"]["message"]


SQS = {"eventSource": "aws:sqs", "messageId": "m-1", "body": "{}"}
ANSWERED_TO_NOBODY: list[tuple[Any, str]] = [
    ({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "secret"}}}]}, "aws:s3"),
    ({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "secret"}}]}, "aws:sns"),
    ({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "secret"}}]}, "aws:kinesis"),
    ({"Records": [{"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {}}]}, "aws:dynamodb"),
    ({"Records": [SQS, {"eventSource": "aws:sqs", "body": "secret"}]}, "messageId"),
    ({"Records": []}, "event source"),
    ({"Records": None}, "event source"),
    ({"version": "1.0", "requestContext": {"condition": "Success"}, "requestPayload": {}}, "Lambda destination"),
    ({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": "secret"}, "Lambda destination"),
]


@pytest.mark.parametrize(("event", "look"), ANSWERED_TO_NOBODY)
def test_where_nobody_reads_a_refusal_the_function_fails(
    event: Any, look: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigurationError, match=look) as raised:
        answer(agent_with(), event, Context())
    assert look in caplog.text
    assert "secret" not in f"{raised.value} {caplog.text}"


SIX_MEGABYTES = "x" * 6_000_000
LARGE: list[Any] = [
    {"action_type": "greet", "parameters": {"name": SIX_MEGABYTES}},
    {"action_type": "greet", "parameters": {"name": ["x"] * 2_000_000}},
    {"parameters": {"name": SIX_MEGABYTES}},
    {"version": "2.0", "rawPath": "/actions", "body": SIX_MEGABYTES, "requestContext": {"http": {"method": "POST"}}},
]


@pytest.mark.parametrize("event", LARGE)
def test_six_megabytes_are_refused_at_once(event: Any) -> None:
    began = time.perf_counter()
    reply = answer(agent_with(), event, Context())
    assert "too_large" in json.dumps(reply)
    assert time.perf_counter() - began < 0.5


def test_an_unknown_event_of_six_megabytes_is_not_looked_through() -> None:
    event = {f"{number:07}": 1 for number in range(500_000)}
    began = time.perf_counter()
    assert answer(agent_with(), event, Context())["error"]["code"] == "malformed"
    assert time.perf_counter() - began < 0.2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


WORDS = st.sampled_from(["greet", "send_email", "act_1", "/actions", "/actions/greet", "/actions/{id}", "", "{}", "[1"])


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name.replace("__", "-"): value for name, value in members.items()})


VALUES = st.lists(
    objects(
        name=st.sampled_from(["name", "id"]),
        type=st.sampled_from(["string", "integer", "array", "boolean", "number", "object"]),
        value=WORDS,
    ),
    max_size=3,
)
REQUEST = objects(action_type=WORDS, parameters=objects(name=WORDS))
ACTION = REQUEST | objects(type=WORDS, parameters=objects(name=WORDS), priority=WORDS, reasoning=WORDS)
BEDROCK: dict[str, st.SearchStrategy[Any]] = {
    "messageVersion": st.just("1.0"),
    "actionGroup": WORDS,
    "parameters": VALUES,
    "sessionAttributes": objects(decision_id=WORDS),
    "promptSessionAttributes": objects(decision_id=WORDS),
    "sessionId": WORDS,
    "agent": objects(name=WORDS),
}
EVENT = st.one_of(
    JSON,
    REQUEST,
    objects(
        actions=st.lists(ACTION, max_size=3),
        human_review_required=st.booleans(),
        decision=objects(id=WORDS),
        on_failure=st.sampled_from(["stop", "continue"]),
        correlation_id=WORDS,
    ),
    objects(**BEDROCK, function=WORDS),
    objects(
        **BEDROCK,
        apiPath=WORDS,
        httpMethod=st.sampled_from(["POST", "GET"]),
        requestBody=objects(content=objects(**{"application/json": objects(properties=VALUES)})),
    ),
    objects(
        version=st.just("2.0"),
        rawPath=WORDS,
        headers=st.dictionaries(st.sampled_from(["idempotency-key", "Content-Type"]), WORDS),
        requestContext=objects(http=objects(method=st.sampled_from(["POST", "GET", "PUT"])), stage=WORDS),
        body=WORDS,
        isBase64Encoded=st.booleans(),
    ),
    objects(
        Records=st.lists(
            objects(
                eventSource=st.just("aws:sqs"),
                eventSourceARN=st.sampled_from(["arn:aws:sqs:eu-central-1:1:q.fifo", "arn:aws:sqs:eu-central-1:1:q"]),
                messageId=WORDS,
                body=WORDS,
                attributes=objects(MessageGroupId=WORDS),
            ),
            max_size=3,
        )
    ),
    objects(detail__type=WORDS, source=WORDS, detail=REQUEST, id=WORDS),
)
CUSTOM = objects(bedrockAgentCoreToolName=WORDS, bedrockAgentCoreAwsRequestId=WORDS, bedrockAgentCoreGatewayId=WORDS)


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[Any]) -> Any:
    """A sound value in which up to two places are missing, or something else."""
    value = draw(sound)
    for _ in range(draw(st.integers(0, 2))):
        place = value
        while isinstance(place, dict | list) and place:
            name = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if isinstance(place[name], dict | list) and draw(st.booleans()):
                place = place[name]
            elif draw(st.booleans()):
                place[name] = draw(JSON)
                break
            else:
                del place[name]
                break
    return value


CONTEXT = st.none() | st.builds(Context, st.sampled_from([0.0, 2.0, 30.0]), custom=st.none() | damaged(CUSTOM))


@settings(max_examples=300)
@given(damaged(EVENT), CONTEXT)
def test_whatever_comes_is_answered_in_json_unless_nobody_reads_it(event: Any, context: Context | None) -> None:
    try:
        reply = answer(agent_with(), event, context)
    except ConfigurationError:
        assert "Records" in event
        assert door_of(event, context).__name__.endswith(".unknown")  # type: ignore[attr-defined]
        return
    assert isinstance(json.loads(json.dumps(reply)), dict)
    if door_of(event, context).__name__.endswith(".unknown"):  # type: ignore[attr-defined]
        assert (reply["status"], reply["error"]["code"]) == ("rejected", "malformed")
