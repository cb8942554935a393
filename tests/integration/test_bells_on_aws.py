"""The doorbells, the quarantine and the event bus on a local AWS: what one function sends, another one gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from botocore.session import Session

from adapters.event_bus import EventBus
from adapters.queues import Queue
from adapters.system import SystemClock
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.assembly import outside_world, prepare_ledger
from agents.execution_agent.config import Settings
from agents.execution_agent.handler import answer_knocks, sweep_with
from tests.bells import failures, message, record_of
from tests.engines import Engine
from tests.fakes import Greet, ScriptedProvider
from tests.house import greet
from tests.lambda_calls import Context

BUS = "outcomes"


@dataclass
class Cloud:
    """A ledger, two queues, and a bus whose events come to a third."""

    url: str
    environ: Mapping[str, str]
    queues: Mapping[str, str]

    def agent(self) -> ExecutionAgent:
        settings = Settings.from_environment(self.environ)
        bus = EventBus(BUS, endpoint_url=self.url)
        world = replace(
            outside_world(settings, self.environ), announcers=(bus,), extras={"provider": ScriptedProvider()}
        )
        return ExecutionAgent(settings, world=world, actions=[Greet])

    def received(self, queue: str) -> list[dict[str, Any]]:
        """The messages that come within twenty seconds, taken out."""
        found = client("sqs", self.url).receive_message(
            QueueUrl=self.queues[queue], WaitTimeSeconds=20, MaxNumberOfMessages=10
        )
        for one in found.get("Messages", []):
            client("sqs", self.url).delete_message(QueueUrl=self.queues[queue], ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(one["Body"]) for one in found.get("Messages", [])]


def client(service: str, url: str) -> Any:
    return Session().create_client(service, region_name="eu-central-1", endpoint_url=url)


@pytest.fixture(scope="module")
def cloud(ministack: Engine) -> Cloud:
    sqs, events = client("sqs", ministack.url), client("events", ministack.url)
    names = ("doorbells", "quarantine", "heard")
    queues = {name: sqs.create_queue(QueueName=f"{name}-{uuid4().hex}")["QueueUrl"] for name in names}
    heard = sqs.get_queue_attributes(QueueUrl=queues["heard"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=BUS)
    pattern = {"source": ["revops.execution-agent"], "detail-type": ["Action Succeeded", "Action Failed"]}
    events.put_rule(Name="heard", EventBusName=BUS, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="heard", EventBusName=BUS, Targets=[{"Id": "heard", "Arn": heard}])
    environ = {
        "EXECUTION_AGENT_LEDGER": f"dynamodb://ledger-{uuid4().hex}?endpoint_url={ministack.url}&region=eu-central-1",
        "EXECUTION_AGENT_DOORBELLS": queues["doorbells"],
        "EXECUTION_AGENT_QUARANTINE": queues["quarantine"],
    }
    prepare_ledger(Settings.from_environment(environ))
    return Cloud(ministack.url, environ, queues)


def commits(agent: ExecutionAgent, action_id: str) -> list[dict[str, Any]]:
    """The records of all that was committed of this action, as one commit each event."""
    recorder: Any = agent._parts.ledger.recorder
    events = recorder.select_events(action_id)
    return [record_of([event], number=number, at=agent._parts.world.clock.now()) for number, event in enumerate(events)]


def test_a_delayed_doorbell_has_the_action_looked_at(cloud: Cloud) -> None:
    with cloud.agent() as agent:
        action_id = agent.process(greet(options={"mode": "accept"}))["action_id"]
        asked_at = SystemClock().monotonic()
        assert Queue(cloud.queues["doorbells"]).send({"action_id": action_id}, timeout=20.0, delay=1) is None
        (doorbell,) = cloud.received("doorbells")
        assert SystemClock().monotonic() - asked_at >= 1.0
        assert answer_knocks(agent, {"Records": [message(doorbell)]}, Context(60.0)) == failures()
        assert agent.status(action_id)["status"] == "succeeded"


def test_what_ended_is_heard_by_whoever_asked_the_bus_for_it(cloud: Cloud) -> None:
    with cloud.agent() as agent:
        response = agent.process(greet())
        records = commits(agent, response["action_id"])
        for record in records:
            record["eventSourceARN"] = f"arn:aws:dynamodb:eu-central-1:000000000000:table/{table_of(cloud)}/stream/x"
        assert answer_knocks(agent, {"Records": records}, Context(60.0)) == failures()
    (event,) = cloud.received("heard")
    assert (event["source"], event["detail-type"]) == ("revops.execution-agent", "Action Succeeded")
    assert event["detail"] == {**response, "event_id": f"{response['action_id']}:4"}


def table_of(cloud: Cloud) -> str:
    return Settings.from_environment(cloud.environ).ledger["DYNAMODB_TABLE"]


def test_a_poison_is_in_the_quarantine(cloud: Cloud) -> None:
    with cloud.agent() as agent:
        knock = message({"action_id": "act_00000000000000000000000000"})
        assert answer_knocks(agent, {"Records": [knock]}, Context(60.0)) == failures()
    (case,) = cloud.received("quarantine")
    assert case == {
        "action_id": "act_00000000000000000000000000",
        "event_id": knock["messageId"],
        "problem": "there is no such action",
        "announce": [],
    }


def test_a_sweep_finds_what_nobody_rang_for(cloud: Cloud) -> None:
    with cloud.agent() as agent:
        action_id = agent.process(greet(options={"mode": "accept"}))["action_id"]
        report = sweep_with(agent, Context(60.0))
        assert (report["left"], agent.status(action_id)["status"]) == (0, "succeeded")
        assert [row["status"] for row in agent.list_actions(limit=1)] == ["succeeded"]
        assert sweep_with(agent, Context(60.0))["due"] == 0
