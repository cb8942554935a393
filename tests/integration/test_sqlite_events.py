"""The rules of the ledger in SQLite: what may follow what, what is read back, what the views say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    InfrastructureFactory,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    StoredEvent,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sqlite_events import SQLiteFactory, SQLiteRecorder
from domain.errors import ConfigurationError, CorruptEvent
from tests.sqlite_ledger import NOON, commit, versions, view

MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SQLiteRecorder]:
    """In a file."""
    recorder = SQLiteRecorder(str(path))
    yield recorder
    recorder.close()


@pytest.fixture(params=["file", "memory"])
def recorder(request: pytest.FixtureRequest, path: Path) -> Iterator[SQLiteRecorder]:
    recorder = SQLiteRecorder(str(path) if request.param == "file" else ":memory:")
    yield recorder
    recorder.close()


def construct(**environment: str) -> SQLiteFactory:
    factory = InfrastructureFactory.construct({"PERSISTENCE_MODULE": "adapters.sqlite_events", **environment})
    assert isinstance(factory, SQLiteFactory)
    return factory


# -- the factory -----------------------------------------------------------------------------------------------------


def test_the_library_builds_the_recorder_by_configuration(path: Path) -> None:
    factory = construct(SQLITE_DBNAME=str(path))
    recorder = factory.aggregate_recorder(purpose="events")
    recorder.insert_events(commit("act_1", 1))
    assert factory.aggregate_recorder() is recorder
    assert recorder.path == str(path)
    factory.close()
    assert [found.name for found in path.parent.iterdir()] == ["ledger.db"]


def test_there_is_no_global_sequence(path: Path) -> None:
    factory = construct(SQLITE_DBNAME=str(path))
    for build in (factory.application_recorder, factory.tracking_recorder, factory.process_recorder):
        with pytest.raises(NotSupportedError, match="no global sequence"):
            build()
    with pytest.raises(NotSupportedError, match="snapshots"):
        factory.aggregate_recorder(purpose="snapshots")
    assert not path.exists()


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({}, "set SQLITE_DBNAME"),
        ({"SQLITE_DBNAME": ""}, "set SQLITE_DBNAME"),
        ({"SQLITE_DBNAME": ":memory:", "SQLITE_LOCK_TIMEOUT": "soon"}, "SQLITE_LOCK_TIMEOUT must be a number"),
    ],
)
def test_a_setting_that_is_wrong_is_told(environment: dict[str, str], advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        construct(**environment)


def test_missing_directories_are_made_and_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recorder = SQLiteRecorder("new/deep/ledger.db")
    monkeypatch.chdir("/")
    recorder.insert_events(commit("act_1", 1))
    assert versions(recorder, "act_1") == [1]
    assert (tmp_path / "new/deep/ledger.db").exists()
    recorder.close()


# -- what may follow what --------------------------------------------------------------------------------------------


def test_nothing_is_recorded_of_nothing(recorder: SQLiteRecorder) -> None:
    assert recorder.insert_events([]) is None
    assert recorder.synced_commits == 0


@pytest.mark.parametrize("first", [0, 1])
def test_a_life_begins_at_version_0_or_1(recorder: SQLiteRecorder, first: int) -> None:
    recorder.insert_events(commit("act_1", first, b"a", b"b"))
    assert versions(recorder, "act_1") == [first, first + 1]


@pytest.mark.parametrize("first", [-1, 2, 7, 2**80])
def test_a_life_begins_nowhere_else(recorder: SQLiteRecorder, first: int) -> None:
    with pytest.raises(IntegrityError, match=f"act_1: version 1 comes next, not {first}"):
        recorder.insert_events(commit("act_1", first))
    assert versions(recorder, "act_1") == []


@pytest.mark.parametrize("first", [0, 1, 2, 3, 5])
def test_a_commit_goes_right_behind_the_last_one(recorder: SQLiteRecorder, first: int) -> None:
    recorder.insert_events(commit("act_1", 1, b"a", b"b", b"c"))
    with pytest.raises(IntegrityError, match=f"act_1: version 4 comes next, not {first}"):
        recorder.insert_events(commit("act_1", first, b"d", b"e"))
    recorder.insert_events(commit("act_1", 4, b"d", b"e"))
    assert versions(recorder, "act_1") == [1, 2, 3, 4, 5]


def test_a_commit_of_many_events_is_counted_right(recorder: SQLiteRecorder) -> None:
    recorder.insert_events(commit("act_1", 1, *[b"{}"] * 100))
    with pytest.raises(IntegrityError, match="version 101 comes next"):
        recorder.insert_events(commit("act_1", 11))
    recorder.insert_events(commit("act_1", 101))


def test_of_two_that_saw_the_same_the_second_is_refused_and_may_look_again(path: Path, ledger: SQLiteRecorder) -> None:
    other = SQLiteRecorder(str(path))
    ledger.insert_events(commit("act_1", 1))
    other.insert_events(commit("act_1", 2, b"mine"))
    with pytest.raises(IntegrityError, match="version 3 comes next"):
        ledger.insert_events(commit("act_1", 2, b"yours"))
    assert [event.state for event in ledger.select_events("act_1")] == [b"{}", b"mine"]
    other.close()


def test_a_commit_is_of_one_action(recorder: SQLiteRecorder) -> None:
    with pytest.raises(ProgrammingError, match="one action"):
        recorder.insert_events([*commit("act_1", 1), *commit("act_2", 1)])
    assert versions(recorder, "act_1") == versions(recorder, "act_2") == []


def test_what_the_library_passes_beside_is_let_through(recorder: SQLiteRecorder) -> None:
    recorder.insert_events(commit("act_1", 1), tracking=None, due_at=NOON)
    assert versions(recorder, "act_1") == [1]


# -- reading back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action_id", ["", "act_\0", "🦑", "a" * 5000, "'; DROP TABLE commits; --", uuid4()])
def test_any_id_will_do_and_comes_back_as_asked(recorder: SQLiteRecorder, action_id: str | UUID) -> None:
    event = StoredEvent(action_id, 1, "action.noted", b"{}")
    recorder.insert_events([event])
    assert recorder.select_events(action_id) == [event]
    assert recorder.select_events(f"{action_id}x") == []


def test_an_id_that_is_no_text_is_refused_and_hurts_nothing(recorder: SQLiteRecorder) -> None:
    with pytest.raises(UnicodeEncodeError):
        recorder.insert_events(commit("act_\ud800", 1))
    recorder.insert_events(commit("act_1", 1))
    assert versions(recorder, "act_1") == [1]


def test_a_commit_outlives_its_recorder(path: Path) -> None:
    recorder = SQLiteRecorder(str(path))
    recorder.insert_events(commit("act_1", 1, b"a" * 100_000, b"\xff\x00"), view=view("act_1", 2))
    recorder.close()
    recorder = SQLiteRecorder(str(path))
    assert [event.state for event in recorder.select_events("act_1")] == [b"a" * 100_000, b"\xff\x00"]
    assert recorder.views(None, 9) == [view("act_1", 2)]
    recorder.close()


@given(
    sizes=st.lists(st.integers(1, 12), max_size=6),
    gt=st.none() | st.integers(-3, 40),
    lte=st.none() | st.integers(-3, 40),
    desc=st.booleans(),
    limit=st.none() | st.integers(0, 40),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_selection_is_that_of_a_list(
    ledger: SQLiteRecorder, sizes: list[int], gt: int | None, lte: int | None, desc: bool, limit: int | None
) -> None:
    action_id = uuid4()
    life: list[StoredEvent] = []
    for size in sizes:
        states = [b"%d" % number for number in range(size)]
        events = [
            StoredEvent(action_id, event.originator_version, event.topic, event.state)
            for event in commit("any", len(life) + 1, *states)
        ]
        ledger.insert_events(events)
        life += events
    above = [event for event in life if gt is None or event.originator_version > gt]
    within = [event for event in above if lte is None or event.originator_version <= lte]
    expected = (within[::-1] if desc else within)[:limit]
    assert ledger.select_events(action_id, gt=gt, lte=lte, desc=desc, limit=limit) == expected


def test_other_tools_can_read_the_file(path: Path, ledger: SQLiteRecorder) -> None:
    noon_elsewhere = NOON.astimezone(timezone(timedelta(hours=2)))
    ledger.insert_events(
        [StoredEvent("act_1", 1, "a.requested", b"{}"), StoredEvent("act_1", 2, "b.held", b"[]")],
        at=noon_elsewhere,
        view=view("act_1", 2, status="held", due_at=noon_elsewhere),
    )
    ledger.close()
    noon = "2026-03-01T12:00:00.000000Z"
    with closing(sqlite3.connect(path)) as tool:
        commits = tool.execute("SELECT action_id, version, events, last, at FROM commits").fetchall()
        assert commits == [("act_1", 1, b"2n11:a.requested,2:{},6:b.held,2:[],", "held", noon)]
        views = tool.execute("SELECT action_id, version, status, due_at, born, updated FROM actions").fetchall()
        assert views == [("act_1", 2, "held", noon, noon, noon)]
        assert tool.execute("PRAGMA user_version").fetchall() == [(1,)]


def test_a_commit_that_somebody_damaged_is_told(path: Path, ledger: SQLiteRecorder) -> None:
    ledger.insert_events(commit("act_1", 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
        vandal.execute("UPDATE commits SET events = CAST('1?' AS BLOB)")
    with pytest.raises(CorruptEvent, match="act_1: the commit at version 1"):
        ledger.select_events("act_1")


@pytest.mark.parametrize("column", ["events", "previous", "at", "version"])
def test_a_text_that_is_none_damages_its_own_action_alone(path: Path, ledger: SQLiteRecorder, column: str) -> None:
    for action_id in ("act_1", "act_2"):
        ledger.insert_events(commit(action_id, 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
        vandal.execute(f"UPDATE commits SET {column} = CAST(x'ff' AS TEXT) WHERE action_id = 'act_1'")
    with pytest.raises(CorruptEvent, match="act_1"):
        ledger.insert_events(commit("act_1", 2))
    if column == "events":
        with pytest.raises(CorruptEvent, match="act_1"):
            ledger.select_events("act_1")
    assert versions(ledger, "act_2") == [1]


# -- views -----------------------------------------------------------------------------------------------------------


def test_a_view_is_there_as_soon_as_its_commit(recorder: SQLiteRecorder) -> None:
    first = view("act_1", 1, due_at=NOON + timedelta(microseconds=7), holder="host/1/2")
    second = view("act_1", 3, status="succeeded", updated=NOON + MINUTE)
    recorder.insert_events(commit("act_1", 1), view=first)
    assert recorder.views(None, 9) == [first]
    recorder.insert_events(commit("act_1", 2, b"a", b"b"), view=second)
    assert recorder.views(None, 9) == [second]


def test_a_refused_commit_leaves_the_view_alone(recorder: SQLiteRecorder) -> None:
    recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))
    with pytest.raises(IntegrityError):
        recorder.insert_events(commit("act_1", 1, b"a", b"b"), view=view("act_1", 2, status="failed"))
    assert recorder.views(None, 9) == [view("act_1", 1)]


def test_a_view_that_cannot_be_saved_takes_its_commit_with_it(recorder: SQLiteRecorder) -> None:
    with pytest.raises(UnicodeEncodeError):
        recorder.insert_events(commit("act_1", 1), view=view("act_1", 1, status="\ud800"))
    assert versions(recorder, "act_1") == []
    recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))


def test_an_older_view_changes_nothing(recorder: SQLiteRecorder) -> None:
    newer = view("act_1", 9, status="succeeded", due_at=NOON)
    recorder.insert_events(commit("act_1", 1), view=newer)
    recorder.insert_events(commit("act_1", 2), view=view("act_1", 8))
    recorder.insert_events(commit("act_1", 3), view=view("act_1", 9))
    recorder.insert_events(commit("act_1", 4))
    assert recorder.views(None, 9) == [newer]


def test_a_view_of_another_action_is_refused(recorder: SQLiteRecorder) -> None:
    with pytest.raises(ProgrammingError, match="act_1: its view cannot be that of act_2"):
        recorder.insert_events(commit("act_1", 1), view=view("act_2", 1))
    assert versions(recorder, "act_1") == []


def in_line(recorder: SQLiteRecorder, limit: int = 9) -> list[str]:
    return [place.action_id for place in recorder.line(NOON, limit)]


def test_the_agenda_is_what_is_due_the_longest_due_first(recorder: SQLiteRecorder) -> None:
    due_at = {
        "late": NOON - MINUTE,
        "now": NOON,
        "never": None,
        "soon": NOON + timedelta(microseconds=1),
        "earliest": NOON - 2 * MINUTE,
    }
    for action_id, moment in due_at.items():
        recorder.insert_events(commit(action_id, 1), view=view(action_id, 1, due_at=moment))
    assert in_line(recorder) == ["earliest", "late", "now"]
    assert in_line(recorder, 2) == ["earliest", "late"]
    recorder.insert_events(commit("late", 2), view=view("late", 2, status="succeeded"))
    assert in_line(recorder) == ["earliest", "now"]


def test_lists_are_newest_first_of_a_status_or_of_all(recorder: SQLiteRecorder) -> None:
    rows = [view(f"act_{n}", 1, born=NOON + n * MINUTE, status="held" if n % 2 else "failed") for n in (2, 1, 4, 3)]
    for row in rows:
        recorder.insert_events(commit(row.action_id, 1), view=row)
    assert [row.action_id for row in recorder.views(None, 3)] == ["act_4", "act_3", "act_2"]
    assert [row.action_id for row in recorder.views("held", 9)] == ["act_3", "act_1"]
    assert recorder.views("succeeded", 9) == []


@pytest.mark.parametrize(
    "question",
    [
        "priority = 'low' AND due_at <= '2026' ORDER BY due_at, action_id",
        "status = 'held' ORDER BY born DESC, action_id DESC",
        "1 ORDER BY born DESC, action_id DESC",
    ],
)
def test_no_question_reads_every_row_or_sorts(path: Path, ledger: SQLiteRecorder, question: str) -> None:
    with closing(sqlite3.connect(path)) as tool:
        plan = tool.execute(f"EXPLAIN QUERY PLAN SELECT * FROM actions WHERE {question} LIMIT 9").fetchall()
    assert "USING INDEX" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
