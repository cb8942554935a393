"""A deployed agent whose functions are metered: what they ask AWS for, how often they are invoked, what they log."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.asked import Asked, Counting, counting_proxy
from tests.e2e.cloud import local_cloud
from tests.e2e.deployment import Deployment, deployed, upload
from tests.e2e.hooks import takes, targets
from tests.engines import local_aws_environment
from tests.receivers import Receiver

FUNCTIONS = ("Invoke", "Stream", "Sweep")
QUIET = 1.5
"""Seconds without a request, after which nothing more is to come."""


@dataclass
class Usage:
    """What was used. `by_invoke` is what the function that takes requests asked of DynamoDB, `by_others` all else."""

    by_invoke: Asked = field(default_factory=Asked)
    by_others: Asked = field(default_factory=Asked)
    invocations: Mapping[str, int] = field(default_factory=dict)
    logged: int = 0
    """Bytes."""

    @property
    def asked(self) -> Asked:
        return self.by_invoke + self.by_others


@dataclass(frozen=True)
class MeteredAgent:
    """`receiver` takes the webhooks of the target `sink`."""

    deployment: Deployment
    receiver: Receiver
    invoke: Counting
    others: Counting

    @property
    def memory(self) -> float:
        """Gigabytes that a function has."""
        functions, name = self.deployment.cloud.client("lambda"), self.deployment.resources["Invoke"]
        return float(functions.get_function_configuration(FunctionName=name)["MemorySize"]) / 1024

    @contextmanager
    def metered(self) -> Iterator[Usage]:
        """What is used within, to the last echo of it. It is filled in at the end."""
        usage, invocations, logged = Usage(), self._invocations(), self._logged()
        self.invoke.begin()
        self.others.begin()
        yield usage
        self._until_quiet()
        usage.by_invoke, usage.by_others = self.invoke.end(), self.others.end()
        usage.invocations = {name: count - invocations[name] for name, count in self._invocations().items()}
        usage.logged = self._logged() - logged

    def _until_quiet(self) -> None:
        """Nothing is asked for any more, and no doorbell is still to ring."""
        before = -1
        while (now := self.invoke.so_far + self.others.so_far) != before or self._doorbells():
            before = now
            time.sleep(QUIET)

    def _doorbells(self) -> int:
        kinds = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
        queues, queue = self.deployment.cloud.client("sqs"), self.deployment.resources["Doorbells"]
        said = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=kinds)["Attributes"]
        return sum(int(said[kind]) for kind in kinds)

    def _invocations(self) -> dict[str, int]:
        return {function: self.deployment.invocations_of(function) for function in FUNCTIONS}

    def _logged(self) -> int:
        return sum(len(line.encode()) for function in FUNCTIONS for line in self.deployment.log_of(function))


@contextmanager
def metered_agent(package: bytes) -> Iterator[MeteredAgent]:
    """Deploys the template with this package in a local AWS of its own."""
    invoke, others = Counting(), Counting()
    engine = ""
    with (
        local_aws_environment(),
        tempfile.TemporaryDirectory(prefix="metered-") as folder,
        Receiver(takes) as receiver,
        counting_proxy(invoke, lambda: engine) as endpoint_of_invoke,
        counting_proxy(others, lambda: engine) as endpoint,
        local_cloud(AWS_ENDPOINT_URL=endpoint) as cloud,
    ):
        engine = cloud.url
        upload(cloud, package)
        parameters = {
            "WebhookConfigPath": targets(Path(folder) / "webhooks.json", receiver, seconds=10),
            "RetryBackoffMs": "1",
            "ClockSkewSeconds": "0",
        }
        with deployed(cloud, "metered", **parameters) as deployment, ExitStack() as stack:
            # A sweep that comes by itself belongs to nobody's bill.
            cloud.client("events").disable_rule(Name=deployment.resources["SweepEveryMinute"])
            # Where a queue is asked stands in its URL.
            doorbells = endpoint + urlsplit(deployment.resources["Doorbells"]).path
            for function in FUNCTIONS:
                own = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint_of_invoke} if function == "Invoke" else {}
                stack.enter_context(deployment.configured(function, {"EXECUTION_AGENT_DOORBELLS": doorbells, **own}))
            yield MeteredAgent(deployment, receiver, invoke, others)
