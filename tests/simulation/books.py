"""The books: what the store kept, what the providers saw, what callers were told.

They are kept by the simulation itself, at the ports. Nothing in here is what a handler says of what it did.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.simulation.calls import Call


@dataclass
class Written:
    """An event in the store: which call wrote it, and when, in seconds since the beginning."""

    version: int
    kind: str
    state: bytes
    call: Call
    when: float

    @cached_property
    def says(self) -> dict[str, Any]:
        """What the event says, as it was stored."""
        said: dict[str, Any] = json.loads(self.state)
        return said

    @property
    def at(self) -> str:
        """When, by the clock of the process that wrote it. Sorts as text."""
        moment: str = self.says["at"]
        return moment


@dataclass(slots=True, eq=False)
class Sent:
    """An attempt, as the store and the provider saw it."""

    action_id: str
    number: int
    epoch: int
    call: Call
    recorded: float
    keys: list[str] = field(default_factory=list)
    """The effect keys that the provider was given: one, if all is well."""
    at: str | None = None
    """When it was sent, by the clock of the process that sent it."""
    left: float = 0.0
    """The same, in seconds since the beginning."""
    timeout: float = 0.0
    told: str | None = None
    """The class of the answer that came back to the process, None as long as none has."""

    @property
    def is_open(self) -> bool:
        """Whether the process that began it may still send it."""
        return self.told is None and not self.call.is_over

    @property
    def is_certain(self) -> bool:
        """Whether the process learned for sure what became of it."""
        return self.told in ("succeeded", "permanent", "retry")


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that happened in the world: in seconds since the beginning, by which attempt."""

    key: str
    when: float
    number: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller was answered, and what it had asked for."""

    action_id: str | None
    status: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was not kept."""

    action_id: str
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}" + (f" ({self.action_id})" if self.action_id else "")


class Books:
    """All of it, by action."""

    def __init__(self) -> None:
        self.lives: dict[str, list[Written]] = {}
        self.status: dict[str, str] = {}
        self.sent: dict[str, dict[int, Sent]] = defaultdict(dict)
        self.effects: dict[str, list[Effect]] = defaultdict(list)
        self.under_way: Counter[str] = Counter()
        """Effects that are still on their way through the network."""
        self.told: list[Told] = []
        self.runs: dict[str, list[Written]] = {}
        self.run_status: dict[str, str] = {}
        self.started: list[tuple[str, str | None]] = []
        """The keys under which workflows were started, and the run that each starter was told of."""
        self.deaths: dict[str, float] = {}
        """When which process died."""
        self.violations: list[Violation] = []
        self.count: Counter[str] = Counter()

    def wrote(self, action_id: str, written: Sequence[Written], status: str) -> None:
        """A commit is on disk."""
        self.lives.setdefault(action_id, []).extend(written)
        self.status[action_id] = status
        self.count[f"status: {status}"] += 1
        for event in written:
            if event.kind == "attempted":
                number = event.says["attempt"]
                told = "permanent" if event.call.refused else None
                sent = Sent(action_id, number, event.version, event.call, event.when, told=told)
                self.sent[action_id][number] = sent
                event.call.refused = False

    def wrote_run(self, run_id: str, written: Sequence[Written], status: str) -> None:
        """A commit of a workflow run is on disk."""
        self.runs.setdefault(run_id, []).extend(written)
        self.run_status[run_id] = status

    def may_still_happen(self, action_id: str) -> bool:
        """Whether an effect may come that has not come yet, though nobody begins another attempt."""
        if self.under_way[action_id]:
            return True
        return any(sent.is_open for sent in self.sent[action_id].values())

    def end_of(self, action_id: str) -> str | None:
        """The status that an action has, None for one that is not there."""
        return self.status.get(action_id)

    def broken(self, action_id: str, rule: str, what: str) -> None:
        self.violations.append(Violation(action_id, rule, what))
