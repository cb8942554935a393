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
from typing import Any, NoReturn, TypeAlias
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

from adapters.group_commit import Batch, GroupCommit
from adapters.sqlite_commit import CommitRow, events_in, row_of
from adapters.sqlite_file import Addition, Schema, SQLiteFile
from domain.errors import ConfigurationError
from domain.instant import from_text, to_text
from domain.priority import Place, Priority
from projections.view import ActionView

ViewRow: TypeAlias = tuple[str, int, str, str, str | None, str, str, str | None, str]

LOCK_TIMEOUT_S = 10.0
"""How long a caller waits while other processes write."""

_LINE_INDEX = "CREATE INDEX IF NOT EXISTS actions_in_line ON actions (priority, due_at) WHERE due_at IS NOT NULL;"

_SCHEMA = Schema(
    application_id=int.from_bytes(b"ExAg"),
    version=1,
    sql=f"""
    CREATE TABLE IF NOT EXISTS commits (
        action_id TEXT, version INTEGER, events BLOB NOT NULL, last TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (action_id, version)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS actions (
        action_id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, action_type TEXT NOT NULL,
        due_at TEXT, born TEXT NOT NULL, updated TEXT NOT NULL, holder TEXT, priority TEXT NOT NULL DEFAULT 'normal'
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS gates (target TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    {_LINE_INDEX}
    CREATE INDEX IF NOT EXISTS actions_by_birth ON actions (born);
    CREATE INDEX IF NOT EXISTS actions_by_status ON actions (status, born);
    """,
    # What waits in such a file is normal until its next commit says otherwise.
    additions=(
        Addition(
            is_there="SELECT 1 FROM pragma_table_info('actions') WHERE name = 'priority'",
            sql=f"ALTER TABLE actions ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal'; {_LINE_INDEX}",
        ),
    ),
)

# A commit's `events` begin with their number, and CAST reads just that.
_NEXT_VERSION = """
SELECT version + CAST(events AS INTEGER) FROM commits WHERE action_id = ? ORDER BY version DESC LIMIT 1"""
_INSERT_COMMIT = "INSERT INTO commits (action_id, version, events, last, at) VALUES (?, ?, ?, ?, ?)"
_SAVE_VIEW = """
INSERT INTO actions (action_id, version, status, action_type, due_at, born, updated, holder, priority)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (action_id) DO UPDATE
SET version = excluded.version, status = excluded.status, due_at = excluded.due_at, updated = excluded.updated,
holder = excluded.holder, priority = excluded.priority
WHERE version < excluded.version"""

_COMMITS = "SELECT version, events FROM commits WHERE action_id = ? AND version BETWEEN ? AND ?"
_COMMITS_FORWARDS = _COMMITS + " ORDER BY version LIMIT ?"
_COMMITS_BACKWARDS = _COMMITS + " ORDER BY version DESC LIMIT ?"
_COMMIT_WITH = "SELECT coalesce(max(version), 0) FROM commits WHERE action_id = ? AND version <= ?"

_DUE = "SELECT action_id, due_at FROM actions WHERE priority = ? AND due_at <= ? ORDER BY due_at, action_id LIMIT ?"
_VIEWS = "SELECT action_id, version, status, action_type, due_at, born, updated, holder, priority FROM actions"
_IN_STATUS = " WHERE status = ?"
_NEWEST_FIRST = " ORDER BY born DESC, action_id DESC LIMIT ?"
_OLDEST_FIRST = " ORDER BY born, action_id LIMIT ?"

_LAST_VERSION = 2**63 - 1
_NO_LIMIT = -1


class SQLiteRecorder(AggregateRecorder):
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
        if not stored_events:
            return
        commit = row_of(stored_events, at if at is not None else datetime.now(UTC))
        if view is not None and view.action_id != commit[0]:
            raise ProgrammingError(f"{commit[0]}: its view cannot be that of {view.action_id}")
        self._share(_Append(commit, None if view is None else _row_of_view(view)))

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
        for version, packed in self._read(statement, (action_id, begin, last, enough)):
            events = events_in(packed, originator_id, version)
            found += reversed(events) if desc else events
        return [event for event in found if first <= event.originator_version <= last][:limit]

    def line(self, now: datetime, limit: int) -> list[Place]:
        """What must be looked at by `now`, first in line first."""
        line = sorted(
            Place.of(action_id, from_text(due_at), priority)
            for priority in Priority
            for action_id, due_at in self._read(_DUE, (priority.value, to_text(now), limit))
        )
        return line[:limit]

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> list[ActionView]:
        """The rows of a status, or all, newest first or oldest first."""
        chosen, values = (_VIEWS, ()) if status is None else (_VIEWS + _IN_STATUS, (status,))
        order = _OLDEST_FIRST if oldest_first else _NEWEST_FIRST
        return [_view_of(row) for row in self._read(chosen + order, (*values, limit))]

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
    refusal: Exception | None = None


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
    tail = connection.execute(_NEXT_VERSION, (action_id,)).fetchall()
    expected = tail[0] if tail else (0, 1)
    if version not in expected:
        raise IntegrityError(f"{action_id}: version {expected[-1]} comes next, not {version}")
    connection.execute(_INSERT_COMMIT, append.commit)
    if append.view is not None:
        connection.execute(_SAVE_VIEW, append.view)


def _row_of_view(view: ActionView) -> ViewRow:
    due_at = None if view.due_at is None else to_text(view.due_at)
    return (
        view.action_id,
        view.version,
        view.status,
        view.action_type,
        due_at,
        to_text(view.born),
        to_text(view.updated),
        view.holder,
        view.priority.value,
    )


def _view_of(row: ViewRow) -> ActionView:
    action_id, version, status, action_type, due_at, born, updated, holder, priority = row
    return ActionView(
        action_id=action_id,
        version=version,
        status=status,
        action_type=action_type,
        due_at=None if due_at is None else from_text(due_at),
        born=from_text(born),
        updated=from_text(updated),
        holder=holder,
        priority=Priority.of(priority),
    )
