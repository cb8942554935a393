"""A world without surprises: time, chance and providers that a test holds in its hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.memory_gates import MemoryGates
from adapters.templates import Templates
from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Parameters, Prepared
from domain.errors import NeedsApproval, Refused
from domain.hold import Hold
from domain.outcome import CannotTell, Finding, Outcome, Succeeded
from domain.policy import Delivery
from domain.ports import Email, WebhookTarget, World


class FakeClock:
    """Stands still until somebody sleeps."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class FakeChance:
    """Always the upper end, and ids that count."""

    def __init__(self) -> None:
        self._count = 0

    def uniform(self, low: float, high: float) -> float:
        return high

    def entropy(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


@dataclass
class FakeHolders:
    """Processes that live until a test says otherwise."""

    name: str | None = "me"
    dead: set[str] = field(default_factory=set)

    def me(self) -> str | None:
        return self.name

    def is_dead(self, holder: str | None) -> bool:
        return holder in self.dead


@dataclass
class FakeEmailSender:
    """A provider that keeps what it was given and answers from a script."""

    answers: list[Outcome] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)

    def compose(self, email: Email, *, effect_key: str, at: datetime) -> bytes:
        return f"{email.subject}\n\n{email.text}".encode()

    def send(
        self, message: bytes, *, recipient: str, effect_key: str, timeout: float, copies: Sequence[str] = ()
    ) -> Outcome:
        self.sent.append((recipient, effect_key))
        return self.answers.pop(0) if self.answers else Succeeded({"message_id": effect_key}, reference=effect_key)

    @property
    def can_probe(self) -> bool:
        return False

    def probe(self, effect_key: str, *, timeout: float) -> Finding:
        return CannotTell("nobody can be asked", again=False)


class FakeWebhooks:
    """No target but those that a test names."""

    def __init__(self, targets: Iterable[WebhookTarget] = ()) -> None:
        self._targets = {target.name: target for target in targets}

    def target(self, name: str) -> WebhookTarget:
        return self._targets[name]

    def direct(self, url: str) -> WebhookTarget:
        raise AssertionError("no direct calls here")

    def check(self, target: WebhookTarget, headers: Mapping[str, str]) -> None:
        pass

    def body(self, target: WebhookTarget, payload: Mapping[str, Any]) -> object:
        return payload

    def call(self, target: WebhookTarget, body: object, **_: Any) -> Outcome:
        return Succeeded({"status": 200})


def fake_world(**parts: Any) -> World:
    """A world of fakes; name the part that the test is about."""
    defaults: dict[str, Any] = {
        "clock": FakeClock(),
        "chance": FakeChance(),
        "holders": FakeHolders(),
        "gates": MemoryGates(),
        "templates": Templates(),
        "email": FakeEmailSender(),
        "webhooks": FakeWebhooks(),
    }
    return World(**(defaults | parts))


class GreetParameters(Parameters):
    """Whom to greet."""

    name: str


class Greet(BaseAction[GreetParameters]):
    """An action type whose provider is the test: `world.extras["provider"]` answers."""

    action_type = "greet"
    summary = "Greets somebody."
    parameters = GreetParameters
    delivery = Delivery.AT_MOST_ONCE
    timeout = 10.0

    def execute(self, prepared: Prepared[GreetParameters], attempt: Attempt, world: World) -> Outcome:
        provider: Callable[[Attempt], Outcome] = world.extras["provider"]
        return provider(attempt)


class GreetAgain(Greet):
    """The same, for a provider that may see it twice."""

    action_type = "greet_again"
    delivery = Delivery.AT_LEAST_ONCE


class GreetOnce(Greet):
    """The same, for a provider that deduplicates by the effect key."""

    action_type = "greet_once"
    delivery = Delivery.IDEMPOTENT_BY_KEY


class GreetToday(GreetOnce):
    """The same, for a provider that deduplicates for ten minutes."""

    action_type = "greet_today"
    key_window = timedelta(minutes=10)


class GreetAsked(Greet):
    """The same, for a provider that can be asked what became of a greeting."""

    action_type = "greet_asked"

    def probe(self, parameters: GreetParameters, inquiry: Inquiry, world: World) -> Finding:
        provider: ScriptedProvider = world.extras["provider"]
        return provider.find(inquiry)


class GreetReversibly(Greet):
    """The same, where a greeting can be taken back, and a person looks at every one to Eve."""

    action_type = "greet_reversibly"
    delivery = Delivery.IDEMPOTENT_BY_KEY

    def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
        hold = Hold("eve", "nobody greets Eve unseen", {"name": parameters.name})
        if parameters.name == "Eve" and not intent.approves(hold):
            raise NeedsApproval(hold)
        return Prepared(parameters)

    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("ungreet", {"name": done.parameters["name"]})


class Ungreet(GreetOnce):
    """Takes a greeting back. Somebody looks first when `world.extras["changed"]` says that it was answered since."""

    action_type = "ungreet"

    def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
        changed = world.extras.get("changed")
        hold = Hold("changed_since", "the greeting was answered since", dict(changed or {}))
        if changed and not intent.approves(hold):
            raise NeedsApproval(hold)
        if parameters.name == "Mallory":
            raise Refused("Mallory is gone")
        return Prepared(parameters)


class ScriptedProvider:
    """Answers from a script, one for each attempt; an exception in it is raised. Then it says yes.

    `findings` are its answers to probes, in order; then it cannot tell.
    """

    def __init__(self, *answers: Outcome | BaseException, findings: Iterable[Finding | BaseException] = ()) -> None:
        self._answers = list(answers)
        self._findings = list(findings)
        self.attempts: list[Attempt] = []
        self.inquiries: list[Inquiry] = []

    def find(self, inquiry: Inquiry) -> Finding:
        self.inquiries.append(inquiry)
        found = self._findings.pop(0) if self._findings else CannotTell("nobody knows yet")
        if isinstance(found, BaseException):
            raise found
        return found

    def __call__(self, attempt: Attempt) -> Outcome:
        self.attempts.append(attempt)
        answer = self._answers.pop(0) if self._answers else Succeeded({"greeting": "Hello"})
        if isinstance(answer, BaseException):
            raise answer
        return answer
