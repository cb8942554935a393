"""Workflows, events, messages and functions, carried out by the agent on two local engines of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import ACTIONS
from tests.aws_cloud import Cloud, cloud_on, eventually
from tests.fakes import fake_world
from tests.house import agent_with, words

ADA: dict[str, Any] = {"actor": "ada", "reason": "the wrong customer"}
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("moto", marks=pytest.mark.xdist_group("moto")),
        pytest.param("ministack", marks=pytest.mark.xdist_group("ministack")),
    ],
)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with cloud_on(request.getfixturevalue(request.param)) as found:
        yield found


@pytest.fixture
def agent(cloud: Cloud) -> ExecutionAgent:
    return agent_with(world=fake_world(connections=cloud.connections), actions=ACTIONS, max_retries=0)


def request(action_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Each request is a new one: the engines outlive a test's clock and chance."""
    return {"action_type": action_type, "parameters": dict(parameters), "idempotency_key": uuid4().hex}


def start(machine: str = "waits") -> dict[str, Any]:
    return request("start_workflow", {"state_machine": machine, "input": {"account": "ACME-1"}})


def effect_key(response: Mapping[str, Any]) -> str:
    return f"{response['action_id']}-r0"


def test_a_workflow_is_started_once_under_the_effect_key(agent: ExecutionAgent, cloud: Cloud) -> None:
    asked = start()
    response = agent.process(asked)
    assert (response["status"], response["error"]) == ("succeeded", None)
    assert response["result"]["execution"] == effect_key(response)
    execution = cloud.execution(response["result"]["execution_arn"])
    assert (execution["name"], execution["status"]) == (effect_key(response), "RUNNING")
    assert json.loads(execution["input"]) == {"account": "ACME-1"}
    assert agent.process(asked) == {**response, "duplicate": True}


def test_another_ledger_with_the_same_key_finds_the_execution_that_there_is(cloud: Cloud) -> None:
    asked = start()
    first, second = (
        agent_with(world=fake_world(connections=cloud.connections), actions=ACTIONS).process(asked) for _ in range(2)
    )
    assert second == first


def test_a_workflow_is_taken_back_by_stopping_it(agent: ExecutionAgent, cloud: Cloud) -> None:
    done = agent.process(start())
    undone = agent.undo(done["action_id"], **ADA)
    assert (undone["status"], undone["error"]) == ("compensated", None)
    assert cloud.execution(done["result"]["execution_arn"])["status"] == "ABORTED"
    compensation = agent.history(undone["result"]["compensation"])[0]["data"]["request"]
    assert compensation["action_type"] == "stop_workflow"
    assert compensation["parameters"] == {
        "connection": "flows",
        "state_machine": "waits",
        "execution": done["result"]["execution"],
        "cause": f"{done['action_id']} is taken back",
    }
    assert agent.undo(done["action_id"], **ADA)["duplicate"]


def test_a_workflow_that_was_stopped_is_stopped_again_without_harm(agent: ExecutionAgent, cloud: Cloud) -> None:
    done = agent.process(start())
    stop = request("stop_workflow", {"state_machine": "waits", "execution": done["result"]["execution"]})
    assert [agent.process(stop)["status"] for _ in range(2)] == ["succeeded", "succeeded"]


def test_what_was_never_started_cannot_be_stopped(agent: ExecutionAgent) -> None:
    response = agent.process(request("stop_workflow", {"state_machine": "waits", "execution": "nobody"}))
    assert (response["status"], response["error"]["code"]) == ("failed", "execution_does_not_exist")


def test_an_event_is_heard_with_its_effect_key(agent: ExecutionAgent, cloud: Cloud) -> None:
    detail = {"account": "ACME-1", "score": 0.31}
    response = agent.process(request("publish_event", {"detail_type": "Renewal At Risk", "detail": detail}))
    assert response["status"] == "succeeded"
    (heard,) = eventually(lambda: cloud.received("heard"))
    assert heard["Body"]["detail"] == {**detail, "effect_key": effect_key(response)}
    assert (heard["Body"]["source"], heard["Body"]["detail-type"]) == ("revops.decisions", "Renewal At Risk")
    assert agent.undo(response["action_id"], **ADA)["error"]["code"] == "irreversible"


def test_a_message_is_received_with_its_effect_key(agent: ExecutionAgent, cloud: Cloud) -> None:
    parameters = {"connection": "plain", "message": {"account": "ACME-1"}, "attributes": {"kind": "renewal"}}
    response = agent.process(request("send_message", parameters))
    assert response["status"] == "succeeded"
    (received,) = cloud.received("plain")
    assert (received["MessageId"], received["Body"]) == (response["result"]["message_id"], {"account": "ACME-1"})
    told = {name: attribute["StringValue"] for name, attribute in received["MessageAttributes"].items()}
    assert told == {"kind": "renewal", "effect_key": effect_key(response)}


@pytest.mark.parametrize("connection", ["ordered", "news-in-order"])
def test_where_an_order_is_kept_the_same_effect_is_taken_once(cloud: Cloud, connection: str) -> None:
    parameters = {"connection": connection, "message": {"account": "ACME-1"}, "group": "ACME-1"}
    asked = request("send_message", parameters)
    agents = [agent_with(world=fake_world(connections=cloud.connections), actions=ACTIONS) for _ in range(2)]
    assert [agent.process(asked)["status"] for agent in agents] == ["succeeded", "succeeded"]
    if connection == "ordered":
        (received,) = cloud.received("ordered.fifo")
        assert received["Attributes"]["MessageGroupId"] == "ACME-1"
        assert cloud.received("ordered.fifo") == []


def test_what_a_topic_is_told_reaches_its_subscribers(agent: ExecutionAgent, cloud: Cloud) -> None:
    parameters = {"connection": "news", "message": {"account": "ACME-1"}, "attributes": {"kind": "renewal"}}
    response = agent.process(request("send_message", parameters))
    assert response["status"] == "succeeded"
    (told,) = eventually(lambda: cloud.received("told"))
    assert told["Body"] == {"account": "ACME-1"}
    assert told["MessageAttributes"]["effect_key"]["StringValue"] == effect_key(response)


@pytest.mark.parametrize("connection", ["score", "score-later"])
def test_a_function_is_called_with_the_effect_key(agent: ExecutionAgent, cloud: Cloud, connection: str) -> None:
    parameters = {"connection": connection, "payload": {"account": "ACME-1"}}
    response = agent.process(request("invoke_function", parameters))
    assert (response["status"], response["error"]) == ("succeeded", None)
    given = {"account": "ACME-1", "effect_key": effect_key(response)}
    answered = {"moto": {"answer": given}, "ministack": {"answer": {"got": given}}}[cloud.name]
    assert response["result"] == (answered if connection == "score" else {})


# -- what only an engine that runs things shows ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(ministack: Any) -> Iterator[Cloud]:
    with cloud_on(ministack) as found:
        yield found


@pytest.fixture
def at_work(running: Cloud) -> ExecutionAgent:
    return agent_with(world=fake_world(connections=running.connections), actions=ACTIONS, max_retries=0)


def test_a_workflow_that_had_ended_cannot_be_taken_back(at_work: ExecutionAgent, running: Cloud) -> None:
    done = at_work.process(start("passes"))
    eventually(lambda: running.execution(done["result"]["execution_arn"])["status"] == "SUCCEEDED")
    undone = at_work.undo(done["action_id"], **ADA)
    assert (undone["status"], undone["error"]["code"]) == ("compensation_failed", "execution_had_ended")
    assert "SUCCEEDED" in undone["error"]["message"]


@pytest.mark.parametrize(
    ("signal", "end"),
    [
        ({"output": {"approved": True}}, {"status": "SUCCEEDED", "output": '{"approved": true}'}),
        ({"error": "Declined", "cause": "too dear"}, {"status": "FAILED", "error": "Declined", "cause": "too dear"}),
    ],
)
def test_a_waiting_workflow_goes_on_with_what_it_is_told(
    at_work: ExecutionAgent, running: Cloud, signal: dict[str, Any], end: dict[str, str]
) -> None:
    done = at_work.process(start("asks"))
    (asked,) = eventually(lambda: running.received("asked"))
    response = at_work.process(request("signal_workflow", {"task_token": asked["Body"]["token"], **signal}))
    assert (response["status"], response["error"]) == ("succeeded", None)
    arn = done["result"]["execution_arn"]
    eventually(lambda: running.execution(arn)["status"] != "RUNNING")
    assert {name: running.execution(arn)[name] for name in end} == end


def test_a_token_that_nobody_waits_with_is_refused(at_work: ExecutionAgent) -> None:
    response = at_work.process(request("signal_workflow", {"task_token": "AAAA", "output": {}}))
    assert (response["status"], response["error"]["code"]) == ("failed", "task_does_not_exist")


def test_a_function_that_raises_leaves_doubt(at_work: ExecutionAgent) -> None:
    response = at_work.process(request("invoke_function", {"connection": "score", "payload": {"boom": True}}))
    assert (response["status"], response["error"]["code"]) == ("in_doubt", "function_error")
    assert words(at_work, response)[-1] == "in_doubt"


# -- the examples ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(moto: Any) -> Iterator[Cloud]:
    with cloud_on(moto) as found:
        yield found


@pytest.mark.parametrize(
    "name",
    ["start_workflow", "stop_workflow", "signal_workflow", "publish_event", "send_message", "invoke_function"],
)
def test_the_examples_are_carried_out_as_they_stand(shown: Cloud, name: str) -> None:
    example = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    agent = agent_with(world=fake_world(connections=shown.under_the_names_of_the_examples()), actions=ACTIONS)
    if name == "stop_workflow":
        shown.clients["stepfunctions"].start_execution(
            stateMachineArn=shown.entries["flows"]["state_machines"]["waits"]["arn"],
            name=example["parameters"]["execution"],
        )
    response = agent.process(example)
    assert (response["status"], response["error"]) == ("succeeded", None)
