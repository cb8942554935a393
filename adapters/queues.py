"""Queues of SQS: doorbells that ring later, and the quarantine.

What is set aside is a doorbell too, with a word on why. Once the cause is mended, it can be moved to the doorbells:
its action is looked at again, and others are told what they were to hear.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from adapters.aws import AwsService
from domain.outcome import Failure
from domain.ports import Case

TIME_TO_KEEP = 3.0
"""Seconds, for a case."""
TIME_TO_RING = 1.0
"""Seconds, for a doorbell: somebody may be waiting for the answer to a request, and the sweep makes up for it."""
LONGEST_PROBLEM = 1_000
"""Characters of a problem that are sent."""

_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


class Queue:
    """One queue, by its URL. An `http:` URL, which only the loopback address may have, is also where it is asked."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        region = _REGION.fullmatch(parts.hostname or "")
        self._sqs = AwsService(
            "sqs",
            title="SQS",
            region=region[1] if region else None,
            endpoint_url=f"http://{parts.netloc}" if parts.scheme == "http" else None,
            not_now=_NOT_NOW,
        )

    def send(self, message: Mapping[str, Any], *, timeout: float, delay: int = 0) -> Failure | None:
        """None when the queue has it. `delay` is in whole seconds, 900 at most; `timeout` the total deadline."""
        answer = self._sqs.call(
            "send_message",
            timeout=timeout,
            QueueUrl=self._url,
            MessageBody=json.dumps(message),
            DelaySeconds=delay,
        )
        if not isinstance(answer, Mapping):
            return answer
        return None if answer.get("MessageId") else self._sqs.unreadable("without a message id")


_NOT_NOW = frozenset({"RequestThrottled", "OverLimit", "KmsThrottled"})


class QueuedDoorbells:
    """The port `domain.ports.Doorbells`: `{"action_id": ...}`, with `"announce": [versions]` where there are any."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def ring_later(self, action_id: str, *, after: float, announce: Sequence[int] = ()) -> Failure | None:
        """A queue knows whole seconds only: it rings up to one too late, and never too early."""
        message = {"action_id": action_id} | ({"announce": list(announce)} if announce else {})
        return self._queue.send(message, timeout=TIME_TO_RING, delay=math.ceil(after))


class QueuedQuarantine:
    """The port `domain.ports.Quarantine`: `{"action_id", "event_id", "problem", "announce"}`."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def keep(self, case: Case) -> Failure | None:
        message = {
            "action_id": case.action_id,
            "event_id": case.event_id,
            "problem": case.problem[:LONGEST_PROBLEM],
            "announce": list(case.announce),
        }
        return self._queue.send(message, timeout=TIME_TO_KEEP)
