"""The providers: what really happens in the world, whatever the agent comes to know of it.

Each delivery class has one. They count every effect under the key that they were given; those that promise to
deduplicate do so, within their window.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Parameters, Prepared
from domain.errors import NeedsApproval, Refused
from domain.gate import Limits
from domain.hold import Hold
from domain.outcome import (
    CannotTell,
    Executed,
    Finding,
    NotExecuted,
    Outcome,
    Permanent,
    Retry,
    Succeeded,
    Unknown,
)
from domain.policy import Delivery
from domain.ports import World
from tests.simulation.books import Effect
from tests.simulation.faults import Kind, Port

if TYPE_CHECKING:
    from tests.simulation.run import Run


class WishParameters(Parameters):
    """What is wished for makes no difference."""

    wish: int


class Wish(BaseAction[WishParameters]):
    """An action type whose effect is counted."""

    parameters = WishParameters
    timeout = 10.0

    def prepare(self, parameters: WishParameters, intent: Intent, world: World) -> Prepared[WishParameters]:
        provider: Provider = world.extras["provider"]
        provider.require_target()
        return Prepared(parameters)

    def execute(self, prepared: Prepared[WishParameters], attempt: Attempt, world: World) -> Outcome:
        provider: Provider = world.extras["provider"]
        return provider.send(attempt, self)


class Mail(Wish):
    """Nobody can tell whether a mail that got no answer was taken."""

    action_type = "mail"
    delivery = Delivery.AT_MOST_ONCE


class Letter(Mail):
    """The same, of a provider that keeps a list of what it has taken."""

    action_type = "letter"

    def probe(self, parameters: WishParameters, inquiry: Inquiry, world: World) -> Finding:
        provider: Provider = world.extras["provider"]
        return provider.find(inquiry)


class Post(Wish):
    """May be sent twice, and bears a few at once."""

    action_type = "post"
    delivery = Delivery.AT_LEAST_ONCE
    limits = Limits(at_once=4, failures=5, pause=20.0)


class Upsert(Wish):
    """Taken once for each key, for ever."""

    action_type = "upsert"
    delivery = Delivery.IDEMPOTENT_BY_KEY
    limits = Limits(per_second=2.0)

    def compensation(self, done: Done) -> Compensation | None:
        return Compensation("revert", done.parameters)


class Ticket(Wish):
    """Taken once for each key, for three minutes."""

    action_type = "ticket"
    delivery = Delivery.IDEMPOTENT_BY_KEY
    key_window = timedelta(minutes=3)

    def prepare(self, parameters: WishParameters, intent: Intent, world: World) -> Prepared[WishParameters]:
        hold = Hold("fifth", "a person looks at every fifth ticket", {"wish": parameters.wish})
        if parameters.wish % 5 == 0 and not intent.approves(hold):
            raise NeedsApproval(hold)
        return super().prepare(parameters, intent, world)


class Revert(Upsert):
    """Takes an upsert back."""

    action_type = "revert"


TYPES: tuple[type[Wish], ...] = (Mail, Letter, Post, Upsert, Ticket, Revert)
WISHED_FOR = tuple(kind.action_type for kind in TYPES if kind is not Revert)
BY_NAME = {kind.action_type: kind for kind in TYPES}


class Provider:
    """All providers in one, each type with its own promise."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._seen: dict[str, float] = {}
        """When a key was last taken, by those who deduplicate."""

    def require_target(self) -> None:
        """Sometimes a target has been taken from the configuration. Raises Refused."""
        if self._run.call.once("target", self._is_gone):
            raise Refused("this target is not configured any more")

    def _is_gone(self) -> bool:
        run = self._run
        gone = run.random.random() < run.faults.chances.get(Port.PROVIDER, {}).get(Kind.TARGET_GONE, 0.0)
        if gone:
            run.count(Port.PROVIDER, Kind.TARGET_GONE)
        run.call.refused = gone
        return gone

    def send(self, attempt: Attempt, kind: Wish) -> Outcome:
        """What the process is answered, or an exception of its client library."""
        self._run.call.once("sends", partial(self._note_sending, attempt))
        answer = self._run.ask(Port.PROVIDER, partial(self._receive, attempt, kind))
        self._run.call.once("told", partial(self._tell, attempt, answer))
        if isinstance(answer, Exception):
            raise type(answer)(*answer.args)
        return answer

    def find(self, inquiry: Inquiry) -> Finding:
        """What the provider's list says of a key, or an exception of its client library."""
        finding = self._run.ask(Port.PROBE, partial(self._look_up, inquiry))
        if isinstance(finding, Exception):
            raise type(finding)(*finding.args)
        return finding

    def _look_up(self, inquiry: Inquiry, trouble: Kind | None) -> Finding | Exception:
        books = self._run.books
        self._run.tell("asks", inquiry.action_id, inquiry.effect_key)
        if trouble in (Kind.TIME_OUT_BEFORE, Kind.TIME_OUT_AFTER):
            return TimeoutError("no answer")
        if any(effect.key == inquiry.effect_key for effect in books.effects[inquiry.action_id]):
            return Executed({"listed": True}, {"wish": inquiry.number}, inquiry.effect_key)
        if books.under_way[inquiry.action_id]:
            return CannotTell("it may still be on its way")
        return NotExecuted({"listed": False})

    def _note_sending(self, attempt: Attempt) -> None:
        run, action_id = self._run, attempt.action_id
        sent = run.books.sent[action_id].get(attempt.number)
        run.tell("sends", action_id, f"attempt {attempt.number} with {attempt.effect_key}")
        if sent is None or sent.call is not run.call:
            run.books.broken(action_id, "intent before effect", f"attempt {attempt.number} was sent and is not on disk")
            return
        if sent.keys:
            run.books.broken(action_id, "one send for each attempt", f"attempt {attempt.number} was sent again")
        sent.keys.append(attempt.effect_key)
        sent.at = run.call.process.clock.text()
        sent.left = run.loop.now
        sent.timeout = attempt.timeout

    def _tell(self, attempt: Attempt, answer: Outcome | Exception) -> None:
        word = "unknown" if isinstance(answer, Exception) else type(answer).__name__.lower()
        sent = self._run.books.sent[attempt.action_id].get(attempt.number)
        if sent is not None:
            sent.told = word
        self._run.tell(f"told {word}", attempt.action_id)

    def _receive(self, attempt: Attempt, kind: Wish, trouble: Kind | None) -> Outcome | Exception:
        run, happen = self._run, partial(self._happen, attempt, kind)
        if trouble is Kind.RESET:
            trouble = run.random.choice((Kind.TIME_OUT_BEFORE, Kind.TIME_OUT_AFTER))
        if trouble in _AFTER_THE_EFFECT:
            happen()
        elif trouble is Kind.LATE_EFFECT:
            run.books.under_way[attempt.action_id] += 1
            run.loop.after(run.random.uniform(1.0, 200.0), partial(self._arrive_late, attempt, happen))
        if trouble in _ANSWERS:
            return _ANSWERS[trouble]
        if trouble is Kind.THROTTLE:
            return Retry("http_429", "slow down", retry_after=run.random.choice((None, 1.0, 20.0, 90.0)))
        happen()
        return Succeeded({"wish": attempt.number}, reference=attempt.effect_key)

    def _arrive_late(self, attempt: Attempt, happen: Callable[[], None]) -> None:
        self._run.books.under_way[attempt.action_id] -= 1
        happen()

    def _happen(self, attempt: Attempt, kind: Wish) -> None:
        run, key = self._run, attempt.effect_key
        now = run.loop.now
        if kind.delivery is Delivery.IDEMPOTENT_BY_KEY:
            seen = self._seen.get(key)
            if seen is not None and (kind.key_window is None or now < seen + kind.key_window.total_seconds()):
                run.tell_of("taken already", attempt.action_id, key)
                return
            self._seen[key] = now
        run.books.effects[attempt.action_id].append(Effect(key, now, attempt.number))
        run.tell_of("effect", attempt.action_id, key)


_ANSWERS: dict[Any, Outcome | Exception] = {
    Kind.PERMANENT: Permanent("http_404", "no such thing"),
    Kind.REFUSED: Retry("connection_refused", "nobody listens"),
    Kind.TIME_OUT_BEFORE: Unknown("timed_out", "no answer"),
    Kind.TIME_OUT_AFTER: Unknown("timed_out", "no answer"),
    Kind.LATE_EFFECT: Unknown("timed_out", "no answer"),
    Kind.EXCEPTION_BEFORE: ValueError("the client library is confused"),
    Kind.EXCEPTION_AFTER: ValueError("the client library is confused"),
}
_AFTER_THE_EFFECT = frozenset({Kind.TIME_OUT_AFTER, Kind.EXCEPTION_AFTER})
