"""What somebody did to a store by hand: the journals tell of it in its place, and of all the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import apsw
import pytest
from eventsourcing.persistence import InfrastructureFactory, OperationalError

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_events import DynamoDBRecorder
from adapters.dynamodb_journal import DynamoDBJournal
from adapters.sqlite_events import SQLiteRecorder
from adapters.sqlite_journal import SQLiteJournal
from domain.commit import Commit
from domain.errors import CorruptEvent
from domain.journal import Damaged, Journal, Life, Span
from tests.engines import Engine
from tests.given import NOON
from tests.sqlite_ledger import commit


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


@pytest.fixture
def recorder(path: str) -> Iterator[SQLiteRecorder]:
    recorder = SQLiteRecorder(path)
    for number in range(3):
        recorder.insert_events(commit(f"act_{number}", 1, b"a"), at=NOON)
        recorder.insert_events(commit(f"act_{number}", 2, b"b"), at=NOON)
    yield recorder
    recorder.close()


def by_hand(path: str, sql: str, *values: Any) -> None:
    connection = apsw.Connection(path)
    connection.execute(sql, values)
    connection.close()


def damage(journal: Journal) -> list[tuple[str, int]]:
    return [(row.action_id, row.version) for life in journal.lives() for row in life.rows if isinstance(row, Damaged)]


@pytest.mark.parametrize(
    "column",
    [
        "events = x'00'",
        "events = substr(events, 1, 5)",
        "events = 'text'",
        "events = x'306e'",
        "events = CAST(x'ff' AS TEXT)",
        "events = CAST(events AS TEXT)",
        "last = 'succeeded'",
        "last = x'00'",
        "last = CAST(x'ff' AS TEXT)",
        "at = x'00'",
        "at = CAST(x'ff' AS TEXT)",
        "at = 'é'",
        "previous = x'00'",
        "previous = 'text'",
        "previous = CAST(x'ff' AS TEXT)",
        "previous = CAST(zeroblob(31) || x'ff' AS TEXT)",
    ],
)
def test_a_row_that_was_damaged_hides_no_other(path: str, recorder: SQLiteRecorder, column: str) -> None:
    by_hand(path, f"UPDATE commits SET {column} WHERE action_id = 'act_1' AND version = 2")
    assert damage(recorder.journal()) == [("act_1", 2)]
    assert [len(life.rows) for life in recorder.journal().lives()] == [2, 2, 2]
    assert sum(isinstance(row, Damaged) for row in recorder.journal().written(NOON)) == 1


@pytest.mark.parametrize("version", ["'x'", "-4", "x'00'", "2.5", "CAST(x'ff' AS TEXT)"])
def test_a_version_that_is_none_is_told(path: str, recorder: SQLiteRecorder, version: str) -> None:
    by_hand(path, f"UPDATE commits SET version = {version} WHERE action_id = 'act_1' AND version = 2")
    assert len(damage(SQLiteJournal(recorder._file, page=1))) == 1


@pytest.mark.parametrize("action_id", ["7", "x'ff'", "''", "'a' || char(0) || 'b'", "CAST(x'61ff' AS TEXT)"])
def test_an_id_of_any_kind_is_read_past(path: str, recorder: SQLiteRecorder, action_id: str) -> None:
    by_hand(path, f"UPDATE commits SET action_id = {action_id} WHERE action_id = 'act_1'")
    journal = SQLiteJournal(recorder._file, page=1)
    lives = list(journal.lives())
    assert sum(len(life.rows) for life in lives) == 6
    assert sum(1 for part in range(journal.parts) for _ in journal.lives(part=part)) == len(lives) == 3


def test_a_page_may_end_amid_a_life(path: str, recorder: SQLiteRecorder) -> None:
    whole = list(recorder.journal().lives())
    for page in range(1, 8):
        journal = SQLiteJournal(recorder._file, page=page)
        assert list(journal.lives()) == whole
        assert list(journal.lives(after=whole[0].cursor)) == whole[1:]


def test_a_life_whose_birth_nobody_can_tell_is_in_every_span(path: str, recorder: SQLiteRecorder) -> None:
    by_hand(path, "DELETE FROM commits WHERE action_id = 'act_1' AND version = 1")
    spans = recorder.journal().lives(Span(until=NOON.date().replace(year=2020)))
    assert [life.action_id for life in spans] == ["act_1"]


@pytest.mark.parametrize("cursor", ["{", "{}", "[1]", "1e999", "null", '"\\ud800"', "[" * 100_000, "\ud800"])
def test_a_cursor_of_something_else_is_refused(recorder: SQLiteRecorder, cursor: str) -> None:
    with pytest.raises(OperationalError, match="no cursor"):
        list(recorder.journal().lives(after=cursor))


def test_what_an_earlier_release_wrote_is_chained_to_by_what_follows(path: str) -> None:
    by_hand(
        path,
        "CREATE TABLE commits (action_id TEXT, version INTEGER, events BLOB NOT NULL, last TEXT NOT NULL, "
        "at TEXT NOT NULL, PRIMARY KEY (action_id, version)) WITHOUT ROWID",
    )
    by_hand(path, "PRAGMA application_id = 1165508967")
    by_hand(path, "PRAGMA user_version = 1")
    by_hand(
        path,
        "CREATE TABLE actions (action_id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, "
        "action_type TEXT NOT NULL, due_at TEXT, born TEXT NOT NULL, updated TEXT NOT NULL, holder TEXT) WITHOUT ROWID",
    )
    at = "2026-03-01T12:00:00.000000Z"
    by_hand(path, "INSERT INTO commits VALUES ('act_1', 1, CAST('1n3:a.b,1:a,' AS BLOB), 'b', ?)", at)
    recorder = SQLiteRecorder(path)
    recorder.insert_events(commit("act_1", 2, b"b"), at=NOON)
    life = recorder.journal().life("act_1")
    recorder.close()
    assert life is not None
    earlier, later = life.rows
    assert isinstance(earlier, Commit)
    assert isinstance(later, Commit)
    assert earlier.previous is None
    assert later.previous == earlier.hash


# -- DynamoDB ---------------------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], object]


@pytest.mark.xdist_group("moto")
@pytest.mark.parametrize(
    ("attribute", "change"),
    [
        ("last", lambda item: item.update(last={"S": "succeeded"})),
        ("count", lambda item: item.update(count={"N": "3"})),
        ("born", lambda item: item.pop("born")),
        ("born", lambda item: item.update(born={"S": "2026-03-02#1"})),
        ("written", lambda item: item.pop("written")),
        ("at", lambda item: item.update(at={"S": "2026-03-01T12:00:00.000001Z"})),
        ("`type` or `at`", lambda item: item["events"]["L"][1]["M"].update(type={"S": "x"})),
        ("`type` or `at`", lambda item: item["events"]["L"][1]["M"].pop("at")),
        ("no commit", lambda item: item["events"]["L"][1]["M"].pop("state")),
        ("no commit", lambda item: item.update(events={"L": []})),
        ("no hash", lambda item: item.update(previous={"B": b"short"})),
    ],
)
def test_an_item_that_was_damaged_is_told(moto: Engine, attribute: str, change: Change) -> None:
    factory = InfrastructureFactory.construct(moto.new_ledger())
    recorder = factory.aggregate_recorder()
    assert isinstance(recorder, DynamoDBRecorder)
    recorder.insert_events(commit("act_1", 1, b"a", b"b"), at=NOON)
    recorder.insert_events(commit("act_1", 3, b"c"), at=NOON)
    _change(recorder, change)
    life = recorder.journal().life("act_1")
    factory.close()
    assert life is not None
    damaged, whole = life.rows
    assert isinstance(damaged, Damaged)
    assert attribute in damaged.problem
    assert isinstance(whole, Commit)


def _change(recorder: DynamoDBRecorder, change: Change) -> None:
    key = {"pk": {"S": "act_1"}, "sk": {"N": "1"}}
    table = recorder.dynamodb.table
    item = recorder.dynamodb.call("GetItem", TableName=table, Key=key)["Item"]
    change(item)
    recorder.dynamodb.call("PutItem", TableName=table, Item=item)


@pytest.mark.xdist_group("moto")
def test_an_item_whose_key_says_no_version_hides_no_other(moto: Engine) -> None:
    factory = InfrastructureFactory.construct(moto.new_ledger())
    recorder = factory.aggregate_recorder()
    assert isinstance(recorder, DynamoDBRecorder)
    recorder.insert_events(commit("act_1", 1, b"a"), at=NOON)
    for number in ("1.5", "-3", "1e30"):
        _change(recorder, lambda item, number=number: item.update(sk={"N": number}))  # type: ignore[misc]
    life = recorder.journal().life("act_1")
    assert life is not None
    assert sorted(type(row).__name__ for row in life.rows) == ["Commit", "Damaged", "Damaged", "Damaged"]
    assert all("is no version" in row.problem for row in life.rows if isinstance(row, Damaged))
    with pytest.raises(CorruptEvent, match="is no version"):
        recorder.select_events("act_1")
    factory.close()


@pytest.mark.parametrize(
    "cursor", ["nope", "nope x", "2026-03-01#1 ", "2026-03-01#1 \ud800", "2026-03-01#1 " + "x" * 1_025]
)
def test_a_cursor_of_something_else_is_refused_on_dynamodb(cursor: str) -> None:
    with pytest.raises(OperationalError, match="no cursor"):
        list(DynamoDBRecorder(DynamoDB("nowhere")).journal().lives(after=cursor))


class Counting:
    """An empty table that nobody asks too much."""

    asked = 0

    def query(self, **_: Any) -> Iterator[Any]:
        self.asked += 1
        assert self.asked < 1_000
        return iter(())


@pytest.mark.parametrize("span", [Span(date.min, date.max), Span(since=date.min), Span(until=date.max)])
def test_days_of_which_there_can_be_no_ledger_are_not_asked_for(span: Span) -> None:
    table = Counting()
    journal = DynamoDBJournal(cast("DynamoDB", table), now=lambda: NOON)
    assert list(journal.lives(span)) == []
    assert table.asked == 8 * 61
    assert list(journal.written(datetime.min.replace(tzinfo=UTC))) == []


class BrokenOff:
    """A table whose scan breaks off amid an action, and goes on elsewhere."""

    def __init__(self) -> None:
        first = {"pk": {"S": "act_1"}, "sk": {"N": "1"}, "born": {"S": "2026-01-01#3"}}
        second = {"pk": {"S": "act_1"}, "sk": {"N": "2"}}
        self._items = (second, {"pk": {"S": "act_2"}, "sk": {"N": "1"}}, first)

    def scan(self, **_: Any) -> Iterator[Any]:
        return iter(self._items)

    def query(self, ExpressionAttributeValues: Any, **_: Any) -> Iterator[Any]:  # noqa: N803 - the name on the wire
        return (item for item in self._items if item["pk"] == ExpressionAttributeValues[":id"])


def test_a_scan_that_breaks_off_amid_an_action_takes_it_for_no_other() -> None:
    journal = DynamoDBJournal(cast("DynamoDB", BrokenOff()), now=lambda: NOON)
    assert [(row.action_id, row.version) for row in journal.unlisted()] == [("act_2", 1)]


@pytest.mark.parametrize("action_id", ["", "\ud800", "x" * 2_049])
def test_an_id_that_can_be_no_key_has_no_life_on_dynamodb(action_id: str) -> None:
    assert DynamoDBRecorder(DynamoDB("nowhere")).journal().life(action_id) is None


@pytest.mark.xdist_group("moto")
def test_an_item_without_a_hash_is_of_an_earlier_release(moto: Engine) -> None:
    factory = InfrastructureFactory.construct(moto.new_ledger())
    recorder = factory.aggregate_recorder()
    assert isinstance(recorder, DynamoDBRecorder)
    recorder.insert_events(commit("act_1", 1, b"a"), at=NOON)
    _change(recorder, lambda item: [item.pop(name) for name in ("previous", "at", "written")])
    other = DynamoDBRecorder(recorder.dynamodb)
    other.insert_events(commit("act_1", 2, b"b"), at=NOON)
    life: Life | None = other.journal().life("act_1")
    factory.close()
    assert life is not None
    earlier, later = life.rows
    assert isinstance(earlier, Commit)
    assert isinstance(later, Commit)
    assert (earlier.previous, later.previous) == (None, earlier.hash)
