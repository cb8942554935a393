"""What every part of a storm plays on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from domain.identity import effect_key
from tests.storm.audit import Told, check, gather
from tests.storm.errands import Audit
from tests.storm.findings import Findings
from tests.storm.model import fate_of
from tests.storm.places import DynamoDBPlace, Place, SQLitePlace
from tests.storm.plants import Plant
from tests.storm.points import Points
from tests.storm.processes import Said, run_alone
from tests.storm.sink import Sink
from tests.storm.story import Story


@dataclass
class Stage:
    """A sink, a directory for ledgers, a table maker, and what was found so far.

    `dynamodb` is the URL of an engine, None where there is none; `ends` is a moment of the monotonic clock.
    """

    sink: Sink
    directory: Path
    dynamodb: str | None
    chance: Random
    plant: Plant
    ends: float
    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        self._numbers = count()
        if self.dynamodb is not None:
            self._points = Points()
            self._agent = DynamoDBPlace.agent(self.dynamodb, self.sink.path, self._points, self.plant)

    def is_over(self) -> bool:
        """There is no time left."""
        return time.monotonic() >= self.ends

    def new_place(self, engine: str) -> Place:
        """A new ledger."""
        return self.new_file() if engine == "sqlite" else self.new_table()

    def new_file(self) -> SQLitePlace:
        return SQLitePlace(self.directory / f"{next(self._numbers)}.db", self.sink.path, self.plant)

    def new_table(self) -> DynamoDBPlace:
        return DynamoDBPlace(self._agent, self._points, self.plant)

    def audit(self, place: Place, stories: Sequence[Story], told: defaultdict[str, Told]) -> None:
        """Reads a ledger back, in a process of its own, and adds what the sink saw."""
        self.gather(stories, run_alone(Audit(place, stories), "the audit"), told)

    def gather(self, stories: Sequence[Story], said: Sequence[Said], told: defaultdict[str, Told]) -> None:
        """The same for what an audit has said already; the store itself is checked."""
        gather(said, told)
        seen = self.sink.take(effect_key(action_id) for story in stories for action_id in story.action_ids)
        for story in stories:
            told[story.key].seen = seen.get(story.effect_key, ())
            told[story.key].seen_of_asked = seen.get(effect_key(story.asked_id), ())
        self.findings.ledgers += 1
        for what in said:
            self._check_store(stories, told, what)

    def check(self, stories: Iterable[Story], told: defaultdict[str, Told], engine: str | None) -> None:
        """Every story against the model of this engine; where there is none, against what no death excuses."""
        for story in stories:
            self.findings.add_action(story, told[story.key])
            violation = check(story, told[story.key], fate_of(story, engine) if engine else None)
            if violation is not None:
                self.findings.violations.append(violation)

    def _check_store(self, stories: Sequence[Story], told: defaultdict[str, Told], what: Said) -> None:
        """The file is sound, and the rows of lists agree with the actions."""
        for problem in what.get("problems", ()):
            self.findings.add_violation("broken store", f"  {problem}")
        if "rows" in what:
            rows = what["rows"]
            truth = {story.action_id: told[story.key].status for story in stories if told[story.key].history}
            truth |= {story.asked_id: told[story.key].asked for story in stories if story.way.is_undo}
            for action_id in {*rows, *truth}:
                if rows.get(action_id) != truth.get(action_id):
                    listed = f"  {action_id} is listed as {rows.get(action_id)}, and is {truth.get(action_id)}"
                    self.findings.add_violation("wrong row", listed)
