"""A sweep behind which much has gathered: it gets on, stretch by stretch, and what it got done stays done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any, cast

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_commit import SHARDS
from adapters.dynamodb_events import AGENDA_PAGE, STRETCH_PAGE, DynamoDBRecorder
from adapters.dynamodb_unswept import LONGEST_STRETCH, DynamoDBUnswept
from domain.instant import to_text
from handlers.doorbell import time_for_rings
from handlers.sweep import Sweep
from handlers.visit import Visit
from tests.bells import Bells
from tests.given import NOON

DAY = timedelta(days=1)


class Table:
    """Both tables at once: `count` entries that became due within a day, all of them overtaken since, and a place."""

    table = "ledger"

    def __init__(self, count: int, asked: Callable[[str], object] = lambda operation: None) -> None:
        self._times = [to_text(NOON + DAY * number / count) for number in range(count)]
        self._asked = asked
        self.requests: Counter[str] = Counter()
        self.swept: str | None = to_text(NOON)

    def query(self, **asked: Any) -> Iterator[Any]:
        values = asked["ExpressionAttributeValues"]
        shard, since, now = (values[name]["S"] for name in (":shard", ":since", ":now"))
        numbers = range(int(shard), len(self._times), SHARDS) if shard.isdecimal() else ()
        found = (number for number in numbers if since <= self._times[number] <= now)
        self._count("Query")
        for place, number in enumerate(found, start=1):
            if place % asked["Limit"] == 0:
                self._count("Query")
            keys = {"pk": {"S": f"act_{number}"}, "sk": {"N": "1"}}
            yield {**keys, "count": {"N": "3"}, "due_at": {"S": self._times[number]}}

    def call(self, operation: str, **asked: Any) -> dict[str, Any]:
        self._count(operation)
        match operation:
            case "BatchGetItem":
                return {"Responses": {self.table: asked["RequestItems"][self.table]["Keys"]}}
            case "GetItem":
                return {"Item": {"until": {"S": self.swept}}}
            case _:
                self.swept = asked["Item"]["until"]["S"]
                return {}

    def _count(self, operation: str) -> None:
        self.requests[operation] += 1
        self._asked(operation)


def unswept_in(table: Table) -> DynamoDBUnswept:
    dynamodb = cast("DynamoDB", table)
    return DynamoDBUnswept(DynamoDBRecorder(dynamodb), dynamodb, timedelta(seconds=30))


def test_a_stretch_is_a_few_requests_however_much_has_gathered() -> None:
    table = Table(60_000)
    stretches = unswept_in(table).stretches(NOON + DAY, 10_000)
    requests = []
    for stretch in stretches:
        assert stretch.due == []
        requests.append(table.requests.total())
        table.requests.clear()
    assert len(requests) == 60_000 // LONGEST_STRETCH + 1
    assert max(requests) <= 60
    assert sum(requests) <= 60_000 / AGENDA_PAGE + 60_000 / STRETCH_PAGE + 100


def test_time_in_which_nothing_was_due_is_one_stretch() -> None:
    table = Table(10)
    (stretch,) = unswept_in(table).stretches(NOON + 400 * DAY, 10_000)
    assert stretch.until == NOON + 400 * DAY
    assert table.requests.total() < 30


def test_entries_are_looked_at_beside_each_other() -> None:
    both = Barrier(2, timeout=10.0)
    table = Table(2 * AGENDA_PAGE, lambda operation: both.wait() if operation == "BatchGetItem" else None)
    assert len(list(unswept_in(table).stretches(NOON + DAY, 10_000))) == 1


def test_sweep_after_sweep_gets_on_until_it_has_caught_up() -> None:
    bells = Bells()
    table = Table(60_000, lambda operation: bells.clock.pass_time(0.1))
    now = bells.clock.now()
    bells.clock.pass_time(86_400.0)
    places: list[datetime | str | None] = []
    for _ in range(3):
        sweep_for_a_minute(bells, table)
        places.append(table.swept)
    assert places == sorted(places, key=str)
    assert str(places[0]) > to_text(now), "what was looked at is left behind"
    assert str(places[2]) > to_text(now + DAY)


def sweep_for_a_minute(bells: Bells, table: Table) -> None:
    parts = bells.agent._parts
    nobody = cast("Visit", None)
    began = bells.clock.monotonic()
    Sweep(parts.ledger, parts.agenda, unswept_in(table), nobody, bells.world)(time_for_rings(bells.clock, 57.0))
    assert bells.clock.monotonic() - began < 60.0
