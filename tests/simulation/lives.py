"""The life of an action as the promises look at it: its stored events beside what the books know of its attempts.

The words are those of the design and stand here once more: nothing is taken from the code under test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from tests.simulation.books import Books, Effect, Sent, Written

WAITING = frozenset({"validated", "attempt_failed", "redriven", "resolved", "approved"})
"""After these the action is accepted, not over, and no attempt is running."""

MAY_FOLLOW: dict[str, frozenset[str | None]] = {
    "requested": frozenset({None}),
    "rejected": frozenset({"requested"}),
    "validated": frozenset({"requested"}),
    "attempted": WAITING,
    "attempt_failed": frozenset({"attempted"}),
    # After attempt_failed: when it is to end, and an earlier attempt may have taken effect.
    "in_doubt": frozenset({"attempted", "attempt_failed", "held", "approved"}),
    "resolved": frozenset({"in_doubt"}),
    "succeeded": frozenset({"attempted", "resolved"}),
    "failed": frozenset({"attempt_failed", "resolved"}),
    "redriven": frozenset({"failed"}),
    "held": WAITING,
    "approved": frozenset({"held"}),
    "denied": frozenset({"held"}),
    "cancelled": WAITING | {"held"},
    "expired": WAITING | {"held"},
    "compensation_requested": frozenset({"succeeded", "compensation_failed"}),
    "compensated": frozenset({"compensation_requested", "compensation_failed"}),
    "compensation_failed": frozenset({"compensation_requested"}),
}
"""What moves an action, and what it may follow."""

TAKEN_BACK = frozenset({"compensation_requested", "compensated", "compensation_failed"})
HAPPENED = TAKEN_BACK | {"succeeded"}
ENDED = frozenset({"failed", "cancelled", "expired", "rejected", "denied"}) | HAPPENED - {"compensation_requested"}
SETTLED = ENDED | {"in_doubt", "held"}

MAY_STAND: dict[str, frozenset[str]] = {
    "cancel_requested": frozenset({"attempted", "attempt_failed", "held", "approved"}),
    "brought_forward": WAITING,
    "deferred": WAITING | {"compensation_requested"},
    "probed": frozenset({"in_doubt"}),
    "reported": ENDED | TAKEN_BACK,
    "late_outcome": frozenset(MAY_FOLLOW) - {"requested", "rejected", "validated"},
    "legal_hold_placed": frozenset(MAY_FOLLOW),
    "legal_hold_lifted": frozenset(MAY_FOLLOW),
    "archived": ENDED,
}
"""What moves nothing, and while what was the last that did."""

DELIVERY = {
    "mail": "at_most_once",
    "letter": "at_most_once",
    "post": "at_least_once",
    "upsert": "idempotent",
    "revert": "idempotent",
    "ticket": "idempotent",
}
WINDOW = {"ticket": timedelta(minutes=3)}


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt. `ending` is the event that ended it, None while it runs."""

    event: Written
    ending: Written | None
    sent: Sent
    position: int

    @property
    def route(self) -> int:
        route: int = self.event.says.get("route", 0)
        return route

    @property
    def was_sent(self) -> bool:
        return bool(self.sent.keys)

    @property
    def is_known_in_time(self) -> bool:
        """Whether the process that began it learned for sure what became of it, and could still say so."""
        if self.ending is None or self.ending.call is not self.sent.call:
            return False
        return self.sent.is_certain or not self.was_sent

    @property
    def was_doubtful(self) -> bool:
        """Whether the ledger had to leave open if it took effect."""
        return self.ending is not None and not self.is_known_in_time


class Life:
    """One action."""

    def __init__(self, action_id: str, events: list[Written], books: Books, default_retries: int) -> None:
        self.action_id = action_id
        self.events = events
        self.books = books
        self._default_retries = default_retries

    @cached_property
    def moves(self) -> list[Written]:
        return [event for event in self.events if event.kind in MAY_FOLLOW]

    @property
    def end(self) -> str:
        """The last event that moved it."""
        return self.moves[-1].kind

    @cached_property
    def tries(self) -> list[Try]:
        """Its attempts, in the order in which they stand."""
        sent = self.books.sent[self.action_id]
        found = []
        for position, event in enumerate(self.events):
            if event.kind == "attempted":
                ending = next((later for later in self.events[position + 1 :] if later.kind in MAY_FOLLOW), None)
                found.append(Try(event, ending, sent[event.says["attempt"]], position))
        return found

    @property
    def effects(self) -> list[Effect]:
        return self.books.effects.get(self.action_id, [])

    @cached_property
    def request(self) -> dict[str, Any]:
        request: dict[str, Any] = self.events[0].says["request"]
        return request

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.request.get("options", {})
        return options

    @property
    def not_before(self) -> str | None:
        return self._accepted("not_before")

    @property
    def expires_at(self) -> str | None:
        return self._accepted("expires_at")

    def _accepted(self, name: str) -> str | None:
        """What was accepted of a time, in the form of a stored one."""
        moment: str | None = self.events[1].says.get(name) if len(self.events) > 1 else None
        return moment

    @property
    def retries(self) -> int:
        """How many attempts may follow the first one of a route."""
        if self.options.get("retry_policy") == "none":
            return 0
        limit: int = self.options.get("max_retries", self._default_retries)
        return limit

    def action_type(self, route: int) -> str:
        asked = self.options["fallback"][route - 1] if route else self.request
        name: str = asked["action_type"]
        return name

    def key(self, route: int) -> str:
        return f"{self.action_id}-r{route}"

    def doubts_before(self, one: Try) -> Iterator[Try]:
        """Earlier attempts that may have taken effect, for all that is known when this one begins."""
        for earlier in self.tries:
            if earlier is one:
                return
            between = self.events[earlier.position : one.position]
            if earlier.was_doubtful and not any(event.kind == "resolved" for event in between):
                yield earlier

    def is_between(self, kind: str, start: int, end: int) -> bool:
        """Whether such an event stands between two positions."""
        return any(event.kind == kind for event in self.events[start:end])


def moment(text: str) -> datetime:
    """A stored time."""
    return datetime.fromisoformat(text)
