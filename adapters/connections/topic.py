"""A topic of Amazon SNS.

    {"kind": "topic", "arn": "arn:aws:sns:eu-central-1:123456789012:renewals"}

One whose name ends in `.fifo` keeps messages in order within their group, and takes an effect key once in five minutes.
Subscriptions may filter by the attributes of a message. The role needs sns:Publish.

The effect key is the message's attribute `effect_key`, and the MessageDeduplicationId of a topic that keeps an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from adapters.aws import AwsService, require_aws
from adapters.connections.aws_entry import AwsEntry, arn, region_of
from adapters.connections.queue import ORDERED, answer_read, as_words
from adapters.secrets import Secrets
from domain.messaging import Message
from domain.outcome import Outcome

_NOT_NOW = frozenset({"KMSThrottling", "Throttled"})


class Model(AwsEntry):
    """An entry of kind `topic`."""

    arn: Annotated[str, arn("sns", r"[A-Za-z0-9_-]{1,256}(?:\.fifo)?", "a topic")]


def connect(name: str, entry: Model, _: Secrets) -> ConfiguredTopic:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return ConfiguredTopic(name, entry)


class ConfiguredTopic:
    """The port `domain.messaging.MessageChannel`."""

    def __init__(self, connection: str, entry: Model) -> None:
        self._connection, self._arn = connection, entry.arn
        self._service = AwsService(
            "sns", title="SNS", region=region_of(entry.arn), endpoint_url=entry.endpoint_url, not_now=_NOT_NOW
        )

    @property
    def connection(self) -> str:
        return self._connection

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        self._service.close()

    @property
    def keeps_order(self) -> bool:
        return self._arn.endswith(ORDERED)

    def send(self, message: Message, *, effect_key: str, timeout: float) -> Outcome:
        answer = self._service.call(
            "publish",
            timeout=timeout,
            TopicArn=self._arn,
            Message=message.body,
            **as_words(message, effect_key, keeps_order=self.keeps_order),
        )
        return answer_read(self._service, answer) if isinstance(answer, Mapping) else answer
