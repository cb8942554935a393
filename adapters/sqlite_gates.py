"""Gates in the ledger's SQLite file: shared by all processes that use it.

A gate spares a target and keeps nothing safe, so its commits are not synced to disk (WAL, synchronous=NORMAL), a target
that is well has no row, and a file that cannot be used leaves every gate open.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from threading import Lock

import apsw

from domain.gate import OPEN_ROAD, Entry, GateState, Health, Limits, Pass, as_document, enter, leave, state_of

log = logging.getLogger("execution_agent.gates")

LOCK_TIMEOUT_MS = 1_000
"""How long to wait for another writer. A gate is not worth more."""

_READ = "SELECT state FROM gates WHERE target = ?"
_WRITE = "INSERT INTO gates (target, state) VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET state = excluded.state"
_FORGET = "DELETE FROM gates WHERE target = ?"


class SQLiteGates:
    """The port `domain.ports.Gates`. The file and its table belong to `adapters.sqlite_events`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._troubled: set[str] = set()
        self._pid = 0
        self._lock = Lock()
        self._connection: apsw.Connection | None = None

    def enter(
        self, target: str, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None
    ) -> Entry:
        said: list[Entry] = [Pass(token)]

        def change(state: GateState) -> GateState:
            state, said[0] = enter(state, limits, token, now=now, lease_until=lease_until, turn=turn)
            return state

        self._change(target, change)
        return said[0]

    def leave(
        self, target: str, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None
    ) -> None:
        if health in (Health.HEALTHY, Health.NO_ANSWER) and limits.are_none and target not in self._troubled:
            return  # as `enter` has just read
        self._change(target, lambda state: leave(state, limits, token, health, now=now, retry_after=retry_after))

    def _change(self, target: str, change: Callable[[GateState], GateState]) -> None:
        if self._pid != os.getpid():
            self._forget_connection()
        try:
            with self._lock:
                self._read_and_change(target, change)
        except apsw.Error as error:
            log.warning("the gates in %s cannot be used and stand open: %s", self._path, error)

    def _read_and_change(self, target: str, change: Callable[[GateState], GateState]) -> None:
        connection = self._connected()
        state = _state_in(connection, target)
        if state is OPEN_ROAD:
            self._troubled.discard(target)
        else:
            self._troubled.add(target)
        if change(state) == state:
            return  # the usual case: a target that is well costs one read
        connection.execute("BEGIN IMMEDIATE")
        try:
            state = change(_state_in(connection, target))
            if state == OPEN_ROAD:
                connection.execute(_FORGET, (target,))
            else:
                connection.execute(_WRITE, (target, json.dumps(as_document(state))))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            connection = apsw.Connection(self._path, apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(LOCK_TIMEOUT_MS)
            connection.pragma("synchronous", "normal")
            self._connection = connection
        return self._connection

    def _forget_connection(self) -> None:
        """In a forked child, lock and connection belong to the parent."""
        self._pid = os.getpid()
        self._lock = Lock()
        self._connection = None


def _state_in(connection: apsw.Connection, target: str) -> GateState:
    row = connection.execute(_READ, (target,)).fetchone()
    return OPEN_ROAD if row is None else state_of(json.loads(row[0]))
