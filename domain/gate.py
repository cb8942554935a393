"""The gate before a target: a circuit breaker, a rate and a number at once. Pure: a state in, a state out.

             sick answers to `failures` actions in a row
    closed ─────────────────────────────────────────► open, for `pause` (doubled each time, up to MOST_PAUSE)
      ▲                                                 │ over
      │ the probe's answer is healthy                   ▼
      └───────────────────────────────────────────── half-open: one attempt passes, the others wait for it
                                                        │ the probe's answer is sick
                                                        └──► open again

A gate defers, it never refuses: whoever has to wait is told until when, and spends no attempt on it. The times that it
tells are spread, so that those who wait do not come back as a herd. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from domain.outcome import Outcome, Retry, Unknown

MOST_PAUSE = 300.0
"""Seconds that a breaker stays open at most."""
PROBE_PATIENCE = 60.0
"""Seconds after which a probe that never came back is given up."""
ON_TIME = 1.0
"""Seconds by which a turn may be missed. Whoever comes later queues anew, or a restart would send all at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a target can bear. `per_second` attempts begin, `at_once` run; None is no limit."""

    per_second: float | None = None
    at_once: int | None = None
    failures: int = 20
    """So many actions in a row with sick answers open the breaker; how often one of them tried does not count."""
    pause: float = 30.0
    """Seconds that it stays open the first time."""

    @property
    def are_none(self) -> bool:
        """Whether only the breaker counts."""
        return self.per_second is None and self.at_once is None


class Health(StrEnum):
    """What an answer says of the target itself."""

    HEALTHY = "healthy"
    SICK = "sick"
    SLOW_DOWN = "slow_down"
    """It is well, and says when to come back."""
    NO_ANSWER = "no_answer"
    """The attempt never began: it says nothing."""


class Closed(StrEnum):
    """Why an attempt has to wait: the closed list."""

    BREAKER_OPEN = "breaker_open"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Pass:
    """Go. `token` names the one who went, for `leave`."""

    token: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`. `turn`: this time is kept for whoever was told it."""

    until: float
    why: Closed
    turn: bool = False


Entry: TypeAlias = Pass | Wait


@dataclass(frozen=True, slots=True)
class GateState:
    """All that is remembered of a target. The default is an open road."""

    sick: tuple[str, ...] = ()
    """Actions that got a sick answer since the last healthy one."""
    openings: int = 0
    open_until: float = 0.0
    probe_until: float = 0.0
    next_turn: float = 0.0
    running: Mapping[str, float] = field(default_factory=dict)
    """Who runs, and until when at the latest: a process that dies does not keep its place."""


OPEN_ROAD = GateState()


def as_document(state: GateState) -> dict[str, Any]:
    """The state in plain JSON values, for stores."""
    return asdict(state)


def state_of(document: Mapping[str, Any]) -> GateState:
    """The state that `as_document` told."""
    return GateState(**{**document, "sick": tuple(document["sick"])})


def health_of(outcome: Outcome) -> Health:
    """An answer of any kind is healthy, a refusal too; no answer, a 5xx and a target that cannot be reached are not."""
    if isinstance(outcome, Retry) and outcome.retry_after is not None:
        return Health.SLOW_DOWN
    return Health.SICK if isinstance(outcome, Retry | Unknown) else Health.HEALTHY


def enter(
    state: GateState, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None = None
) -> tuple[GateState, Entry]:
    """Whether an attempt may begin now. `turn` is the time that was kept for it, if it was told one."""
    if state is OPEN_ROAD and limits.are_none:
        return state, Pass(token)
    if now < state.open_until:
        return _take_turn(state, limits, state.open_until, Closed.BREAKER_OPEN)
    if now < state.probe_until:
        return _take_turn(state, limits, state.probe_until, Closed.BREAKER_OPEN)
    running = {who: until for who, until in state.running.items() if until > now}
    if limits.at_once is not None and len(running) >= limits.at_once:
        return replace(state, running=running), Wait(min(*running.values(), now + ON_TIME), Closed.BUSY)
    if limits.per_second is not None and not _is_on_time(turn, now):
        if state.next_turn > now:
            return _take_turn(state, limits, now, Closed.RATE_LIMITED)
        state = replace(state, next_turn=now + 1.0 / limits.per_second)
    if limits.at_once is not None:
        running[token] = lease_until
    is_probe = state.openings > 0
    return replace(state, running=running, probe_until=now + PROBE_PATIENCE if is_probe else 0.0), Pass(token)


def leave(
    state: GateState, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None = None
) -> GateState:
    """What the attempt's answer says of the target."""
    if state is OPEN_ROAD and health in (Health.HEALTHY, Health.NO_ANSWER):
        return state
    running = {who: until for who, until in state.running.items() if who != token}
    state = replace(state, running=running)
    if health is Health.NO_ANSWER:
        return replace(state, probe_until=0.0)
    if health is Health.HEALTHY:
        return GateState(next_turn=state.next_turn, running=running)
    asked = now + min(retry_after, MOST_PAUSE) if retry_after else 0.0
    if health is Health.SLOW_DOWN:
        return replace(state, sick=(), openings=0, probe_until=0.0, open_until=max(state.open_until, asked))
    sick = (*state.sick, token) if token not in state.sick else state.sick
    if len(sick) < limits.failures and not state.openings:
        return replace(state, sick=sick)
    pause = min(limits.pause * 2.0**state.openings, MOST_PAUSE)
    return replace(
        state,
        sick=sick[-limits.failures :],
        openings=min(state.openings + 1, 16),
        open_until=now + pause,
        probe_until=0.0,
    )


def _take_turn(state: GateState, limits: Limits, earliest: float, why: Closed) -> tuple[GateState, Wait]:
    """Turns follow one another at the target's rate; without a rate, at a hundred a second."""
    until = max(state.next_turn, earliest)
    step = 1.0 / limits.per_second if limits.per_second is not None else 0.01
    return replace(state, next_turn=until + step), Wait(until, why, turn=True)


def _is_on_time(turn: float | None, now: float) -> bool:
    return turn is not None and turn <= now <= turn + ON_TIME
