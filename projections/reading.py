"""A life as an auditor reads it: each stored event in its place, with the commit that it stands in, up to a moment.

Nothing is left out: an event that this release cannot read is told as far as it can be, and so is a row that is no
commit. Where an action stands is told of the unbroken beginning of its life, and no further.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import Mapper

from domain.commit import Commit
from domain.instant import from_text, to_text
from domain.journal import Damaged, Life
from domain.unreadable import Told, UnknownEvent, known_of, life_in

if TYPE_CHECKING:
    from domain.action import Action
    from domain.workflow import WorkflowRun


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was known then: at a time, or when an action had so many events. With neither, all that is known."""

    at: datetime | None = None
    version: int | None = None

    def includes(self, version: int, at: str) -> bool:
        """Whether an event of this version, at this time as text, was known."""
        if self.version is not None and version > self.version:
            return False
        return self.at is None or at <= to_text(self.at)


NOW = AsOf()

UNFIT = (AttributeError, LookupError, TypeError, ValueError)
"""What is raised by an event that can be read and was not written by us: it says a number where a word belongs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored event, as it is told and as it is stored: `topic` and `state` are the commit's."""

    told: Told
    commit: Commit
    topic: str
    state: bytes

    @property
    def version(self) -> int:
        return self.told.originator_version

    @property
    def at(self) -> str:
        """The time that it says, as text; its commit's where it says none."""
        return self.commit.at if self.told.timestamp is None else to_text(self.told.timestamp)

    @property
    def problem(self) -> str | None:
        """Why it cannot be read; None where it can."""
        return self.told.problem if isinstance(self.told, UnknownEvent) else None

    @property
    def word(self) -> str:
        """The type of the event, as its topic has it."""
        return self.topic.rpartition(".")[2]

    @property
    def data(self) -> Mapping[str, Any]:
        """What it says; of what cannot be read all that is JSON."""
        if isinstance(self.told, UnknownEvent):
            return _said(self.state)
        told = self.told
        return {name: getattr(told, name) for name in told.own_fields() if getattr(told, name) is not None}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was known of one action, or run, oldest first."""

    action_id: str
    entries: tuple[Entry, ...]
    damaged: tuple[Damaged, ...] = ()

    @property
    def last_moment(self) -> AsOf:
        """The time of its last event: what else was known then is known as of it."""
        return AsOf(at=from_text(self.entries[-1].at)) if self.entries else NOW

    def standing(self) -> Action | WorkflowRun | None:
        """Where it stands, as far as that is known; None where not even its beginning can be read. Raises UNFIT."""
        return known_of(entry.told for entry in self._unbroken()).as_of

    @property
    def is_elsewhere(self) -> bool:
        """Whether its beginning is in an archive, as its first event says, and is not told here."""
        return bool(self.entries) and self.entries[0].word == "archived" and self.entries[0].problem is None

    @property
    def first_version(self) -> int:
        """With which it should begin: above 1 where the beginning is elsewhere."""
        return self.entries[0].version if self.is_elsewhere else 1

    def _unbroken(self) -> Iterator[Entry]:
        for version, entry in enumerate(self.entries, self.first_version):
            if entry.version != version:
                return
            yield entry


def read(life: Life, mapper: Mapper[str], as_of: AsOf = NOW) -> Reading:
    """All that was known then. Raises nothing for what a row says."""
    entries = [entry for row in life.rows if isinstance(row, Commit) for entry in _entries(row, mapper)]
    damaged = [row for row in life.rows if isinstance(row, Damaged)]
    return Reading(
        life.action_id,
        tuple(entry for entry in entries if as_of.includes(entry.version, entry.at)),
        tuple(row for row in damaged if as_of.version is None or row.version <= as_of.version),
    )


def _entries(commit: Commit, mapper: Mapper[str]) -> Iterable[Entry]:
    told = life_in(commit.stored_events(), mapper)
    return (Entry(one, commit, topic, state) for one, (topic, state) in zip(told, commit.events, strict=True))


def _said(state: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(state)
    except (ValueError, RecursionError):
        return {"bytes": len(state)}
    return said if isinstance(said, dict) else {"said": said}
