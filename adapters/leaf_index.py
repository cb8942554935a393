"""Leaves by action, more of them than fit into memory: in a file of SQLite that is thrown away.

By Python's own module, which functions have, too: one connection writes, and what a crash leaves is of no use.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from domain.checkpoint import Leaf, Listed

MEMORY_KIB = 65_536
"""Of pages that are kept in memory."""

_SCHEMA = """
CREATE TABLE leaves (
    action_id TEXT, version INTEGER, number INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL,
    chained INTEGER NOT NULL, PRIMARY KEY (action_id, version)
) WITHOUT ROWID;
CREATE TABLE noted (action_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ADD = "INSERT OR IGNORE INTO leaves VALUES (?, ?, ?, ?, ?, ?)"
_LEAVES = "SELECT place, number, action_id, version, hash, chained FROM leaves"
_IN_ORDER = "ORDER BY action_id, version"


class TemporaryLeafIndex:
    """One such file. `path` is where it is, for others to read it beside this one."""

    def __init__(self, path: Path, *, for_reading: bool = False) -> None:
        self.path = path
        uri = f"{path.as_uri()}?mode={'ro' if for_reading else 'rwc'}"
        # Transactions begin where it is said.
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        self._connection.execute(f"PRAGMA cache_size = -{MEMORY_KIB}")
        self.size = 0
        """How many leaves were put into it."""
        if not for_reading:
            # Who needs it again after a crash makes a new one.
            self._connection.execute("PRAGMA journal_mode = memory")
            self._connection.execute("PRAGMA synchronous = off")
            self._connection.executescript(_SCHEMA)

    def add(self, number: int, leaves: Iterable[Leaf]) -> list[Leaf]:
        """All or, where iterating raises, none. Those are left out and returned that are in the index already."""
        left_out: list[Leaf] = []
        before = self.size
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany(_ADD, self._rows(number, leaves, left_out))
        except BaseException:
            self._connection.execute("ROLLBACK")
            self.size = before
            raise
        self._connection.execute("COMMIT")
        return left_out

    def _rows(self, number: int, leaves: Iterable[Leaf], left_out: list[Leaf]) -> Iterator[tuple[Any, ...]]:
        changes = self._connection.total_changes
        for leaf in leaves:
            yield leaf.action_id, leaf.version, number, self.size, leaf.hash, leaf.chained
            # By now it was put, or ignored.
            if (changed := self._connection.total_changes) == changes:
                left_out.append(leaf)
            else:
                self.size += 1
            changes = changed

    def of(self, action_id: str) -> list[Listed]:
        """In the order of versions."""
        rows: list[Any] = self._connection.execute(
            f"{_LEAVES} WHERE action_id = ? {_IN_ORDER}", (action_id,)
        ).fetchall()
        return [_listed(row) for row in rows]

    def of_number(self, number: int) -> Iterator[Leaf]:
        """Those of a checkpoint, in the order of its tree."""
        for row in self._connection.execute(f"{_LEAVES} WHERE number = ? {_IN_ORDER}", (number,)):
            yield _listed(row).leaf

    def all(self) -> Iterator[Listed]:
        """In the order of action id and version."""
        for row in self._connection.execute(f"{_LEAVES} {_IN_ORDER}"):
            yield _listed(row)

    def actions(self, above: int) -> Iterator[str]:
        """The ids of the actions that checkpoints above a number have leaves of, each once."""
        rows = self._connection.execute("SELECT action_id FROM leaves WHERE number > ? ORDER BY action_id", (above,))
        for action_id, _ in groupby(rows, itemgetter(0)):
            yield str(action_id)

    def note(self, action_id: str) -> bool:
        """Whether this id was not noted before."""
        return self._connection.execute("INSERT OR IGNORE INTO noted VALUES (?)", (action_id,)).rowcount == 1

    def close(self) -> None:
        self._connection.close()


@contextmanager
def temporary_leaf_index() -> Iterator[TemporaryLeafIndex]:
    """An empty one."""
    with TemporaryDirectory(prefix="execution-agent-") as folder:
        index = TemporaryLeafIndex(Path(folder) / "leaves")
        try:
            yield index
        finally:
            index.close()


def _listed(row: Any) -> Listed:
    place, number, action_id, version, digest, chained = row
    return Listed(place, number, Leaf(action_id, version, digest, bool(chained)))
