"""One SQLite file: how it is opened, who may use its connections, and what its errors mean.

Whoever uses a connection holds its session's lock. One session writes and a few read, so that the writer never blocks a
reader (WAL). `:memory:` has one session for both.

SQLite keeps its file locks in a table of the process. A forked child inherits the table, but not the locks: merely
opening the file again, it would hold none, and lose what it writes once its parent closes the file. So a fork waits
until no session is in use, and the child closes every connection it inherited (which gives up nothing of its parent's)
before it opens its own. One that is not a session's, to the same file, would undo this.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, get_native_id
from weakref import WeakSet

import apsw
from eventsourcing.persistence import OperationalError

_MEMORY = ":memory:"
_READERS = 4
_POLL_S = 0.001
_ADVICE: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.CantOpenError, "check that its directory exists and may be written"),
    (apsw.ReadOnlyError, "give this user write permission on the file and its directory"),
    (apsw.PermissionsError, "give this user write permission on the file and its directory"),
    (apsw.FullError, "free some space on its disk"),
    (apsw.NotADBError, "choose another path, or move that file away"),
    (apsw.CorruptError, "stop writing to it and restore it from a backup"),
    (apsw.BusyError, "another process keeps it locked: find out which, and let it finish"),
    (apsw.ConnectionClosedError, "it was closed: open it again"),
)
_OTHER_ADVICE = "check its disk and its permissions"


@dataclass(frozen=True, slots=True)
class Schema:
    """The SQL that fills an empty file (IF NOT EXISTS: two processes may), and the two numbers written into it.

    A file with another `application_id` belongs to another program; one with a higher `version` to a later release.
    `additions` are what files of earlier releases lack. As those releases go on working with a file to which something
    was added, its version stays.
    """

    sql: str
    application_id: int
    version: int
    additions: tuple[Addition, ...] = ()


@dataclass(frozen=True, slots=True)
class Addition:
    """The question that has an answer where it is there already, and the SQL that adds it."""

    is_there: str
    sql: str


class Session:
    """A connection, opened when it is first needed, and the lock that its user holds."""

    __slots__ = ("__weakref__", "_connect", "_connection", "lock")

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self.lock = Lock()
        self._connect = connect
        self._connection: apsw.Connection | None = None
        _SESSIONS.add(self)

    def connection(self) -> apsw.Connection:
        """Raises apsw.Error or OperationalError when the file cannot be opened."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def roll_back(self) -> None:
        """Ends an open transaction, and keeps nothing of it."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Waits for the session's user; there will be no other."""
        with self.lock:
            self._connect = _refuse_to_connect
            self._disconnect()

    def begin_anew_in_child(self) -> None:
        """What is in memory is the child's own copy by now; a file is opened again by the next user."""
        if self._connection is not None and self._connection.filename:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class SQLiteFile:
    """A file of ours, created with its directories where there is none.

    `lock_timeout_s` says how long to wait, by `sleep`, while another process writes. Raises OperationalError when the
    file cannot be opened, or is not one of ours.
    """

    def __init__(self, path: str, schema: Schema, *, lock_timeout_s: float, sleep: Callable[[float], None]) -> None:
        self._in_memory = path == _MEMORY
        self.path = path if self._in_memory else str(Path(path).absolute())
        self._schema = schema
        self._lock_timeout_s = lock_timeout_s
        self._sleep = sleep
        self.writer = Session(self._connect_for_writing)
        self._readers = [self.writer]
        if not self._in_memory:
            self._readers = [Session(self._connect_for_reading) for _ in range(_READERS)]
        self._open_now()

    @property
    def reader(self) -> Session:
        """The session in which the calling thread reads."""
        return self._readers[get_native_id() % len(self._readers)]

    def close(self) -> None:
        """Closes every connection, each after its user."""
        for session in self._readers:
            session.close()
        self.writer.close()  # last: only a connection that may write can tidy the WAL away

    def unavailable(self, error: apsw.Error) -> OperationalError:
        """What to raise instead: one line that names the file, quotes SQLite and says what to do."""
        advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), _OTHER_ADVICE)
        return self._refused(str(error), advice)

    def _open_now(self) -> None:
        with self.writer.lock:
            try:
                self.writer.connection()
            except apsw.Error as error:
                raise self.unavailable(error) from error

    def _connect_for_writing(self) -> apsw.Connection:
        if not self._in_memory:
            self._make_directory()
        connection = self._connect(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        self._check_identity(connection)
        self._make_durable(connection)
        self._fill_if_empty(connection)
        self._add_what_is_missing(connection)
        return connection

    def _connect_for_reading(self) -> apsw.Connection:
        return self._connect(apsw.SQLITE_OPEN_READONLY)

    def _connect(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(self.path, flags)
        connection.set_busy_handler(self._wait_for_lock)
        return connection

    def _wait_for_lock(self, polls: int) -> bool:
        """SQLite's own waiting doubles its pauses, and starves one process beside busy ones; this one is even."""
        self._sleep(_POLL_S)
        return polls * _POLL_S < self._lock_timeout_s

    def _make_directory(self) -> None:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(f"{error.strerror}: {error.filename}", "choose a path that can be written") from error

    def _check_identity(self, connection: apsw.Connection) -> None:
        if _is_empty(connection):
            return
        if connection.pragma("application_id") != self._schema.application_id:
            raise self._refused("it belongs to another program", "choose another path")
        found = connection.pragma("user_version")
        if found > self._schema.version:
            newer = f"its schema is version {found}, this program knows {self._schema.version}"
            raise self._refused(newer, "use a newer release of this program")

    def _make_durable(self, connection: apsw.Connection) -> None:
        polls = 0
        while True:
            try:
                connection.pragma("journal_mode", "wal")
                break
            except apsw.BusyError:
                # Another process creates the file at this moment; here SQLite does not ask the busy handler.
                if not self._wait_for_lock(polls):
                    raise
                polls += 1
        connection.pragma("synchronous", "full")
        connection.pragma("fullfsync", True)  # on macOS, fsync alone leaves the data in the drive's cache

    def _fill_if_empty(self, connection: apsw.Connection) -> None:
        if _is_empty(connection):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(self._schema.sql)
            connection.pragma("application_id", self._schema.application_id)
            connection.pragma("user_version", self._schema.version)
            connection.execute("COMMIT")

    def _add_what_is_missing(self, connection: apsw.Connection) -> None:
        if not self._missing(connection):
            return
        connection.execute("BEGIN IMMEDIATE")
        # Looked for again: another process may have added it meanwhile.
        for addition in self._missing(connection):
            connection.execute(addition.sql)
        connection.execute("COMMIT")

    def _missing(self, connection: apsw.Connection) -> list[Addition]:
        return [addition for addition in self._schema.additions if not connection.execute(addition.is_there).fetchall()]

    def _refused(self, reason: str, advice: str) -> OperationalError:
        return OperationalError(f"The ledger {self.path} cannot be used ({reason}): {advice}.")


def _is_empty(connection: apsw.Connection) -> bool:
    return not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()


def _refuse_to_connect() -> apsw.Connection:
    raise apsw.ConnectionClosedError("closed")


def _hold_all() -> None:
    sessions = list(_SESSIONS)
    for session in sessions:
        session.lock.acquire()
    _held_for_fork.extend(sessions)


def _let_go_of_all() -> None:
    while _held_for_fork:
        _held_for_fork.pop().lock.release()


def _begin_anew_in_child() -> None:
    for session in _held_for_fork:
        session.begin_anew_in_child()
    _let_go_of_all()


_SESSIONS: WeakSet[Session] = WeakSet()
_held_for_fork: list[Session] = []
os.register_at_fork(before=_hold_all, after_in_parent=_let_go_of_all, after_in_child=_begin_anew_in_child)
