"""What a store of rows promises, whether it is the ledger's own or a table beside it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from eventsourcing.persistence import InfrastructureFactory

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_views import TABLE, DynamoDBViews, views_table
from domain.priority import Priority
from projections.view import ActionView
from tests.engines import Engine
from tests.sqlite_ledger import NOON, commit, view

SECOND = timedelta(seconds=1)


class Rows(Protocol):
    """What all of them can do."""

    def keep(self, view: ActionView) -> object: ...
    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> Sequence[ActionView]: ...


class RowsOfLedger:
    """A ledger that keeps its rows itself: each comes with a commit, whichever that is."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder
        self._versions: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))

    def keep(self, view: ActionView) -> None:
        version = next(self._versions[view.action_id])
        self._recorder.insert_events(commit(view.action_id, version), view=view)

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> Sequence[ActionView]:
        rows: Sequence[ActionView] = self._recorder.views(status, limit, oldest_first=oldest_first)
        return rows


def table_on(engine: Engine) -> DynamoDBViews:
    """A new table of rows."""
    dynamodb = DynamoDB(views_table(f"ledger-{uuid4().hex}"), endpoint_url=engine.url)
    dynamodb.create_table(**TABLE)
    return DynamoDBViews(dynamodb)


STORES = [
    "memory",
    "sqlite",
    pytest.param("moto", marks=pytest.mark.xdist_group("moto")),
    pytest.param("ministack", marks=pytest.mark.xdist_group("ministack")),
]


@pytest.fixture(params=STORES)
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    if request.param in ("moto", "ministack"):
        return table_on(request.getfixturevalue(request.param))
    environment = {
        "PERSISTENCE_MODULE": f"adapters.{request.param}_events",
        "SQLITE_DBNAME": str(tmp_path / "ledger.db"),
    }
    return RowsOfLedger(InfrastructureFactory.construct(environment).aggregate_recorder())


def born(number: int, **said: Any) -> ActionView:
    """The row of an action, the later born the higher its number."""
    return view(f"act_{number}", 1, **({"born": NOON + number * SECOND} | said))


def listed(rows: Rows, status: str | None = None, limit: int = 100) -> list[str]:
    return [row.action_id for row in rows.views(status, limit)]


def test_a_row_comes_back_as_it_was_kept(rows: Rows) -> None:
    whole = view(
        "act_1",
        3,
        status="attempted",
        action_type="send_email",
        due_at=NOON + timedelta(microseconds=7),
        born=NOON - SECOND,
        updated=NOON + timedelta(microseconds=5),
        holder="host/1/2",
        priority=Priority.HIGH,
    )
    scarce = view("act_2", 1, status="succeeded", born=NOON - 2 * SECOND)
    rows.keep(scarce)
    rows.keep(whole)
    assert rows.views(None, 9) == [whole, scarce]


def test_a_list_is_newest_first_whoever_was_kept_first(rows: Rows) -> None:
    for number in (3, 1, 4, 2):
        rows.keep(born(number))
    assert listed(rows) == ["act_4", "act_3", "act_2", "act_1"]
    assert listed(rows, limit=3) == ["act_4", "act_3", "act_2"]
    assert listed(rows, limit=0) == []


def test_a_list_may_be_oldest_first(rows: Rows) -> None:
    for number in (3, 1, 4, 2):
        rows.keep(born(number, status="succeeded" if number == 2 else "failed"))
    assert [row.action_id for row in rows.views(None, 3, oldest_first=True)] == ["act_1", "act_2", "act_3"]
    assert [row.action_id for row in rows.views("failed", 2, oldest_first=True)] == ["act_1", "act_3"]


def test_those_born_together_have_an_order_too(rows: Rows) -> None:
    for action_id in ("act_b", "act_c", "act_a"):
        rows.keep(view(action_id, 1))
    assert listed(rows) == ["act_c", "act_b", "act_a"]


def test_a_list_may_be_of_one_status(rows: Rows) -> None:
    for number, status in enumerate(("failed", "in_doubt", "failed", "succeeded"), start=1):
        rows.keep(born(number, status=status))
    assert listed(rows, "failed") == ["act_3", "act_1"]
    assert listed(rows, "failed", limit=1) == ["act_3"]
    assert listed(rows, "in_doubt") == ["act_2"]
    assert listed(rows, "cancelled") == listed(rows, "") == []


def test_an_action_that_moves_on_has_one_row_and_stands_in_one_list(rows: Rows) -> None:
    rows.keep(born(1, status="attempted", due_at=NOON, holder="host/1/2"))
    done = view("act_1", 4, status="succeeded", born=NOON + SECOND, updated=NOON + SECOND)
    rows.keep(done)
    assert rows.views(None, 9) == rows.views("succeeded", 9) == [done]
    assert listed(rows, "attempted") == []


def test_an_older_row_changes_nothing_and_neither_does_the_same_again(rows: Rows) -> None:
    newest = view("act_1", 9, status="succeeded")
    rows.keep(view("act_1", 3))
    rows.keep(newest)
    for late in (view("act_1", 8, status="failed"), view("act_1", 3), newest, view("act_1", 9, status="failed")):
        rows.keep(late)
    assert rows.views(None, 9) == [newest]
    assert listed(rows, "failed") == listed(rows, "attempted") == []


def test_versions_are_numbers(rows: Rows) -> None:
    rows.keep(view("act_1", 9))
    rows.keep(view("act_1", 10, status="succeeded"))
    assert listed(rows, "succeeded") == ["act_1"]


def test_hundreds_of_rows_are_listed_whole_in_order_and_once(rows: Rows) -> None:
    numbers = list(range(330))
    random.Random(7).shuffle(numbers)
    for number in numbers:
        rows.keep(born(number, status="failed" if number % 3 else "succeeded"))
    newest_first = [f"act_{number}" for number in reversed(range(330))]
    assert listed(rows, limit=1_000) == newest_first
    assert listed(rows, limit=50) == newest_first[:50]
    assert listed(rows, "failed", limit=1_000) == [f"act_{number}" for number in reversed(range(330)) if number % 3]


# -- a table beside the ledger, which anybody writes at any time ----------------------------------------------------


@pytest.mark.parametrize("engine", STORES[2:])
def test_whoever_keeps_the_newest_is_told_so(engine: str, request: pytest.FixtureRequest) -> None:
    rows = table_on(request.getfixturevalue(engine))
    told = [rows.keep(view("act_1", version)) for version in (3, 4, 4, 3, 5)]
    assert told == [True, True, True, False, True]


def test_writers_at_the_same_time_leave_the_newest(ministack: Engine) -> None:
    """Eight writers, each with every version of three actions, in an order of its own."""
    here = table_on(ministack)
    elsewhere = DynamoDBViews(DynamoDB(here.dynamodb.table, endpoint_url=ministack.url))

    def keep_all(writer: int) -> list[bool]:
        rows = [view(f"act_{action}", version, status=f"s{version}") for version in range(1, 13) for action in range(3)]
        random.Random(writer).shuffle(rows)
        told = [(row.version, (here, elsewhere)[writer % 2].keep(row)) for row in rows]
        return [is_newest for version, is_newest in told if version == 12]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(told) for told in pool.map(keep_all, range(8)))
    left = [(row.action_id, row.version, row.status) for row in here.views(None, 99)]
    assert left == [(f"act_{action}", 12, "s12") for action in (2, 1, 0)]
    assert {status for number in range(1, 12) for status in listed(here, f"s{number}")} == set()
