"""The floor: what anybody would write who keeps the same promise for one kind of action, with no library of ours.

The same four events and a status row, in two synced transactions, with the same POST between them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import apsw

_SCHEMA = """
    CREATE TABLE events(action_id TEXT, version INTEGER, type TEXT, state BLOB, PRIMARY KEY (action_id, version))
        WITHOUT ROWID;
    CREATE TABLE status(action_id TEXT PRIMARY KEY, status TEXT, due_at TEXT, updated TEXT) WITHOUT ROWID;
"""
_ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?)"
_SET_STATUS = "INSERT OR REPLACE INTO status VALUES (?, ?, ?, ?)"

_Event = tuple[int, str, Mapping[str, Any]]


class Floor:
    """One connection and a lock: with 8 and with 32 callers the faster way; one connection a thread starves some."""

    def __init__(self, path: Path, post: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._post = post
        self._lock = Lock()
        self._connection = apsw.Connection(str(path))
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        self._connection.execute(_SCHEMA)

    def carry_out(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Intent, effect, outcome."""
        action_id = f"act_{uuid4().hex}"
        at = datetime.now(UTC).isoformat()
        fingerprint = hashlib.sha256(_json(request)).hexdigest()
        intent: list[_Event] = [
            (
                1,
                "requested",
                {"at": at, "request": request, "fingerprint": fingerprint, "effect_key": f"{action_id}-r0"},
            ),
            (2, "validated", {"at": at}),
            (3, "attempted", {"at": at, "attempt": 1, "lease_until": at, "delivery": "at_most_once"}),
        ]
        self._commit(action_id, intent, status="attempted", due_at=at, at=at)
        answer = self._post(request["parameters"])
        at = datetime.now(UTC).isoformat()
        outcome: list[_Event] = [(4, "succeeded", {"at": at, "epoch": 3, "result": answer})]
        self._commit(action_id, outcome, status="succeeded", due_at=None, at=at)
        return {"action_id": action_id, "status": "succeeded", "result": answer}

    def _commit(self, action_id: str, events: Sequence[_Event], *, status: str, due_at: str | None, at: str) -> None:
        rows = [(action_id, version, kind, _json(state)) for version, kind, state in events]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_ADD_EVENT, rows)
            self._connection.execute(_SET_STATUS, (action_id, status, due_at, at))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
