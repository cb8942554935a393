"""A persistence module: the ledger in SQLite as it is, with points around and within every append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
from eventsourcing.persistence import StoredEvent

from adapters import sqlite_events
from adapters.sqlite_events import SQLiteRecorder
from tests.storm.watch import Watch


class WatchedSQLiteRecorder(SQLiteRecorder):
    """Unwatched, it is the recorder itself."""

    _watch: Watch | None = None

    def be_watched(self, watch: Watch) -> None:
        """Passes points from now on."""
        self._watch = watch
        connection = self._file.writer.connection()
        connection.set_commit_hook(self._in_commit)
        if watch.points.has_checkpoints:
            connection.set_wal_hook(_checkpoint)

    def insert_events(self, stored_events: Sequence[StoredEvent], **about: Any) -> None:
        if self._watch is None:
            super().insert_events(stored_events, **about)
        else:
            append = super().insert_events
            self._watch.append(stored_events, lambda: append(stored_events, **about))

    def _in_commit(self) -> bool:
        if self._watch is not None:
            self._watch.points.reach_phase("inside")
        return False


def _checkpoint(connection: apsw.Connection, database: str, _pages: int) -> int:
    """After every commit, and waiting for readers: SQLite's own would be put off by any of them."""
    connection.wal_checkpoint(database, apsw.SQLITE_CHECKPOINT_FULL)
    return apsw.SQLITE_OK


class WatchedSQLiteFactory(sqlite_events.SQLiteFactory):
    """Makes watched recorders."""

    def aggregate_recorder(self, purpose: str = "events") -> SQLiteRecorder:
        if self._recorder is None:
            self._recorder = WatchedSQLiteRecorder(self._path, lock_timeout_s=self._lock_timeout_s)
        return super().aggregate_recorder(purpose)
