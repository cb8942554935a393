"""What a storm did, and what it found."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from domain.policy import Delivery
from tests.storm.audit import Told, Violation
from tests.storm.model import IN_DOUBT
from tests.storm.run_audit import Told as RunTold
from tests.storm.story import Story

ENOUGH = 10
"""Violations after which a storm has shown what it had to."""

Cell = Counter[tuple[str, int]]
"""How often each end came, with its number of effects."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure, and whether it keeps its target. A busy machine may miss one; that breaks no promise."""

    name: str
    value: str
    target: str
    is_kept: bool


@dataclass
class Findings:
    """Counts that only grow, shared by all parts of a storm."""

    kills: Counter[str] = field(default_factory=Counter)
    """By engine."""
    parts: Counter[str] = field(default_factory=Counter)
    """By the part of the storm, where there was a point."""
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same by engine and point, where it was a point."""
    matrix: dict[tuple[str, str], dict[Delivery, Cell]] = field(default_factory=dict)
    """What became of the plain stories, by who carried them out and the point of the last kill."""
    run_matrix: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What became of the runs, by the append or the send in which a process of theirs was the last to die."""
    runs: int = 0
    steps: int = 0
    actions: int = 0
    answers: int = 0
    requests: int = 0
    effects: int = 0
    in_doubt: int = 0
    ledgers: int = 0
    zombies: int = 0
    outages: int = 0
    figures: list[Figure] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        return len(self.violations) >= ENOUGH

    def add_kill(self, engine: str) -> None:
        """A process was killed at any moment."""
        self.kills[engine] += 1

    def add_kill_at(self, point: str, engine: str, part: str) -> None:
        """A process of this part of the storm was killed at a point."""
        self.add_kill(engine)
        self.points[engine, point] += 1
        self.parts[part] += 1

    def add_violation(self, kind: str, story: str) -> None:
        self.violations.append(Violation(kind, story))

    def add_action(self, story: Story, told: Told) -> None:
        """An action, as it stands in the end."""
        fate = told.fate
        self.actions += 1
        self.answers += len(told.answers)
        self.requests += fate.requests
        self.effects += fate.effects
        self.in_doubt += fate.status == IN_DOUBT

    def add_run(self, told: RunTold) -> None:
        """A run, as it stands in the end."""
        self.runs += 1
        self.steps += len(told.plot.steps)
        self.answers += len(told.answers)
        self.actions += len(told.actions)
        self.requests += sum(len(seen) for seen in told.seen.values())
        self.effects += sum(len(told.effects(action_id)) for action_id in told.seen)
        self.in_doubt += sum(life["status"] == IN_DOUBT for life in told.actions.values())
        if told.deaths:
            self.run_matrix[told.deaths[-1].partition(":")[0]][told.status] += 1

    def add_to_matrix(self, story: Story, told: Told) -> None:
        """What came of a death, where nothing else troubled the action."""
        who = "worker" if story.way.accepts_first else str(story.way)
        row = self.matrix.setdefault((who, story.kills[-1].point), defaultdict(Counter))
        row[story.delivery][told.fate.status, told.fate.effects] += 1
