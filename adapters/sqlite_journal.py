"""The journal of a ledger in SQLite (`domain.journal`): the rows in the order of their key, page by page.

No transaction is open between two pages, so a reader who takes its time is in nobody's way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import apsw

from adapters.sqlite_file import SQLiteFile
from domain.commit import HASH_SIZE, NOTHING, Commit, word_of
from domain.errors import CorruptEvent
from domain.instant import from_text, to_text
from domain.journal import EVERYTHING, Damaged, Life, NoCursor, Row, Span, can_be_stored

PAGE = 2_000
"""Commits that are read together."""
PARTS = 8

_RowOfTable: TypeAlias = tuple[Any, Any, Any, Any, Any, Any]
"""Action id, version, events, last, at, previous: whatever somebody may have put there."""

_COLUMNS = "SELECT action_id, version, events, last, at, previous FROM commits"
_LIFE = f"{_COLUMNS} WHERE action_id = ? ORDER BY version"
# Ids end in random characters, or in a hash. The last two add up to any part alike.
_IN_PART = f"coalesce((unicode(substr(action_id, -1)) + unicode(substr(action_id, -2))) % {PARTS}, 0) = ?"
_IN_ORDER = "ORDER BY action_id, version LIMIT ?"
# The same with each text as bytes, and which of them are texts: for rows with a text that is not UTF-8.
_NAMES = ("action_id", "version", "events", "last", "at", "previous")
_AS_BYTES = "SELECT {}, {} FROM commits".format(  # noqa: S608 - made of the names above
    ", ".join(f"iif(typeof({name}) = 'text', CAST({name} AS BLOB), {name})" for name in _NAMES),
    ", ".join(f"typeof({name}) = 'text'" for name in _NAMES),
)


class _NotUtf8(bytes):
    """What is stored as a text, and is none."""


class SQLiteJournal:
    """Reads what is there, and never writes."""

    parts = PARTS

    def __init__(self, file: SQLiteFile, *, page: int = PAGE) -> None:
        self._file = file
        self._page = page

    def life(self, action_id: str) -> Life | None:
        """All of one action. Raises OperationalError when the file cannot be read."""
        rows = self._read(_LIFE, (action_id,))
        return _life_of(action_id, rows) if rows else None

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        """In the order of their ids. Raises OperationalError when the file cannot be read."""
        begin = (None, None) if after is None else (_id_of(after), None)
        for action_id, rows in groupby(self._rows(part, begin), itemgetter(0)):
            life = list(rows)
            if span.holds(_born(life[0])):
                yield _life_of(action_id, life)

    def written(self, since: datetime) -> Iterator[Row]:
        """In the order of their keys, as there is no index of times. Raises OperationalError."""
        earliest = to_text(since)
        for row in self._rows(None, (None, None)):
            if not isinstance(row[4], str) or row[4] >= earliest:
                yield _row_of(row)

    def unlisted(self) -> Iterator[Damaged]:
        """None: `lives` goes by the table itself."""
        return iter(())

    def _rows(self, part: int | None, begin: tuple[Any, Any]) -> Iterator[_RowOfTable]:
        """Page after page: behind all of an action, or behind one of its versions."""
        action_id, version = begin
        while True:
            page = self._page_after(part, action_id, version)
            yield from page
            if len(page) < self._page:
                return
            action_id, version = page[-1][:2]

    def _page_after(self, part: int | None, action_id: Any, version: Any) -> list[_RowOfTable]:
        conditions, values = [], []
        its_id, its_version = ("CAST(? AS TEXT)" if isinstance(key, _NotUtf8) else "?" for key in (action_id, version))
        if action_id is not None and version is None:
            conditions.append(f"action_id > {its_id}")
            values.append(action_id)
        elif action_id is not None:
            conditions.append(f"(action_id, version) > ({its_id}, {its_version})")
            values += [action_id, version]
        if part is not None:
            conditions.append(_IN_PART)
            values.append(part)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._read(f"{_COLUMNS}{where} {_IN_ORDER}", (*values, self._page))

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[_RowOfTable]:
        session = self._file.reader
        try:
            with session.lock:
                return _fetched(session.connection(), statement, values)
        except apsw.Error as error:
            raise self._file.unavailable(error) from error


def _fetched(connection: apsw.Connection, statement: str, values: tuple[Any, ...]) -> list[_RowOfTable]:
    try:
        rows: list[Any] = connection.execute(statement, values).fetchall()
    except UnicodeDecodeError:
        rows = connection.execute(statement.replace(_COLUMNS, _AS_BYTES), values).fetchall()
        return [_with_texts(row) for row in rows]
    return rows


def _with_texts(row: Any) -> _RowOfTable:
    values, are_texts = row[: len(_NAMES)], row[len(_NAMES) :]
    texts = (_text(value) if is_text else value for value, is_text in zip(values, are_texts, strict=True))
    action_id, version, body, last, at, previous = texts
    return action_id, version, body, last, at, previous


def _text(value: bytes) -> str | _NotUtf8:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _NotUtf8(value)


def _life_of(action_id: Any, rows: Iterable[_RowOfTable]) -> Life:
    return Life(str(action_id), tuple([_row_of(row) for row in rows]), json.dumps(action_id, default=repr))


def _id_of(cursor: str) -> str:
    try:
        action_id = json.loads(cursor)
    except (ValueError, RecursionError):
        action_id = None
    if not isinstance(action_id, str) or not can_be_stored(action_id):
        raise NoCursor.of(cursor)
    return action_id


def _born(first: _RowOfTable) -> date | None:
    """Told without reading the events of a life that may not be wanted."""
    _, version, _, _, at, _ = first
    try:
        return from_text(at).date() if version in (0, 1) else None
    except (TypeError, ValueError):
        return None


def _row_of(row: _RowOfTable) -> Row:
    action_id, version, body, last, at, previous = row
    if not _has_right_types(row):
        number = version if isinstance(version, int) else 0
        return Damaged(str(action_id), number, "a column holds what no commit has there")
    try:
        commit = Commit.read(action_id, version, at, previous, body)
    except CorruptEvent as error:
        return Damaged(action_id, version, str(error))
    if not commit.events or word_of(commit.events[-1][0]) != last:
        return Damaged(action_id, version, "its column `last` is not the type of its last event")
    return commit


def _has_right_types(row: _RowOfTable) -> bool:
    action_id, version, body, last, at, previous = row
    return (
        isinstance(action_id, str)
        and isinstance(version, int)
        and version >= 0
        and isinstance(body, bytes)
        and not isinstance(body, _NotUtf8)
        and isinstance(last, str)
        and isinstance(at, str)
        and at.isascii()
        and (previous is None or _is_hash(previous))
    )


def _is_hash(value: Any) -> bool:
    is_blob = isinstance(value, bytes) and not isinstance(value, _NotUtf8)
    return is_blob and len(value) in (len(NOTHING), HASH_SIZE)
