"""A local AWS that lets nobody do more than their role says, and what is seen of it from outside."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import boto3

from tests.engines import Engine, ministack_engine

REGION = "eu-central-1"

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Cloud:
    """Speaks to the engine as its root: boto3's own clients, pointed at the loopback address."""

    url: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(service, endpoint_url=self.url, region_name=REGION)
        return self._clients[service]

    def mails_to(self, recipient: str) -> list[dict[str, Any]]:
        """Each message that SES took for this recipient: `Subject`, `BodyText`, `Source` and more."""
        by_account = self._peek("ses/messages")["messages"]
        return [mail for mails in by_account.values() for mail in mails if recipient in mail["To"]]

    def lying_in(self, queue_url: str) -> list[dict[str, Any]]:
        """All messages of a queue, be they visible, taken or still to come. None is touched."""
        by_account = self._peek(f"sqs/messages?QueueUrl={quote(queue_url, safe='')}")["messages"]
        by_queue = [queues for regions in by_account.values() for queues in regions.values()]
        return [message for queues in by_queue for messages in queues.values() for message in messages]

    def _peek(self, what: str) -> Any:
        """What only a local engine shows."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/_ministack/{what}", timeout=10) as answer:
            return json.load(answer)

    def taken_from(self, queue_url: str) -> list[dict[str, Any]]:
        """The JSON messages of a queue, which are then gone from it. Empty when there are none."""
        queues = self.client("sqs")
        messages = queues.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            queues.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


@contextmanager
def local_cloud(**options: str) -> Iterator[Cloud]:
    """For as long as the context: an engine that enforces IAM and retries at once what AWS retries after a minute."""
    with ministack_engine(
        AUTH="true", MINISTACK_REGION=REGION, LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.1", **options
    ) as engine:
        yield cloud_of(engine)


def cloud_of(engine: Engine) -> Cloud:
    return Cloud(engine.url)


def eventually(look: Callable[[], Seen], *, within: float = 15.0) -> Seen:
    """What `look` sees as soon as it is anything at all. Other processes take their time, so it looks again and again.

    Raises AssertionError after `within` seconds.
    """
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not seen within {within:.0f} s"
        time.sleep(0.05)
    return seen
