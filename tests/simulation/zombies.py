"""Zombies: in every round an attempt freezes, its lease lapses, the action goes on, and then the answer comes.

Whatever that answer is, it must change nothing, and it must not get lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random

from domain.request import read_request
from tests.simulation.books import Violation
from tests.simulation.campaign import undisturbed
from tests.simulation.faults import CALM, Faults, Kind, Port, Trouble
from tests.simulation.lives import Life
from tests.simulation.people import Callers, Operators, Wished
from tests.simulation.provider import BY_NAME
from tests.simulation.run import Run, Setup

ANSWERS = (
    Kind.SLOW,
    Kind.PERMANENT,
    Kind.REFUSED,
    Kind.THROTTLE,
    Kind.TIME_OUT_BEFORE,
    Kind.TIME_OUT_AFTER,
    Kind.EXCEPTION_BEFORE,
    Kind.EXCEPTION_AFTER,
)


class FirstOneFreezes(Faults):
    """The first question to a provider takes minutes, and later ones may; all else is well."""

    def __init__(self) -> None:
        super().__init__({})
        self._is_over = False

    def trouble(self, port: Port, random: Random) -> Trouble:
        if port is not Port.PROVIDER:
            return CALM
        if self._is_over:
            return Trouble(Kind.SLOW, after=random.choice((0.0, random.uniform(0.0, 400.0))))
        self._is_over = True
        kind, seconds = random.choice(ANSWERS), random.uniform(130.0, 500.0)
        return Trouble(kind, before=seconds) if random.random() < 0.5 else Trouble(kind, after=seconds)


class ZombieRound(Run):
    """One action, attempted at once; workers and people do what they like."""

    def __init__(self, seed: int) -> None:
        super().__init__(Setup(seed, actions=1, workers=2, faults="none"))
        self.faults = FirstOneFreezes()

    def invite(self) -> None:
        options = {"max_retries": self.random.randrange(4), "retry_policy": "fixed"}
        wish = {"action_type": self.random.choice(list(BY_NAME)), "parameters": {"wish": 1}, "options": options}
        self.loop.after(0.0, partial(Callers(self).send, Wished(read_request(wish), 30.0)))
        Operators(self).come(4)


@dataclass
class Woken:
    """What became of the zombies' answers."""

    rounds: int = 0
    applied: int = 0
    kept_late: int = 0
    violations: tuple[Violation, ...] = ()


def wake_zombies(rounds: int) -> Woken:
    """Plays so many rounds."""
    woken = Woken()
    with undisturbed():
        for seed in range(rounds):
            scene = ZombieRound(seed)
            result = scene.finish()
            woken.rounds += 1
            woken.violations += result.violations
            # The first one is the one that froze; whatever takes it back is another action.
            action_id, events = next(iter(scene.books.lives.items()))
            frozen = Life(action_id, events, scene.books, 0).tries[0]
            woken.applied += frozen.ending is not None and frozen.ending.call is frozen.sent.call
            woken.kept_late += sum(1 for e in events if e.kind == "late_outcome" and e.call is frozen.sent.call)
            scene.forget()
    return woken
