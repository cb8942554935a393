"""The table of rows on a real engine: what it costs, and what it survives."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import OperationalError

from adapters.dynamodb import TRIES, DynamoDB
from adapters.dynamodb_commit import SHARDS
from adapters.dynamodb_views import TABLE, DynamoDBViews
from domain.priority import Priority
from tests import wire
from tests.engines import Engine
from tests.sqlite_ledger import NOON, view
from tests.wire import on_the_wire

SECOND = timedelta(seconds=1)


@pytest.fixture
def views(ministack: Engine) -> Iterator[DynamoDBViews]:
    """A new table, and nothing asked of it yet."""
    dynamodb = DynamoDB(f"ledger-{uuid4().hex}-views", endpoint_url=ministack.url, sleep=lambda _: None)
    dynamodb.create_table(**TABLE)
    dynamodb.requests.clear()
    views = DynamoDBViews(dynamodb)
    yield views
    views.close()


def keep(views: DynamoDBViews, count: int) -> list[str]:
    """The ids of so many rows, newest first. The counting starts again."""
    for number in range(count):
        views.keep(view(f"act_{number}", 1, born=NOON + number * SECOND, status="failed"))
    views.dynamodb.requests.clear()
    return [f"act_{number}" for number in reversed(range(count))]


def listed(views: DynamoDBViews, status: str | None = None, limit: int = 1_000) -> list[str]:
    return [row.action_id for row in views.views(status, limit)]


def put(views: DynamoDBViews, **item: Any) -> None:
    """Somebody else writes to the table."""
    views.dynamodb.client.put_item(TableName=views.dynamodb.table, Item=item)


def as_stored(views: DynamoDBViews, action_id: str) -> dict[str, Any]:
    key = {"action_id": {"S": action_id}}
    item = views.dynamodb.client.get_item(TableName=views.dynamodb.table, Key=key, ConsistentRead=True)["Item"]
    return dict(item)


# -- what it costs, and what is stored ------------------------------------------------------------------------------


def test_to_keep_a_row_is_one_put_and_no_read(views: DynamoDBViews) -> None:
    for version in (1, 3, 2, 3):
        views.keep(view("act_1", version))
    assert dict(views.dynamodb.requests) == {"PutItem": 4}


@pytest.mark.parametrize("status", [None, "failed"])
@pytest.mark.parametrize("rows", [1, 120])
def test_a_list_is_a_query_a_shard_however_many_rows_there_are(
    views: DynamoDBViews, rows: int, status: str | None
) -> None:
    newest_first = keep(views, rows)
    assert listed(views, status, limit=10) == newest_first[:10]
    assert dict(views.dynamodb.requests) == {"Query": SHARDS}


def test_a_long_list_is_read_page_after_page_and_no_further_than_it_is_wanted(views: DynamoDBViews) -> None:
    newest_first = keep(views, 320)
    leafing = DynamoDBViews(views.dynamodb, page=20)
    assert listed(leafing, "failed") == newest_first
    assert 16 <= views.dynamodb.requests["Query"] <= 32
    views.dynamodb.requests.clear()
    assert listed(leafing, "failed", limit=40) == newest_first[:40]
    assert views.dynamodb.requests["Query"] == SHARDS


def test_a_row_is_stored_whole_each_time(views: DynamoDBViews) -> None:
    noon = {"S": "2026-03-01T12:00:00.000000Z"}
    views.keep(view("act_1", 3, due_at=NOON, holder="host/1/2", priority=Priority.LOW))
    before = as_stored(views, "act_1")
    shard = before["birth_shard"]["S"]
    assert shard in {str(number) for number in range(SHARDS)}
    assert before == {
        "action_id": {"S": "act_1"},
        "version": {"N": "3"},
        "status": {"S": "attempted"},
        "action_type": {"S": "greet"},
        "priority": {"S": "low"},
        "due_at": noon,
        "born": noon,
        "updated": noon,
        "holder": {"S": "host/1/2"},
        "status_shard": {"S": f"attempted#{shard}"},
        "type_shard": {"S": f"greet#{shard}"},
        "birth_shard": {"S": shard},
        "birth": {"S": "2026-03-01T12:00:00.000000Z act_1"},
    }
    views.keep(view("act_1", 4, status="succeeded", priority=Priority.LOW))
    gone = before.keys() - as_stored(views, "act_1").keys()
    assert gone == {"due_at", "holder"}


def test_rows_are_spread_over_all_shards(views: DynamoDBViews) -> None:
    shards = {as_stored(views, action_id)["status_shard"]["S"] for action_id in keep(views, 80)}
    assert shards == {f"failed#{number}" for number in range(SHARDS)}


# -- rows of other releases -----------------------------------------------------------------------------------------


def row_of_another_release(views: DynamoDBViews) -> dict[str, Any]:
    """A row that knows more than this release, and less."""
    views.keep(view("act_1", 3))
    item = as_stored(views, "act_1") | {
        "tags": {"L": [{"S": "vip"}]},
        "customer": {"M": {}},
        "priority": {"S": "urgent"},
        "version": {"N": "4"},
    }
    put(views, **item)
    return item


def test_what_another_release_says_beyond_is_no_hindrance(views: DynamoDBViews) -> None:
    item = row_of_another_release(views)
    assert views.views(None, 9) == views.views("attempted", 9) == [view("act_1", 4)]
    assert not views.keep(view("act_1", 3))
    del item["priority"]
    put(views, **item)
    assert views.views(None, 9) == [view("act_1", 4)]


def test_a_damaged_row_is_named_and_hides_no_other(views: DynamoDBViews, caplog: pytest.LogCaptureFixture) -> None:
    keep(views, 3)
    item = as_stored(views, "act_1")
    put(views, **(item | {"born": {"S": "once upon a time"}}))
    assert listed(views) == ["act_2", "act_0"]
    del item["version"]
    put(views, **item)
    assert listed(views, limit=2) == ["act_2", "act_0"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "act_1" in caplog.text
    assert views.keep(view("act_1", 1, born=NOON + SECOND))
    assert listed(views) == ["act_2", "act_1", "act_0"]


# -- what happens on the way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [wire.answer_lost, wire.failed_after], ids=lambda fault: fault.__name__)
def test_a_row_whose_answer_was_lost_is_known_to_be_kept(views: DynamoDBViews, fault: wire.Fault) -> None:
    on_the_wire(views.dynamodb.client, "PutItem", fault)
    assert views.keep(view("act_1", 3))
    assert dict(views.dynamodb.requests) == {"PutItem": 2}


def test_a_newer_row_that_came_in_between_is_told_from_ones_own(views: DynamoDBViews, ministack: Engine) -> None:
    others = DynamoDBViews(DynamoDB(views.dynamodb.table, endpoint_url=ministack.url))
    overtakes = wire.after(lambda: others.keep(view("act_1", 4, status="succeeded")), wire.lost)
    on_the_wire(views.dynamodb.client, "PutItem", overtakes)
    assert not views.keep(view("act_1", 3))
    assert listed(views, "succeeded") == ["act_1"]
    others.close()


def test_a_table_that_cannot_be_written_is_told_and_for_some_only_logged(
    views: DynamoDBViews, caplog: pytest.LogCaptureFixture
) -> None:
    throttled = wire.refused("ProvisionedThroughputExceededException")
    on_the_wire(views.dynamodb.client, "PutItem", *[throttled] * 2 * TRIES)
    with pytest.raises(OperationalError, match="too busy"):
        views.keep(view("act_1", 3))
    views.keep_if_possible(view("act_1", 3))
    assert "act_1: its row in lists cannot be kept" in caplog.text
    assert listed(views) == []


def test_a_table_that_is_not_there_says_what_to_do(ministack: Engine) -> None:
    views = DynamoDBViews(DynamoDB("nowhere-views", endpoint_url=ministack.url))
    for ask in (lambda: views.keep(view("act_1", 1)), lambda: views.views(None, 9)):
        with pytest.raises(OperationalError, match=r"nowhere-views.*run `execution-agent init`$"):
            ask()
    views.keep_if_possible(view("act_1", 1))
    views.close()
