"""Every point at which a process of the storm may be struck, in one table.

An append is one commit: `accept` (requested, validated), `intent` (ends with attempted), `outcome` (what the attempt
came to) or `lapse` (what is written of an attempt whose process is gone). A send is one effect on its way.

    accept, intent, outcome, lapse                                                        is the commit there?
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from threading import local


class Append(StrEnum):
    """The commits of an action's life, by what they mean."""

    ACCEPT = "accept"
    INTENT = "intent"
    OUTCOME = "outcome"
    LAPSE = "lapse"
    LATE = "late"


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


class Points:
    """Where this process is, and where it is to be struck."""

    def __init__(self) -> None:
        self._action_id: str | None = None
        self._kill: Kill | None = None
        self._strike: Callable[[], None] = strike_dead
        self._counts: Counter[str] = Counter()
        self._appending = local()

    @property
    def kill(self) -> Kill | None:
        return self._kill

    def arm(self, action_id: str, kill: Kill, strike: Callable[[], None] = strike_dead) -> None:
        """Strikes when the point comes up for this action; other actions pass it unharmed."""
        self._action_id, self._kill, self._strike = action_id, kill, strike

    def reach(self, point: str, action_id: str, at_last: Callable[[], object] | None = None) -> None:
        """`at_last` is done before the strike, if this is the moment of it."""
        if action_id != self._action_id:
            return
        self._counts[point] += 1
        if self._kill == Kill(point, self._counts[point]):
            if at_last is not None:
                at_last()
            self._strike()

    @contextmanager
    def appending(self, append: Append, action_id: str) -> Iterator[None]:
        """What the store's own hooks reach in here is a phase of this append, each of them once."""
        self._appending.now = (append, action_id, set())
        try:
            yield
        finally:
            self._appending.now = None

    def reach_phase(self, phase: str, at_last: Callable[[], object] | None = None) -> None:
        """Called by hooks, which do not know for whom the store works."""
        append, action_id, passed = getattr(self._appending, "now", None) or (None, "", {phase})
        if phase not in passed:
            passed.add(phase)
            self.reach(f"{append}:{phase}", action_id, at_last)
