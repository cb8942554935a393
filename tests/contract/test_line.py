"""What the agenda of every store promises: all that is due, in the order of the line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import InfrastructureFactory

from adapters.dynamodb_commit import SHARDS
from domain.priority import Place, Priority
from tests.sqlite_ledger import NOON, commit, view

MINUTE = timedelta(minutes=1)
HIGH, NORMAL, LOW = Priority.HIGH, Priority.NORMAL, Priority.LOW


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("moto", marks=pytest.mark.xdist_group("moto")),
        pytest.param("ministack", marks=pytest.mark.xdist_group("ministack")),
    ]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param in ("moto", "ministack"):
        environment = request.getfixturevalue(request.param).new_ledger()
    else:
        module = f"adapters.{request.param}_events"
        environment = {"PERSISTENCE_MODULE": module, "SQLITE_DBNAME": str(tmp_path / "ledger.db")}
    with InfrastructureFactory.construct(environment) as factory:
        yield factory.aggregate_recorder()


def wait(store: Any, action_id: str, due_at: datetime, priority: Priority = NORMAL, *, version: int = 1) -> None:
    """The action must be looked at then."""
    row = view(action_id, version, due_at=due_at, priority=priority)
    store.insert_events(commit(action_id, version), due_at=due_at, view=row)


def line(store: Any, now: datetime = NOON, limit: int = 100) -> list[str]:
    return [place.action_id for place in store.line(now, limit)]


def test_what_became_due_together_goes_by_priority(store: Any) -> None:
    for action_id, priority in (("a", LOW), ("b", NORMAL), ("c", HIGH), ("d", LOW), ("e", HIGH), ("f", NORMAL)):
        wait(store, action_id, NOON, priority)
    assert line(store) == ["c", "e", "b", "f", "a", "d"]
    assert line(store, limit=3) == ["c", "e", "b"]


def test_whoever_was_patient_goes_before_what_is_high(store: Any) -> None:
    wait(store, "high", NOON - timedelta(seconds=5), HIGH)
    wait(store, "normal, patient", NOON - 2 * MINUTE)
    wait(store, "normal", NOON - timedelta(seconds=30))
    wait(store, "low, patient", NOON - 12 * MINUTE, LOW)
    wait(store, "low", NOON - 9 * MINUTE, LOW)
    assert line(store) == ["low, patient", "normal, patient", "high", "normal", "low"]


def test_a_place_is_told_with_its_time(store: Any) -> None:
    wait(store, "low", NOON - MINUTE, LOW)
    assert list(store.line(NOON, 9)) == [Place(NOON + 9 * MINUTE, "low")]


def test_nobody_stands_in_line_before_it_is_due_whatever_its_priority(store: Any) -> None:
    soon = NOON + timedelta(microseconds=1)
    for priority in Priority:
        wait(store, priority, soon, priority)
    assert line(store) == []
    assert line(store, soon) == [HIGH, NORMAL, LOW]


def test_a_crowd_of_low_ones_hides_no_high_one(store: Any) -> None:
    crowd = [f"act_{number}" for number in range(12 * SHARDS)]
    for action_id in crowd:
        wait(store, action_id, NOON - MINUTE, LOW)
    wait(store, "high", NOON, HIGH)
    assert line(store, limit=5)[0] == "high"
    assert sorted(line(store, limit=1_000)[1:]) == sorted(crowd)


def test_who_is_done_leaves_the_line_and_who_waits_again_stands_where_it_belongs(store: Any) -> None:
    for number in range(3):
        wait(store, f"act_{number}", NOON - MINUTE, HIGH)
    store.insert_events(commit("act_0", 2), view=view("act_0", 2, status="succeeded", priority=HIGH))
    wait(store, "act_1", NOON, HIGH, version=2)
    assert line(store) == ["act_2", "act_1"]


def test_a_commit_that_says_nothing_of_its_priority_is_normal(store: Any) -> None:
    wait(store, "high", NOON, HIGH)
    store.insert_events(commit("silent", 1), due_at=NOON, view=view("silent", 1, due_at=NOON))
    wait(store, "low", NOON, LOW)
    assert line(store) == ["high", "silent", "low"]
