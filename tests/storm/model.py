"""What must come of a story: the rules of the design, walked through in memory, and sharing no code with the agent.

The walk passes the same points as a real process. Where a process dies, what counts is what was on disk and what had
left; its successor knows nothing else. A store that fails an append is the same to an action as a death at that point.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from domain.policy import Delivery
from tests.storm.points import ANSWERED, BEFORE_CONNECT, DELIVERED, HALF_SENT, PHASES, Append, Kill
from tests.storm.story import RETRIES, TAKES_EFFECT, Behaviour, Story

ABSENT = "never accepted"
SCHEDULED = "scheduled"
ATTEMPTED = "attempted"
RETRYING = "retrying"
IN_DOUBT = "in_doubt"
SUCCEEDED = "succeeded"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fate:
    """Where the action stands in the end, and what the receiver saw: requests that came whole, and effects."""

    status: str
    attempts: int
    requests: int
    effects: int

    def __str__(self) -> str:
        return f"{self.status}; attempts {self.attempts}, requests {self.requests}, effects {self.effects}"


def fate_of(story: Story, engine: str) -> Fate:
    """What must come of it, once nobody is killed any more and what is due is done."""
    walk = _walk(story, engine)
    walk.to_the_end()
    if walk.kills:
        raise ValueError(f"this never comes up: {walk.kills[0]}; {story}")
    return Fate(walk.on_disk, walk.attempts, walk.requests, walk.effects)


def points_ahead(story: Story, engine: str) -> list[Kill]:
    """Where the process that follows the story's kills could die, in the order in which it passes the points."""
    walk = _walk(story, engine)
    walk.to_the_end()
    return walk.passed


def _walk(story: Story, engine: str) -> _Walk:
    return _UndoWalk(story, engine) if story.way.is_undo else _Walk(story, engine)


class _Dead(Exception):
    """The process is gone."""


class _Walk:
    def __init__(self, story: Story, engine: str) -> None:
        self.story = story
        self.kills = deque(story.kills)
        self.passed: list[Kill] = []
        self.on_disk = ABSENT
        self.attempts = 0
        self.requests = 0
        self.effects = 0
        self._doubted = False
        self._phases = PHASES[engine]
        self._counts: Counter[str] = Counter()

    def to_the_end(self) -> None:
        work = self._begin
        while True:
            self._counts.clear()
            self.passed.clear()
            try:
                work()
                return
            except _Dead:
                work = self._take_over

    def _begin(self) -> None:
        if self.story.way.accepts_first:
            self._append(Append.ACCEPT, SCHEDULED)
        self._go_on()

    def _take_over(self) -> None:
        if self.story.way.asks_again:
            self._ask_again()
        if self.on_disk == ABSENT:
            return
        if self.on_disk == ATTEMPTED:
            self._conclude(Append.LAPSE, certain=False)
        self._go_on()

    def _ask_again(self) -> None:
        """The append of a first commit is the duplicate check, too: then it begins, and is refused."""
        if self.on_disk == ABSENT:
            self._append(Append.ACCEPT, SCHEDULED)
        else:
            self._reach(f"{Append.ACCEPT}:before")

    def _go_on(self) -> None:
        while self.on_disk in (ABSENT, SCHEDULED, RETRYING):
            self._attempt()

    def _attempt(self) -> None:
        self._append(Append.INTENT, ATTEMPTED)
        behaviour = self._behaviour()
        self._send(behaviour)
        match behaviour:
            case Behaviour.ANSWER:
                self._append(Append.OUTCOME, SUCCEEDED)
            case Behaviour.DENY:
                self._append(Append.OUTCOME, IN_DOUBT if self._doubted else FAILED)
            case Behaviour.REFUSE:
                self._conclude(Append.OUTCOME, certain=True)
            case _:
                self._conclude(Append.OUTCOME, certain=False)

    def _behaviour(self) -> Behaviour:
        return self.story.behaviour_on(self.attempts)

    def _send(self, behaviour: Behaviour) -> None:
        self._reach(BEFORE_CONNECT)
        self._reach(HALF_SENT)
        self.requests += 1
        if behaviour in TAKES_EFFECT:
            known = self.effects and self.story.delivery is Delivery.IDEMPOTENT_BY_KEY
            self.effects += 0 if known else 1
        self._reach(DELIVERED)
        self._reach(ANSWERED)

    def _conclude(self, append: Append, *, certain: bool) -> None:
        """No effect (certain), or nobody can tell."""
        if not certain and self.story.delivery is Delivery.AT_MOST_ONCE:
            self._append(append, IN_DOUBT)
        elif self.attempts <= RETRIES:
            self._append(append, RETRYING, doubt=not certain)
        else:
            self._append(append, FAILED if certain and not self._doubted else IN_DOUBT)

    def _append(self, append: Append, state: str, *, doubt: bool = False) -> None:
        written = False
        for phase in self._phases:
            if phase.kept and not written:
                written = True
                self._write(append, state, doubt=doubt)
            self._reach(f"{append}:{phase.name}")

    def _write(self, append: Append, state: str, *, doubt: bool) -> None:
        self.on_disk = state
        self.attempts += append is Append.INTENT
        self._doubted = self._doubted or doubt

    def _reach(self, point: str) -> None:
        self._counts[point] += 1
        kill = Kill(point, self._counts[point])
        self.passed.append(kill)
        if self.kills and self.kills[0] == kill:
            self.kills.popleft()
            raise _Dead


class _UndoWalk(_Walk):
    """The same for a compensation: the action that it takes back says that it is wanted, and hears of its end."""

    def __init__(self, story: Story, engine: str) -> None:
        super().__init__(story, engine)
        self._written: set[Append] = set()

    def _begin(self) -> None:
        self._append(Append.UNDO, ABSENT)
        self._go_on()
        self._tell()

    def _take_over(self) -> None:
        if self.story.way.asks_again:
            self._ask_again()
        if Append.UNDO not in self._written:
            return
        if self.on_disk == ATTEMPTED:
            self._conclude(Append.LAPSE, certain=False)
        self._go_on()
        self._tell()

    def _ask_again(self) -> None:
        """It is the same undo; where it has ended, that is told."""
        if Append.UNDO in self._written:
            self._tell()
        else:
            self._begin()

    def _tell(self) -> None:
        """First the action that is taken back hears of it, then the compensation knows that it did."""
        for append in (Append.UNDONE, Append.REPORT):
            if self.on_disk in (SUCCEEDED, FAILED) and append not in self._written:
                self._append(append, self.on_disk)

    def _behaviour(self) -> Behaviour:
        """A webhook knows nothing of attempts that did not reach it."""
        return self.story.behaviour_on(self.requests + 1)

    def _write(self, append: Append, state: str, *, doubt: bool) -> None:
        super()._write(append, state, doubt=doubt)
        self._written.add(append)
