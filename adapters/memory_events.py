"""The ledger in memory: the rules of a store in their shortest form. For tests and for trying things out.

`InfrastructureFactory.construct({"PERSISTENCE_MODULE": "adapters.memory_events"})`
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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

from domain.priority import Place
from projections.view import ActionView


class MemoryRecorder(AggregateRecorder):
    """Commits in a dictionary, each on the condition that its first event follows the last one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lives: dict[str, list[StoredEvent]] = {}
        self._views: dict[str, ActionView] = {}

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, view: ActionView | None = None, **_: Any
    ) -> Sequence[int] | None:
        if not stored_events:
            return None
        action_id = str(stored_events[0].originator_id)
        if {str(event.originator_id) for event in stored_events} != {action_id}:
            raise ProgrammingError("a commit belongs to one action")
        with self._lock:
            life = self._lives.setdefault(action_id, [])
            expected = life[-1].originator_version + 1 if life else min(stored_events[0].originator_version, 1)
            versions = [event.originator_version for event in stored_events]
            if versions != list(range(expected, expected + len(versions))):
                raise IntegrityError(f"{action_id}: version {expected} comes next, not {versions}")
            life.extend(stored_events)
            if view is not None:
                self._keep(view)
        return None

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
