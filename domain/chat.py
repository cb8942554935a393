"""Chat: messages to channels, and cards to whoever a connection leads to. Which channels there are, the configuration
says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from domain.outcome import Finding, Outcome


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. `channel` is the provider's own name for it; `thread` that of the message that this one answers.

    At least one of `text` and `blocks` says something; beside blocks, the text is what a notification shows.
    """

    channel: str
    text: str | None = None
    blocks: Sequence[Mapping[str, Any]] = ()
    thread: str | None = None


@dataclass(frozen=True, slots=True)
class Sought:
    """The message of an attempt in doubt, which began at `began`; `now` is when this is asked."""

    channel: str
    thread: str | None
    effect_key: str
    began: datetime
    now: datetime


class Chat(Protocol):
    """A workspace, as far as the configuration opens it."""

    @property
    def name(self) -> str:
        """The connection's own name."""
        ...

    @property
    def allows_mentions(self) -> bool:
        """Whether a message may call many people at once."""
        ...

    @property
    def allows_images(self) -> bool:
        """Whether a message may show images and videos that the provider fetches."""
        ...

    def channel(self, asked: str) -> str:
        """The provider's own name of an allowed channel. Raises Refused (invalid_parameters)."""
        ...

    def post(self, message: ChatMessage, *, effect_key: str, action_id: str, timeout: float) -> Outcome:
        """Posts once; `timeout` is the total deadline in seconds. Never raises for what the provider says.

        `undo` is what `ErasableChat.erase` needs, None where nothing can be taken back.
        """
        ...

    def find(self, sought: Sought, *, timeout: float) -> Finding:
        """Whether the message was posted. Reads and changes nothing; `timeout` is the total deadline in seconds."""
        ...


class ErasableChat(Protocol):
    """A workspace in which messages can be deleted."""

    @property
    def name(self) -> str:
        """The connection's own name."""
        ...

    def channel(self, asked: str) -> str:
        """The provider's own name of an allowed channel. Raises Refused (invalid_parameters)."""
        ...

    def erase(self, channel: str, message: str, *, timeout: float) -> Outcome:
        """Deletes the message of this name; one that is gone already is a success."""
        ...


@dataclass(frozen=True, slots=True)
class Card:
    """A card: a title, a text, and facts as pairs of a name and a value, in the order in which they are shown."""

    title: str | None = None
    text: str | None = None
    facts: Sequence[tuple[str, str]] = ()


class Cards(Protocol):
    """Where cards are shown."""

    @property
    def name(self) -> str:
        """The connection's own name."""
        ...

    def check(self, card: Card) -> None:
        """Whether the provider can take it. Raises Refused (invalid_parameters)."""
        ...

    def post(self, card: Card, *, effect_key: str, timeout: float) -> Outcome:
        """Posts once; `timeout` is the total deadline in seconds. Never raises for what the provider says."""
        ...
