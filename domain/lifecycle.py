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

Some events move nothing: a wish to cancel what is just being attempted, a due time put off or brought forward, a
question to the provider that left the doubt as it was, and `late_outcome`, which keeps what a zombie had to say.
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
    ATTEMPTED = "attempted"
    ATTEMPT_FAILED = "attempt_failed"
    IN_DOUBT = "in_doubt"
    RESOLVED = "resolved"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REDRIVEN = "redriven"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CANCEL_REQUESTED = "cancel_requested"
    BROUGHT_FORWARD = "brought_forward"
    DEFERRED = "deferred"
    PROBED = "probed"
    LATE_OUTCOME = "late_outcome"

    @property
    def topic(self) -> str:
        return f"action.{self.value}"


class Status(StrEnum):
    """Where an action stands, in the words of the contract."""

    REQUESTED = "requested"
    REJECTED = "rejected"
    SCHEDULED = "scheduled"
    ATTEMPTED = "attempted"
    RETRYING = "retrying"
    IN_DOUBT = "in_doubt"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_WAITING = frozenset({Life.VALIDATED, Life.ATTEMPT_FAILED, Life.REDRIVEN, Life.RESOLVED})
"""Accepted, not over, and no attempt running."""

MAY_FOLLOW: Mapping[Life, frozenset[Life | None]] = {
    Life.REQUESTED: frozenset({None}),
    Life.REJECTED: frozenset({Life.REQUESTED}),
    Life.VALIDATED: frozenset({Life.REQUESTED}),
    Life.ATTEMPTED: _WAITING,
    Life.ATTEMPT_FAILED: frozenset({Life.ATTEMPTED}),
    Life.IN_DOUBT: frozenset({Life.ATTEMPTED, Life.ATTEMPT_FAILED}),
    Life.RESOLVED: frozenset({Life.IN_DOUBT}),
    Life.SUCCEEDED: frozenset({Life.ATTEMPTED, Life.RESOLVED}),
    Life.FAILED: frozenset({Life.ATTEMPT_FAILED, Life.RESOLVED}),
    Life.REDRIVEN: frozenset({Life.FAILED}),
    Life.CANCELLED: _WAITING,
    Life.EXPIRED: _WAITING,
    Life.CANCEL_REQUESTED: frozenset({Life.ATTEMPTED, Life.ATTEMPT_FAILED}),
    Life.BROUGHT_FORWARD: _WAITING,
    Life.DEFERRED: _WAITING,
    Life.PROBED: frozenset({Life.IN_DOUBT}),
    Life.LATE_OUTCOME: frozenset(Life)
    - {
        Life.REQUESTED,
        Life.REJECTED,
        Life.VALIDATED,
        Life.CANCEL_REQUESTED,
        Life.BROUGHT_FORWARD,
        Life.DEFERRED,
        Life.PROBED,
        Life.LATE_OUTCOME,
    },
}
"""What may come after what. None is the empty life, before the first event."""

STATUS_AFTER: Mapping[Life, Status] = {
    Life.REQUESTED: Status.REQUESTED,
    Life.REJECTED: Status.REJECTED,
    Life.VALIDATED: Status.SCHEDULED,
    Life.ATTEMPTED: Status.ATTEMPTED,
    Life.ATTEMPT_FAILED: Status.RETRYING,
    Life.IN_DOUBT: Status.IN_DOUBT,
    Life.RESOLVED: Status.RETRYING,
    Life.SUCCEEDED: Status.SUCCEEDED,
    Life.FAILED: Status.FAILED,
    Life.REDRIVEN: Status.SCHEDULED,
    Life.CANCELLED: Status.CANCELLED,
    Life.EXPIRED: Status.EXPIRED,
}
"""The status that an event leaves behind. An event that is not here moves nothing."""

ENDED = frozenset({Status.REJECTED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.EXPIRED})
"""Nothing more will happen by itself."""


def require_may_follow(event: Life, last: Life | None) -> None:
    """Raises IllegalTransition unless the table lets `event` follow `last`."""
    if last not in MAY_FOLLOW[event]:
        before = "an action that does not exist yet" if last is None else f"{last.value!r}"
        raise IllegalTransition(f"{event.value!r} may not follow {before}")
