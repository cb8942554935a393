"""The journal of a ledger in DynamoDB (`domain.journal`): by the indexes of births and of writing times.

The index `born` names the actions of a day, a shard at a time; each life is then read from the table, consistently.
What somebody deleted from the table is in no index either: that is for the checkpoints to notice. What somebody put in
so that no index leads to it takes a scan, which only those do who look for just that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain, groupby, islice
from typing import Any

from adapters.dynamodb import AccessDenied, DynamoDB, Item
from adapters.dynamodb_commit import SHARDS, can_be_key, day_shard, shard_of, stored_commit, version_in
from domain.commit import HASH_SIZE, NOTHING, word_of
from domain.errors import CorruptEvent
from domain.instant import to_text
from domain.journal import EVERYTHING, Damaged, Life, MayNotLook, NoCursor, Row, Span

FIRST_DAY = date(2026, 1, 1)
"""No ledger of this kind is older."""
AHEAD = timedelta(days=1)
"""How far the clock of a writer may go before ours."""

LIVES_TOGETHER = 64
STRETCHES_TOGETHER = 32
"""Days' shards whose first pages are asked for together."""
ITEMS_TOGETHER = 100
"""BatchGetItem takes no more."""
READERS = 8
"""Threads that ask beside each other."""

_CURSOR = re.compile(r"\d{4}-\d\d-\d\d#\d+ .+", re.ASCII | re.DOTALL)
"""A key of the index `born`, and an action's id."""
_UNLISTED = "no index leads to it: whoever reads all actions does not meet this one"
_NO_SCAN = "rows that no index leads to were not looked for: it takes dynamodb:Scan"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A key of the index `born`, behind the id `after`."""

    key: str
    after: str | None


class DynamoDBJournal:
    """Reads what is there, and never writes. Every method raises OperationalError when the table cannot be read."""

    parts = SHARDS

    def __init__(self, dynamodb: DynamoDB, *, now: Callable[[], datetime]) -> None:
        self._dynamodb = dynamodb
        self._now = now

    def life(self, action_id: str) -> Life | None:
        """All of one action, read consistently."""
        return self._life(action_id, "") if can_be_key(action_id) else None

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        """In the order of day, shard and id. An action that was born a moment ago may not be in the index yet."""
        with ThreadPoolExecutor(READERS, thread_name_prefix="journal") as pool:
            births = self._births(pool, self._stretches(span, part, after))
            while together := list(islice(births, LIVES_TOGETHER)):
                yield from filter(None, pool.map(lambda birth: self._life(*birth), together))

    def written(self, since: datetime) -> Iterator[Row]:
        """In the order of their times, shard by shard."""
        keys = chain.from_iterable(
            self._index(
                "written", day_shard(day, shard), " AND #at >= :since", {":since": {"S": to_text(since)}}, {"#at": "at"}
            )
            for day in self._days(Span(since=since.date()))
            for shard in range(SHARDS)
        )
        while together := list(islice(keys, ITEMS_TOGETHER)):
            yield from map(_row_of, self._items(together))

    def unlisted(self) -> Iterator[Damaged]:
        """By a scan, which reads all that there is: a read unit for 4 KB, and it takes dynamodb:Scan.

        The items of an action come together, as a rule, so it takes no memory.
        """
        told = {day_shard(day, shard) for day in self._days(EVERYTHING) for shard in range(SHARDS)}
        items = self._dynamodb.scan(ProjectionExpression="pk, sk, born", ConsistentRead=True)
        try:
            for action_id, life in groupby(items, lambda item: item["pk"]["S"]):
                rows = list(life)
                if not any(row.get("born", {}).get("S") in told for row in rows) and not self._is_told(action_id, told):
                    yield from (Damaged(action_id, _number_of(row), _UNLISTED) for row in rows)
        except AccessDenied:
            raise MayNotLook(_NO_SCAN) from None

    def _is_told(self, action_id: str, told: Collection[str]) -> bool:
        """By all of its items: a scan may break off amid an action, and go on elsewhere."""
        return any(item.get("born", {}).get("S") in told for item in self._items_of(action_id))

    def _births(self, pool: ThreadPoolExecutor, stretches: Iterator[_Stretch]) -> Iterator[tuple[str, str]]:
        """Each action's id, and its cursor: `DAY#SHARD ID`. Most days of a ledger are long gone, or quiet: asked for
        one after the other they would take their time."""
        while together := list(islice(stretches, STRETCHES_TOGETHER)):
            for stretch, (first, rest) in zip(together, pool.map(self._begun, together), strict=True):
                for item in chain([] if first is None else [first], rest):
                    yield item["pk"]["S"], f"{stretch.key} {item['pk']['S']}"

    def _stretches(self, span: Span, part: int | None, after: str | None) -> Iterator[_Stretch]:
        begin, _, last = (after or "").partition(" ")
        if after is not None and not (_CURSOR.fullmatch(after) and can_be_key(last)):
            raise NoCursor.of(after)
        shards = range(SHARDS) if part is None else (part,)
        for key in (day_shard(day, shard) for day in self._days(span) for shard in shards):
            if key >= begin:
                yield _Stretch(key, last if key == begin else None)

    def _begun(self, stretch: _Stretch) -> tuple[Item | None, Iterator[Item]]:
        """With its first page at hand."""
        condition, values = "", {}
        if stretch.after is not None:
            condition, values = " AND pk > :last", {":last": {"S": stretch.after}}
        births = self._index("born", stretch.key, condition, values)
        return next(births, None), births

    def _days(self, span: Span) -> Iterator[str]:
        """There can be no others, whatever the span says."""
        last = (self._now() + AHEAD).date()
        day, until = max(span.since or FIRST_DAY, FIRST_DAY), min(span.until or last, last)
        while day <= until:
            yield day.isoformat()
            day += timedelta(days=1)

    def _index(
        self, index: str, key: str, condition: str, values: Item, names: dict[str, str] | None = None
    ) -> Iterator[Item]:
        named: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        return self._dynamodb.query(
            IndexName=index,
            KeyConditionExpression=f"{index} = :key{condition}",
            ExpressionAttributeValues={":key": {"S": key}, **values},
            **named,
        )

    def _life(self, action_id: str, cursor: str) -> Life | None:
        rows = tuple(map(_row_of, self._items_of(action_id)))
        return Life(action_id, rows, cursor) if rows else None

    def _items_of(self, action_id: str) -> Iterator[Item]:
        return self._dynamodb.query(
            KeyConditionExpression="pk = :id", ExpressionAttributeValues={":id": {"S": action_id}}, ConsistentRead=True
        )

    def _items(self, keys: Iterable[Item]) -> Iterator[Item]:
        table = self._dynamodb.table
        wanted = [{"pk": key["pk"], "sk": key["sk"]} for key in keys]
        remaining: dict[str, Any] = {table: {"Keys": wanted, "ConsistentRead": True}}
        while remaining:
            answer = self._dynamodb.call("BatchGetItem", RequestItems=remaining)
            yield from answer["Responses"].get(table, ())
            remaining = answer.get("UnprocessedKeys", {})


def _row_of(item: Item) -> Row:
    action_id, version = item["pk"]["S"], _number_of(item)
    try:
        commit = stored_commit(item)
    except CorruptEvent as error:
        return Damaged(action_id, version, str(error))
    problem = _what_disagrees(item, commit.at, [topic for topic, _ in commit.events])
    if problem is None and len(commit.previous or NOTHING) not in (len(NOTHING), HASH_SIZE):
        problem = "`previous` is no hash"
    return commit if problem is None else Damaged(action_id, version, problem)


def _number_of(item: Item) -> int:
    """Its version; 0 where it has none."""
    try:
        return version_in(item)
    except CorruptEvent:
        return 0


def _what_disagrees(item: Item, at: str, topics: list[str]) -> str | None:
    """Which of the attributes that are made of the events says something else than they do."""
    action_id = item["pk"]["S"]
    day = day_shard(at, shard_of(action_id))
    version = version_in(item)
    members = [event["M"] for event in item["events"]["L"]]
    expected = {
        "last": {"S": word_of(topics[-1])},
        "count": {"N": str(len(topics))},
        "born": {"S": day} if version == 1 else None,
        # What earlier releases wrote has neither.
        "at": {"S": at} if "previous" in item else None,
        "written": {"S": day} if "previous" in item else None,
    }
    for name, value in expected.items():
        if item.get(name) != value:
            return f"its attribute `{name}` is not what its events say"
    for member, topic in zip(members, topics, strict=True):
        if member.get("type") != {"S": word_of(topic)} or member.get("at") != {"S": at}:
            return "an event's `type` or `at` is not what the commit says"
    return None
