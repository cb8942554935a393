"""What a journal promises, whatever store is behind it: all that is there, each commit chained to the one before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory, StoredEvent

from adapters.dynamodb_events import DynamoDBRecorder
from domain.commit import NOTHING, Commit
from domain.journal import Journal, JournaledRecorder, Life, Span
from tests.engines import new_ledger

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
"""Early: a journal in DynamoDB asks for each day since the first that there can be."""
DAY = timedelta(days=1)


class Store(AggregateRecorder, JournaledRecorder):
    """What the suite speaks to."""


@pytest.fixture(params=["memory", "sqlite", pytest.param("moto", marks=pytest.mark.xdist_group("moto"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    factory = InfrastructureFactory.construct(new_ledger(request, tmp_path))
    recorder = factory.aggregate_recorder()
    if isinstance(recorder, DynamoDBRecorder):
        recorder = DynamoDBRecorder(recorder.dynamodb, now=lambda: NOON + 9 * DAY)
    yield cast("Store", recorder)
    factory.close()


def commit(store: Store, action_id: str, first: int, *states: bytes, at: Any = NOON) -> None:
    events = [StoredEvent(action_id, first + place, "action.noted", state) for place, state in enumerate(states)]
    store.insert_events(events, at=at)


def commits(life: Life | None) -> list[Commit]:
    assert life is not None
    assert all(isinstance(row, Commit) for row in life.rows), life.rows
    return [row for row in life.rows if isinstance(row, Commit)]


def ids(journal: Journal, *said: Any, **members: Any) -> list[str]:
    return [life.action_id for life in journal.lives(*said, **members)]


def test_each_commit_bears_the_hash_of_the_one_before(store: Store) -> None:
    commit(store, "act_1", 1, b"a", b"b")
    commit(store, "act_1", 3, b"c" * 2000)
    commit(store, "act_1", 4, b"d")
    life = commits(store.journal().life("act_1"))
    assert [(each.version, each.last) for each in life] == [(1, 2), (3, 3), (4, 4)]
    assert life[0].previous == NOTHING
    assert [later.previous for _, later in pairwise(life)] == [earlier.hash for earlier in life[:-1]]


def test_a_commit_is_told_as_it_was_stored(store: Store) -> None:
    commit(store, "act_1", 1, b"a", b"b" * 3000)
    assert store.journal().life("act_1") is not None
    (only,) = commits(store.journal().life("act_1"))
    assert only.events == (("action.noted", b"a"), ("action.noted", b"b" * 3000))
    assert only.at == "2026-01-02T12:00:00.000000Z"
    assert only.stored_events() == store.select_events("act_1")


def test_nothing_is_told_of_what_nobody_knows(store: Store) -> None:
    assert store.journal().life("act_9") is None
    assert ids(store.journal()) == []


def test_every_life_is_told_once_and_whole(store: Store) -> None:
    for number in range(30):
        commit(store, f"act_{number:02}", 1, b"a")
    for number in range(0, 30, 3):
        commit(store, f"act_{number:02}", 2, b"b", at=NOON + DAY)
    lives = {life.action_id: len(life.rows) for life in store.journal().lives()}
    assert lives == {f"act_{number:02}": 1 if number % 3 else 2 for number in range(30)}


def test_the_parts_are_the_whole(store: Store) -> None:
    for number in range(40):
        commit(store, f"act_{number:02}", 1, b"a")
    journal = store.journal()
    parts = [ids(journal, part=part) for part in range(journal.parts)]
    assert sorted(chain.from_iterable(parts)) == [f"act_{number:02}" for number in range(40)]


def test_a_reader_goes_on_behind_the_life_that_it_has_read(store: Store) -> None:
    for number in range(20):
        commit(store, f"act_{number:02}", 1, b"a", at=NOON + number % 3 * DAY)
    lives = list(store.journal().lives())
    for place, life in list(enumerate(lives))[::4]:
        assert ids(store.journal(), after=life.cursor) == [later.action_id for later in lives[place + 1 :]]


def test_a_span_is_of_days_of_birth(store: Store) -> None:
    for number in range(4):
        commit(store, f"act_{number}", 1, b"a", at=NOON + number * DAY)
        commit(store, f"act_{number}", 2, b"b", at=NOON + 9 * DAY)
    journal, first = store.journal(), NOON.date()
    assert sorted(ids(journal, Span(since=first + DAY))) == ["act_1", "act_2", "act_3"]
    assert sorted(ids(journal, Span(until=first + DAY))) == ["act_0", "act_1"]
    assert sorted(ids(journal, Span(first + DAY, first + 2 * DAY))) == ["act_1", "act_2"]
    assert ids(journal, Span(date(2026, 5, 1), date(2026, 5, 2))) == []


def test_what_was_written_since_is_told_once(store: Store) -> None:
    commit(store, "act_1", 1, b"a", at=NOON - DAY)
    commit(store, "act_2", 1, b"a", at=NOON)
    commit(store, "act_1", 2, b"b", at=NOON + DAY)
    commit(store, "act_1", 3, b"c", at=NOON - DAY)  # by a clock that goes behind
    written = [row for row in store.journal().written(NOON) if isinstance(row, Commit)]
    assert sorted((row.action_id, row.version) for row in written) == [("act_1", 2), ("act_2", 1)]
    assert len(list(store.journal().written(NOON - 2 * DAY))) == 4


def test_what_is_told_needs_no_index_to_be_found_without_one(store: Store) -> None:
    commit(store, "act_1", 1, b"a")
    commit(store, "act_1", 2, b"b", at=NOON + DAY)
    assert list(store.journal().unlisted()) == []


def test_a_span_may_be_as_wide_as_the_calendar(store: Store) -> None:
    commit(store, "act_1", 1, b"a")
    assert ids(store.journal(), Span(date.min, date.max)) == ["act_1"]
    assert ids(store.journal(), Span(until=date.min)) == ids(store.journal(), Span(since=date.max)) == []
    assert len(list(store.journal().written(datetime.min.replace(tzinfo=UTC)))) == 1


def test_two_stores_agree_on_what_was_stored_and_say_so_by_its_hash(store: Store) -> None:
    commit(store, "act_1", 1, b"short")
    (only,) = commits(store.journal().life("act_1"))
    assert only.hash.hex() == "7079b0917871c8bd93b3b8fe413940f5dd030ff2c82459ea8a65bcadc512e1e8"
