"""A queue of Amazon SQS.

    {"kind": "queue", "url": "https://sqs.eu-central-1.amazonaws.com/123456789012/renewals"}

The queue is asked at its URL: of a VPC endpoint, too, or on this machine. One whose name ends in `.fifo` keeps messages
in order within their group, and takes an effect key once in five minutes. The role needs sqs:SendMessage.

The effect key is the message's attribute `effect_key`, and the MessageDeduplicationId of a queue that keeps an order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

from adapters.aws import AwsService, require_aws
from adapters.connections import Entry
from adapters.secrets import Secrets
from domain.messaging import Message
from domain.outcome import Outcome, Succeeded
from domain.validators.document import EFFECT_KEY

ORDERED = ".fifo"
"""How the name of a queue or a topic ends that keeps messages in order."""

_URL = re.compile(
    r"(?:https://[A-Za-z0-9.-]+|http://(?:127\.0\.0\.1|localhost):[0-9]{1,5})/[0-9]{12}/[A-Za-z0-9_-]{1,80}(?:\.fifo)?"
)
_REGION = re.compile(r"(?:.+\.)?sqs\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?")
_NOT_NOW = frozenset({"RequestThrottled", "OverLimit", "KmsThrottled"})


def _checked_url(url: str) -> str:
    if not _URL.fullmatch(url):
        raise ValueError("this is not the URL of a queue, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    return url


class Model(Entry):
    """An entry of kind `queue`."""

    url: Annotated[str, AfterValidator(_checked_url)]


def connect(name: str, entry: Model, _: Secrets) -> ConfiguredQueue:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return ConfiguredQueue(name, entry)


class ConfiguredQueue:
    """The port `domain.messaging.MessageChannel`."""

    def __init__(self, connection: str, entry: Model) -> None:
        self._connection, self._url = connection, entry.url
        place = urlsplit(entry.url)
        region = _REGION.fullmatch(place.hostname or "")
        self._service = AwsService(
            "sqs",
            title="SQS",
            region=region[1] if region else None,
            endpoint_url=f"{place.scheme}://{place.netloc}",
            not_now=_NOT_NOW,
        )

    @property
    def connection(self) -> str:
        return self._connection

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        self._service.close()

    @property
    def keeps_order(self) -> bool:
        return self._url.endswith(ORDERED)

    def send(self, message: Message, *, effect_key: str, timeout: float) -> Outcome:
        answer = self._service.call(
            "send_message",
            timeout=timeout,
            QueueUrl=self._url,
            MessageBody=message.body,
            **as_words(message, effect_key, keeps_order=self.keeps_order),
        )
        return answer_read(self._service, answer) if isinstance(answer, Mapping) else answer


def as_words(message: Message, effect_key: str, *, keeps_order: bool) -> dict[str, Any]:
    """What SQS and SNS call alike."""
    attributes = {**message.attributes, EFFECT_KEY: effect_key}
    words: dict[str, Any] = {
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    }
    if message.group is not None:
        words["MessageGroupId"] = message.group
    if keeps_order:
        words["MessageDeduplicationId"] = effect_key
    return words


def answer_read(service: AwsService, answer: Mapping[str, Any]) -> Outcome:
    """What SQS and SNS answer alike."""
    message_id = answer.get("MessageId")
    if not message_id or not isinstance(message_id, str):
        return service.unreadable("without a message id")
    result = {"message_id": message_id}
    if sequence_number := answer.get("SequenceNumber"):
        result["sequence_number"] = str(sequence_number)
    return Succeeded(result, reference=message_id)
