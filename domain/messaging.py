"""Events and messages, as the action types see them: buses, queues and topics that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from domain.outcome import Outcome

LARGEST_MESSAGE = 1_000_000
"""Bytes of an event's detail, and of a message's body. No bus, queue or topic takes more than 1 MiB, and what goes
along takes some of it; one that is set to take less refuses what is too large for it."""


@dataclass(frozen=True, slots=True)
class Event:
    """`detail` is JSON; `at` is when it happened."""

    detail_type: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """`body` is JSON. Messages of one `group` stay in order where the channel keeps an order."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None


class EventBus(Protocol):
    """Hands an event on to whoever asked for its kind. It takes the same event twice."""

    @property
    def connection(self) -> str:
        """Its name in the configuration."""
        ...

    def publish(self, event: Event, *, timeout: float) -> Outcome:
        """`timeout` is the total deadline in seconds. Never raises for what the bus says."""
        ...


class MessageChannel(Protocol):
    """A queue or a topic."""

    @property
    def connection(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def keeps_order(self) -> bool:
        """Whether it is first in, first out. Then every message has a group, and is taken once in five minutes."""
        ...

    def send(self, message: Message, *, effect_key: str, timeout: float) -> Outcome:
        """`timeout` is the total deadline in seconds. Never raises for what the channel says."""
        ...
