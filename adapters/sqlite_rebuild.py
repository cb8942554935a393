"""Rows of actions made anew in the ledger's own file, while others write to it (`projections.rebuild.Rebuild`).

    actions           what lists and the agenda are read from, written in the transaction of each commit
    actions_anew      the same columns and indexes: what is made
    rebuild_places    how far each part was read
    rebuild_findings  what is wrong with actions, whose rows stay as they are
    rebuild_heard     actions that a commit was written of meanwhile, by whomever

A trigger writes `rebuild_heard`, in the writer's own transaction, so it misses nobody: not another process, not an
earlier release. Whoever is named there is looked at again, under the one lock of writers, so nothing is told late. The
switch does this for the last of them, and in the same transaction drops `actions` and gives its name to the new table.
Prepared statements of other connections are prepared again by SQLite itself, which notices the change.

Indexes keep their names when their table is renamed, and names are unique. So those of the new table end in `_2` where
the old ones do not, and the other way round the next time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import apsw

from adapters.sqlite_file import SQLiteFile
from adapters.sqlite_views import TABLE, row_of_view, saving
from projections.rebuild import Anew, Comparison, Look
from projections.replay import Finding, Place

ANEW = "actions_anew"
BATCH = 200
"""Actions that are looked at under the lock of writers in one go, which takes some tens of milliseconds."""
OTHER = "_2"

_CREATE = """
CREATE TABLE rebuild_places (part INTEGER PRIMARY KEY, after TEXT, is_over INTEGER NOT NULL);
CREATE TABLE rebuild_findings (action_id TEXT PRIMARY KEY, version INTEGER NOT NULL, problem TEXT NOT NULL);
CREATE TABLE rebuild_heard (action_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER rebuild_hears AFTER INSERT ON commits BEGIN
    INSERT OR IGNORE INTO rebuild_heard (action_id) VALUES (NEW.action_id);
END;
"""
_FORGET = """
DROP TRIGGER IF EXISTS rebuild_hears;
DROP TABLE IF EXISTS rebuild_heard;
DROP TABLE IF EXISTS rebuild_findings;
DROP TABLE IF EXISTS rebuild_places;
"""
_SWITCH = _FORGET + "DROP TABLE actions; ALTER TABLE actions_anew RENAME TO actions;"
_ABANDON = _FORGET + "DROP TABLE IF EXISTS actions_anew;"

_save_row = saving(ANEW)
_STAYS = "INSERT OR REPLACE INTO actions_anew SELECT * FROM actions WHERE action_id = ?"
_IS_WELL = "DELETE FROM rebuild_findings WHERE action_id = ?"
_FOUND = "INSERT OR REPLACE INTO rebuild_findings (action_id, version, problem) VALUES (?, ?, ?)"
_FINDINGS = "SELECT action_id, version, problem FROM rebuild_findings ORDER BY action_id"
_KEEP_PLACE = "INSERT OR REPLACE INTO rebuild_places (part, after, is_over) VALUES (?, ?, ?)"
_COLUMNS = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
_SHAPE = "SELECT name, type, [notnull], dflt_value, pk FROM pragma_table_info(?) ORDER BY cid"
_DEFINITION = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?"
_INDEXES = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY name"
_STRAY = """
SELECT count(*) FROM actions WHERE action_id NOT IN (SELECT action_id FROM actions_anew)
AND action_id NOT IN (SELECT action_id FROM rebuild_heard)"""


class SQLiteRebuild:
    """Every method raises OperationalError when the file cannot be read or written."""

    def __init__(self, file: SQLiteFile, *, batch: int = BATCH) -> None:
        self._file = file
        self._batch = batch

    def begin(self) -> Mapping[int, Place]:
        """What an interrupted rebuild made is kept, as long as the rows have the same columns and indexes."""
        with writing(self._file) as connection:
            if not _goes_on(connection):
                connection.execute(_ABANDON)
                connection.execute(_CREATE)
                for definition in _definitions(connection):
                    connection.execute(definition)
            places = _all(connection, "SELECT part, after, is_over FROM rebuild_places")
        return {part: Place(after, bool(is_over)) for part, after, is_over in places}

    def keep(self, part: int, place: Place, anew: Anew) -> None:
        """In one transaction."""
        with writing(self._file) as connection:
            _save(connection, anew)
            connection.execute(_KEEP_PLACE, (part, place.after, place.is_over))

    def catch_up(self, look: Look) -> int:
        """Of the first of them; nobody writes meanwhile."""
        with writing(self._file) as connection:
            return self._take_in(connection, look)

    def findings(self) -> Sequence[Finding]:
        """Also those of a process that was interrupted."""
        return [Finding(*row) for row in reading(self._file, lambda connection: _all(connection, _FINDINGS))]

    def compare(self) -> Comparison:
        """As of one moment. Left out is who waits to be looked at again."""
        return reading(self._file, _comparison)

    def switch(self, look: Look) -> None:
        """In one transaction. What was there before is gone with it."""
        with writing(self._file) as connection:
            while self._take_in(connection, look):
                pass
            connection.execute(_SWITCH)

    def abandon(self) -> None:
        """Also the trigger, so that writers write no more than they need."""
        with writing(self._file) as connection:
            connection.execute(_ABANDON)

    def _take_in(self, connection: apsw.Connection, look: Look) -> int:
        heard = _all(connection, "SELECT action_id FROM rebuild_heard ORDER BY action_id LIMIT ?", self._batch)
        _save(connection, look([action_id for (action_id,) in heard]))
        connection.executemany("DELETE FROM rebuild_heard WHERE action_id = ?", heard)
        ((left,),) = _all(connection, "SELECT count(*) FROM rebuild_heard")
        return int(left)


@contextmanager
def writing(file: SQLiteFile) -> Iterator[apsw.Connection]:
    """A transaction, and nobody else writes meanwhile. Raises OperationalError when the file cannot be written."""
    session = file.writer
    with session.lock:
        try:
            session.roll_back()  # what an interrupted caller may have left
            connection = session.connection()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except apsw.Error as error:
            raise file.unavailable(error) from error
        finally:
            session.roll_back()


T = TypeVar("T")


def reading(file: SQLiteFile, ask: Callable[[apsw.Connection], T]) -> T:
    """Several questions, answered as of one moment. Raises OperationalError when the file cannot be read."""
    session = file.reader
    with session.lock:
        try:
            connection = session.connection()
            connection.execute("BEGIN")
            return ask(connection)
        except apsw.Error as error:
            raise file.unavailable(error) from error
        finally:
            session.roll_back()


def is_under_way(connection: apsw.Connection) -> bool:
    """Whether there is a table that is made, or was."""
    return bool(_all(connection, _DEFINITION, ANEW))


def _goes_on(connection: apsw.Connection) -> bool:
    """A release that came meanwhile may have added a column, or an index."""
    if not is_under_way(connection) or _all(connection, _SHAPE, TABLE) != _all(connection, _SHAPE, ANEW):
        return False
    return len(_all(connection, _INDEXES, TABLE)) == len(_all(connection, _INDEXES, ANEW))


def _definitions(connection: apsw.Connection) -> Iterator[str]:
    """Of the new table and its indexes, as those are that it replaces."""
    ((table,),) = _all(connection, _DEFINITION, TABLE)
    yield re.sub(rf'^CREATE TABLE "?{TABLE}"?', f"CREATE TABLE {ANEW}", table)
    for name, index in _all(connection, _INDEXES, TABLE):
        other = name.removesuffix(OTHER) if name.endswith(OTHER) else name + OTHER
        yield re.sub(rf'^(CREATE (?:UNIQUE )?INDEX) "?{name}"? ON "?{TABLE}"?', rf"\1 {other} ON {ANEW}", index)


def _save(connection: apsw.Connection, anew: Anew) -> None:
    for view in anew.rows:
        _save_row(connection, row_of_view(view))
    connection.executemany(_IS_WELL, [(view.action_id,) for view in anew.rows])
    connection.executemany(_STAYS, [(finding.action_id,) for finding in anew.findings])
    connection.executemany(_FOUND, [(finding.action_id, finding.version, finding.problem) for finding in anew.findings])


def _comparison(connection: apsw.Connection) -> Comparison:
    differs = " OR ".join(f"old.[{name}] IS NOT anew.[{name}]" for (name,) in _all(connection, _COLUMNS, ANEW))
    statement = f"""
    SELECT count(*), total(old.action_id IS NULL), total(old.action_id IS NOT NULL AND ({differs}))
    FROM actions_anew AS anew LEFT JOIN actions AS old USING (action_id)
    WHERE anew.action_id NOT IN (SELECT action_id FROM rebuild_heard)"""  # noqa: S608 - the names are the table's own
    ((rows, missing, changed),) = _all(connection, statement)
    ((stray,),) = _all(connection, _STRAY)
    return Comparison(int(rows), int(missing), int(changed), int(stray))


def _all(connection: apsw.Connection, statement: str, *values: str | int) -> list[Any]:
    return connection.execute(statement, values).fetchall()
