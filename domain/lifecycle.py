"""The life of an action: its events, and what may follow what, as one table.

    requested ──► rejected
        │
        ▼
    validated ──► attempted ──► succeeded
        │          ▲     │
        │          │     ├────► in_doubt ◄─┐
        ▼          │     ▼                 │  one attempt was unknown, and no other may follow
    expired ◄──────┴─ attempt_failed ──────┤
                                           └──► failed

`late_outcome` may follow anything that was ever attempted, and moves nothing:
it keeps what a zombie had to say.
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
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
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
    EXPIRED = "expired"


MAY_FOLLOW: Mapping[Life, frozenset[Life | None]] = {
    Life.REQUESTED: frozenset({None}),
    Life.REJECTED: frozenset({Life.REQUESTED}),
    Life.VALIDATED: frozenset({Life.REQUESTED}),
    Life.ATTEMPTED: frozenset({Life.VALIDATED, Life.ATTEMPT_FAILED}),
    Life.ATTEMPT_FAILED: frozenset({Life.ATTEMPTED}),
    Life.IN_DOUBT: frozenset({Life.ATTEMPTED, Life.ATTEMPT_FAILED}),
    Life.SUCCEEDED: frozenset({Life.ATTEMPTED}),
    Life.FAILED: frozenset({Life.ATTEMPT_FAILED}),
    Life.EXPIRED: frozenset({Life.VALIDATED, Life.ATTEMPT_FAILED}),
    Life.LATE_OUTCOME: frozenset(
        {Life.ATTEMPTED, Life.ATTEMPT_FAILED, Life.IN_DOUBT, Life.SUCCEEDED, Life.FAILED, Life.EXPIRED}
    ),
}
"""What may come after what. None is the empty life, before the first event."""

STATUS_AFTER: Mapping[Life, Status] = {
    Life.REQUESTED: Status.REQUESTED,
    Life.REJECTED: Status.REJECTED,
    Life.VALIDATED: Status.SCHEDULED,
    Life.ATTEMPTED: Status.ATTEMPTED,
    Life.ATTEMPT_FAILED: Status.RETRYING,
    Life.IN_DOUBT: Status.IN_DOUBT,
    Life.SUCCEEDED: Status.SUCCEEDED,
    Life.FAILED: Status.FAILED,
    Life.EXPIRED: Status.EXPIRED,
}
"""The status that an event leaves behind. `late_outcome` leaves the status as it was."""

ENDED = frozenset({Status.REJECTED, Status.SUCCEEDED, Status.FAILED, Status.EXPIRED})
"""Nothing more will happen by itself."""


def require_may_follow(event: Life, last: Life | None) -> None:
    """Raises IllegalTransition unless the table lets `event` follow `last`."""
    if last not in MAY_FOLLOW[event]:
        before = "an action that does not exist yet" if last is None else f"{last.value!r}"
        raise IllegalTransition(f"{event.value!r} may not follow {before}")
