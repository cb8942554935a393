"""Files of earlier releases: what was added since is added to them, and whoever wrote them goes on with them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError

from adapters.sqlite_events import SQLiteRecorder
from domain.instant import to_text
from domain.priority import Priority
from projections.search import Search
from tests.sqlite_ledger import NOON, Naps, being_written, commit, until, versions, view

SCHEMA = """
    CREATE TABLE commits (
        action_id TEXT, version INTEGER, events BLOB NOT NULL, last TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (action_id, version)
    ) WITHOUT ROWID;
    CREATE TABLE actions (
        action_id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, action_type TEXT NOT NULL,
        due_at TEXT, born TEXT NOT NULL, updated TEXT NOT NULL, holder TEXT
    ) WITHOUT ROWID;
    CREATE TABLE gates (target TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX actions_by_due_at ON actions (due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX actions_by_birth ON actions (born);
    CREATE INDEX actions_by_status ON actions (status, born);
    PRAGMA application_id = 0x45784167;
    PRAGMA user_version = 1;
    PRAGMA journal_mode = wal;
"""
"""What the first release fills an empty file with."""

NOON_TEXT = to_text(NOON)


class FirstRelease:
    """The first release at a file, as far as rows are concerned: its very statements."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def append(self, action_id: str, version: int, status: str = "scheduled") -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "INSERT INTO commits (action_id, version, events, last, at) VALUES (?, ?, ?, ?, ?)",
            (action_id, version, b"1n12:action.noted,2:{},", "noted", NOON_TEXT),
        )
        self._connection.execute(
            """
            INSERT INTO actions (action_id, version, status, action_type, due_at, born, updated, holder)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (action_id) DO UPDATE
            SET version = excluded.version, status = excluded.status, due_at = excluded.due_at,
            updated = excluded.updated, holder = excluded.holder
            WHERE version < excluded.version""",
            (action_id, version, status, "greet", NOON_TEXT, NOON_TEXT, NOON_TEXT, None),
        )
        self._connection.execute("COMMIT")

    def due(self) -> list[str]:
        statement = "SELECT action_id FROM actions WHERE due_at <= ? ORDER BY due_at, action_id LIMIT ?"
        return [action_id for (action_id,) in self._connection.execute(statement, (NOON_TEXT, 99))]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of the first release."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


@pytest.fixture
def first_release(path: Path) -> Iterator[FirstRelease]:
    """It has accepted two actions."""
    release = FirstRelease(path)
    release.append("act_1", 1)
    release.append("act_2", 1)
    yield release
    release.close()


@pytest.fixture
def open_recorder(path: Path) -> Iterator[Callable[[], SQLiteRecorder]]:
    opened: list[SQLiteRecorder] = []

    def opener(sleep: Callable[[float], None] = time.sleep) -> SQLiteRecorder:
        recorder = SQLiteRecorder(str(path), sleep=sleep)
        opened.append(recorder)
        return recorder

    yield opener
    for recorder in opened:
        recorder.close()


def line(recorder: SQLiteRecorder) -> list[str]:
    return [place.action_id for place in recorder.line(NOON, 99)]


def test_what_waits_in_it_is_due_listed_and_goes_on(
    first_release: FirstRelease, open_recorder: Callable[[], SQLiteRecorder]
) -> None:
    recorder = open_recorder()
    assert line(recorder) == ["act_1", "act_2"]
    assert recorder.views(None, 9) == [
        view(action_id, 1, status="scheduled", due_at=NOON) for action_id in ("act_2", "act_1")
    ]
    recorder.insert_events(commit("act_2", 2), view=view("act_2", 2, due_at=NOON, priority=Priority.HIGH))
    assert (line(recorder), versions(recorder, "act_2")) == (["act_2", "act_1"], [1, 2])


def test_the_first_release_goes_on_with_it_beside_this_one(
    path: Path, first_release: FirstRelease, open_recorder: Callable[[], SQLiteRecorder]
) -> None:
    recorder = open_recorder()
    recorder.insert_events(commit("act_3", 1), view=view("act_3", 1, due_at=NOON, priority=Priority.HIGH))
    first_release.append("act_4", 1)
    first_release.append("act_3", 2)
    assert first_release.due() == ["act_1", "act_2", "act_3", "act_4"]
    assert line(recorder) == ["act_3", "act_1", "act_2", "act_4"]
    with closing(FirstRelease(path)) as another:
        another.append("act_5", 1)
    assert line(open_recorder())[-1] == "act_5"


def test_many_that_open_it_at_once_add_it_once(
    path: Path, first_release: FirstRelease, open_recorder: Callable[..., SQLiteRecorder]
) -> None:
    """All of them see that something is missing, and wait for the same lock."""
    naps = [Naps() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        with being_written(path):
            opening = [pool.submit(open_recorder, waiting) for waiting in naps]
            until(lambda: all(waiting.taken for waiting in naps))
        assert {tuple(line(opened.result())) for opened in opening} == {("act_1", "act_2")}


def test_a_file_that_another_process_keeps_locked_stays_as_it_was(path: Path, first_release: FirstRelease) -> None:
    with being_written(path), pytest.raises(OperationalError, match="another process keeps it locked"):
        SQLiteRecorder(str(path), lock_timeout_s=0.01)
    assert first_release.due() == ["act_1", "act_2"]
    recorder = SQLiteRecorder(str(path))
    assert line(recorder) == ["act_1", "act_2"]
    recorder.close()


def test_nothing_is_written_to_a_file_that_lacks_nothing(
    path: Path, first_release: FirstRelease, open_recorder: Callable[[], SQLiteRecorder]
) -> None:
    open_recorder()
    with being_written(path):
        assert line(open_recorder()) == ["act_1", "act_2"]


def test_its_questions_have_an_index_too(path: Path, open_recorder: Callable[[], SQLiteRecorder]) -> None:
    open_recorder()
    question = "SELECT * FROM actions WHERE priority = 'low' AND due_at <= '2026' ORDER BY due_at, action_id LIMIT 9"
    with closing(sqlite3.connect(path)) as tool:
        plan = str(tool.execute(f"EXPLAIN QUERY PLAN {question}").fetchall())
    assert "actions_in_line" in plan
    assert "TEMP B-TREE" not in plan


# -- by what rows are found -----------------------------------------------------------------------------------------


def found(recorder: SQLiteRecorder, **keys: str) -> list[str]:
    return [row.action_id for row in recorder.find(Search(keys), 9).rows]


def test_rows_of_the_first_release_are_found_by_what_they_say_and_counted_as_behind(
    first_release: FirstRelease, open_recorder: Callable[[], SQLiteRecorder]
) -> None:
    recorder = open_recorder()
    assert found(recorder, status="scheduled", action_type="greet") == ["act_2", "act_1"]
    assert found(recorder, agent="renewals") == []
    assert recorder.not_searchable() == 2


def test_the_next_commit_says_by_what_such_a_row_is_found(
    first_release: FirstRelease, open_recorder: Callable[[], SQLiteRecorder]
) -> None:
    recorder = open_recorder()
    recorder.insert_events(commit("act_2", 2), view=view("act_2", 2, agent="renewals", decision="d-1"))
    assert found(recorder, agent="renewals", decision="d-1") == ["act_2"]
    assert recorder.not_searchable() == 1
    recorder.insert_events(commit("act_1", 2), view=view("act_1", 2))
    assert recorder.not_searchable() == 0


def test_what_the_first_release_writes_beside_this_one_is_behind(
    first_release: FirstRelease, open_recorder: Callable[[], SQLiteRecorder]
) -> None:
    recorder = open_recorder()
    recorder.insert_events(commit("act_3", 1), view=view("act_3", 1, agent="renewals"))
    first_release.append("act_4", 1)
    assert recorder.not_searchable() == 3
    assert found(recorder, agent="renewals") == ["act_3"]
    assert found(recorder, action_type="greet") == ["act_4", "act_3", "act_2", "act_1"]
