"""The ledger in memory: the rules of a store in their shortest form. For tests and for trying things out.

`InfrastructureFactory.construct({"PERSISTENCE_MODULE": "adapters.memory_events"})`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any, NoReturn
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    IntegrityError,
    ProgrammingError,
    StoredEvent,
    TrackingRecorder,
)

from domain.commit import NOTHING, Commit, sayings
from domain.instant import to_text
from domain.journal import EVERYTHING, Damaged, Life, Row, Span
from domain.priority import Place
from projections.search import Count, Page, Position, Search, counts_of
from projections.view import ActionView


class MemoryRecorder(AggregateRecorder):
    """Commits in a dictionary, each on the condition that its first event follows the last one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lives: dict[str, list[StoredEvent]] = {}
        self._commits: dict[str, list[Commit]] = {}
        self._views: dict[str, ActionView] = {}

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        at: datetime | None = None,
        view: ActionView | None = None,
        **_: Any,
    ) -> Sequence[int] | None:
        if not stored_events:
            return None
        action_id = str(stored_events[0].originator_id)
        if {str(event.originator_id) for event in stored_events} != {action_id}:
            raise ProgrammingError("a commit belongs to one action")
        with self._lock:
            self._append(action_id, stored_events, at, view)
        return None

    def supersede_events(
        self, stored_events: Sequence[StoredEvent], *, head: bytes, at: datetime, view: ActionView
    ) -> None:
        """Appends one commit behind the one of this hash, and takes out all that was there of the action before it."""
        action_id = str(stored_events[0].originator_id)
        with self._lock:
            before = self._commits.get(action_id, [])
            if not before or before[-1].hash != head:
                raise IntegrityError(f"{action_id}: its last commit is not the one that was archived")
            self._append(action_id, stored_events, at, view)
            del before[:-1]
            del self._lives[action_id][: -len(stored_events)]

    def _append(
        self, action_id: str, stored_events: Sequence[StoredEvent], at: datetime | None, view: ActionView | None
    ) -> None:
        life = self._lives.setdefault(action_id, [])
        expected = life[-1].originator_version + 1 if life else min(stored_events[0].originator_version, 1)
        versions = [event.originator_version for event in stored_events]
        if versions != list(range(expected, expected + len(versions))):
            raise IntegrityError(f"{action_id}: version {expected} comes next, not {versions}")
        life.extend(stored_events)
        self._chain(action_id, stored_events, at or datetime.now(UTC))
        if view is not None:
            self._keep(view)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        with self._lock:
            life = list(self._lives.get(str(originator_id), ()))
        chosen = [
            event
            for event in life
            if (gt is None or event.originator_version > gt) and (lte is None or event.originator_version <= lte)
        ]
        return (chosen[::-1] if desc else chosen)[:limit]

    def _chain(self, action_id: str, events: Sequence[StoredEvent], at: datetime) -> None:
        commits = self._commits.setdefault(action_id, [])
        previous = commits[-1].hash if commits else NOTHING
        commits.append(Commit(action_id, events[0].originator_version, to_text(at), previous, sayings(events)))

    def _keep(self, view: ActionView) -> None:
        kept = self._views.get(view.action_id)
        if kept is None or kept.version < view.version:
            self._views[view.action_id] = view

    def line(self, now: datetime, limit: int) -> list[Place]:
        """What must be looked at by `now`, first in line first."""
        with self._lock:
            line = sorted(
                Place.of(view.action_id, view.due_at, view.priority)
                for view in self._views.values()
                if view.due_at is not None and view.due_at <= now
            )
        return line[:limit]

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> list[ActionView]:
        """The rows of a status, or all, newest first or oldest first."""
        with self._lock:
            chosen = [view for view in self._views.values() if status in (None, view.status)]
        return sorted(chosen, key=lambda view: (view.born, view.action_id), reverse=not oldest_first)[:limit]

    def find(self, search: Search, limit: int, after: Position | None = None) -> Page:
        """A page of what is searched for, newest first."""
        with self._lock:
            found = [view for view in self._views.values() if search.includes(view)]
        places = sorted(((Position(view.born, view.action_id), view) for view in found), reverse=True)
        rows = [view for place, view in places if after is None or place < after]
        return Page.of(rows[: limit + 1], limit, otherwise=None)

    def counts(self, since: datetime | None, until: datetime | None) -> list[Count]:
        """How many were born in which hour, and where they stand now; by hour, status and type."""
        born_then = Search({}, since, until)
        with self._lock:
            return counts_of(view for view in self._views.values() if born_then.includes(view))

    def not_searchable(self) -> int:
        """Nothing here is of an earlier release."""
        return 0

    def journal(self) -> MemoryJournal:
        """All that was recorded, for those who replay, audit and verify."""
        return MemoryJournal(self._commits, self._lock)


class MemoryJournal:
    """The journal of a ledger in memory (`domain.journal`)."""

    parts = 1

    def __init__(self, commits: Mapping[str, Sequence[Commit]], lock: Lock) -> None:
        self._commits = commits
        self._lock = lock

    def life(self, action_id: str) -> Life | None:
        with self._lock:
            commits = tuple(self._commits.get(action_id, ()))
        return Life(action_id, commits, action_id) if commits else None

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:  # noqa: ARG002 - it has one part
        with self._lock:
            ids = sorted(action_id for action_id in self._commits if after is None or action_id > after)
        for action_id in ids:
            life = self.life(action_id)
            if life is not None and span.holds(life.born):
                yield life

    def written(self, since: datetime) -> Iterator[Row]:
        earliest = to_text(since)
        for life in self.lives():
            yield from (row for row in life.rows if isinstance(row, Commit) and row.at >= earliest)

    def unlisted(self) -> Iterator[Damaged]:
        """None: `lives` tells all that there is."""
        return iter(())


class MemoryFactory(InfrastructureFactory[TrackingRecorder]):
    """One ledger for each factory: what it recorded is gone with it."""

    def aggregate_recorder(self, purpose: str = "events") -> MemoryRecorder:  # noqa: ARG002 - the library's name
        return MemoryRecorder()

    def application_recorder(self) -> NoReturn:
        raise ProgrammingError("there is no global sequence of events: ask for the aggregate recorder")

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> NoReturn:  # noqa: ARG002 - the library's name
        raise ProgrammingError("there is no global sequence of events: ask for the aggregate recorder")

    def process_recorder(self) -> NoReturn:
        raise ProgrammingError("there is no global sequence of events: ask for the aggregate recorder")
