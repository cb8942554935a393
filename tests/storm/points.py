"""Every point at which a process of the storm may be struck, in one table.

An append is one commit. In an action's life: `accept` (requested, validated), `intent` (ends with attempted), `outcome`
(what the attempt came to), `lapse` (what is written of an attempt whose process is gone). Where it is taken back:
`undo` (that is asked for), `undone` (its compensation has ended), `report` (what is over knows that this was heard).
In a workflow run's life: `start`, `step` (what became of one, and which follow), `turn` (the next one is to be taken
back), `end`. A send is one effect on its way.

    any append                                                                            is the commit there?
        :before      the append has not begun                                             no
        :inside      SQLite: COMMIT has begun; DynamoDB: the put is signed, not sent      no
        :torn        SQLite: half a page is in the WAL                                    no
        :unsynced    SQLite: the WAL is written, not synced                               yes, for a process's death
        :committed   SQLite: the WAL is synced; DynamoDB: the answer has come             yes, and nobody was told
        :checkpoint  SQLite: half a page of it is in the database file                    yes, and nobody was told
        :after       the append has returned                                              yes
    send                                                                                  may the effect be there?
        :before_connect, :half_sent                                                       no
        :delivered   the receiver has the whole request; its answer is not read           yes
        :answered    the answer is read, and not written down                             yes
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from threading import local
from typing import TypeAlias


class Append(StrEnum):
    """The commits of an action's life, and of a workflow run's, by what they mean."""

    ACCEPT = "accept"
    INTENT = "intent"
    OUTCOME = "outcome"
    LAPSE = "lapse"
    LATE = "late"
    LOOK = "look"
    """Nothing has changed, so far."""
    UNDO = "undo"
    UNDONE = "undone"
    REPORT = "report"
    START = "start"
    STEP = "step"
    TURN = "turn"
    END = "end"


OF_AN_ACTION = (Append.ACCEPT, Append.INTENT, Append.OUTCOME, Append.LAPSE)
OF_AN_UNDO = (Append.UNDO, Append.INTENT, Append.OUTCOME, Append.LAPSE, Append.UNDONE, Append.REPORT)
OF_A_RUN = (Append.START, Append.STEP, Append.TURN, Append.END)


@dataclass(frozen=True, slots=True)
class Phase:
    """A moment of an append. `kept`: the commit outlives a process that ends here."""

    name: str
    kept: bool


PHASES: Mapping[str, tuple[Phase, ...]] = {
    "sqlite": (
        Phase("before", kept=False),
        Phase("inside", kept=False),
        Phase("torn", kept=False),
        Phase("unsynced", kept=True),
        Phase("committed", kept=True),
        Phase("checkpoint", kept=True),
        Phase("after", kept=True),
    ),
    "dynamodb": (
        Phase("before", kept=False),
        Phase("inside", kept=False),
        Phase("committed", kept=True),
        Phase("after", kept=True),
    ),
}

BEFORE_CONNECT = "send:before_connect"
HALF_SENT = "send:half_sent"
DELIVERED = "send:delivered"
ANSWERED = "send:answered"
SENDS = (BEFORE_CONNECT, HALF_SENT, DELIVERED, ANSWERED)


def _points_of(appends: Iterable[Append], engine: str, who: str = "") -> list[str]:
    return [*(f"{who}{append}:{phase.name}" for append in appends for phase in PHASES[engine])]


def _points_of_a_run(engine: str) -> list[str]:
    steps = (Append.ACCEPT, Append.INTENT, Append.OUTCOME, Append.REPORT)
    undos = (Append.UNDO, Append.INTENT, Append.OUTCOME, Append.UNDONE, Append.REPORT)
    sends = [f"{who} {send}" for who in ("step", "undo") for send in SENDS]
    run, step, undo = (
        _points_of(appends, engine, f"{who} ") for who, appends in (("run", OF_A_RUN), ("step", steps), ("undo", undos))
    )
    return [*run, *step, *undo, *sends]


POINTS_OF: Mapping[str, Callable[[str], list[str]]] = {
    "kills": lambda engine: [*_points_of(OF_AN_ACTION, engine), *SENDS],
    "undos": lambda engine: [*_points_of(OF_AN_UNDO, engine), *SENDS],
    "runs": _points_of_a_run,
}
"""By the part of a storm: the names of the points that it strikes at on an engine."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A point, and the how-many-eth time that it comes up for the action in one process."""

    point: str
    occurrence: int = 1

    def __str__(self) -> str:
        return self.point if self.occurrence == 1 else f"{self.point} (no. {self.occurrence})"


def strike_dead() -> None:
    """SIGKILL: no clean-up, no last word."""
    os.kill(os.getpid(), signal.SIGKILL)


def strike_still() -> None:
    """SIGSTOP: whoever continues this process wakes a zombie."""
    os.kill(os.getpid(), signal.SIGSTOP)


Moment: TypeAlias = Callable[[str, str], bool]
"""Told of each point that is passed, and by whom: whether this is the moment to strike."""


class Points:
    """Where this process is, and where it is to be struck."""

    def __init__(self) -> None:
        self._is_the_moment: Moment = lambda point, any_id: False
        self._strike: Callable[[], None] = strike_dead
        self._appending = local()
        self.has_checkpoints = False
        """Whether each commit is to be copied into the database file at once, so that a process can die in that."""

    def arm(self, action_id: str, kill: Kill, strike: Callable[[], None] = strike_dead) -> None:
        """Strikes when the point comes up for this action; other actions pass it unharmed."""
        counts: Counter[str] = Counter()

        def is_the_moment(point: str, any_id: str) -> bool:
            counts[point] += any_id == action_id
            return any_id == action_id and kill == Kill(point, counts[point])

        self.arm_for(is_the_moment, strike)
        self.has_checkpoints = kill.point.endswith(":checkpoint")

    def arm_for(self, moment: Moment, strike: Callable[[], None] = strike_dead) -> None:
        """Strikes at the moment that is told."""
        self._is_the_moment, self._strike = moment, strike

    def reach(self, point: str, any_id: str, at_last: Callable[[], object] | None = None) -> None:
        """`at_last` is done before the strike, if this is the moment of it."""
        if self._is_the_moment(point, any_id):
            if at_last is not None:
                at_last()
            self._strike()

    @contextmanager
    def appending(self, append: Append, any_id: str) -> Iterator[None]:
        """What the store's own hooks reach in here is a phase of this append, each of them once."""
        self._appending.now = (append, any_id, set())
        try:
            yield
        finally:
            self._appending.now = None

    def reach_phase(self, phase: str, at_last: Callable[[], object] | None = None) -> None:
        """Called by hooks, which do not know for whom the store works."""
        append, any_id, passed = getattr(self._appending, "now", None) or (None, "", {phase})
        if phase not in passed:
            passed.add(phase)
            self.reach(f"{append}:{phase}", any_id, at_last)
