"""What a store of rows promises, whether it is the ledger's own or a table beside it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from eventsourcing.persistence import InfrastructureFactory

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_views import TABLE, DynamoDBViews, views_table
from domain.priority import Priority
from projections.agenda import Searchable
from projections.search import KEYS, Count, Page, Position, Search
from projections.view import ActionView
from tests.engines import Engine
from tests.sqlite_ledger import NOON, commit, view

SECOND = timedelta(seconds=1)


class Rows(Searchable, Protocol):
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

    def find(self, search: Search, limit: int, after: Position | None = None) -> Page:
        page: Page = self._recorder.find(search, limit, after)
        return page

    def counts(self, since: datetime | None, until: datetime | None) -> Sequence[Count]:
        counts: Sequence[Count] = self._recorder.counts(since, until)
        return counts

    def not_searchable(self) -> int | None:
        count: int | None = self._recorder.not_searchable()
        return count


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


# -- what is found ---------------------------------------------------------------------------------------------------

FOUND_BY = {
    "subject": "customer@example.com",
    "target": "webhook:crm-sync",
    "agent": "renewals",
    "decision": "d-1",
    "correlation": "c-1",
    "workflow": "run_01m87gb1k7e4sb6d1n6rvkge9g",
    "actor": "ada",
    "error": "http_404",
}


def pages(rows: Rows, limit: int, between: Callable[[], object] = lambda: None, **keys: str) -> list[list[str]]:
    """The ids of each page, to the last one; `between` happens after each."""
    told, after = [], None
    while True:
        page = rows.find(Search(keys), limit, after)
        told.append([row.action_id for row in page.rows])
        between()
        after = page.after
        if after is None:
            return told


def found(rows: Rows, **keys: str) -> list[str]:
    """The ids of all that is found, newest first."""
    return [action_id for page in pages(rows, 50, **keys) for action_id in page]


def test_what_a_row_is_found_by_comes_back_with_it(rows: Rows) -> None:
    told, silent = born(1, **FOUND_BY), born(2)
    rows.keep(told)
    rows.keep(silent)
    assert rows.views(None, 9) == [silent, told]
    assert rows.find(Search({"agent": "renewals"}), 9).rows == [told]
    assert not rows.not_searchable()


def test_an_action_is_found_by_each_of_its_keys_and_by_no_other_value(rows: Rows) -> None:
    said = {**FOUND_BY, "status": "failed", "action_type": "send_email"}
    assert said.keys() == set(KEYS)
    rows.keep(born(1, **said))
    rows.keep(born(2, **{key: f"{value}x" for key, value in said.items()}))
    rows.keep(born(3, **{key: value.upper() for key, value in said.items()}))
    rows.keep(born(4))
    rows.keep(born(5, **said))
    for key, value in said.items():
        assert found(rows, **{key: value}) == ["act_5", "act_1"]
        assert found(rows, **{key: value[:-1]}) == []


def test_a_key_is_whatever_somebody_wrote(rows: Rows) -> None:
    hostile = ["it's", "a#7", "a", "Zoë 🦋", "a\tb\nc", "x" * 255, "🦋" * 255, "' OR 1=1 --", "%_", "#"]
    for number, said in enumerate(hostile):
        rows.keep(born(number, subject=said, action_type=said))
    assert [found(rows, subject=said) for said in hostile] == [[f"act_{number}"] for number in range(len(hostile))]
    assert [found(rows, action_type=said) for said in hostile] == [[f"act_{number}"] for number in range(len(hostile))]


def test_all_filters_have_to_be_true(rows: Rows) -> None:
    for number in range(24):
        rows.keep(
            born(
                number,
                status="failed" if number % 2 else "succeeded",
                agent="renewals" if number % 3 else "onboarding",
                decision="d-1" if number % 4 else None,
            )
        )
    assert found(rows, status="failed", agent="renewals", decision="d-1") == [
        f"act_{number}" for number in reversed(range(24)) if number % 2 and number % 3 and number % 4
    ]
    assert found(rows, status="succeeded", agent="onboarding", error="http_404") == []


def test_it_is_found_where_it_stands_now(rows: Rows) -> None:
    rows.keep(born(1, error="http_503", target="webhook:crm"))
    rows.keep(replace(born(1, status="failed", error="http_404", actor="ada", subject="003A"), version=2))
    assert found(rows, error="http_503") == found(rows, target="webhook:crm") == found(rows, status="attempted") == []
    assert {
        tuple(found(rows, **{key: value}))
        for key, value in {"error": "http_404", "actor": "ada", "subject": "003A", "status": "failed"}.items()
    } == {("act_1",)}
    rows.keep(replace(born(1, status="succeeded"), version=3))
    assert found(rows, error="http_404") == found(rows, actor="ada") == []


def test_a_late_row_hides_nothing_that_is_found(rows: Rows) -> None:
    rows.keep(replace(born(1, agent="renewals", error="http_404"), version=3))
    rows.keep(replace(born(1, agent="other", error="http_503"), version=2))
    rows.keep(replace(born(1, agent="other", error="http_503"), version=3))
    assert found(rows, agent="renewals", error="http_404") == ["act_1"]
    assert found(rows, agent="other") == found(rows, error="http_503") == []


@pytest.mark.parametrize("keys", [{}, {"agent": "renewals"}, {"decision": "d-1", "agent": "renewals"}])
def test_pages_hold_each_action_once_in_order(rows: Rows, keys: dict[str, str]) -> None:
    numbers = list(range(23))
    random.Random(7).shuffle(numbers)
    for number in numbers:
        rows.keep(replace(born(number // 2, **keys), action_id=f"act_{number:02}"))
    newest_first = [f"act_{number:02}" for number in reversed(range(23))]
    assert pages(rows, 5, **keys) == [newest_first[start : start + 5] for start in range(0, 23, 5)]
    assert pages(rows, 23, **keys) == [newest_first]


def test_a_page_stays_the_right_one_while_actions_move_on_and_others_are_born(rows: Rows) -> None:
    for number in range(12):
        rows.keep(born(number, agent="renewals", status="attempted"))
    later = count(100)

    def meanwhile() -> None:
        for number in (0, 3, 6, 9, 11):
            moved = born(number, agent="renewals", status="succeeded")
            rows.keep(replace(moved, version=next(later)))
        rows.keep(born(next(later), agent="renewals"))

    told = pages(rows, 4, meanwhile, agent="renewals")
    assert told == [[f"act_{number}" for number in reversed(range(start, start + 4))] for start in (8, 4, 0)]


def test_what_drops_out_of_a_search_leaves_the_other_pages_as_they_were(rows: Rows) -> None:
    for number in range(9):
        rows.keep(born(number, status="failed", error="http_404"))
    first = rows.find(Search({"status": "failed"}), 3)
    for number in (6, 4):  # the last of the first page, and one of the second
        rows.keep(replace(born(number, status="succeeded"), version=2))
    second = rows.find(Search({"status": "failed"}), 3, first.after)
    assert [[row.action_id for row in page.rows] for page in (first, second)] == [
        ["act_8", "act_7", "act_6"],
        ["act_5", "act_3", "act_2"],
    ]


@pytest.mark.parametrize("keys", [{}, {"agent": "renewals"}, {"status": "failed"}])
def test_what_was_born_in_a_time_is_found(rows: Rows, keys: dict[str, str]) -> None:
    for number in range(6):
        rows.keep(born(number, **keys))
    in_time = Search(keys, NOON + 2 * SECOND, NOON + 5 * SECOND)
    assert [row.action_id for row in rows.find(in_time, 9).rows] == ["act_4", "act_3", "act_2"]
    page = rows.find(in_time, 2)
    assert [row.action_id for row in rows.find(in_time, 2, page.after).rows] == ["act_2"]
    assert [row.action_id for row in rows.find(Search(keys, NOON + 5 * SECOND), 9).rows] == ["act_5"]
    assert [row.action_id for row in rows.find(Search(keys, None, NOON + SECOND), 9).rows] == ["act_0"]


def test_what_is_rare_is_found_behind_much_else(rows: Rows) -> None:
    """More than is looked at for one page: there are pages with nothing, and then it comes."""
    many = 520 if isinstance(rows, RowsOfLedger) else 220
    for number in range(many):
        rows.keep(born(number, decision="d-1", action_type="call_webhook" if 3 < number < many - 9 else "send_email"))
    told = pages(rows, 5, decision="d-1", action_type="send_email")
    assert [action_id for page in told for action_id in page] == [
        f"act_{number}" for number in reversed(range(many)) if not 3 < number < many - 9
    ]


def test_actions_are_counted_by_the_hour_of_their_birth(rows: Rows) -> None:
    for number, status in enumerate(("failed", "failed", "succeeded", "failed")):
        rows.keep(born(number, status=status, action_type="send_email"))
    rows.keep(born(3600, status="failed", action_type="send_email"))
    rows.keep(born(4, status="failed", action_type="call_webhook"))
    first_hour = [
        Count("2026-03-01T12", "failed", "call_webhook", 1),
        Count("2026-03-01T12", "failed", "send_email", 3),
        Count("2026-03-01T12", "succeeded", "send_email", 1),
    ]
    assert list(rows.counts(None, None)) == [*first_hour, Count("2026-03-01T13", "failed", "send_email", 1)]
    assert list(rows.counts(None, NOON + 3600 * SECOND)) == first_hour
    assert list(rows.counts(NOON + SECOND, NOON + 3 * SECOND)) == [
        Count("2026-03-01T12", "failed", "send_email", 1),
        Count("2026-03-01T12", "succeeded", "send_email", 1),
    ]
    assert list(rows.counts(NOON + 7200 * SECOND, None)) == []


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
