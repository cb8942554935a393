"""One local AWS with the project deployed in it, for all tests here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cloud import Cloud, local_cloud
from tests.e2e.deployment import SENDER, Deployment, deployed, local_package, upload
from tests.e2e.hooks import takes, targets
from tests.receivers import Receiver

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="everything that `make e2e` tries")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: takes too long for `make test`; `make e2e` runs it")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All go to one worker, so that the cloud is started once."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.xdist_group("cloud"))
    # The option is known only where this folder is asked for by name.
    if not config.getoption("--full", default=False):
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return local_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def cloud(aws: None, package: bytes) -> Iterator[Cloud]:
    with local_cloud() as cloud:
        upload(cloud, package)
        cloud.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        yield cloud


@pytest.fixture(scope="session")
def listening() -> Iterator[Receiver]:
    with Receiver(takes) as receiver:
        yield receiver


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    """Where the deployed agent's webhooks arrive. It takes every call, unless the test says otherwise."""
    listening.behaviour = takes
    listening.deliveries.clear()
    return listening


@pytest.fixture(scope="session")
def webhooks(listening: Receiver, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of webhook targets."""
    return targets(tmp_path_factory.mktemp("configuration") / "webhooks.json", listening)


@pytest.fixture(scope="session")
def deployment(cloud: Cloud, webhooks: str) -> Iterator[Deployment]:
    """The template as it is, with all that is optional, and with leases that last no longer than an attempt may."""
    settings = {"RequestsQueue": "yes", "WebhookConfigPath": webhooks, "ClockSkewSeconds": "0"}
    with deployed(cloud, "execution-agent", **settings) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def listener(cloud: Cloud) -> str:
    """The queue of somebody who hears how actions end."""
    queues, events = cloud.client("sqs"), cloud.client("events")
    queue: str = queues.create_queue(QueueName="listener")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": arn}]}
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    events.put_rule(Name="listener", EventPattern=json.dumps({"source": ["revops.execution-agent"]}))
    events.put_targets(Rule="listener", Targets=[{"Id": "queue", "Arn": arn}])
    return queue
