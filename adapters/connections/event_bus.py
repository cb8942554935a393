"""A bus of Amazon EventBridge.

    {"kind": "event_bus", "source": "revops.decisions",
     "bus": "arn:aws:events:eu-central-1:123456789012:event-bus/revops"}

`source` is what rules know the sender by. It is not the one under which the execution agent tells of itself: an action
could else speak in its name. The role needs events:PutEvents.

    PutEvents answers for the event                   the outcome
    an EventId                                        Succeeded
    ThrottlingException                               Retry
    InternalFailure, or what is not known here        Unknown
    another error that is documented                  Permanent
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from adapters.aws import AwsService, require_aws
from adapters.connections.aws_entry import AwsEntry, arn, region_of
from adapters.event_bus import SOURCE
from adapters.secrets import Secrets
from domain.messaging import Event
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown

_SOURCE = re.compile(r"(?!aws\.)[A-Za-z0-9_.-]{1,256}")
_REFUSED = frozenset(
    {
        "AccessDeniedException",
        "InvalidAccountIdException",
        "InvalidArgument",
        "MalformedDetail",
        "NotAuthorizedForDetailTypeException",
        "NotAuthorizedForSourceException",
        "RedactionFailure",
    }
)
"""What PutEvents says of an entry that it will never take."""


def _checked_source(source: str) -> str:
    if not _SOURCE.fullmatch(source) or source == SOURCE:
        raise ValueError(f"a source is letters, digits, dots, _ and -, not of aws., and not {SOURCE}")
    return source


class Model(AwsEntry):
    """An entry of kind `event_bus`."""

    bus: Annotated[str, arn("events", r"event-bus/[/.A-Za-z0-9_-]{1,256}", "an event bus")]
    source: Annotated[str, AfterValidator(_checked_source)]


def connect(name: str, entry: Model, _: Secrets) -> ConfiguredBus:
    """Raises ConfigurationError where botocore is not installed."""
    require_aws(f"connection {name}")
    return ConfiguredBus(name, entry)


class ConfiguredBus:
    """The port `domain.messaging.EventBus`."""

    def __init__(self, connection: str, entry: Model) -> None:
        self._connection = connection
        self._bus, self._source = entry.bus, entry.source
        self._service = AwsService(
            "events", title="EventBridge", region=region_of(entry.bus), endpoint_url=entry.endpoint_url
        )

    @property
    def connection(self) -> str:
        return self._connection

    def close(self) -> None:
        """Ends the connections that wait for a next request."""
        self._service.close()

    def publish(self, event: Event, *, timeout: float) -> Outcome:
        entry = {
            "Time": event.at,
            "Source": self._source,
            "DetailType": event.detail_type,
            "Detail": event.detail,
            "EventBusName": self._bus,
        }
        answer = self._service.call("put_events", timeout=timeout, Entries=[entry])
        return self._outcome(answer) if isinstance(answer, Mapping) else answer

    def _outcome(self, answer: Mapping[str, Any]) -> Outcome:
        said = answer.get("Entries")
        if not isinstance(said, list) or len(said) != 1 or not isinstance(said[0], Mapping):
            return self._service.unreadable("does not say whether it took the event")
        event_id, error = said[0].get("EventId"), said[0].get("ErrorCode")
        if error:
            return _failure(str(error), str(said[0].get("ErrorMessage", "")))
        if answer.get("FailedEntryCount") != 0 or not event_id:
            return self._service.unreadable("contradicts itself on whether it took the event")
        return Succeeded({"event_id": str(event_id)}, reference=str(event_id))


def _failure(error: str, words: str) -> Outcome:
    code, message = "entry_failed", f"EventBridge did not take the event: {error}: {words}"[:200]
    if error == "ThrottlingException":
        return Retry(code, message)
    return Permanent(code, message) if error in _REFUSED else Unknown(code, message)
