"""The outside world, as the domain sees it: Protocols, gathered in World.

Only `execute` is handed the world. Each port speaks in values of `domain.outcome`:
the adapter behind it knows its provider and classes every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from domain.connections import Connections, NoConnections
from domain.gate import Entry, Health, Limits
from domain.outcome import Failure, Finding, Outcome

if TYPE_CHECKING:
    from domain.mail import Attachment, Unsubscribe
    from domain.mail_policy import MailPolicy


class Clock(Protocol):
    """Time, passed in. `now` is for liveness and for people; safety rests on versions."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait while a caller waits, and for nobody else."""
        ...


class Chance(Protocol):
    """Chance, passed in."""

    def uniform(self, low: float, high: float) -> float:
        """A number between `low` and `high`: the jitter of a retry."""
        ...

    def entropy(self, size: int) -> bytes:
        """`size` unpredictable bytes: the random part of an id."""
        ...


class Holders(Protocol):
    """Who holds a lease, and whether it can still speak for itself."""

    def me(self) -> str | None:
        """This process, in a word that no other process on any machine ever has; None when that cannot be told."""
        ...

    def is_dead(self, holder: str | None) -> bool:
        """True only when it is certain that this holder will never act again."""
        ...


class Gates(Protocol):
    """The gates before targets, shared by all who attempt. Gates spare a target, they keep nothing safe:
    one that cannot be read is open."""

    def enter(
        self, target: str, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None
    ) -> Entry:
        """`domain.gate.enter` on the state that all share. Never raises."""
        ...

    def leave(
        self, target: str, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None
    ) -> None:
        """`domain.gate.leave` on the state that all share. Never raises."""
        ...


class RenderedTemplate(Protocol):
    """A message made of a template and variables. `sha256` is of the template's own files, in hex."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str | None: ...
    @property
    def sha256(self) -> str: ...
    @property
    def policy(self) -> MailPolicy | None:
        """What its mails may have besides, where it says so."""
        ...


class Templates(Protocol):
    """Where message templates come from."""

    def render(self, name: str, variables: Mapping[str, Any]) -> RenderedTemplate:
        """Raises InvalidTemplate, MissingVariable or InvalidVariable."""
        ...

    def file(self, name: str, file: str, *, at_most: int) -> bytes:
        """A file in the template's own folder, of `at_most` bytes. Raises InvalidTemplate."""
        ...


@dataclass(frozen=True, slots=True)
class Email:
    """One message to one bare address, before a transport adds its own headers.

    `cc` and `reply_to` are bare addresses, too. Blind copies are on the envelope alone: the message knows of none.
    """

    recipient: str
    subject: str
    text: str
    html: str | None = None
    cc: tuple[str, ...] = ()
    reply_to: str | None = None
    unsubscribe: Unsubscribe | None = None
    attachments: tuple[Attachment, ...] = ()


class EmailSender(Protocol):
    """Carries an e-mail to a provider, at most once for each call."""

    def compose(self, email: Email, *, effect_key: str, at: datetime) -> bytes:
        """The whole message, in the form of RFC 5322, checked by parsing it back. Raises InvalidMessage."""
        ...

    def send(
        self, message: bytes, *, recipient: str, effect_key: str, timeout: float, copies: Sequence[str] = ()
    ) -> Outcome:
        """To the recipient and whoever gets a copy, to all or none. `timeout` is the total deadline in seconds.

        Never raises for what the provider says.
        """
        ...

    @property
    def can_probe(self) -> bool:
        """Whether the provider can be asked for a message by its effect key."""
        ...

    def probe(self, effect_key: str, *, timeout: float) -> Finding:
        """Whether the message was taken. `timeout` is the total deadline in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """What an action may know of a configured target. URL and secret stay in the adapter."""

    name: str
    method: str
    deduplicates: bool
    timeout: float
    limits: Limits | None = None
    template_sha256: str | None = None
    """In hex, where the target has a template that makes the bodies of its calls."""


class Webhooks(Protocol):
    """Configured targets, and the guarded way to call them."""

    def target(self, name: str) -> WebhookTarget:
        """Raises Refused (invalid_parameters) when no target has this name."""
        ...

    def direct(self, url: str) -> WebhookTarget:
        """A target that is its own URL; raises Refused unless the configuration allows direct URLs."""
        ...

    def check(self, target: WebhookTarget, headers: Mapping[str, str]) -> None:
        """Whether an action may bring these headers to this target. Raises Refused (invalid_parameters)."""
        ...

    def body(self, target: WebhookTarget, payload: Mapping[str, Any]) -> object:
        """The JSON value that a call says: what the target's template makes of the payload, or the payload itself.

        Raises MissingVariable or InvalidVariable.
        """
        ...

    def call(
        self,
        target: WebhookTarget,
        body: object,
        *,
        headers: Mapping[str, str],
        effect_key: str,
        at: datetime,
        timeout: float,
    ) -> Outcome:
        """Sends once. `timeout` is the total deadline in seconds. Never raises for what the receiver says."""
        ...


class Doorbells(Protocol):
    """Rings that come later, while nobody waits for them."""

    def ring_later(self, action_id: str, *, after: float, announce: Sequence[int] = ()) -> Failure | None:
        """Has the action looked at in `after` seconds, 900 at most, and others told of the versions in `announce`.

        None when that was taken on. Never raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """What nobody here can handle. `event_id` names what brought it; `announce` are versions that others were to hear
    of, and did not; `is_message` says that nothing brings it again, since its message is gone once it is answered."""

    action_id: str | None
    event_id: str
    problem: str
    announce: tuple[int, ...] = ()
    is_message: bool = False


class Quarantine(Protocol):
    """Where cases are kept until a person looks at them."""

    def keep(self, case: Case) -> Failure | None:
        """None when it is kept. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class News:
    """An action ended, is in doubt or is held: its event `version` did that, `at` a time. `response` is as of then."""

    action_id: str
    version: int
    title: str
    at: datetime
    response: Mapping[str, Any]

    @property
    def event_id(self) -> str:
        """The same however often it is told, so that a receiver can know it again."""
        return f"{self.action_id}:{self.version}"


class Announcer(Protocol):
    """Tells others, at least once."""

    def announce(self, news: Sequence[News], *, timeout: float) -> Mapping[str, Failure]:
        """What was not taken, and why, by event id. `timeout` is the total deadline in seconds. Never raises."""
        ...


@dataclass(frozen=True)
class World:
    """Everything outside. Adapters load their libraries when they are first used."""

    clock: Clock
    chance: Chance
    holders: Holders
    gates: Gates
    templates: Templates
    email: EmailSender
    webhooks: Webhooks
    connections: Connections = field(default_factory=NoConnections)
    extras: Mapping[str, Any] = field(default_factory=dict)
    """What the action types of other distributions bring along, by name."""
    doorbells: Doorbells | None = None
    quarantine: Quarantine | None = None
    announcers: Sequence[Announcer] = ()
    callback_key: Callable[[], bytes] | None = None
    """Gives the secret that callback tokens are made with, when it is first needed."""
