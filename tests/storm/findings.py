"""What a storm did, and what it found."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from domain.policy import Delivery
from tests.storm.audit import Told, Violation
from tests.storm.model import IN_DOUBT
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
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same by engine and point, where it was a point."""
    matrix: dict[tuple[str, str], dict[Delivery, Cell]] = field(default_factory=dict)
    """What became of the plain stories, by who carried them out and the point of the last kill."""
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

    def add_kill(self, engine: str, point: str | None = None) -> None:
        """A process was killed, at a point or at any moment."""
        self.kills[engine] += 1
        if point is not None:
            self.points[engine, point] += 1

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

    def add_to_matrix(self, story: Story, told: Told) -> None:
        """What came of a death, where nothing else troubled the action."""
        who = "worker" if story.way.accepts_first else str(story.way)
        row = self.matrix.setdefault((who, story.kills[-1].point), defaultdict(Counter))
        row[story.delivery][told.fate.status, told.fate.effects] += 1
