"""The rows of actions in DynamoDB, in a table beside the ledger's, `<table>-views`: made for lists and searches.

What a row says, and in which indexes it stands, is in `adapters.dynamodb_row`. A put carries the condition "no row, or
an older version", so a row that comes twice or late changes nothing. That is also why nothing here is read before it is
written. All that is found is found by a key: nothing here scans.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from eventsourcing.persistence import PersistenceError

from adapters.dynamodb import ConditionFailed, DynamoDB, Item
from adapters.dynamodb_row import BY_BIRTH, BY_KEY, INDEXES, Index, birth_of, item_of, view_in
from domain.instant import from_text, to_text
from projections.view import ActionView

if TYPE_CHECKING:
    from projections.search import Count, Page, Position, Search

log = logging.getLogger("execution_agent.views")

PAGE = 1_000
"""Rows that are asked for together, at most: those of a list that is no longer are found with a query a shard."""

LOOKED_AT = 200
"""Rows that a page is looked for in, where more is asked for than one index tells."""
_BATCH = 100
"""Rows that BatchGetItem takes."""

TABLE: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"}
        for name in ("action_id", "birth", *(index.attribute for index in INDEXES))
    ],
    "KeySchema": [{"AttributeName": "action_id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [index.as_definition() for index in INDEXES],
}


def views_table(ledger_table: str) -> str:
    """The name of the table beside the ledger's."""
    return f"{ledger_table}-views"


class DynamoDBViews:
    """`projections.agenda.SeparateViews`. `dynamodb` speaks to the views' own table."""

    def __init__(self, dynamodb: DynamoDB, *, page: int = PAGE) -> None:
        self.dynamodb = dynamodb
        self._page = page

    def keep(self, view: ActionView) -> bool:
        """Keeps the row unless a newer one is there; True when this is the newest now: one request.

        Raises OperationalError when it cannot be known in time whether it was kept; then keep it again.
        """
        item = item_of(view)
        try:
            self.dynamodb.call(
                "PutItem",
                TableName=self.dynamodb.table,
                Item=item,
                ConditionExpression="attribute_not_exists(version) OR version < :version",
                ExpressionAttributeValues={":version": item["version"]},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as refusal:
            # The same is there already: put by somebody else, or by this very call, whose first answer was lost.
            is_the_same: bool = (refusal.item or {}).get("version") == item["version"]
            return is_the_same
        return True

    def keep_if_possible(self, view: ActionView) -> None:
        """The same for those to whom a list is worth less than what they are doing: a failure is logged."""
        try:
            self.keep(view)
        except PersistenceError as error:
            log.warning("%s: its row in lists cannot be kept: %s", view.action_id, error)

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> list[ActionView]:
        """The rows of a status, or all, newest first or oldest first: a query a shard, and its next pages as needed.

        The indexes lag a little behind the table. Raises OperationalError when they cannot be read.
        """
        if limit < 1:
            return []
        index = BY_BIRTH if status is None else BY_KEY["status"]
        shards = (
            self.dynamodb.query(
                **_in_partition(index, partition), ScanIndexForward=oldest_first, Limit=min(limit, self._page)
            )
            for partition in index.partitions(status)
        )
        rows = merge(*shards, key=_birth, reverse=not oldest_first)
        return list(islice(_views_in(rows), limit))

    # -- searching --------------------------------------------------------------------------------------------------

    def find(self, search: Search, limit: int, after: Position | None = None) -> Page:
        """A page of what is searched for, newest first: a query for each shard of one index, and, unless that holds
        whole rows, a consistent read of each hundred rows that are looked at. Raises OperationalError."""
        from projections.search import Page, Position

        lead = search.lead
        index = BY_BIRTH if lead is None else BY_KEY[lead]
        partitions = index.partitions(None if lead is None else search.keys[lead])
        enough = max(limit, LOOKED_AT) if search.others else limit
        stretch = self._stretch(index, partitions, _Births.of(search, after), enough)
        items = stretch.entries if index.is_whole else self._whole(stretch.entries)
        rows = [row for row in _views_in(items) if search.includes(row)]
        end = stretch.entries[-1] if stretch.entries and stretch.goes_on else None
        return Page.of(rows, limit, otherwise=None if end is None else Position(*_place(end)))

    def _stretch(self, index: Index, partitions: Sequence[str], births: _Births, enough: int) -> _Stretch:
        """The newest entries of the index, `enough` of them or all that one query a shard reaches."""
        answers = [self._newest(index, partition, births, enough) for partition in partitions]
        # A shard that was not read to its end is known down to where that was, and so is all of them together.
        floor = max((_birth(items[-1]) for items, is_whole in answers if items and not is_whole), default="")
        entries = [
            entry
            for entry in merge(*(items for items, _ in answers), key=_birth, reverse=True)
            if _birth(entry) >= floor and _birth(entry) != births.after
        ]
        return _Stretch(entries[:enough], bool(floor) or len(entries) > enough)

    def _newest(self, index: Index, partition: str, births: _Births, enough: int) -> tuple[list[Item], bool]:
        """Entries of a shard, and whether these are all. The place where the last page ended may be among them."""
        answer = self.dynamodb.call(
            "Query",
            TableName=self.dynamodb.table,
            **_in_partition(index, partition, births),
            ScanIndexForward=False,
            Limit=enough + 1,
        )
        return answer["Items"], "LastEvaluatedKey" not in answer

    def _whole(self, entries: Sequence[Item]) -> list[Item]:
        """Their rows, in the same order. An entry whose row has gone on may be in the index for a moment yet."""
        rows: dict[str, Item] = {}
        for start in range(0, len(entries), _BATCH):
            keys = [{"action_id": entry["action_id"]} for entry in entries[start : start + _BATCH]]
            remaining: Mapping[str, Any] = {self.dynamodb.table: {"Keys": keys, "ConsistentRead": True}}
            while remaining:
                answer = self.dynamodb.call("BatchGetItem", RequestItems=remaining)
                rows.update((row["action_id"]["S"], row) for row in answer["Responses"].get(self.dynamodb.table, ()))
                remaining = answer.get("UnprocessedKeys", {})
        found = (rows.get(entry["action_id"]["S"]) for entry in entries)
        return [row for row in found if row is not None]

    def counts(self, since: datetime | None, until: datetime | None) -> list[Count]:
        """How many were born in which hour, and where they stand now; by hour, status and type.

        All rows that were born then are read, some 2,000 a request. A counter that is kept would be one hot item, or
        wrong: rows come twice and late.
        """
        from projections.search import Search, counts_of

        births = _Births.of(Search({}, since, until), None)
        shards = (
            self.dynamodb.query(**_in_partition(BY_BIRTH, partition, births)) for partition in BY_BIRTH.partitions(None)
        )
        return counts_of(_views_in(item for shard in shards for item in shard))

    def not_searchable(self) -> None:
        """Nobody can tell without reading them all."""

    def close(self) -> None:
        """Closes the connections. A later call opens new ones."""
        self.dynamodb.close()


@dataclass(frozen=True, slots=True)
class _Births:
    """From where to where in the order of an index, both included. `after` is where the last page ended."""

    first: str
    last: str
    after: str | None

    @classmethod
    def of(cls, search: Search, after: Position | None) -> _Births:
        first = "0" if search.since is None else to_text(search.since)
        if after is not None:
            place = birth_of(to_text(after.born), after.action_id)
            return cls(first, place, place)
        return cls(first, ":" if search.until is None else to_text(search.until), None)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Entries of an index, the newest first, and whether there may be more behind them."""

    entries: Sequence[Item]
    goes_on: bool


def _in_partition(index: Index, partition: str, births: _Births | None = None) -> dict[str, Any]:
    """What a query asks for. The key has a name of its own, as some of its names are reserved."""
    condition, values = "#key = :key", {":key": {"S": partition}}
    if births is not None:
        condition += " AND birth BETWEEN :first AND :last"
        values |= {":first": {"S": births.first}, ":last": {"S": births.last}}
    return {
        "IndexName": index.name,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {"#key": index.attribute},
        "ExpressionAttributeValues": values,
    }


def _birth(item: Item) -> str:
    birth: str = item["birth"]["S"]
    return birth


def _place(entry: Item) -> tuple[datetime, str]:
    return from_text(_birth(entry).partition(" ")[0]), entry["action_id"]["S"]


def _views_in(items: Iterable[Item]) -> Iterator[ActionView]:
    """A row that somebody damaged must not hide the others."""
    for item in items:
        try:
            yield view_in(item)
        except (KeyError, ValueError) as error:
            log.error("the row of %s cannot be read and is left out: %s", item["action_id"]["S"], error)
