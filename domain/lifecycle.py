"""The life of an action: its events, and what may follow what, as one table.

    requested ──► rejected
        │
        ▼             ┌───────────────────────────────┐
    validated ──► attempted ──► succeeded ◄── resolved ◄── in_doubt
        │          ▲     │                     │  │           ▲
        │          │     ├─────────────────────┼──┼───────────┤  nobody can tell, or one attempt
        │          │     ▼                     │  ▼           │  was unknown and no other may follow
        │          ├─ attempt_failed ──────────┼► failed      │
        │          │     │   │                 │  │           │
        │          │     │   └─────────────────┼──┼───────────┘
        │          ├─────┼─────────────────────┘  │  a probe found that certainly nothing happened
        │       redriven │                        │
        │          ▲     │                        │
        ▼          └─────┼────────────────────────┘
    cancelled, expired ◄─┘

    whatever waits ──► held ──► approved, which waits for its attempt, or denied
    succeeded ──► compensation_requested ──► compensated, or compensation_failed, which may still become compensated
                  or be requested anew

Some events move nothing: a wish to cancel what is just being attempted, a due time put off or brought forward, a
question to the provider that left the doubt as it was, the word to an action that its compensation is over,
`late_outcome`, which keeps what a zombie had to say, and legal holds, placed and lifted at any time. `archived` moves
nothing either, and is the last: what was before it is in an archive (`AFTER_ARCHIVING`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.errors import IllegalTransition


class Life(StrEnum):
    """The events of a life. The stored topic is `action.` + this word, for ever."""

    REQUESTED = "requested"
    REJECTED = "rejected"
    VALIDATED = "validated"
    HELD = "held"
    APPROVED = "approved"
    DENIED = "denied"
    ATTEMPTED = "attempted"
    ATTEMPT_FAILED = "attempt_failed"
    IN_DOUBT = "in_doubt"
    RESOLVED = "resolved"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REDRIVEN = "redriven"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    COMPENSATION_REQUESTED = "compensation_requested"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"
    CANCEL_REQUESTED = "cancel_requested"
    BROUGHT_FORWARD = "brought_forward"
    DEFERRED = "deferred"
    PROBED = "probed"
    REPORTED = "reported"
    LATE_OUTCOME = "late_outcome"
    LEGAL_HOLD_PLACED = "legal_hold_placed"
    LEGAL_HOLD_LIFTED = "legal_hold_lifted"
    ARCHIVED = "archived"

    @property
    def topic(self) -> str:
        return f"action.{self.value}"


class Status(StrEnum):
    """Where an action stands, in the words of the contract."""

    REQUESTED = "requested"
    REJECTED = "rejected"
    SCHEDULED = "scheduled"
    HELD = "held"
    ATTEMPTED = "attempted"
    RETRYING = "retrying"
    IN_DOUBT = "in_doubt"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DENIED = "denied"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


_WAITING = frozenset({Life.VALIDATED, Life.ATTEMPT_FAILED, Life.REDRIVEN, Life.RESOLVED, Life.APPROVED})
"""Accepted, not over, and no attempt running."""

_OVER = frozenset(
    {
        Life.REJECTED,
        Life.DENIED,
        Life.SUCCEEDED,
        Life.FAILED,
        Life.CANCELLED,
        Life.EXPIRED,
        Life.COMPENSATION_REQUESTED,
        Life.COMPENSATED,
        Life.COMPENSATION_FAILED,
    }
)
"""It has been carried out, or will not be."""

_MOVING = frozenset(Life) - {
    Life.CANCEL_REQUESTED,
    Life.BROUGHT_FORWARD,
    Life.DEFERRED,
    Life.PROBED,
    Life.REPORTED,
    Life.LATE_OUTCOME,
    Life.LEGAL_HOLD_PLACED,
    Life.LEGAL_HOLD_LIFTED,
    Life.ARCHIVED,
}
"""What moves an action: each of these may be the last that did."""

MAY_FOLLOW: Mapping[Life, frozenset[Life | None]] = {
    Life.REQUESTED: frozenset({None}),
    Life.REJECTED: frozenset({Life.REQUESTED}),
    Life.VALIDATED: frozenset({Life.REQUESTED}),
    Life.HELD: _WAITING,
    Life.APPROVED: frozenset({Life.HELD}),
    Life.DENIED: frozenset({Life.HELD}),
    Life.ATTEMPTED: _WAITING,
    Life.ATTEMPT_FAILED: frozenset({Life.ATTEMPTED}),
    Life.IN_DOUBT: frozenset({Life.ATTEMPTED, Life.ATTEMPT_FAILED, Life.HELD, Life.APPROVED}),
    Life.RESOLVED: frozenset({Life.IN_DOUBT}),
    Life.SUCCEEDED: frozenset({Life.ATTEMPTED, Life.RESOLVED}),
    Life.FAILED: frozenset({Life.ATTEMPT_FAILED, Life.RESOLVED}),
    Life.REDRIVEN: frozenset({Life.FAILED}),
    Life.CANCELLED: _WAITING | {Life.HELD},
    Life.EXPIRED: _WAITING | {Life.HELD},
    Life.COMPENSATION_REQUESTED: frozenset({Life.SUCCEEDED, Life.COMPENSATION_FAILED}),
    Life.COMPENSATED: frozenset({Life.COMPENSATION_REQUESTED, Life.COMPENSATION_FAILED}),
    Life.COMPENSATION_FAILED: frozenset({Life.COMPENSATION_REQUESTED}),
    Life.CANCEL_REQUESTED: frozenset({Life.ATTEMPTED, Life.ATTEMPT_FAILED, Life.HELD, Life.APPROVED}),
    Life.BROUGHT_FORWARD: _WAITING,
    Life.DEFERRED: _WAITING | {Life.COMPENSATION_REQUESTED},
    Life.PROBED: frozenset({Life.IN_DOUBT}),
    Life.REPORTED: _OVER,
    Life.LATE_OUTCOME: _MOVING - {Life.REQUESTED, Life.REJECTED, Life.VALIDATED},
    Life.LEGAL_HOLD_PLACED: _MOVING,
    Life.LEGAL_HOLD_LIFTED: _MOVING,
    Life.ARCHIVED: _OVER - {Life.COMPENSATION_REQUESTED},
}
"""What may come after what. None is the empty life, before the first event."""

AFTER_ARCHIVING = frozenset({Life.LATE_OUTCOME, Life.LEGAL_HOLD_PLACED, Life.LEGAL_HOLD_LIFTED})
"""All that may still be said of an action once it is archived."""

STATUS_AFTER: Mapping[Life, Status] = {
    Life.REQUESTED: Status.REQUESTED,
    Life.REJECTED: Status.REJECTED,
    Life.VALIDATED: Status.SCHEDULED,
    Life.HELD: Status.HELD,
    Life.APPROVED: Status.SCHEDULED,
    Life.DENIED: Status.DENIED,
    Life.ATTEMPTED: Status.ATTEMPTED,
    Life.ATTEMPT_FAILED: Status.RETRYING,
    Life.IN_DOUBT: Status.IN_DOUBT,
    Life.RESOLVED: Status.RETRYING,
    Life.SUCCEEDED: Status.SUCCEEDED,
    Life.FAILED: Status.FAILED,
    Life.REDRIVEN: Status.SCHEDULED,
    Life.CANCELLED: Status.CANCELLED,
    Life.EXPIRED: Status.EXPIRED,
    Life.COMPENSATION_REQUESTED: Status.COMPENSATING,
    Life.COMPENSATED: Status.COMPENSATED,
    Life.COMPENSATION_FAILED: Status.COMPENSATION_FAILED,
}
"""The status that an event leaves behind. An event that is not here moves nothing."""

ENDED = frozenset(
    {
        Status.REJECTED,
        Status.DENIED,
        Status.SUCCEEDED,
        Status.FAILED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.COMPENSATED,
        Status.COMPENSATION_FAILED,
    }
)
"""Nothing more will happen by itself."""


def require_may_follow(event: Life, last: Life | None, *, archived: bool = False) -> None:
    """Raises IllegalTransition unless the table lets `event` follow `last`."""
    if archived and event not in AFTER_ARCHIVING:
        raise IllegalTransition(f"{event.value!r} may not follow 'archived'")
    if last not in MAY_FOLLOW[event]:
        before = "an action that does not exist yet" if last is None else f"{last.value!r}"
        raise IllegalTransition(f"{event.value!r} may not follow {before}")
