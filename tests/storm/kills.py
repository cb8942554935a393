"""The storm itself: processes die at every point, others succeed them, and everything is compared with the model."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TypeAlias

from tests.storm.audit import Told, gather
from tests.storm.errands import Audit, Errand
from tests.storm.findings import Findings
from tests.storm.places import DynamoDBPlace, Place
from tests.storm.plan import Repertoire, calm_story, stories
from tests.storm.points import Kill
from tests.storm.processes import Ended, Lane, Pause
from tests.storm.stage import Stage
from tests.storm.story import Story

CALM_TO_A_STORY = 2
"""Actions that a process carries out before the one that it dies in."""
BATCH: Mapping[str, int] = {"sqlite": 50, "dynamodb": 25}
"""Deadly stories on one ledger."""
UNTIL_A_LOOK = timedelta(hours=1)
LANES: Mapping[str, int] = {"sqlite": 4, "dynamodb": 2}
"""Ledgers at the same time: processes wait for disks, leases and answers."""


@dataclass
class Batch:
    """Stories that share a ledger, and what is known of them."""

    place: Place
    findings: Findings
    deadly: Sequence[Story]
    calm: Mapping[str, Sequence[Story]]
    """What a process carries out before it begins the story of this key."""
    pause: timedelta = timedelta(0)
    """Between two processes: a death between an undo and its compensation is seen by the next look."""
    told: defaultdict[str, Told] = field(default_factory=lambda: defaultdict(Told))

    def next_process(self, errand: Errand) -> Errand:
        """It works on the ledger later than the one before."""
        self.place.ahead += self.pause
        return errand

    @property
    def all(self) -> list[Story]:
        return [story for deadly in self.deadly for story in self.begun_with(deadly)]

    def begun_with(self, story: Story) -> Sequence[Story]:
        """What the first process of the story carries out, and then the story itself."""
        return (*self.calm[story.key], story)

    def hear_killed(self, ended: Ended, story: Story, kill: Kill) -> None:
        gather(ended.said, self.told)
        if ended.by == signal.SIGKILL:
            self.findings.add_kill_at(kill.point, self.place.engine, "undos" if story.way.is_undo else "kills")
        else:
            self.told[story.key].remarks.append(f"it did not die at {kill}; it ended by {ended.by} {ended.raised}")

    def hear(self, ended: Ended) -> None:
        gather(ended.must_be_by(0, "a process that nobody killed"), self.told)


TellBatch: TypeAlias = Callable[[Batch], Lane]


class Storm:
    """One engine's share of the kills."""

    def __init__(self, stage: Stage, engine: str, kills: int, repertoire: Repertoire) -> None:
        self._stage = stage
        self._engine = engine
        self._kills = kills
        self._repertoire = repertoire
        self._planned = 0
        self._timeout = stage.new_place(engine).timeout
        self._stories = stories(repertoire, engine, self._timeout, stage.chance)
        self._numbers = count()

    def lanes(self) -> list[Lane]:
        """To be run side by side."""
        tell_batch = _on_sqlite if self._engine == "sqlite" else _on_dynamodb
        return [self._lane(tell_batch) for _ in range(LANES[self._engine])]

    def _lane(self, tell_batch: TellBatch) -> Lane:
        stage = self._stage
        while self._planned < self._kills and not stage.is_over() and not stage.findings.is_enough:
            batch = self._next_batch()
            yield from tell_batch(batch)
            said = (yield Audit(batch.place, batch.all)).must_be_by(0, "the audit")
            stage.gather(batch.all, said, batch.told)
            stage.check(batch.all, batch.told, self._engine)
            for story in batch.deadly:
                if story.is_plain:
                    stage.findings.add_to_matrix(story, batch.told[story.key])
            batch.place.discard()

    def _next_batch(self) -> Batch:
        deadly: list[Story] = []
        while len(deadly) < BATCH[self._engine] and self._planned < self._kills:
            deadly.append(next(self._stories))
            self._planned += len(deadly[-1].kills)
        calm = {story.key: [self._calm_story() for _ in range(CALM_TO_A_STORY)] for story in deadly}
        pause = UNTIL_A_LOOK if any(way.is_undo for way in self._repertoire.ways) else timedelta(0)
        return Batch(self._stage.new_place(self._engine), self._stage.findings, deadly, calm, pause)

    def _calm_story(self) -> Story:
        return calm_story(f"calm-{self._repertoire.name}-{next(self._numbers)}", self._timeout, self._stage.chance)


def _on_sqlite(batch: Batch) -> Lane:
    """One process after the other: each succeeds the one before, whose death it sees at once, and dies in turn."""
    before: list[Story] = []
    for story in batch.deadly:
        for number, kill in enumerate(story.kills):
            begin = () if number else batch.begun_with(story)
            errand = Errand(batch.place, ask_again=before, drain=True, begin=begin, killed=(story, kill))
            batch.hear_killed((yield batch.next_process(errand)), story, kill)
            before = _asking_again(story)
    batch.hear((yield batch.next_process(Errand(batch.place, ask_again=before, drain=True))))


def _on_dynamodb(batch: Batch) -> Lane:
    """Nobody can tell that a process is dead: all first processes die, and their leases lapse, before others follow."""
    assert isinstance(batch.place, DynamoDBPlace)
    batch.hear((yield batch.place.create))
    for number in range(max(len(story.kills) for story in batch.deadly)):
        for story in batch.deadly:
            if number < len(story.kills):
                kill = story.kills[number]
                errand = _successor(batch, story, kill) if number else _first(batch, story, kill)
                batch.hear_killed((yield batch.next_process(errand)), story, kill)
        yield Pause(batch.place.lease)
    last = Errand(batch.place, ask_again=_asking_again(*batch.deadly), drain=True)
    batch.hear((yield batch.next_process(last)))


def _first(batch: Batch, story: Story, kill: Kill) -> Errand:
    return Errand(batch.place, begin=batch.begun_with(story), killed=(story, kill))


def _successor(batch: Batch, story: Story, kill: Kill) -> Errand:
    return Errand(batch.place, ask_again=_asking_again(story), ring=[story], killed=(story, kill))


def _asking_again(*stories: Story) -> list[Story]:
    return [story for story in stories if story.way.asks_again]
