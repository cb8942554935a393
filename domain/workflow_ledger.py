"""Runs in the ledger: recorded like actions, and read back from their newest checkpoint.

    started  begun  ended ... checkpointed  begun  ended  begun
       ▲                          └──────── read, the last first, until here ─┘
       └── read once in a process: it never changes

So a run of a thousand steps costs its reader what one of a hundred does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Generic, TypeVar, cast

from domain.errors import ActionNotFound, CorruptEvent
from domain.ledger import ActionLedger, require_possible, translated
from domain.unreadable import NOT_FOLLOWING, out_of_place, replayed
from domain.workflow import CHECKPOINT_EVERY, WorkflowRun
from domain.workflow_definition import Definition, definition_of
from domain.workflow_events import Checkpointed, Started, WorkflowEvent

PAGE = CHECKPOINT_EVERY + 16
"""Events that are read in one go: mostly enough to meet a checkpoint."""
REMEMBERED = 256
"""Runs, and definitions, that are kept at hand."""


T = TypeVar("T")


class Remembered(Generic[T]):
    """What never changes, kept at hand: the last that were asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str, find: Callable[[], T]) -> T:
        with self._lock:
            if name in self._found:
                self._found.move_to_end(name)
                return self._found[name]
        found = find()
        with self._lock:
            self._found[name] = found
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
        return found


class RunLedger:
    """Records and reads runs. For any number of threads."""

    def __init__(self, ledger: ActionLedger) -> None:
        self._ledger = ledger
        self._starts: Remembered[Started] = Remembered()
        self._definitions: Remembered[Definition] = Remembered()

    def record(self, run: WorkflowRun) -> None:
        """Appends what was decided as one commit, with a checkpoint where one is due. Raises as a ledger does."""
        run.checkpoint(at=run.modified_on)
        self._ledger.record(run)

    def load(self, run_id: str) -> WorkflowRun:
        """The run, read consistently. Raises ActionNotFound, LedgerUnavailable, and what a row deserves."""
        require_possible(run_id)
        newest: list[WorkflowEvent] = []
        with translated():
            for event in self._backwards(run_id):
                if isinstance(event, Checkpointed):
                    return _run(self._as_of(event), newest)
                newest.append(event)
        if newest:
            return _run(None, newest)
        raise ActionNotFound(f"no workflow run has the id {run_id[:80]!a}")

    def definition_of(self, run: WorkflowRun) -> Definition:
        """What the run carries out: as it was when it started."""
        return self._definitions.get(run.definition_hash, lambda: definition_of(run.definition))

    def event(self, run: WorkflowRun, version: int) -> WorkflowEvent:
        """One event, recorded or just decided. Raises LedgerUnavailable, and CorruptEvent where it is not there."""
        for event in run.pending_events:
            if cast("WorkflowEvent", event).originator_version == version:
                return cast("WorkflowEvent", event)
        return self._recorded(run.id, version)

    def _recorded(self, run_id: str, version: int) -> WorkflowEvent:
        with translated():
            for event in self._ledger.events.get(run_id, gt=version - 1, lte=version):
                return cast("WorkflowEvent", event)
        raise CorruptEvent(f"{run_id}: there is no version {version}")

    def _as_of(self, checkpoint: Checkpointed) -> WorkflowRun:
        start = self._starts.get(checkpoint.originator_id, lambda: self._start_of(checkpoint.originator_id))
        try:
            return WorkflowRun.as_of(start, checkpoint)
        except NOT_FOLLOWING as error:
            raise out_of_place(checkpoint) from error

    def _start_of(self, run_id: str) -> Started:
        start = self._recorded(run_id, 1)
        if not isinstance(start, Started):
            raise out_of_place(start)
        return start

    def _backwards(self, run_id: str) -> Iterator[WorkflowEvent]:
        """The newest first, page by page, each event made only when it is asked for."""
        below: int | None = None
        while True:
            found = 0
            for event in self._ledger.events.get(run_id, lte=below, desc=True, limit=PAGE):
                found += 1
                below = event.originator_version - 1
                yield cast("WorkflowEvent", event)
            if not found or below == 0:
                return


def _run(standing: WorkflowRun | None, newest: list[WorkflowEvent]) -> WorkflowRun:
    run = replayed(standing, reversed(newest))
    if not isinstance(run, WorkflowRun):
        raise CorruptEvent(f"{run.id}: its life is that of an action")
    return run
