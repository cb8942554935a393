"""The rows of actions in SQLite: how they are kept, listed, found and counted.

    actions     one row an action: where it stands, when it is due, and by what it is found (`projections.search.KEYS`)

An index of what is found by is sorted by birth, so a page of what is found is a short walk along one index, however
many actions there are. All but those of status and type hold only the rows that have such a key: what an action does
not say costs nothing.

A row that somebody damaged must not hide the others: it is left out, and named in the log.
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import apsw

from adapters.sqlite_file import Addition
from domain.instant import from_text, to_text
from domain.priority import Place, Priority
from projections.search import KEYS, Count, Page, Position, Search
from projections.view import ActionView

log = logging.getLogger("execution_agent.views")

T = TypeVar("T")
ViewRow: TypeAlias = tuple[str | int | None, ...]
"""The values of COLUMNS."""
_Place: TypeAlias = tuple[str, str]
"""Birth, as text, and id: what lists are sorted by."""

TABLE = "actions"
LOOKED_AT = 500
"""Rows that a page is looked for in, where more is asked for than one index tells."""

_FACTS = ("action_id", "version", "status", "action_type", "due_at", "born", "updated", "holder", "priority")
_FOUND_BY = tuple(key for key in KEYS if key not in _FACTS)
COLUMNS = (*_FACTS, *_FOUND_BY)

_LINE_INDEX = f"CREATE INDEX IF NOT EXISTS actions_in_line ON {TABLE} (priority, due_at) WHERE due_at IS NOT NULL;"
_SEARCH_INDEXES = "".join(
    [
        f"CREATE INDEX IF NOT EXISTS actions_by_type ON {TABLE} (action_type, born);",
        *(
            f"CREATE INDEX IF NOT EXISTS actions_by_{key} ON {TABLE} ({key}, born) WHERE {key} IS NOT NULL;"
            for key in _FOUND_BY
        ),
        f"CREATE INDEX IF NOT EXISTS actions_not_searchable ON {TABLE} (searchable) WHERE searchable = 0;",
    ]
)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    action_id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, action_type TEXT NOT NULL,
    due_at TEXT, born TEXT NOT NULL, updated TEXT NOT NULL, holder TEXT, priority TEXT NOT NULL DEFAULT 'normal',
    {", ".join(f"{key} TEXT" for key in _FOUND_BY)}, searchable INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
{_LINE_INDEX}
CREATE INDEX IF NOT EXISTS actions_by_birth ON {TABLE} (born);
CREATE INDEX IF NOT EXISTS actions_by_status ON {TABLE} (status, born);
{_SEARCH_INDEXES}
"""
"""What an empty file is filled with."""

ADDITIONS = (
    # What waits in such a file is normal until its next commit says otherwise.
    Addition(
        is_there="SELECT 1 FROM pragma_table_info('actions') WHERE name = 'priority'",
        sql=f"ALTER TABLE {TABLE} ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal'; {_LINE_INDEX}",
    ),
    # Such a row is found by its status and type only, until its next commit, or until the rows are made anew.
    Addition(
        is_there="SELECT 1 FROM pragma_table_info('actions') WHERE name = 'searchable'",
        sql="".join(f"ALTER TABLE {TABLE} ADD COLUMN {key} TEXT;" for key in _FOUND_BY)
        + f"ALTER TABLE {TABLE} ADD COLUMN searchable INTEGER NOT NULL DEFAULT 0; {_SEARCH_INDEXES}",
    ),
)
"""What files of earlier releases lack."""

_MOVES_ON = ("version", "status", "due_at", "updated", "holder", "priority")

_DUE = " FROM actions WHERE priority = ? AND due_at <= ? ORDER BY due_at, action_id"
_VIEWS = " FROM actions"
_IN_STATUS = " WHERE status = ?"
_NEWEST_FIRST = " ORDER BY born DESC, action_id DESC"
_OLDEST_FIRST = " ORDER BY born, action_id"
_SO_MANY = " LIMIT ? OFFSET ?"
_PLACES = "SELECT born, action_id FROM actions"
_WITHIN = "born >= ? AND (born, action_id) >= (?, ?) AND (born, action_id) < (?, ?)"
_COUNTED = ("substr(born, 1, 13)", "status", "action_type", "count(*)")
_COUNTS = " FROM actions"
_BORN_THEN = " WHERE born >= ? AND born < ?"
_IN_GROUPS = " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
_AS_BYTES = "CASE typeof({0}) WHEN 'text' THEN CAST({0} AS BLOB) WHEN 'blob' THEN X'FF' ELSE {0} END"

_IS_NO_TIME = (
    "({0} NOT GLOB '*.[0-9][0-9][0-9][0-9][0-9][0-9]Z' OR strftime('%Y-%m-%dT%H:%M:%S', {0}) IS NOT substr({0}, 1, 19))"
)
UNREADABLE = " OR ".join(
    [
        "typeof(version) <> 'integer'",
        *(f"typeof({name}) <> 'text'" for name in ("action_id", "status", "action_type", "born", "updated")),
        *(f"typeof({name}) NOT IN ('text', 'null')" for name in ("due_at", "holder", *_FOUND_BY)),
        *(_IS_NO_TIME.format(name) for name in ("born", "updated")),
        f"(due_at IS NOT NULL AND {_IS_NO_TIME.format('due_at')})",
    ]
)
"""The condition of a row that is left out."""
_NOT_SEARCHABLE = "SELECT count(*) FROM actions WHERE searchable = 0"

_BEFORE_ALL, _AFTER_ALL = "", "~"
"""Texts before and after every moment's."""


def saving(table: str = TABLE) -> Callable[[apsw.Connection, ViewRow], None]:
    """How a row is saved in this table, unless a newer one is there. For whoever is in a transaction that writes."""
    values = ", ".join("?" * len(COLUMNS))
    save = f"""
    INSERT INTO {table} ({", ".join(COLUMNS)}, searchable) VALUES ({values}, 1)
    ON CONFLICT (action_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _MOVES_ON)}
    WHERE version < excluded.version"""  # noqa: S608 - names of ours
    # An index is written whenever its column is set, also to the same value. Most keys stay as they were born.
    save_keys = f"""
    UPDATE {table} SET searchable = 1, {", ".join(f"{key} = ?" for key in _FOUND_BY)}
    WHERE action_id = ? AND version = ? AND NOT (searchable AND {" AND ".join(f"{key} IS ?" for key in _FOUND_BY)})"""  # noqa: S608

    def keep(connection: apsw.Connection, row: ViewRow) -> None:
        action_id, version, keys = row[0], row[1], row[len(_FACTS) :]
        connection.execute(save, row)
        if connection.changes():
            connection.execute(save_keys, (*keys, action_id, version, *keys))

    return keep


class SQLiteViews(ABC):
    """The rows of a file: the part of its recorder that answers lists, searches and the agenda."""

    @abstractmethod
    def _read(self, statement: str, values: tuple[str | int, ...]) -> list[Any]:
        """What a question is answered, in a connection that reads. Whoever has the file says how."""

    def line(self, now: datetime, limit: int) -> list[Place]:
        """What must be looked at by `now`, first in line first."""
        line = sorted(
            Place.of(action_id, due_at, priority)
            for priority in Priority
            for action_id, due_at in self._readable(
                _due_in, ("action_id", "due_at"), _DUE, (priority.value, to_text(now)), limit
            )
        )
        return line[:limit]

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> list[ActionView]:
        """The rows of a status, or all, newest first or oldest first."""
        chosen, values = (_VIEWS, ()) if status is None else (_VIEWS + _IN_STATUS, (status,))
        order = _OLDEST_FIRST if oldest_first else _NEWEST_FIRST
        return self._readable(view_of_row, COLUMNS, chosen + order, values, limit)

    def find(self, search: Search, limit: int, after: Position | None = None) -> Page:
        """A page of what is searched for, newest first: a walk along one index.

        Of several, the one in which so many rows reach the furthest back: there are the fewest of the kind.
        """
        low: _Place = (_text(search.since, _BEFORE_ALL), "")
        high = (_text(search.until, _AFTER_ALL), "") if after is None else (to_text(after.born), after.action_id)
        lead, floor = search.lead, None
        if search.others:
            floors = {key: self._floor(key, search.keys[key], low, high) for key in search.keys}
            lead, floor = min(floors.items(), key=lambda reached: reached[1] or low)
        others = {key: value for key, value in search.keys.items() if key != lead}
        where, values = _walk(lead, search.keys.get(lead or ""), floor or low, high)
        where += "".join(f" AND +{key} = ?" for key in others)
        found = self._readable(
            view_of_row, COLUMNS, _VIEWS + where + _NEWEST_FIRST, (*values, *others.values()), limit + 1
        )
        return Page.of(found, limit, otherwise=None if floor is None else Position(from_text(floor[0]), floor[1]))

    def _floor(self, key: str, value: str, low: _Place, high: _Place) -> _Place | None:
        """The last of the rows that are looked at in this index, None where it comes to its end before.

        Where that one cannot be read, it is None, too: then more are looked at, and none is missed.
        """
        where, values = _walk(key, value, low, high)
        places = self._read(_PLACES + where + _NEWEST_FIRST + _SO_MANY, (*values, 1, LOOKED_AT - 1))
        return next((place for place in places if _is_place(*place)), None)

    def _readable(
        self,
        told: Callable[[Sequence[Any]], T],
        columns: Sequence[str],
        chosen: str,
        values: tuple[str | int, ...],
        limit: int,
    ) -> list[T]:
        """The first rows that can be read, at most so many."""
        found: list[T] = []
        looked_at = 0
        while True:
            rows = self._rows(columns, chosen + _SO_MANY, (*values, limit, looked_at))
            found += _told_of(rows, told)
            if len(found) >= limit or len(rows) < limit:
                return found[:limit]
            looked_at += len(rows)

    def _rows(self, columns: Sequence[str], chosen: str, values: tuple[str | int, ...]) -> list[Any]:
        """A text that is none fails a whole answer: then that one is told in bytes."""
        try:
            return self._read(f"SELECT {', '.join(columns)}{chosen}", values)
        except UnicodeDecodeError:
            rows = self._read(f"SELECT {', '.join(map(_AS_BYTES.format, columns))}{chosen}", values)
            return [tuple(map(_text_in, row)) for row in rows]

    def counts(self, since: datetime | None, until: datetime | None) -> list[Count]:
        """How many were born in which hour, and where they stand now; by hour, status and type."""
        chosen: tuple[str, tuple[str, ...]] = ("", ())
        if since is not None or until is not None:  # the table itself is read faster than by way of an index
            chosen = (_BORN_THEN, (_text(since, _BEFORE_ALL), _text(until, _AFTER_ALL)))
        where, values = chosen
        return [Count(*row) for row in self._rows(_COUNTED, _COUNTS + where + _IN_GROUPS, values) if _is_count(*row)]

    def not_searchable(self) -> int:
        """How many rows an earlier release wrote, which did not say by what they are found."""
        ((count,),) = self._read(_NOT_SEARCHABLE, ())
        return int(count)


def _walk(key: str | None, value: str | None, low: _Place, high: _Place) -> tuple[str, tuple[str, ...]]:
    """The condition, and its values, of being in the index of a key, or of all births, from `low` and before `high`.

    Conditions on other keys bear a plus, which keeps SQLite from choosing their indexes. By its name none is chosen:
    rows that are made anew have indexes of other names.
    """
    within = (low[0], *low, *high)
    return (f" WHERE {_WITHIN}", within) if value is None else (f" WHERE {key} = ? AND {_WITHIN}", (value, *within))


def row_of_view(view: ActionView) -> ViewRow:
    """What is stored of it."""
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
        *(getattr(view, key) for key in _FOUND_BY),
    )


def view_of_row(row: Sequence[Any]) -> ActionView:
    """The view that was stored so. Raises ValueError for what nobody stored."""
    action_id, version, status, action_type, due_at, born, updated, holder, priority, *found_by = row
    if type(version) is not int:
        raise ValueError("its version is no number")
    return ActionView(
        action_id=_word(action_id),
        version=version,
        status=_word(status),
        action_type=_word(action_type),
        due_at=None if due_at is None else _moment(due_at),
        born=_moment(born),
        updated=_moment(updated),
        holder=_word_or_none(holder),
        priority=Priority.of(priority),
        **dict(zip(_FOUND_BY, map(_word_or_none, found_by), strict=True)),
    )


def _due_in(row: Sequence[Any]) -> tuple[str, datetime]:
    action_id, due_at = row
    return _word(action_id), _moment(due_at)


def _told_of(rows: Sequence[Sequence[Any]], told: Callable[[Sequence[Any]], T]) -> list[T]:
    found: list[T] = []
    for row in rows:
        try:
            found.append(told(row))
        except ValueError as error:
            log.error("the row of %.80a cannot be read and is left out: %s; %s", row[0], error, _ANEW)
    return found


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_ANEW = "make it anew: execution-agent views rebuild"


def _moment(text: object) -> datetime:
    """In no form but ours: by others nothing is sorted."""
    try:
        if isinstance(text, str) and _TIME.fullmatch(text):
            return from_text(text)
    except ValueError:
        pass
    raise ValueError("a time is not written as times are")


def _text_in(value: object) -> object:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _word(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError("there is no text where a text belongs")
    return text


def _word_or_none(text: object) -> str | None:
    return None if text is None else _word(text)


def _is_place(born: object, action_id: object) -> bool:
    try:
        return bool(_moment(born) and _word(action_id))
    except ValueError:
        return False


def _is_count(hour: object, status: object, action_type: object, count: int) -> bool:
    try:
        return bool(_moment(f"{_word(hour)}:00:00.000000Z") and _word(status) and _word(action_type))
    except ValueError as error:
        log.error("%s rows cannot be read and are not counted: %s; %s", count, error, _ANEW)
        return False


def _text(moment: datetime | None, otherwise: str) -> str:
    return otherwise if moment is None else to_text(moment)
