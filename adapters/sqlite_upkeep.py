"""How the rows of actions in a SQLite file stand to its commits, and how they are made anew (`projections.rebuild`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import apsw

from adapters.sqlite_file import SQLiteFile
from adapters.sqlite_rebuild import SQLiteRebuild, is_under_way, reading, writing
from adapters.sqlite_views import UNREADABLE, row_of_view, saving
from domain.instant import from_text
from domain.journal import Journal, Span
from projections.rebuild import Standing
from projections.view import ActionView

_EXTENT = "SELECT count(*) FROM actions WHERE born >= ? AND born < ?"
_FIRST, _LAST = "", "~"
"""Before and behind every time that is written as text, and the last behind every one of a day that it follows."""

# A commit's `events` begin with their number, and CAST reads just that.
_BEHIND = """
SELECT count(*), CAST(min(c.at) AS BLOB), count(DISTINCT CASE WHEN a.version IS NULL THEN c.action_id END)
FROM commits AS c LEFT JOIN actions AS a ON a.action_id = c.action_id
WHERE a.version IS NULL OR c.version + CAST(c.events AS INTEGER) - 1 > a.version"""
_BEYOND = f"""
SELECT count(*), total(last IS NULL), total(version > last), total(NOT searchable), total(unreadable) FROM (
    SELECT a.version, a.searchable, ({UNREADABLE}) AS unreadable, (
        SELECT c.version + CAST(c.events AS INTEGER) - 1 FROM commits AS c
        WHERE c.action_id = a.action_id ORDER BY c.version DESC LIMIT 1
    ) AS last FROM actions AS a
)"""  # noqa: S608 - names of ours

# A row gives way to newer ones alone: here it is to give way to the same as well, and where it says no version.
_MAKE_ROOM = "DELETE FROM actions WHERE action_id = ? AND (version <= ? OR typeof(version) <> 'integer')"
_save_row = saving()


class SQLiteUpkeep:
    """`projections.rebuild.Upkeep`."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    def extent(self, span: Span) -> int | None:
        """By the rows."""
        first = _FIRST if span.since is None else span.since.isoformat()
        last = _LAST if span.until is None else span.until.isoformat() + _LAST
        count: int = reading(self._file, lambda connection: connection.execute(_EXTENT, (first, last)).get)
        return count

    def standing(self, journal: Journal, now: datetime) -> Standing:  # noqa: ARG002 - the file itself can tell
        """Of all that there is, as of one moment. It looks at the key of every commit."""
        (behind, oldest, missing), (rows, stray, ahead, *unfit), rebuilt = reading(self._file, _told)
        unsearchable, unreadable = unfit
        return Standing(
            rows=int(rows),
            actions=int(rows - stray + missing),
            missing=int(missing),
            behind=int(behind),
            lag_s=_seconds_since(oldest, now) if behind else 0.0,
            stray=int(stray),
            ahead=int(ahead),
            unsearchable=int(unsearchable),
            unreadable=int(unreadable),
            is_rebuilt=rebuilt,
        )

    def rebuild(self, journal: Journal) -> SQLiteRebuild:  # noqa: ARG002 - the file itself hears what is written
        """In the same file."""
        return SQLiteRebuild(self._file)

    def put(self, rows: Sequence[ActionView]) -> None:
        """In one transaction."""
        with writing(self._file) as connection:
            connection.executemany(_MAKE_ROOM, [(view.action_id, view.version) for view in rows])
            for view in rows:
                _save_row(connection, row_of_view(view))


def _told(connection: apsw.Connection) -> tuple[Any, Any, bool]:
    (behind,) = connection.execute(_BEHIND).fetchall()
    (beyond,) = connection.execute(_BEYOND).fetchall()
    return behind, beyond, is_under_way(connection)


def _seconds_since(moment: bytes, now: datetime) -> float:
    """A time that cannot be read tells no lag; that its commit is behind is told all the same."""
    try:
        return max(0.0, (now - from_text(moment.decode())).total_seconds())
    except (ValueError, TypeError):
        return 0.0
