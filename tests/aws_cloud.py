"""What actions reach on a local AWS: state machines, a bus, queues, topics and a function; and what names them."""

from __future__ import annotations

import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters.connections import ConfiguredConnections, read_connections
from adapters.secrets import Secrets
from domain.functions import Function
from domain.messaging import EventBus, MessageChannel
from domain.workflows import Workflows
from tests.engines import Engine

EXAMPLE = Path(__file__).parent.parent / "examples" / "connections-aws.json"
ROLE = "arn:aws:iam::123456789012:role/anybody"
PATIENCE = 10.0
"""Seconds, for what a local AWS does on its own."""

WAITS = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}
PASSES = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
CODE = """
def handle(event, context):
    if event.get("boom"):
        raise ValueError("boom")
    return {"got": event}
"""


def asks(queue_url: str) -> dict[str, Any]:
    """A state machine that puts its task's token into a queue, and waits for what it is told."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue_url, "MessageBody": {"token.$": "$$.Task.Token"}},
        "End": True,
    }
    return {"StartAt": "A", "States": {"A": task}}


@dataclass
class Cloud:
    """The clients of one engine, and what was made there."""

    name: str
    clients: Mapping[str, Any]
    queues: Mapping[str, str]
    entries: Mapping[str, Any]
    connections: ConfiguredConnections

    def received(self, queue: str) -> list[dict[str, Any]]:
        """The next messages of a queue, their bodies read; they are taken out of it."""
        url = self.queues[queue]
        found = self.clients["sqs"].receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        for message in found.get("Messages", []):
            self.clients["sqs"].delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [{**message, "Body": json.loads(message["Body"])} for message in found.get("Messages", [])]

    def under_the_names_of_the_examples(self) -> ConfiguredConnections:
        """The connections of `examples/connections-aws.json`, with what was made here in their places."""
        entries = json.loads(EXAMPLE.read_text("utf-8"))
        places = {"flows": "flows", "revops": "bus", "renewals": "ordered", "alerts": "news", "score": "score"}
        assert set(entries) == set(places)
        made = {name: {**entries[name], **self.entries[place]} for name, place in places.items()}
        machine = self.entries["flows"]["state_machines"]["waits"]
        made["flows"] = {**made["flows"], "state_machines": {"onboarding": machine}}
        return ConfiguredConnections(read_connections(json.dumps(made).encode()), Secrets({}))

    def execution(self, execution_arn: str) -> dict[str, Any]:
        """What Step Functions says of an execution."""
        found: dict[str, Any] = self.clients["stepfunctions"].describe_execution(executionArn=execution_arn)
        return found


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


@contextmanager
def cloud_on(engine: Engine) -> Iterator[Cloud]:
    import boto3

    services = ("stepfunctions", "events", "sqs", "sns", "lambda", "iam")
    with ExitStack() as stack:
        clients = {
            service: stack.enter_context(closing(boto3.client(service, endpoint_url=engine.url)))
            for service in services
        }
        if engine.name == "moto":
            _without_docker(engine.url)
        cloud = _Builder(engine.name, engine.url, clients).build()
        yield cloud
        for name in cloud.entries:
            cloud.connections.of(PORTS[cloud.entries[name]["kind"]], name).close()


class _Builder:
    """Makes everything, under names that nobody else on the engine has."""

    def __init__(self, name: str, url: str, clients: Mapping[str, Any]) -> None:
        self._name, self._url, self._clients = name, url, clients
        self._mark = uuid4().hex[:8]

    def build(self) -> Cloud:
        queues = {name: self._queue(name) for name in ("plain", "ordered.fifo", "heard", "told", "asked")}
        entries = {
            "flows": self._flows(queues["asked"]),
            "bus": self._bus(queues["heard"]),
            "plain": {"kind": "queue", "url": queues["plain"]},
            "ordered": {"kind": "queue", "url": queues["ordered.fifo"]},
            "news": self._topic("news", queues["told"]),
            "news-in-order": self._topic("news.fifo", None),
            "score": self._function("request_response"),
            "score-later": self._function("event"),
        }
        connections = ConfiguredConnections(read_connections(json.dumps(entries).encode()), Secrets({}))
        return Cloud(self._name, self._clients, queues, entries, connections)

    def _queue(self, name: str) -> str:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        made = self._clients["sqs"].create_queue(QueueName=f"{self._mark}-{name}", Attributes=attributes)
        return str(made["QueueUrl"])

    def _queue_arn(self, url: str) -> str:
        found = self._clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def _flows(self, asked: str) -> dict[str, Any]:
        definitions = {"waits": WAITS, "passes": PASSES, "asks": asks(asked)}
        machines = {name: {"arn": self._machine(name, definition)} for name, definition in definitions.items()}
        return {"kind": "step_functions", "endpoint_url": self._url, "state_machines": machines}

    def _machine(self, name: str, definition: Mapping[str, Any]) -> str:
        made = self._clients["stepfunctions"].create_state_machine(
            name=f"{self._mark}-{name}", definition=json.dumps(definition), roleArn=ROLE
        )
        return str(made["stateMachineArn"])

    def _bus(self, heard: str) -> dict[str, Any]:
        events, name = self._clients["events"], f"{self._mark}-bus"
        arn = events.create_event_bus(Name=name)["EventBusArn"]
        events.put_rule(Name="all", EventBusName=name, EventPattern='{"source": ["revops.decisions"]}')
        events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "1", "Arn": self._queue_arn(heard)}])
        return {"kind": "event_bus", "endpoint_url": self._url, "bus": arn, "source": "revops.decisions"}

    def _topic(self, name: str, told: str | None) -> dict[str, Any]:
        sns = self._clients["sns"]
        attributes = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        arn = sns.create_topic(Name=f"{self._mark}-{name}", Attributes=attributes)["TopicArn"]
        if told is not None:
            raw = {"RawMessageDelivery": "true"}
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=self._queue_arn(told), Attributes=raw)
        return {"kind": "topic", "endpoint_url": self._url, "arn": arn}

    def _function(self, invocation: str) -> dict[str, Any]:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as file:
            file.writestr("code.py", CODE)
        role = self._clients["iam"].create_role(
            RoleName=f"{self._mark}-{invocation}", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
        )
        made = self._clients["lambda"].create_function(
            FunctionName=f"{self._mark}-{invocation}",
            Runtime="python3.11",
            Role=role["Role"]["Arn"],
            Handler="code.handle",
            Code={"ZipFile": package.getvalue()},
        )
        place = {"endpoint_url": self._url, "function": made["FunctionArn"]}
        return {"kind": "function", "invocation": invocation, **place}


def _without_docker(url: str) -> None:
    """moto's functions then answer with what they were given."""
    settings = json.dumps({"lambda": {"use_docker": False}}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"{url}/moto-api/config", data=settings, headers={"Content-Type": "application/json"}
    )
    opener.open(request, timeout=5).close()


PORTS: Mapping[str, Any] = {
    "step_functions": Workflows,
    "event_bus": EventBus,
    "queue": MessageChannel,
    "topic": MessageChannel,
    "function": Function,
}
"""What a connection of a kind can do."""
