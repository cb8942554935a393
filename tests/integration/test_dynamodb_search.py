"""What a search asks of a table: by keys alone, and as much however many rows there are. Counted on the wire."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_commit import SHARDS
from adapters.dynamodb_row import BY_KEY
from adapters.dynamodb_views import LOOKED_AT, TABLE, DynamoDBViews
from agents.execution_agent.agent import ExecutionAgent
from projections.search import KEYS, Search
from tests.engines import Engine
from tests.fakes import Greet, ScriptedProvider, fake_world
from tests.house import greet, settings
from tests.sqlite_ledger import NOON, view

ROWS = 130
SAID = {
    "status": "failed",
    "action_type": "send_email",
    "subject": "customer@example.com",
    "target": "webhook:crm",
    "agent": "renewals",
    "decision": "d-1",
    "correlation": "c-1",
    "workflow": "run_1",
    "actor": "ada",
    "error": "http_404",
}


@pytest.fixture(scope="module")
def views(ministack: Engine) -> Iterator[DynamoDBViews]:
    """A table with many rows, all of the same keys."""
    dynamodb = DynamoDB(f"ledger-{uuid4().hex}-views", endpoint_url=ministack.url, sleep=lambda _: None)
    dynamodb.create_table(**TABLE)
    views = DynamoDBViews(dynamodb)
    for number in range(ROWS):
        views.keep(view(f"act_{number:03}", 1, born=NOON + timedelta(seconds=number), **SAID))
    yield views
    views.close()


def heard(dynamodb: DynamoDB) -> list[tuple[str, dict[str, Any]]]:
    """Fills with the operation and the body of each request that leaves."""
    requests: list[tuple[str, dict[str, Any]]] = []

    def hear(request: Any, **_: Any) -> None:
        operation = request.headers["X-Amz-Target"]
        name = operation.decode() if isinstance(operation, bytes) else operation
        requests.append((name.rpartition(".")[2], json.loads(request.body)))

    dynamodb.client.meta.events.register("before-send.dynamodb", cast("Callable[..., None]", hear))
    return requests


def asked_by(views: DynamoDBViews, act: Callable[[], object]) -> Counter[str]:
    requests = heard(views.dynamodb)
    act()
    return Counter(operation for operation, _ in requests)


@pytest.mark.parametrize("key", KEYS)
def test_a_page_costs_the_same_wherever_it_is_and_however_large(views: DynamoDBViews, key: str) -> None:
    index, search = BY_KEY[key], Search({key: SAID[key]})
    expected = {"Query": index.shards} | ({} if index.is_whole else {"BatchGetItem": 1})
    after = None
    for limit in (1, 7, 100):
        requests = heard(views.dynamodb)
        page = views.find(search, limit, after)
        assert Counter(operation for operation, _ in requests) == expected
        assert len(page.rows) == limit
        after = page.after
    assert {len(index.partitions("a")) for index in BY_KEY.values()} == {1, SHARDS}


def test_no_filter_is_a_query_a_shard(views: DynamoDBViews) -> None:
    assert asked_by(views, lambda: views.find(Search({}), 50)) == {"Query": SHARDS}


def test_several_filters_cost_one_read_more_for_each_hundred_rows_that_are_looked_at(views: DynamoDBViews) -> None:
    everything = Search(SAID)
    assert asked_by(views, lambda: views.find(everything, 50)) == {"Query": 1, "BatchGetItem": 2}
    nothing = Search({**SAID, "agent": "other"})
    assert asked_by(views, lambda: views.find(nothing, 50)) == {"Query": 1, "BatchGetItem": LOOKED_AT // 100}


def test_counting_reads_the_rows_of_that_time(views: DynamoDBViews) -> None:
    assert asked_by(views, lambda: views.counts(NOON, NOON + timedelta(seconds=9))) == {"Query": SHARDS}


def test_rows_of_a_page_are_read_consistently_and_by_their_index(views: DynamoDBViews) -> None:
    requests = heard(views.dynamodb)
    views.find(Search({"subject": SAID["subject"]}), 5)
    (_, query), (_, read) = requests
    assert query["IndexName"] == "by_subject"
    assert read["RequestItems"][views.dynamodb.table]["ConsistentRead"] is True


def test_an_entry_that_the_index_still_has_is_not_found_any_more(views: DynamoDBViews) -> None:
    """Indexes follow their table: the row itself says what is true."""

    class Stale(DynamoDBViews):
        def _whole(self, entries: Any) -> Any:
            rows = super()._whole(entries)
            return [
                {**item, "error": {"S": "http_503"}} if item["action_id"]["S"] == "act_129" else item for item in rows
            ]

    page = Stale(views.dynamodb).find(Search({"error": "http_404"}), 3)
    assert [row.action_id for row in page.rows] == ["act_128", "act_127"]
    assert page.after is not None
    assert page.after.action_id == "act_127"


def test_a_shard_that_answers_only_a_part_holds_up_none_of_the_others(views: DynamoDBViews) -> None:
    """An answer of DynamoDB ends after a megabyte, however many rows were asked for."""

    class Brief(DynamoDB):
        def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
            if operation == "Query":
                parameters["Limit"] = min(parameters["Limit"], 3)
            return super().call(operation, **parameters)

    there = views.dynamodb
    brief = DynamoDBViews(Brief(there.table, endpoint_url=there._endpoint_url))
    told, after = [], None
    while True:
        page = brief.find(Search({"agent": "renewals"}), 50, after)
        told += [row.action_id for row in page.rows]
        after = page.after
        if after is None:
            break
    assert told == [f"act_{number:03}" for number in reversed(range(ROWS))]
    brief.close()


# -- whatever the agent is asked ------------------------------------------------------------------------------------

BY_KEYS = {"PutItem", "GetItem", "BatchGetItem", "Query", "CreateTable", "DescribeTable"}


def test_nothing_that_an_agent_does_scans(moto: Engine) -> None:
    """All that lists, finds, counts, carries out and tells: no request reads a table from end to end."""
    world = fake_world(extras={"provider": ScriptedProvider()})
    with ExecutionAgent(settings(ledger=moto.new_ledger()), world=world, actions=[Greet]) as agent:
        rows = cast("DynamoDBViews", agent._parts.views)
        rows.dynamodb.create_table(**TABLE)
        recorder: Any = agent._parts.ledger.recorder
        ledger, lists = heard(recorder.dynamodb), heard(rows.dynamodb)
        done = agent.process(greet(decision={"id": "d-1", "agent": "renewals"}, correlation_id="c-1"))
        agent.process({"action_type": "greet", "parameters": {}})
        agent.worker(threads=1).run(_stopped(), until_idle=True, tell=lambda _: None)
        assert [row["action_id"] for row in agent.find(decision="d-1")["actions"]] == [done["action_id"]]
        for key, value in SAID.items():
            agent.find(**{key: value})
            agent.find(**{key: value}, since="2026-03-01", until="2026-03-01", limit=3)
        agent.find(agent="renewals", correlation="c-1", status="succeeded")
        agent.list_actions("succeeded")
        agent.counters()
        agent.count_bulk("failed")
        agent.status(done["action_id"])
        agent.history(done["action_id"])
        agent.undo(done["action_id"], actor="ada", reason="a try")
    assert len(lists) > len(SAID)
    assert len(ledger) > 2
    assert {operation for operation, _ in [*ledger, *lists]} <= BY_KEYS


def _stopped() -> Any:
    from threading import Event

    stop = Event()
    stop.set()
    return stop
