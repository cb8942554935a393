"""The ledger in one SQLite file: commits, and in the same transaction the view of every action.

`InfrastructureFactory.construct({"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": PATH})`

A commit counts once its transaction is on disk (WAL, synchronous=FULL), never before. Concurrent callers share a
transaction, each under a savepoint of its own, so that a conflict is its own caller's affair. Threads and processes may
use one file together; reads see whatever has been answered, and never wait for a writer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import apsw
from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType

from adapters import sqlite_views
from adapters.group_commit import Batch, GroupCommit
from adapters.sqlite_commit import CommitRow, events_in, row_of
from adapters.sqlite_file import Addition, Schema, SQLiteFile
from adapters.sqlite_journal import SQLiteJournal
from adapters.sqlite_views import SQLiteViews, ViewRow, row_of_view
from domain.commit import NOTHING, hash_of, record_of
from domain.errors import ConfigurationError, CorruptEvent
from projections.view import ActionView

if TYPE_CHECKING:
    from adapters.sqlite_upkeep import SQLiteUpkeep

LOCK_TIMEOUT_S = 10.0
"""How long a caller waits while other processes write."""

_SCHEMA = Schema(
    application_id=int.from_bytes(b"ExAg"),
    version=1,
    sql=f"""
    CREATE TABLE IF NOT EXISTS commits (
        action_id TEXT, version INTEGER, events BLOB NOT NULL, last TEXT NOT NULL, at TEXT NOT NULL, previous BLOB,
        PRIMARY KEY (action_id, version)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS gates (target TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    {sqlite_views.SCHEMA}
    """,
    additions=(
        Addition(
            is_there="SELECT 1 FROM pragma_table_info('commits') WHERE name = 'previous'",
            sql="ALTER TABLE commits ADD COLUMN previous BLOB;",
        ),
        *sqlite_views.ADDITIONS,
    ),
)

# A commit's `events` begin with their number, and CAST reads just that.
_TAIL = """
SELECT version + CAST(events AS INTEGER), version, at, previous, events
FROM commits WHERE action_id = ? ORDER BY version DESC LIMIT 1"""
_INSERT_COMMIT = "INSERT INTO commits (action_id, version, events, last, at, previous) VALUES (?, ?, ?, ?, ?, ?)"
_TAKE_OUT_BEFORE = "DELETE FROM commits WHERE action_id = ? AND version < ?"
_save_view = sqlite_views.saving()

_COMMITS = "SELECT version, events FROM commits WHERE action_id = ? AND version BETWEEN ? AND ?"
_COMMITS_FORWARDS = _COMMITS + " ORDER BY version LIMIT ?"
_COMMITS_BACKWARDS = _COMMITS + " ORDER BY version DESC LIMIT ?"
_COMMIT_WITH = "SELECT coalesce(max(version), 0) FROM commits WHERE action_id = ? AND version <= ?"

_LAST_VERSION = 2**63 - 1
_NO_LIMIT = -1


class SQLiteRecorder(SQLiteViews, AggregateRecorder):
    """Appends commits to one file and reads them back.

    Every method raises OperationalError, one line that names the file and says what to do, when the file cannot be read
    or written.
    """

    def __init__(
        self, path: str, *, lock_timeout_s: float = LOCK_TIMEOUT_S, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.synced_commits = 0
        """How many transactions this recorder has synced to disk. Concurrent callers share them."""
        self._file = SQLiteFile(path, _SCHEMA, lock_timeout_s=lock_timeout_s, sleep=sleep)
        self._forget_callers()

    @property
    def path(self) -> str:
        """The file's absolute path, or `:memory:`."""
        return self._file.path

    @property
    def waiting(self) -> int:
        """How many callers wait for a transaction that has not begun."""
        return self._callers.waiting

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        at: datetime | None = None,
        due_at: datetime | None = None,  # noqa: ARG002 - every store is told; here the agenda is made of views
        view: ActionView | None = None,
        **_of_the_library: Any,
    ) -> None:
        """Appends one commit, and with it the action's view. Returns when both are on disk.

        `at` is now where it is not given. Raises IntegrityError when the versions do not follow the action's last one,
        ProgrammingError for events or a view of several actions. Whatever is raised, nothing was kept.
        """
        if stored_events:
            self._share(_append_of(stored_events, at, view))

    def supersede_events(
        self, stored_events: Sequence[StoredEvent], *, head: bytes, at: datetime, view: ActionView
    ) -> None:
        """The same, and in the same transaction all that was there of the action is taken out. Its room is used again.

        `head` is the hash of the commit that must be the action's last one; else IntegrityError is raised.
        """
        append = _append_of(stored_events, at, view)
        append.supersedes = head
        self._share(append)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """The events above version `gt`, up to `lte`, at most `limit`; from the last to the first where `desc`.

        Raises CorruptEvent for a commit that cannot be read.
        """
        action_id = str(originator_id)
        first = 0 if gt is None else gt + 1
        last = _LAST_VERSION if lte is None else lte
        begin = 0 if gt is None else self._commit_with(action_id, first)
        enough = _NO_LIMIT if limit is None else limit  # each of these commits holds at least one wanted event
        statement = _COMMITS_BACKWARDS if desc else _COMMITS_FORWARDS
        found: list[StoredEvent] = []
        for version, packed in self._commits(statement, (action_id, begin, last, enough)):
            events = events_in(packed, originator_id, version)
            found += reversed(events) if desc else events
        return [event for event in found if first <= event.originator_version <= last][:limit]

    def journal(self) -> SQLiteJournal:
        """All that the file holds, for those who replay, audit and verify."""
        return SQLiteJournal(self._file)

    def upkeep(self) -> SQLiteUpkeep:
        """How the rows of the file stand to its commits, and how they are made anew."""
        from adapters.sqlite_upkeep import SQLiteUpkeep

        return SQLiteUpkeep(self._file)

    def close(self) -> None:
        """Closes every connection, after those who use it."""
        self._file.close()

    def _forget_callers(self) -> None:
        """In a forked child, those who wait are threads of its parent."""
        self._pid = os.getpid()
        self._callers: GroupCommit[_Append] = GroupCommit(self._file.writer.lock, self._write)

    def _share(self, append: _Append) -> None:
        if self._pid != os.getpid():
            self._forget_callers()
        failure = self._callers.share(append) or append.refusal
        if isinstance(failure, apsw.Error):
            raise self._file.unavailable(failure) from failure
        if failure is not None:
            raise failure

    def _write(self, batch: Batch[_Append]) -> None:
        writer = self._file.writer
        complete = False
        try:
            writer.roll_back()  # what an interrupted caller may have left
            connection = writer.connection()
            connection.execute("BEGIN IMMEDIATE")
            for append in tuple(batch.entries):
                _append(connection, append)
            complete = True
            connection.execute("COMMIT")
        except Exception as failure:  # noqa: BLE001 - whatever it is, all the callers must hear of it
            batch.failure = failure
            batch.pending = False
        except BaseException:
            batch.pending = not complete or connection.in_transaction
            raise
        else:
            batch.pending = False
            self.synced_commits += 1
        finally:
            writer.roll_back()

    def _commits(self, statement: str, values: tuple[str | int, ...]) -> list[Any]:
        try:
            return self._read(statement, values)
        except UnicodeDecodeError as error:
            raise _damaged(values[0]) from error

    def _commit_with(self, action_id: str, version: int) -> int:
        """The version at which the commit that holds `version` begins."""
        ((begin,),) = self._read(_COMMIT_WITH, (action_id, version))
        return int(begin)

    def _read(self, statement: str, values: tuple[str | int, ...]) -> list[Any]:
        session = self._file.reader
        try:
            with session.lock:
                return session.connection().execute(statement, values).fetchall()
        except apsw.Error as error:
            raise self._file.unavailable(error) from error


class SQLiteFactory(InfrastructureFactory[TrackingRecorder]):
    """Builds the recorder: one, as there is one connection that writes.

    `SQLITE_DBNAME` is a path, or `:memory:`; `SQLITE_LOCK_TIMEOUT` is in seconds.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._path = self.env.get("SQLITE_DBNAME") or ""
        if not self._path:
            raise ConfigurationError("set SQLITE_DBNAME to the path of the ledger's file")
        self._lock_timeout_s = _seconds(self.env.get("SQLITE_LOCK_TIMEOUT"))
        self._recorder: SQLiteRecorder | None = None

    def aggregate_recorder(self, purpose: str = "events") -> SQLiteRecorder:
        """Raises OperationalError when the file cannot be opened, or is not one of ours."""
        if purpose != "events":
            raise NotSupportedError(f"the ledger in SQLite keeps events, no {purpose}")
        if self._recorder is None:
            self._recorder = SQLiteRecorder(self._path, lock_timeout_s=self._lock_timeout_s)
        return self._recorder

    def application_recorder(self) -> NoReturn:
        raise NotSupportedError(_NO_SEQUENCE)

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> NoReturn:  # noqa: ARG002 - the library's name
        raise NotSupportedError(_NO_SEQUENCE)

    def process_recorder(self) -> NoReturn:
        raise NotSupportedError(_NO_SEQUENCE)

    def close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()


_NO_SEQUENCE = "the ledger in SQLite has no global sequence of events: ask for the aggregate recorder"


def _seconds(setting: str | None) -> float:
    try:
        return float(setting) if setting else LOCK_TIMEOUT_S
    except ValueError:
        raise ConfigurationError(f"SQLITE_LOCK_TIMEOUT must be a number of seconds, not {setting!r}") from None


@dataclass(slots=True, eq=False)
class _Append:
    """What one caller wants written, and why it was refused, where it was."""

    commit: CommitRow
    view: ViewRow | None
    supersedes: bytes | None = None
    """The hash that the action's last commit must have; then all that was there before this one goes."""
    refusal: Exception | None = None


def _append_of(events: Sequence[StoredEvent], at: datetime | None, view: ActionView | None) -> _Append:
    commit = row_of(events, at if at is not None else datetime.now(UTC))
    if view is not None and view.action_id != commit[0]:
        raise ProgrammingError(f"{commit[0]}: its view cannot be that of {view.action_id}")
    return _Append(commit, None if view is None else row_of_view(view))


def _append(connection: apsw.Connection, append: _Append) -> None:
    """Writes all of it, or refuses it and writes nothing. Raises when SQLite has given the whole transaction up."""
    connection.execute("SAVEPOINT append")
    try:
        _insert(connection, append)
        append.refusal = None
    except Exception as refusal:
        if not connection.in_transaction:
            raise
        append.refusal = refusal
        connection.execute("ROLLBACK TO append")
    connection.execute("RELEASE append")


def _insert(connection: apsw.Connection, append: _Append) -> None:
    action_id, version, *_ = append.commit
    expected, previous = _what_follows(connection, action_id)
    if version not in expected:
        raise IntegrityError(f"{action_id}: version {expected[-1]} comes next, not {version}")
    if append.supersedes not in (None, previous):
        raise IntegrityError(f"{action_id}: its last commit is not the one that was archived")
    connection.execute(_INSERT_COMMIT, (*append.commit, previous))
    if append.supersedes is not None:
        connection.execute(_TAKE_OUT_BEFORE, (action_id, version))
    if append.view is not None:
        _save_view(connection, append.view)


def _damaged(action_id: str | int) -> CorruptEvent:
    return CorruptEvent(f"{action_id}: a column of its commits holds a text that is not UTF-8")


def _what_follows(connection: apsw.Connection, action_id: str) -> tuple[tuple[int, ...], bytes]:
    """The versions at which the action's next commit may begin, and the hash that it has to bear."""
    try:
        tail: list[Any] = connection.execute(_TAIL, (action_id,)).fetchall()
    except UnicodeDecodeError as error:
        raise _damaged(action_id) from error
    if not tail:
        return (0, 1), NOTHING
    next_version, version, at, previous, body = tail[0]
    try:
        return (next_version,), hash_of(record_of(action_id, version, at, previous, body))
    except (AttributeError, TypeError) as error:
        raise CorruptEvent(f"{action_id}: the commit at version {version} is none") from error
