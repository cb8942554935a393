"""What may go wrong, where, and how often.

Every question to a port draws one trouble. Beside its kind a trouble has two delays: `before` keeps the question from
having its effect, `after` keeps the answer from coming back. Whoever is delayed long enough comes back as a zombie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random


class Port(StrEnum):
    """Where a handler asks the world."""

    APPEND = "append"
    READ = "read"
    AGENDA = "agenda"
    PROVIDER = "provider"
    PROBE = "probe"
    GATE = "gate"
    SLEEP = "sleep"
    DOORBELL = "doorbell"


class Kind(StrEnum):
    """What may go wrong."""

    # Anywhere.
    SLOW = "slow"
    FROZEN = "frozen"
    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"
    CLOCK_JUMP = "clock_jump"
    # The connection: the effect never came about, or it did and nobody is told.
    TIME_OUT_BEFORE = "time_out_before"
    TIME_OUT_AFTER = "time_out_after"
    THROTTLE = "throttle"
    RESET = "reset"
    # The agenda and the gates.
    STALE = "stale"
    UNREADABLE = "unreadable"
    # The provider.
    PERMANENT = "permanent"
    REFUSED = "refused"
    LATE_EFFECT = "late_effect"
    EXCEPTION_BEFORE = "exception_before"
    EXCEPTION_AFTER = "exception_after"
    TARGET_GONE = "target_gone"
    # The doorbell.
    LOST = "lost"
    DOUBLED = "doubled"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One port's trouble with one question; delays in seconds."""

    kind: Kind | None = None
    before: float = 0.0
    after: float = 0.0


CALM = Trouble()

Chances = Mapping[Kind, float]


class Faults:
    """How often what goes wrong at each port."""

    def __init__(self, chances: Mapping[Port, Chances], *, kills: float = 0.0) -> None:
        self.chances = chances
        self.kills = kills
        """How often each process crashes by itself, in a run."""
        self._tables = {
            port: list(zip(accumulate(kinds.values()), kinds, strict=True)) for port, kinds in chances.items()
        }

    def kind(self, port: Port, random: Random) -> Kind | None:
        """What goes wrong this time, None for nothing."""
        table = self._tables.get(port)
        if table is not None:
            drawn = random.random()
            if drawn < table[-1][0]:
                for upper, kind in table:
                    if drawn < upper:
                        return kind
        return None

    def trouble(self, port: Port, random: Random) -> Trouble:
        """The same, with its delays."""
        kind = self.kind(port, random)
        if kind is None:
            return CALM
        delay = _DELAYS.get(kind)
        if delay is None:
            return Trouble(kind)
        seconds = delay(random)
        return Trouble(kind, before=seconds) if random.random() < 0.5 else Trouble(kind, after=seconds)

    def seen_by(self, port: Port) -> list[str]:
        """The names under which the totals count what can go wrong at a port."""
        return [f"{port}: {kind}" for kind in self.chances.get(port, ())]


def _sometimes(delay: Callable[[Random], float]) -> Callable[[Random], float]:
    return lambda random: delay(random) if random.random() < 0.3 else 0.0


def _slow(random: Random) -> float:
    return random.uniform(0.05, 9.0)


def _frozen(random: Random) -> float:
    """Longer than a lease, mostly."""
    return random.uniform(60.0, 400.0)


_DELAYS: Mapping[Kind, Callable[[Random], float]] = {
    Kind.SLOW: _slow,
    Kind.FROZEN: _frozen,
    Kind.TIME_OUT_BEFORE: _sometimes(_frozen),
    Kind.TIME_OUT_AFTER: _sometimes(_slow),
    Kind.PERMANENT: _sometimes(_slow),
    Kind.REFUSED: _sometimes(_frozen),
    Kind.LATE_EFFECT: _sometimes(_slow),
}

_HEAVY_CONNECTION: Chances = {
    Kind.TIME_OUT_BEFORE: 0.02,
    Kind.TIME_OUT_AFTER: 0.03,
    Kind.THROTTLE: 0.015,
    Kind.RESET: 0.015,
    Kind.SLOW: 0.06,
    Kind.FROZEN: 0.015,
    Kind.CRASH_BEFORE: 0.006,
    Kind.CRASH_AFTER: 0.008,
    Kind.CLOCK_JUMP: 0.008,
}

HEAVY = Faults(
    {
        Port.APPEND: _HEAVY_CONNECTION,
        Port.READ: {kind: chance / 3 for kind, chance in _HEAVY_CONNECTION.items()},
        Port.AGENDA: {Kind.TIME_OUT_BEFORE: 0.03, Kind.STALE: 0.05, Kind.SLOW: 0.03, Kind.CRASH_BEFORE: 0.01},
        Port.GATE: {Kind.UNREADABLE: 0.02},
        Port.PROBE: {
            Kind.TIME_OUT_BEFORE: 0.1,
            Kind.TIME_OUT_AFTER: 0.05,
            Kind.SLOW: 0.1,
            Kind.FROZEN: 0.05,
            Kind.CRASH_BEFORE: 0.02,
            Kind.CRASH_AFTER: 0.02,
        },
        Port.SLEEP: {Kind.FROZEN: 0.02, Kind.CRASH_BEFORE: 0.01, Kind.CLOCK_JUMP: 0.01},
        Port.DOORBELL: {Kind.LOST: 0.65, Kind.DOUBLED: 0.06, Kind.LATE: 0.12},
        Port.PROVIDER: {
            Kind.PERMANENT: 0.08,
            Kind.REFUSED: 0.08,
            Kind.THROTTLE: 0.05,
            Kind.TIME_OUT_BEFORE: 0.05,
            Kind.TIME_OUT_AFTER: 0.05,
            Kind.LATE_EFFECT: 0.03,
            Kind.RESET: 0.03,
            Kind.EXCEPTION_BEFORE: 0.015,
            Kind.EXCEPTION_AFTER: 0.02,
            Kind.SLOW: 0.2,
            Kind.FROZEN: 0.06,
            Kind.CRASH_BEFORE: 0.015,
            Kind.CRASH_AFTER: 0.02,
            Kind.CLOCK_JUMP: 0.01,
            Kind.TARGET_GONE: 0.02,
        },
    },
    kills=0.5,
)

_TENTHS: Chances = dict.fromkeys((Kind.TIME_OUT_BEFORE, Kind.TIME_OUT_AFTER, Kind.THROTTLE, Kind.RESET, Kind.SLOW), 0.1)

TEN_PERCENT = Faults({Port.APPEND: _TENTHS, Port.READ: _TENTHS, Port.AGENDA: _TENTHS, Port.PROVIDER: _TENTHS})

NONE = Faults({})

PROFILES: Mapping[str, Faults] = {"heavy": HEAVY, "ten-percent": TEN_PERCENT, "none": NONE}
