"""Gates in the ledger's SQLite file: shared by all processes that use it.

A gate spares a target and keeps nothing safe, so its commits are not synced to disk (WAL, synchronous=NORMAL), a target
that is well has no row, and a file that cannot be used leaves every gate open.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import apsw

from adapters.sqlite_file import Session
from domain.gate import OPEN_ROAD, Entry, GateState, Health, Limits, Pass, as_document, enter, leave, state_of

log = logging.getLogger("execution_agent.gates")

LOCK_TIMEOUT_MS = 1_000
"""How long to wait for another writer. A gate is not worth more."""

FRESH = 0.25
"""Seconds for which a target that was seen to be well is taken to be so: what others learn comes so much later."""

_READ = "SELECT state FROM gates WHERE target = ?"
_WRITE = "INSERT INTO gates (target, state) VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET state = excluded.state"
_FORGET = "DELETE FROM gates WHERE target = ?"


class SQLiteGates:
    """The port `domain.ports.Gates`. The file and its table belong to `adapters.sqlite_events`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._troubled: set[str] = set()
        self._well: dict[str, float] = {}
        """When each target was last seen to be well."""
        # A session of the ledger's file: it knows what to do when the process forks.
        self._session = Session(self._connect)

    def enter(
        self, target: str, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None
    ) -> Entry:
        if limits.are_none and 0 <= now - self._well.get(target, -FRESH) < FRESH:
            return Pass(token)
        said: list[Entry] = [Pass(token)]

        def change(state: GateState) -> GateState:
            state, said[0] = enter(state, limits, token, now=now, lease_until=lease_until, turn=turn)
            if state is OPEN_ROAD:
                self._well[target] = now
            return state

        self._change(target, change)
        return said[0]

    def leave(
        self, target: str, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None
    ) -> None:
        if health in (Health.HEALTHY, Health.NO_ANSWER) and limits.are_none and target not in self._troubled:
            return  # as `enter` has just read
        self._well.pop(target, None)
        self._change(target, lambda state: leave(state, limits, token, health, now=now, retry_after=retry_after))

    def _change(self, target: str, change: Callable[[GateState], GateState]) -> None:
        try:
            with self._session.lock:
                self._read_and_change(self._session.connection(), target, change)
        except apsw.Error as error:
            log.warning("the gates in %s cannot be used and stand open: %s", self._path, error)

    def _read_and_change(
        self, connection: apsw.Connection, target: str, change: Callable[[GateState], GateState]
    ) -> None:
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

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(self._path, apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(LOCK_TIMEOUT_MS)
        connection.pragma("synchronous", "normal")
        return connection


def _state_in(connection: apsw.Connection, target: str) -> GateState:
    row = connection.execute(_READ, (target,)).fetchone()
    return OPEN_ROAD if row is None else state_of(json.loads(row[0]))
