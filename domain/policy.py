"""What next, after this outcome? A decision is a value; nobody acts in here.

The rules, in the order in which they bind:

    permanent   nothing was done, nothing will change    FallBack, and without a fallback GiveUp(permanent)
    retry       certainly nothing was done               RetryAt, and when exhausted the same with GiveUp(exhausted)
    unknown     at_most_once                             InDoubt: never re-sent on a guess
    unknown     at_least_once, idempotent_by_key         RetryAt with the same key, and when exhausted InDoubt

One unknown attempt leaves its doubt on the action: whatever certain failure comes later, the effect of the earlier
attempt may stand, so an action that would fall back or give up is in doubt instead. An idempotent provider's promise
ends with its key window: what is in doubt then is not sent again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from domain.gate import Limits
from domain.outcome import Failure, Permanent, Unknown
from domain.ports import Chance

LONGEST_WAIT = timedelta(days=1)
"""No provider and no exponent makes an action wait longer between two attempts."""


LEASE_LAPSED = "lease_lapsed"
"""The code of an attempt whose process is gone, and not known to be dead: it may wake up and act after all."""

HOLDER_DIED = "holder_died"
"""The code of an attempt whose process is certainly dead."""

PROBE_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720, 1440))
"""How long a doubt waits for its first probe, its second, and so on; then it waits for a person."""


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
    NO_ROUTE = "no_route"
    NOT_EXECUTED = "not_executed"


class Doubt(StrEnum):
    """Why an action is in doubt: the closed list."""

    OUTCOME_UNKNOWN = "outcome_unknown"
    EARLIER_ATTEMPT_UNKNOWN = "earlier_attempt_unknown"
    KEY_WINDOW_OVER = "key_window_over"


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Attempt again, not before this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class FallBack:
    """This route is over, and nothing was done on it: the next one may begin."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It failed, and nothing was done."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody can tell, and nobody may guess."""

    reason: Doubt


Decision: TypeAlias = RetryAt | FallBack | GiveUp | InDoubt


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


@dataclass(frozen=True, slots=True)
class Route:
    """Where an action stands on its current route.

    `attempt` counts from 1 on this route since it began or was redriven; `doubted`: an earlier attempt may have taken
    effect; `key_until`: when the provider forgets the effect key, None for never.
    """

    attempt: int
    delivery: Delivery
    doubted: bool = False
    key_until: datetime | None = None
    number: int = 0
    fallbacks: int = 0
    """How many fallbacks the request names; the routes are 0 to this number."""


def rules_of(retries: Retries, limits: Limits) -> dict[str, Any]:
    """The rules of an attempt in plain JSON values: its retries, `backoff_ms` in milliseconds, and its limits as far as
    they are not the usual ones."""
    rules = {"retries": str(retries.policy), "limit": retries.limit}
    return {**rules, "backoff_ms": retries.backoff // timedelta(milliseconds=1), **_unusual(limits)}


def _unusual(limits: Limits) -> dict[str, Any]:
    if limits == _USUAL_LIMITS:
        return {}
    usual = asdict(_USUAL_LIMITS)
    return {name: value for name, value in asdict(limits).items() if value != usual[name]}


_USUAL_LIMITS = Limits()


def decide(failure: Failure, route: Route, retries: Retries, *, now: datetime, chance: Chance) -> Decision:
    """What comes after this failure of the attempt that `route` tells of."""
    unknown = isinstance(failure, Unknown)
    if unknown and route.delivery is Delivery.AT_MOST_ONCE:
        return InDoubt(Doubt.OUTCOME_UNKNOWN)
    if not isinstance(failure, Permanent) and retries.remain_after(route.attempt):
        at = now + _wait(failure.retry_after, retries.wait_after(route.attempt, chance))
        if (unknown or route.doubted) and is_key_window_over(route.delivery, route.key_until, at):
            return InDoubt(Doubt.KEY_WINDOW_OVER)
        return RetryAt(at)
    if unknown:
        return InDoubt(Doubt.OUTCOME_UNKNOWN)
    if route.doubted:
        return InDoubt(Doubt.EARLIER_ATTEMPT_UNKNOWN)
    return _leave(route, Reason.PERMANENT if isinstance(failure, Permanent) else Reason.EXHAUSTED, now)


def next_probe(probes: int, now: datetime) -> datetime | None:
    """When the provider is asked what became of an attempt, after it was asked `probes` times; None for never again."""
    return now + PROBE_WAITS[probes] if probes < len(PROBE_WAITS) else None


def is_key_window_over(delivery: Delivery, key_until: datetime | None, at: datetime) -> bool:
    """Whether an attempt at this time would meet a provider that has forgotten the key."""
    return delivery is Delivery.IDEMPOTENT_BY_KEY and key_until is not None and at >= key_until


def after_not_executed(route: Route, retries: Retries, *, now: datetime, chance: Chance) -> RetryAt | FallBack | GiveUp:
    """What comes after an attempt in doubt of which it became known that it did nothing."""
    if retries.remain_after(route.attempt):
        return RetryAt(now + retries.wait_after(route.attempt, chance))
    return _leave(route, Reason.EXHAUSTED, now)


def _leave(route: Route, reason: Reason, now: datetime) -> FallBack | GiveUp:
    """Nothing was done on this route. The next one begins at once; after the last one nothing is left."""
    if route.number < route.fallbacks:
        return FallBack(now)
    return GiveUp(Reason.NO_ROUTE if route.fallbacks else reason)


def _wait(asked: float | None, own: timedelta) -> timedelta:
    """A provider's Retry-After is obeyed: never earlier, and jitter on top so that a herd does not return as one."""
    if asked is None:
        return own
    longest = LONGEST_WAIT.total_seconds()
    return min(timedelta(seconds=min(max(asked, 0.0), longest)) + min(own, timedelta(seconds=1)), LONGEST_WAIT)
