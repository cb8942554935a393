"""Concurrent callers share one synced transaction.

The first caller of a batch leads it. While the batch before is being synced, others join; then the leader writes for
all of them, and one sync answers everybody. A single caller pays two locks and no waiting.

Leadership cannot be lost, for there is nothing to hand over: whoever waits for a batch may lead it, leaders queue for
one lock, and who finds the batch settled has nothing left to do. A leader that dies rings the bell for its followers,
and if even that is lost, their patience ends. An exception may strike a thread anywhere (Ctrl-C), so what must hold is
changed by single assignments, and locks are taken by `with` only. (An Event will not do as a bell: it is Python code
itself, and struck inside it would stay locked for ever.)
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

PATIENCE_S = 0.5
"""How long a follower trusts its leader, before it looks for itself."""

Entry = TypeVar("Entry")


class Batch(Generic[Entry]):
    """Entries that are written together, and what became of them."""

    __slots__ = ("_bell", "entries", "failure", "pending")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.pending = True
        self.failure: Exception | None = None
        self._bell = Lock()
        self._bell.acquire()

    def ring(self) -> None:
        """Wakes one follower, who will wake the next."""
        try:
            self._bell.release()
        except RuntimeError:
            return  # it has rung before

    def listen(self, patience_s: float) -> None:
        """Returns when the bell has rung, or when patience ends."""
        if self._bell.acquire(timeout=patience_s):
            self.ring()


class GroupCommit(Generic[Entry]):
    """Gathers entries of concurrent callers into batches, and has each batch written once.

    `write(batch)` is called by one thread at a time, which holds `lock`. As soon as it knows the fate of the batch it
    sets `batch.failure` (None when the batch is on disk), then `batch.pending = False`. It raises only when it was
    interrupted; a batch that it leaves pending is written by another caller, without the interrupted one's entry.
    """

    def __init__(self, lock: Lock, write: Callable[[Batch[Entry]], None], *, patience_s: float = PATIENCE_S) -> None:
        self._lock = lock
        self._write = write
        self._patience_s = patience_s
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
            if not leads:
                batch.listen(self._patience_s)
            if batch.pending:
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
            batch.ring()

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
        batch.ring()
