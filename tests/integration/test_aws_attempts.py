"""Attempts on AWS that go wrong: the same effect key each time, and no doubt is lost on the way."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from adapters.connections import ConfiguredConnections, read_connections
from adapters.secrets import Secrets
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import ACTIONS
from tests.aws_cloud import PORTS
from tests.fakes import FakeClock, fake_world
from tests.house import agent_with, words
from tests.scripted_aws import Answer, Asked, ScriptedAws, hangs_up, refuses, says, scripted_aws

pytestmark = pytest.mark.usefixtures("aws")

ADA: dict[str, Any] = {"actor": "ada", "reason": "the role is mended"}
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:Onboarding:x"
TOKEN = "AAAAKgAAAAIAAAAAAAAAAAc4n4ry"


def entries(url: str) -> dict[str, dict[str, Any]]:
    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:eu-central-1:123456789012:{resource}"

    machine = arn("states", "stateMachine:Onboarding")
    function = {"kind": "function", "function": arn("lambda", "function:score"), "endpoint_url": url}
    return {
        "flows": {
            "kind": "step_functions",
            "endpoint_url": url,
            "state_machines": {"onboarding": {"arn": machine}, "scoring": {"arn": machine, "type": "express"}},
        },
        "bus": {
            "kind": "event_bus",
            "endpoint_url": url,
            "bus": arn("events", "event-bus/revops"),
            "source": "revops.decisions",
        },
        "plain": {"kind": "queue", "url": f"{url}/123456789012/plain"},
        "ordered": {"kind": "queue", "url": f"{url}/123456789012/ordered.fifo"},
        "news": {"kind": "topic", "endpoint_url": url, "arn": arn("sns", "news")},
        "score": function,
        "durable": {**function, "durable": True},
    }


@dataclass(frozen=True)
class Outside:
    """One endpoint, and connections of every kind that lead to it: to build their clients takes long."""

    aws: ScriptedAws
    connections: ConfiguredConnections


@pytest.fixture(scope="module")
def outside(aws: None) -> Iterator[Outside]:
    with scripted_aws(hangs_up) as endpoint:
        configured = entries(endpoint.url)
        connections = ConfiguredConnections(read_connections(json.dumps(configured).encode()), Secrets({}))
        yield Outside(endpoint, connections)
        for name, entry in configured.items():
            connections.of(PORTS[entry["kind"]], name).close()


class House:
    """An agent with a new ledger, and an endpoint that answers so."""

    def __init__(self, outside: Outside, *answers: Answer, **changes: Any) -> None:
        self.aws, self.clock = outside.aws, FakeClock()
        self.aws.begin(*answers)
        world = fake_world(connections=outside.connections, clock=self.clock)
        self.agent: ExecutionAgent = agent_with(world=world, actions=ACTIONS, **changes)

    def process(self, action_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return self.agent.process({"action_type": action_type, "parameters": dict(parameters)})


START = {"state_machine": "onboarding", "input": {"account": "ACME-1"}}
STARTED = says(200, {"executionArn": EXECUTION, "startDate": 1772366400.5})
PUBLISHED = b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>"


@dataclass(frozen=True)
class Case:
    """A request, what the provider says when it takes it, and where the effect key stands in what it is asked."""

    action_type: str
    parameters: Mapping[str, Any]
    taken: Answer
    key_of: Callable[[Asked], str]


CASES = {
    "start_workflow": Case("start_workflow", START, STARTED, lambda asked: asked.body["name"]),
    "publish_event": Case(
        "publish_event",
        {"detail_type": "Renewal At Risk", "detail": {"account": "ACME-1"}},
        says(200, {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}),
        lambda asked: json.loads(asked.body["Entries"][0]["Detail"])["effect_key"],
    ),
    "a queue": Case(
        "send_message",
        {"connection": "plain", "message": {"account": "ACME-1"}},
        says(200, {"MessageId": "m"}),
        lambda asked: asked.body["MessageAttributes"]["effect_key"]["StringValue"],
    ),
    "a queue that keeps an order": Case(
        "send_message",
        {"connection": "ordered", "message": {"account": "ACME-1"}, "group": "ACME-1"},
        says(200, {"MessageId": "m"}),
        lambda asked: asked.body["MessageDeduplicationId"],
    ),
    "a topic": Case(
        "send_message",
        {"connection": "news", "message": {"account": "ACME-1"}},
        says(200, PUBLISHED),
        lambda asked: asked.body["MessageAttributes.entry.1.Value.StringValue"],
    ),
    "a function": Case(
        "invoke_function",
        {"connection": "score", "payload": {"account": "ACME-1"}},
        says(200, {"score": 7}),
        lambda asked: asked.body["effect_key"],
    ),
    "a durable function": Case(
        "invoke_function",
        {"connection": "durable", "payload": {"account": "ACME-1"}},
        says(200, {"score": 7}),
        lambda asked: asked.headers["x-amz-durable-execution-name"],
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@every_case
def test_the_effect_key_is_the_same_on_every_attempt(outside: Outside, case: Case) -> None:
    house = House(outside, hangs_up, refuses(500, "InternalFailure"), refuses(429, "Throttling"), case.taken)
    response = house.process(case.action_type, case.parameters)
    assert (response["status"], response["attempts"]) == ("succeeded", 4)
    assert [case.key_of(asked) for asked in house.aws.asked] == [f"{response['action_id']}-r0"] * 4


@every_case
def test_the_effect_key_is_the_same_after_a_redrive(outside: Outside, case: Case) -> None:
    house = House(outside, refuses(403, "AccessDeniedException"), case.taken)
    failed = house.process(case.action_type, case.parameters)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "access_denied")
    house.agent.redrive(failed["action_id"], **ADA)
    assert house.agent.advance(failed["action_id"])["status"] == "succeeded"
    assert [case.key_of(asked) for asked in house.aws.asked] == [f"{failed['action_id']}-r0"] * 2


@every_case
def test_a_doubt_is_never_a_failure(outside: Outside, case: Case) -> None:
    house = House(outside, hangs_up, refuses(403, "AccessDeniedException"))
    response = house.process(case.action_type, case.parameters)
    assert (response["status"], response["attempts"]) == ("in_doubt", 2)


@every_case
def test_a_body_is_the_same_on_every_attempt(outside: Outside, case: Case) -> None:
    house = House(outside, hangs_up, case.taken)
    house.process(case.action_type, case.parameters)
    first, second = (dict(asked.body) for asked in house.aws.asked)
    for body in (first, second):
        for event in body.get("Entries", []):
            del event["Time"]
    assert first == second


# -- promises -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action_type", "parameters", "promise"),
    [
        ("start_workflow", START, "idempotent_by_key"),
        ("start_workflow", {**START, "state_machine": "scoring"}, "at_least_once"),
        ("stop_workflow", {"state_machine": "onboarding", "execution": "x"}, "idempotent_by_key"),
        ("signal_workflow", {"task_token": TOKEN, "output": {}}, "idempotent_by_key"),
        ("publish_event", {"detail_type": "A", "detail": {}}, "at_least_once"),
        ("send_message", {"connection": "plain", "message": {}}, "at_least_once"),
        ("send_message", {"connection": "news", "message": {}}, "at_least_once"),
        ("send_message", {"connection": "ordered", "message": {}, "group": "g"}, "idempotent_by_key"),
        ("invoke_function", {"connection": "score"}, "at_least_once"),
        ("invoke_function", {"connection": "durable"}, "idempotent_by_key"),
    ],
)
def test_the_promise_is_the_one_that_the_target_keeps(
    outside: Outside, action_type: str, parameters: dict[str, Any], promise: str
) -> None:
    house = House(outside, refuses(400, "ValidationException"))
    response = house.process(action_type, parameters)
    attempted = next(e for e in house.agent.history(response["action_id"]) if e["type"] == "attempted")
    assert attempted["data"]["delivery"] == promise


@pytest.mark.parametrize(
    ("action_type", "parameters", "window"),
    [
        ("send_message", CASES["a queue that keeps an order"].parameters, timedelta(minutes=5)),
        ("invoke_function", CASES["a durable function"].parameters, timedelta(days=1)),
        ("start_workflow", START, timedelta(days=90)),
    ],
)
def test_what_the_provider_has_forgotten_is_not_sent_again(
    outside: Outside, action_type: str, parameters: Mapping[str, Any], window: timedelta
) -> None:
    house = House(outside, hangs_up, backoff=timedelta(seconds=1))
    request = {"action_type": action_type, "parameters": dict(parameters)}
    response = house.agent.process(request, wait=0.6)
    assert response["status"] == "retrying"
    house.clock.pass_time(window.total_seconds())
    assert house.agent.advance(response["action_id"])["status"] == "in_doubt"
    assert len(house.aws.asked) == 1


def test_an_express_start_cannot_be_taken_back(outside: Outside) -> None:
    house = House(outside, STARTED)
    done = house.process("start_workflow", {**START, "state_machine": "scoring"})
    answer = house.agent.undo(done["action_id"], actor="ada", reason="a mistake")
    assert (answer["status"], answer["error"]["code"]) == ("succeeded", "irreversible")
    assert "express" in answer["error"]["message"]


# -- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_signal_that_comes_too_late_has_failed(outside: Outside, code: str) -> None:
    house = House(outside, refuses(400, code))
    response = house.process("signal_workflow", {"task_token": TOKEN, "output": {}})
    assert (response["status"], response["attempts"]) == ("failed", 1)


def test_a_signal_whose_task_is_gone_after_a_lost_answer_is_in_doubt(outside: Outside) -> None:
    house = House(outside, hangs_up, refuses(400, "TaskTimedOut"))
    response = house.process("signal_workflow", {"task_token": TOKEN, "output": {}})
    assert (response["status"], response["error"]["code"]) == ("in_doubt", "task_timed_out")
    assert house.agent.history(response["action_id"])[-1]["data"]["reason"] == "earlier_attempt_unknown"


# -- probes ---------------------------------------------------------------------------------------------------------

FIRST_PROBE, SECOND_PROBE, THIRD_PROBE = 61, 301, 1801
NOT_THERE = refuses(400, "ExecutionDoesNotExist")


def doubtful(outside: Outside, *found: Answer, **parameters: Any) -> tuple[House, str]:
    """A start without an answer; what follows is said to whoever asks for the execution."""
    house = House(outside, hangs_up, *found, max_retries=0)
    response = house.process("start_workflow", {**START, **parameters})
    assert response["status"] == "in_doubt"
    return house, response["action_id"]


def test_a_start_in_doubt_is_found_and_can_be_taken_back(outside: Outside) -> None:
    stands = {
        "executionArn": EXECUTION,
        "status": "RUNNING",
        "startDate": 1772366400.5,
        "input": '{"account":"ACME-1"}',
    }
    stopped = says(200, {"stopDate": 1772366460.0})
    house, action_id = doubtful(outside, says(200, stands), stopped, says(200, {**stands, "status": "ABORTED"}))
    house.clock.pass_time(FIRST_PROBE)
    found = house.agent.advance(action_id)
    assert (found["status"], found["result"]["execution"]) == ("succeeded", f"{action_id}-r0")
    assert house.agent.undo(action_id, actor="ada", reason="a mistake")["status"] == "compensated"
    (stop,) = house.aws.of("StopExecution")
    assert stop.body["executionArn"].endswith(f":execution:Onboarding:{action_id}-r0")


def test_a_start_in_doubt_that_is_not_found_is_settled_when_nothing_can_be_on_its_way(outside: Outside) -> None:
    house, action_id = doubtful(outside, NOT_THERE)
    statuses = []
    for seconds in (FIRST_PROBE, SECOND_PROBE, THIRD_PROBE):
        house.clock.pass_time(seconds)
        statuses.append(house.agent.advance(action_id)["status"])
    assert statuses == ["in_doubt", "in_doubt", "failed"]
    assert [entry["type"] for entry in house.agent.history(action_id)][-2:] == ["resolved", "failed"]


def test_an_express_start_in_doubt_waits_for_a_person(outside: Outside) -> None:
    house, action_id = doubtful(outside, NOT_THERE, state_machine="scoring")
    house.clock.pass_time(FIRST_PROBE)
    assert house.agent.advance(action_id)["status"] == "in_doubt"
    assert house.aws.of("DescribeExecution") == []


# -- secrets --------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry"


def test_the_token_stands_in_the_request_and_nowhere_else(outside: Outside, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "execution_agent")
    house = House(outside, hangs_up, refuses(400, "InvalidToken", f"Invalid Token: '{TOKEN}'"))
    response = house.process("signal_workflow", {"task_token": TOKEN, "output": {}})
    history = house.agent.history(response["action_id"])
    assert CANARY in json.dumps(history[0])
    assert CANARY not in json.dumps([response, history[1:]])
    assert CANARY not in caplog.text


@every_case
def test_no_credential_is_told(
    outside: Outside, case: Case, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "execution_agent")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    house = House(outside, refuses(403, "SignatureDoesNotMatch", f"you signed 'x-amz-security-token:{CANARY}'"))
    response = house.process(case.action_type, case.parameters)
    assert response["status"] == "failed"
    assert CANARY not in json.dumps([response, house.agent.history(response["action_id"])])
    assert CANARY not in caplog.text + repr(outside.connections)


# -- refused before anything is attempted ---------------------------------------------------------------------------

ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:Onboarding"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/renewals"
LONG = "x" * 40_001
LINES = "a\r\nb"

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("start_workflow", {"state_machine": ARN}, "state_machine", "invalid_parameters"),
    ("start_workflow", {"state_machine": "other"}, "state_machine", "invalid_parameters"),
    ("start_workflow", {"state_machine": "onboarding\n"}, "state_machine", "invalid_parameters"),
    ("start_workflow", {"state_machine": LONG}, "state_machine", "too_large"),
    ("start_workflow", {"state_machine": "onboarding", "input": {"note": LONG}}, "input.note", "too_large"),
    ("start_workflow", {"state_machine": "onboarding", "input": {"note": LINES}}, "input.note", "invalid_characters"),
    ("start_workflow", {"state_machine": "onboarding", "input": "{}"}, "input", "invalid_type"),
    ("start_workflow", {"state_machine": "onboarding", "arn": ARN}, "arn", "unknown_field"),
    ("start_workflow", {"state_machine": "onboarding", "name": "mine"}, "name", "unknown_field"),
    ("start_workflow", {"state_machine": "onboarding", "connection": ARN}, "connection", "invalid_parameters"),
    ("start_workflow", {"state_machine": "onboarding", "connection": "bus"}, "connection", "invalid_parameters"),
    ("start_workflow", {"input": {}}, "state_machine", "missing_field"),
    ("stop_workflow", {"state_machine": "onboarding", "execution": EXECUTION}, "execution", "invalid_parameters"),
    ("stop_workflow", {"state_machine": "onboarding", "execution": "a/b"}, "execution", "invalid_parameters"),
    ("stop_workflow", {"state_machine": "onboarding", "execution": "x" * 81}, "execution", "invalid_parameters"),
    ("stop_workflow", {"state_machine": "scoring", "execution": "x"}, "state_machine", "invalid_parameters"),
    ("stop_workflow", {"state_machine": ARN, "execution": "x"}, "state_machine", "invalid_parameters"),
    ("signal_workflow", {"task_token": TOKEN}, "", "invalid_parameters"),
    ("signal_workflow", {"task_token": TOKEN, "output": {}, "error": "E"}, "", "invalid_parameters"),
    ("signal_workflow", {"task_token": TOKEN, "output": {}, "cause": "c"}, "", "invalid_parameters"),
    ("signal_workflow", {"task_token": TOKEN, "error": "a b"}, "error", "invalid_parameters"),
    ("signal_workflow", {"task_token": f"{TOKEN} ", "output": {}}, "task_token", "invalid_parameters"),
    ("signal_workflow", {"task_token": "x" * 2049, "output": {}}, "task_token", "invalid_parameters"),
    ("publish_event", {"detail_type": "", "detail": {}}, "detail_type", "invalid_parameters"),
    ("publish_event", {"detail_type": "a\nb", "detail": {}}, "detail_type", "invalid_parameters"),
    ("publish_event", {"detail_type": "x" * 129, "detail": {}}, "detail_type", "invalid_parameters"),
    ("publish_event", {"detail_type": "A", "detail": {"effect_key": "mine"}}, "detail", "invalid_parameters"),
    ("publish_event", {"detail_type": "A", "detail": {}, "source": "aws.ec2"}, "source", "unknown_field"),
    ("publish_event", {"detail_type": "A", "detail": {}, "connection": "other"}, "connection", "invalid_parameters"),
    ("send_message", {"message": {}}, "connection", "invalid_parameters"),
    ("send_message", {"message": {}, "connection": URL}, "connection", "invalid_parameters"),
    ("send_message", {"message": {}, "connection": "flows"}, "connection", "invalid_parameters"),
    ("send_message", {"message": {}, "connection": "plain", "url": URL}, "url", "unknown_field"),
    ("send_message", {"message": {}, "connection": "ordered"}, "group", "missing_field"),
    ("send_message", {"message": {}, "connection": "ordered", "group": "a b"}, "group", "invalid_parameters"),
    ("send_message", {"message": {"note": LONG}, "connection": "plain"}, "message.note", "too_large"),
    (
        "send_message",
        {"message": {}, "connection": "plain", "attributes": {"effect_key": "mine"}},
        "attributes",
        "invalid_parameters",
    ),
    (
        "send_message",
        {"message": {}, "connection": "plain", "attributes": {"AWS.Trace": "x"}},
        "attributes",
        "invalid_parameters",
    ),
    (
        "send_message",
        {"message": {}, "connection": "plain", "attributes": {"kind": "a\nb"}},
        "attributes",
        "invalid_parameters",
    ),
    (
        "send_message",
        {"message": {}, "connection": "plain", "attributes": {"kind": ""}},
        "attributes",
        "invalid_parameters",
    ),
    (
        "send_message",
        {"message": {}, "connection": "plain", "attributes": {f"a{number}": "x" for number in range(10)}},
        "attributes",
        "invalid_parameters",
    ),
    ("invoke_function", {"payload": {}}, "connection", "invalid_parameters"),
    ("invoke_function", {"connection": "arn:aws:lambda:x"}, "connection", "invalid_parameters"),
    ("invoke_function", {"connection": "score", "function": "other"}, "function", "unknown_field"),
    ("invoke_function", {"connection": "score", "payload": {"effect_key": 1}}, "payload", "invalid_parameters"),
    ("invoke_function", {"connection": "score", "payload": {"note": LINES}}, "payload.note", "invalid_characters"),
]


@pytest.mark.parametrize(("action_type", "parameters", "field", "code"), REFUSED)
def test_what_is_unfit_is_refused_and_nothing_is_sent(
    outside: Outside, action_type: str, parameters: dict[str, Any], field: str, code: str
) -> None:
    house = House(outside, hangs_up)
    response = house.process(action_type, parameters)
    assert response["status"] == "rejected"
    detail = response["error"]["details"][0]
    assert (detail["field"], detail["code"]) == (f"parameters.{field}".rstrip("."), code)
    assert house.aws.asked == []
    assert CANARY not in json.dumps(response)


def test_numbers_that_grow_on_their_way_are_measured_there(outside: Outside) -> None:
    house = House(outside, hangs_up)
    response = house.process("start_workflow", {**START, "input": {"numbers": [1e20] * 20_000}})
    assert (response["status"], response["error"]["code"]) == ("rejected", "too_large")
    assert response["error"]["details"][0]["field"] == "parameters.input"


def test_what_is_refused_is_in_the_ledger_as_requested_and_rejected(outside: Outside) -> None:
    house = House(outside, hangs_up)
    response = house.process("start_workflow", {"state_machine": ARN})
    assert words(house.agent, response) == ["requested", "rejected"]
