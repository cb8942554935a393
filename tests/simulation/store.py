"""The store: the ledger in memory behind a network that loses, delays and refuses.

Two kinds of store are simulated, one in a run. One finds out what became of its own lost commit, as the recorders in
production do, mostly. The other says that it cannot be used, whether or not the commit is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Repository
from eventsourcing.persistence import (
    AggregateRecorder,
    IntegrityError,
    JSONTranscoder,
    OperationalError,
    StoredEvent,
)

from adapters.memory_events import MemoryRecorder
from domain.events import ActionEvent, RecordedEvent
from domain.identity import is_run_id
from domain.ledger import ActionLedger, ActionMapper
from domain.priority import Place
from projections.view import ActionView
from tests.simulation.books import Written
from tests.simulation.faults import Kind, Port

if TYPE_CHECKING:
    from tests.simulation.run import Run


class SimulatedStore(AggregateRecorder):
    """A recorder, asked through the run's ports."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._disk = MemoryRecorder()
        self._resolves = run.random.random() < 0.5
        self.known: dict[tuple[str, int], RecordedEvent] = {}

    # -- appending --------------------------------------------------------------------------------------------------

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, view: ActionView | None = None, **_: Any
    ) -> Sequence[int] | None:
        if not stored_events:
            return None
        problem = self._run.ask(Port.APPEND, partial(self._append, stored_events, view))
        if problem is not None:
            raise type(problem)(*problem.args)
        return None

    def _append(self, events: Sequence[StoredEvent], view: ActionView | None, kind: Kind | None) -> Exception | None:
        if kind is Kind.RESET:
            kind = self._run.random.choice((Kind.TIME_OUT_BEFORE, Kind.TIME_OUT_AFTER))
        if kind in (Kind.TIME_OUT_BEFORE, Kind.THROTTLE) and not self._finds_out():
            return OperationalError(str(kind))
        problem = self._commit(events, view)
        if kind is Kind.TIME_OUT_AFTER and not self._finds_out():
            return self._lost(problem)
        return problem

    def _lost(self, problem: Exception | None) -> Exception:
        """The answer is lost: the writer cannot know whether its commit is there."""
        return OperationalError("no answer")

    def _finds_out(self) -> bool:
        """Whether the recorder tries again, and recognises what it did itself."""
        return self._resolves and self._run.random.random() < 0.8

    def _commit(self, events: Sequence[StoredEvent], view: ActionView | None) -> IntegrityError | None:
        run, call = self._run, self._run.call
        action_id = str(events[0].originator_id)
        try:
            self._disk.insert_events(events, view=view)
        except IntegrityError as conflict:
            run.tell("conflict", action_id)
            return conflict
        now = run.loop.now
        kinds = [event.topic.partition(".")[2] for event in events]
        written = [
            Written(event.originator_version, kind, event.state, call, now)
            for event, kind in zip(events, kinds, strict=True)
        ]
        for event in written:
            run.tell(event.kind, action_id, event.state.decode())
        note = run.books.wrote_run if is_run_id(action_id) else run.books.wrote
        note(action_id, written, "" if view is None else view.status)
        run.ring(action_id)
        return None

    # -- reading ----------------------------------------------------------------------------------------------------

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        def read(kind: Kind | None) -> Sequence[StoredEvent] | None:
            if kind in _NOT_READ and not self._finds_out():
                return None
            return self._disk.select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)

        found = self._run.ask(Port.READ, read)
        if found is None:
            raise OperationalError("no answer")
        return found

    def line(self, now: datetime, limit: int) -> list[Place]:
        """The agenda, which may lag behind."""

        def look(kind: Kind | None) -> list[Place] | None:
            if kind in _NOT_READ:
                return None
            line = self._disk.line(now, limit)
            return line[1::2] if kind is Kind.STALE else line

        found = self._run.ask(Port.AGENDA, look)
        if found is None:
            raise OperationalError("no answer")
        return found

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> list[ActionView]:
        """The rows of a status, or all, newest first or oldest first."""
        return self._run.call.once("views", lambda: self._disk.views(status, limit, oldest_first=oldest_first))

    def next_due(self, is_left: Callable[[ActionView], bool]) -> datetime | None:
        """When somebody must look again, for the simulation itself: past all ports. `is_left` are not looked at."""
        views = self._disk.views(None, 10_000)
        return min((view.due_at for view in views if view.due_at is not None and not is_left(view)), default=None)


_NOT_READ = frozenset({Kind.TIME_OUT_BEFORE, Kind.TIME_OUT_AFTER, Kind.THROTTLE, Kind.RESET})


class RememberingMapper(ActionMapper):
    """The mapper itself. What is stored never changes, so each event is read once in a run, not once a look."""

    def __init__(self, known: dict[tuple[str, int], RecordedEvent]) -> None:
        super().__init__(JSONTranscoder())
        self._known = known

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:
        where = (str(stored_event.originator_id), stored_event.originator_version)
        event = self._known.get(where)
        if event is None:
            event = self._known[where] = super().to_domain_event(stored_event)
        return event


class PlainRepository(Repository[str]):
    """Folds events without asking each of them whether it is one."""

    def get(self, aggregate_id: str, **_: Any) -> Any:
        action: Any = None
        for event in self.event_store.get(aggregate_id):
            action = cast("ActionEvent", event).mutate(action)
        if action is None:
            raise AggregateNotFoundError(aggregate_id)
        return action


def put_under(ledger: ActionLedger, store: SimulatedStore) -> None:
    """The ledger's own store gives way to the simulated one."""
    ledger.events.recorder = store
    ledger.events.mapper = RememberingMapper(store.known)
    ledger._repository = PlainRepository(ledger.events)
