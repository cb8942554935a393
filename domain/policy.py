"""What next, after this outcome? A decision is a value; nobody acts in here.

The rules, in the order in which they bind:

    permanent   nothing was done, nothing will change    GiveUp(permanent)
    retry       certainly nothing was done               RetryAt, and when exhausted GiveUp(exhausted)
    unknown     at_most_once                             InDoubt: never re-sent on a guess
    unknown     at_least_once, idempotent_by_key         RetryAt with the same key, and when exhausted InDoubt

One unknown attempt leaves its doubt on the action: whatever certain failure comes later, the effect of the earlier
attempt may stand, so an action that would give up is in doubt instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from domain.outcome import Failure, Permanent, Unknown
from domain.ports import Chance

LONGEST_WAIT = timedelta(days=1)
"""No provider and no exponent makes an action wait longer between two attempts."""


class Delivery(StrEnum):
    """What an action type promises about its effect, and so what may be done in doubt."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"
    IDEMPOTENT_BY_KEY = "idempotent_by_key"


class RetryPolicy(StrEnum):
    """How the waits between attempts grow."""

    NONE = "none"
    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class Reason(StrEnum):
    """Why an action failed: the closed list."""

    PERMANENT = "permanent"
    EXHAUSTED = "exhausted"


class Doubt(StrEnum):
    """Why an action is in doubt: the closed list."""

    OUTCOME_UNKNOWN = "outcome_unknown"
    EARLIER_ATTEMPT_UNKNOWN = "earlier_attempt_unknown"


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Attempt again, not before this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It failed, and nothing was done."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody can tell, and nobody may guess."""

    reason: Doubt


Decision: TypeAlias = RetryAt | GiveUp | InDoubt


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how far apart: `limit` re-tries after the first attempt, `backoff` as the base wait."""

    policy: RetryPolicy
    limit: int
    backoff: timedelta

    def remain_after(self, attempt: int) -> bool:
        """Whether another attempt may follow attempt number `attempt` (the first is 1)."""
        return self.policy is not RetryPolicy.NONE and attempt <= self.limit

    def wait_after(self, attempt: int, chance: Chance) -> timedelta:
        """Fixed: the base wait. Exponential: full jitter under base x 2^(attempt-1)
        (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)."""
        base = self.backoff.total_seconds()
        if self.policy is RetryPolicy.FIXED:
            return min(self.backoff, LONGEST_WAIT)
        ceiling = min(base * 2.0 ** min(attempt - 1, 60), LONGEST_WAIT.total_seconds())
        return timedelta(seconds=chance.uniform(0.0, ceiling))


def decide(
    failure: Failure,
    *,
    attempt: int,
    delivery: Delivery,
    doubted: bool,
    retries: Retries,
    now: datetime,
    chance: Chance,
) -> Decision:
    """What comes after the failure of attempt number `attempt`. `doubted`: an earlier one may have taken effect."""
    if isinstance(failure, Permanent):
        return InDoubt(Doubt.EARLIER_ATTEMPT_UNKNOWN) if doubted else GiveUp(Reason.PERMANENT)
    if isinstance(failure, Unknown) and delivery is Delivery.AT_MOST_ONCE:
        return InDoubt(Doubt.OUTCOME_UNKNOWN)
    if retries.remain_after(attempt):
        return RetryAt(now + _wait(failure.retry_after, retries.wait_after(attempt, chance)))
    if isinstance(failure, Unknown):
        return InDoubt(Doubt.OUTCOME_UNKNOWN)
    return InDoubt(Doubt.EARLIER_ATTEMPT_UNKNOWN) if doubted else GiveUp(Reason.EXHAUSTED)


def _wait(asked: float | None, own: timedelta) -> timedelta:
    """A provider's Retry-After is obeyed: never earlier, and jitter on top so that a herd does not return as one."""
    if asked is None:
        return own
    return min(timedelta(seconds=max(asked, 0.0)) + min(own, timedelta(seconds=1)), LONGEST_WAIT)
