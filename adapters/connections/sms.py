"""Text messages, by Amazon SNS: Publish to a phone number, sent once.

    {"kind": "sms", "region": "eu-central-1", "prefixes": ["+49", "+43"], "sender_id": "ACME"}

`prefixes` are what a number has to begin with: a country, or a part of one. `sender_id` is what a phone shows as the
sender, in countries that allow it. Whether messages are sent as transactional, the account says. The role needs
sns:Publish.

SNS has no idempotency token, and cannot be asked whether it took a message: in doubt, a person looks into its delivery
log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from adapters.aws import AwsService, require_aws
from adapters.connections.aws_entry import AwsEntry
from adapters.secrets import Secrets
from domain.outcome import Outcome, Succeeded

_NOT_NOW = frozenset({"Throttled", "ThrottledException"})


class Model(AwsEntry):
    """An entry of kind `sms`."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$")
    prefixes: list[Annotated[str, Field(pattern=r"^\+[1-9][0-9]{0,14}$")]] = Field(min_length=1)
    sender_id: str | None = Field(default=None, min_length=3, max_length=11, pattern=r"^[0-9]*[A-Za-z][A-Za-z0-9]*$")


def connect(name: str, entry: Model, _: Secrets) -> Sms:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return Sms(name, entry)


class Sms:
    """The port `domain.text_messages.TextMessages`."""

    def __init__(self, name: str, entry: Model) -> None:
        self._name = name
        self._entry = entry
        self._sns = AwsService(
            "sns", title="SNS", region=entry.region, endpoint_url=entry.endpoint_url, not_now=_NOT_NOW
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def prefixes(self) -> tuple[str, ...]:
        return tuple(self._entry.prefixes)

    def send(self, recipient: str, text: str, *, timeout: float) -> Outcome:
        """`result` is `{"message_id"}`: SNS's own, which is also the reference."""
        answer = self._sns.call("publish", timeout=timeout, PhoneNumber=recipient, Message=text, **self._attributes())
        if not isinstance(answer, Mapping):
            return answer
        message_id = answer.get("MessageId")
        if not message_id or not isinstance(message_id, str):
            return self._sns.unreadable("without a message id")
        return Succeeded({"message_id": message_id}, reference=message_id)

    def _attributes(self) -> dict[str, Any]:
        if self._entry.sender_id is None:
            return {}
        shown = {"DataType": "String", "StringValue": self._entry.sender_id}
        return {"MessageAttributes": {"AWS.SNS.SMS.SenderID": shown}}

    def close(self) -> None:
        """Ends the connections that wait for a next message."""
        self._sns.close()
