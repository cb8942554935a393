"""Concurrent callers share one synced transaction.

The first caller of a batch leads it. While the batch before is being synced, others join; then the leader writes for
all of them, and one sync answers everybody. A single caller pays two locks and no waiting.

Leadership cannot be lost, for there is nothing to hand over: whoever waits for a batch may lead it, leaders queue for
one lock, and who finds the batch settled has nothing left to do. A leader that dies rings the bell for its followers,
and if even that is lost, their patience ends. An exception may strike a thread anywhere (Ctrl-C), so what must hold is
changed by single assignments, and locks are taken by `with` only.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock
from typing import Generic, TypeVar

_PATIENCE_S = 0.5
"""How long a follower trusts its leader, before it looks for itself."""

Entry = TypeVar("Entry")


class Batch(Generic[Entry]):
    """Entries that are written together, and what became of them."""

    __slots__ = ("bell", "entries", "failure", "pending")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.pending = True
        self.failure: Exception | None = None
        self.bell = Event()


class GroupCommit(Generic[Entry]):
    """Gathers entries of concurrent callers into batches, and has each batch written once.

    `write(batch)` is called by one thread at a time, which holds `lock`. As soon as it knows the fate of the batch it
    sets `batch.failure` (None when the batch is on disk), then `batch.pending = False`. It raises only when it was
    interrupted; a batch that it leaves pending is written again by another caller, without the interrupted one's entry.
    """

    def __init__(self, lock: Lock, write: Callable[[Batch[Entry]], None]) -> None:
        self._lock = lock
        self._write = write
        self._gathering = Lock()
        self._open: Batch[Entry] | None = None

    @property
    def waiting(self) -> int:
        """How many callers wait for a batch that nobody has begun to write."""
        batch = self._open
        return len(batch.entries) if batch is not None else 0

    def share(self, entry: Entry) -> Exception | None:
        """Returns None when the batch of `entry` is on disk; or why it failed, and then nothing of it was kept."""
        batch = None
        try:
            batch, leads = self._join(entry)
            if leads or not batch.bell.wait(_PATIENCE_S) or batch.pending:
                self._lead(batch)
        except BaseException:
            self._withdraw(entry, batch or self._open)
            raise
        return batch.failure

    def _join(self, entry: Entry) -> tuple[Batch[Entry], bool]:
        with self._gathering:
            batch = self._open
            leads = batch is None
            if batch is None:
                batch = self._open = Batch()
            batch.entries.append(entry)
        return batch, leads

    def _lead(self, batch: Batch[Entry]) -> None:
        try:
            with self._lock:
                self._close(batch)
                if batch.pending:
                    self._write(batch)
        finally:
            batch.bell.set()

    def _close(self, batch: Batch[Entry]) -> None:
        with self._gathering:
            if self._open is batch:
                self._open = None

    def _withdraw(self, entry: Entry, batch: Batch[Entry] | None) -> None:
        if batch is None:
            return
        with self._gathering:
            if entry in batch.entries:
                batch.entries.remove(entry)
        batch.bell.set()
