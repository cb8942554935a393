"""What a search costs in a file: as much in a large one as in a small one. Counted, as times tell little here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from adapters import sqlite_views
from adapters.sqlite_events import SQLiteRecorder
from adapters.sqlite_views import LOOKED_AT, row_of_view, saving
from projections.search import KEYS, Search
from projections.view import ActionView
from tests.sqlite_ledger import NOON, commit, view

SMALL, LARGE = 1_000, 8_000


def row(number: int) -> ActionView:
    """The row of an action, of which each value is shared by as many of the last ones, however many there are."""
    return view(
        f"act_{number:08}",
        4,
        born=NOON + timedelta(seconds=number),
        status="failed" if number % 10 == 0 else "succeeded",
        action_type=("send_email", "call_webhook")[number % 2],
        subject=f"customer{number // 30}@example.com",
        target="webhook:crm" if number % 3 else None,
        agent=f"agent{number % 3}",
        decision=f"d-{number // 5}",
        correlation=f"c-{number // 60}",
        workflow="run_1" if number % 4 == 0 else None,
        actor="ada" if number % 5 == 0 else None,
        error="http_404" if number % 10 == 0 else None,
    )


def filled(path: Path, rows: int) -> SQLiteRecorder:
    """A file with so many rows. The last one that was born is of the customer 0 again."""
    recorder = SQLiteRecorder(str(path))
    with closing(apsw.Connection(str(path))) as connection, connection:
        keep = saving()
        for number in range(rows):
            keep(connection, row_of_view(row(number)))
    return recorder


@pytest.fixture(scope="module")
def recorders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SQLiteRecorder, SQLiteRecorder]]:
    folder = tmp_path_factory.mktemp("search")
    small, large = filled(folder / "small.db", SMALL), filled(folder / "large.db", LARGE)
    yield small, large
    small.close()
    large.close()


def steps_of(recorder: SQLiteRecorder, act: Callable[[], object]) -> int:
    """Steps of SQLite's machine that it takes."""
    counted = 0

    def one_more() -> bool:
        nonlocal counted
        counted += 1
        return False

    connection = recorder._file.reader.connection()
    connection.set_progress_handler(one_more, 1)
    act()
    connection.set_progress_handler(None)
    return counted


def plans_of(recorder: SQLiteRecorder, search: Search) -> list[str]:
    """How SQLite answers the questions of a search."""
    asked: list[tuple[str, Any]] = []
    connection = recorder._file.reader.connection()
    connection.set_exec_trace(lambda _, statement, values: asked.append((statement, values)) is None)
    recorder.find(search, 50)
    connection.set_exec_trace(None)
    plans = [connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall() for statement, values in asked]
    return ["; ".join(step[3] for step in plan) for plan in plans]


ONE_KEY = [{}, *({key: getattr(row(20), key)} for key in KEYS)]
SEVERAL = [
    {"status": "succeeded", "agent": "agent1"},
    {"agent": "agent1", "action_type": "send_email"},
    {"agent": "agent1", "action_type": "no_such_type"},
    {"target": "webhook:crm", "agent": "agent1", "action_type": "send_email", "status": "succeeded"},
]


@pytest.mark.parametrize("keys", ONE_KEY, ids=lambda keys: next(iter(keys), "all"))
def test_a_page_takes_as_many_steps_in_a_large_file_as_in_a_small_one(
    recorders: tuple[SQLiteRecorder, SQLiteRecorder], keys: dict[str, str]
) -> None:
    small, large = (steps_of(one, lambda one=one: one.find(Search(keys), 20)) for one in recorders)  # type: ignore[misc]
    assert 0 < large <= small * 1.05


@pytest.mark.parametrize("keys", [{}, {"agent": "agent1"}, {"status": "succeeded", "agent": "agent1"}])
def test_the_last_page_takes_no_more_than_the_first(
    recorders: tuple[SQLiteRecorder, SQLiteRecorder], keys: dict[str, str]
) -> None:
    _, large = recorders
    before_the_last = large.find(Search(keys, None, NOON + timedelta(seconds=200)), 20).after
    first = steps_of(large, lambda: large.find(Search(keys), 20))
    last = steps_of(large, lambda: large.find(Search(keys), 20, before_the_last))
    assert last <= first * 1.1


@pytest.mark.parametrize("keys", SEVERAL, ids=str)
def test_several_filters_look_at_so_many_rows_and_no_more(
    recorders: tuple[SQLiteRecorder, SQLiteRecorder], keys: dict[str, str]
) -> None:
    _, large = recorders
    steps = steps_of(large, lambda: large.find(Search(keys), 20))
    assert steps <= LOOKED_AT * (15 * len(keys) + 15)


@pytest.mark.parametrize("keys", [*ONE_KEY, *SEVERAL], ids=str)
def test_every_question_walks_along_one_index_and_sorts_nothing(
    recorders: tuple[SQLiteRecorder, SQLiteRecorder], keys: dict[str, str]
) -> None:
    indexes = {"type" if key == "action_type" else key for key in keys} or {"birth"}
    plans = plans_of(recorders[1], Search(keys))
    assert len(plans) == (len(keys) + 1 if len(keys) > 1 else 1)
    for plan in plans:
        assert plan.startswith("SEARCH actions USING")
        assert any(f"INDEX actions_by_{index} (" in plan for index in indexes)
        assert "born>?" in plan
        assert "B-TREE" not in plan


def test_a_page_with_nothing_on_it_says_where_to_go_on(recorders: tuple[SQLiteRecorder, SQLiteRecorder]) -> None:
    _, large = recorders
    never = Search({"action_type": "call_webhook", "status": "failed"})  # those have odd numbers, and these even ones
    page = large.find(never, 20)
    assert page.rows == []
    # There are fewer that have failed.
    assert page.after is not None
    assert page.after.action_id == f"act_{LARGE - 10 * LOOKED_AT:08}"
    last = large.find(never, 20, page.after)
    assert (last.rows, last.after) == ([], None)


def test_what_is_found_is_on_the_page_that_looked_at_it(recorders: tuple[SQLiteRecorder, SQLiteRecorder]) -> None:
    _, large = recorders
    some = Search({"agent": "agent1", "status": "failed"})
    first = large.find(some, 500)
    assert first.after is not None
    assert first.after.action_id == f"act_{LARGE - 10 * LOOKED_AT:08}"
    second = large.find(some, 500, first.after)
    told = [[int(row.action_id[4:]) for row in page.rows] for page in (first, second)]
    assert min(told[0]) >= LARGE - 10 * LOOKED_AT > max(told[1])
    assert [*told[0], *told[1]] == [number for number in reversed(range(LARGE)) if number % 30 == 10]


def test_of_several_filters_the_rarest_leads_the_walk(recorders: tuple[SQLiteRecorder, SQLiteRecorder]) -> None:
    """What hardly any action says is found at once, whatever else is asked for."""
    _, large = recorders
    page = large.find(Search({"agent": "agent1", "action_type": "no_such_type", "status": "succeeded"}), 20)
    assert (page.rows, page.after) == ([], None)


def test_what_an_action_does_not_say_stands_in_no_index(tmp_path: Path) -> None:
    recorder = SQLiteRecorder(str(tmp_path / "ledger.db"))
    recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))
    recorder.insert_events(commit("act_2", 1), view=view("act_2", 1, agent="renewals"))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as tool:
        for key in ("subject", "target", "agent", "decision", "correlation", "workflow", "actor", "error"):
            entries = tool.execute(
                f"SELECT count(*) FROM actions INDEXED BY actions_by_{key} WHERE {key} IS NOT NULL"
            ).fetchone()
            assert entries == ((1 if key == "agent" else 0),)
    recorder.close()


def test_a_commit_that_changes_no_key_writes_no_index_of_one(tmp_path: Path) -> None:
    """An index that is set to what it is would be written all the same."""
    told: list[str] = []
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(sqlite_views.SCHEMA)
        keep = saving()
        before = row(0)
        keep(connection, row_of_view(before))
        connection.set_exec_trace(lambda _, statement, __: told.append(statement) is None)
        keep(connection, row_of_view(view("act_00000000", 5, status="failed", **_keys_of(before))))
        connection.set_exec_trace(None)
        changed = connection.execute("SELECT changes()").get
    assert [statement.split()[0] for statement in told] == ["INSERT", "UPDATE"]
    assert changed == 0, "the keys were written again"


def _keys_of(row: ActionView) -> dict[str, Any]:
    return {key: getattr(row, key) for key in KEYS if key not in ("status", "action_type")}


# -- rows that somebody damaged ---------------------------------------------------------------------------------------

DAMAGES = {
    "a birth that is no time": ("born", "'never'"),
    "a birth that is none of the calendar": ("born", "'2026-02-31T12:00:00.000000Z'"),
    "a birth in other words": ("born", "'2026-03-01 12:00'"),
    "a birth without a zone": ("born", "'2026-03-01T12:00:03.000000'"),
    "a birth in bytes": ("born", "X'00FF'"),
    "a birth that is a number": ("born", "0"),
    "a change that is no time": ("updated", "''"),
    "what is due at no time": ("due_at", "'0'"),
    "what is due in bytes": ("due_at", "X'30'"),
    "a version that is a word": ("version", "'newest'"),
    "a version in halves": ("version", "1.5"),
    "a status in bytes": ("status", "X'6661696C6564'"),
    "a type in bytes": ("action_type", "X'00'"),
    "a holder in bytes": ("holder", "X'00'"),
    "a subject in bytes": ("subject", "X'00'"),
    "an error in bytes": ("error", "X'00'"),
    "a subject that is no text": ("subject", "CAST(X'FF' AS TEXT)"),
    "a type that is no text": ("action_type", "CAST(X'FF' AS TEXT)"),
}
TOLD_BY_STATUS = set(DAMAGES) - {"a subject that is no text", "a type that is no text"}
DAMAGED, OTHERS = "act_00000002", ["act_00000003", "act_00000001", "act_00000000"]


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_row_is_named_and_hides_no_other(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    column, value = DAMAGES[what]
    path = tmp_path / "ledger.db"
    with closing(SQLiteRecorder(str(path))) as recorder, closing(apsw.Connection(str(path))) as by_hand:
        for number in range(4):
            due_at = NOON + timedelta(seconds=number)
            recorder.insert_events(
                commit(f"act_{number:08}", 1), view=replace(row(number), due_at=due_at, version=1, agent="agent1")
            )
        by_hand.execute(f"UPDATE actions SET {column} = {value} WHERE action_id = ?", (DAMAGED,))
        assert [one.action_id for one in recorder.views(None, 3)] == OTHERS
        assert [one.action_id for one in recorder.views(None, 3, oldest_first=True)] == OTHERS[::-1]
        assert DAMAGED not in [one.action_id for one in recorder.views("succeeded", 9)]
        assert all(DAMAGED in line for line in caplog.messages)
        assert all("execution-agent views rebuild" in line for line in caplog.messages)
        assert len(caplog.messages) >= 2
        first = recorder.find(Search({"agent": "agent1"}), 2)
        assert [one.action_id for one in first.rows] == OTHERS[:2]
        rest = recorder.find(Search({"agent": "agent1"}), 2, first.after)
        assert [one.action_id for one in rest.rows] == OTHERS[2:]
        assert sum(count.count for count in recorder.counts(None, None)) in {3, 4}
        due = [place.action_id for place in recorder.line(NOON + timedelta(hours=1), 4)]
        assert [action_id for action_id in due if action_id != DAMAGED] == OTHERS[::-1]
        standing = recorder.upkeep().standing(recorder.journal(), NOON)
        assert standing.unreadable == (what in TOLD_BY_STATUS)
        assert not standing.unreadable or not standing.is_well


@pytest.mark.parametrize("value", ["'newest'", "1.5", "X'00'"])
def test_a_row_without_a_version_gives_way_to_one_that_has_it(value: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(SQLiteRecorder(str(path))) as recorder, closing(apsw.Connection(str(path))) as by_hand:
        recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))
        by_hand.execute(f"UPDATE actions SET version = {value}")
        assert recorder.views(None, 9) == []
        recorder.upkeep().put([view("act_1", 1)])
        assert recorder.views(None, 9) == [view("act_1", 1)]


def test_a_search_goes_on_where_the_last_place_that_it_looks_at_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(filled(path, LOOKED_AT + 20)) as recorder, closing(apsw.Connection(str(path))) as by_hand:
        by_hand.execute("UPDATE actions SET agent = 'agent1', action_type = 'send_email', status = 'succeeded'")
        rows = "SELECT action_id FROM actions ORDER BY born DESC LIMIT 1 OFFSET ?"
        last = by_hand.execute(rows, (LOOKED_AT - 1,)).get
        by_hand.execute("UPDATE actions SET born = substr(born, 1, 20) || 'x' WHERE action_id = ?", (last,))
        search, found, after = Search({"agent": "agent1", "action_type": "send_email"}), [], None
        while True:
            page = recorder.find(search, 200, after)
            found += [one.action_id for one in page.rows]
            after = page.after
            if after is None:
                break
    assert sorted([*found, last]) == [f"act_{number:08}" for number in range(LOOKED_AT + 20)]
