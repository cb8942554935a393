"""The rows of actions in DynamoDB, in a table beside the ledger's, `<table>-views`: what lists are made of.

action_id     S  whose row it is; there is one, and it is always put whole
version       N  of the last event that it knows
status, action_type, priority, born, updated  S
due_at, holder  S  only where there is one
status_shard  S  "failed#0" .. "failed#7": the key of the index `by_status`
birth_shard   S  "0" .. "7": the key of the index `by_birth`
birth         S  "2026-11-24T19:29:42.704559Z act_...": what both indexes sort by

A put carries the condition "no row, or an older version", so a row that comes twice or late changes nothing. That is
also why nothing here is read before it is written.

**Why the indexes are sharded.** An index has the throughput of its keys, some 1,000 writes a second each, and a key
whose entries come in the order of their birth does not split under load. Were a status one key, all that succeeds would
go through it, and an index that cannot follow holds up its table. Eight keys carry eight times as much, and a list is
eight small queries, however many rows there are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import Any

from eventsourcing.persistence import PersistenceError

from adapters.dynamodb import ConditionFailed, DynamoDB, Item
from adapters.dynamodb_commit import SHARDS, shard_of
from domain.instant import from_text, to_text
from domain.priority import Priority
from projections.view import ActionView

log = logging.getLogger("execution_agent.views")

BY_STATUS, BY_BIRTH = "by_status", "by_birth"

PAGE = 1_000
"""Rows that are asked for together, at most: those of a list that is no longer are found with a query a shard."""

TABLE: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "action_id", "AttributeType": "S"},
        {"AttributeName": "status_shard", "AttributeType": "S"},
        {"AttributeName": "birth_shard", "AttributeType": "S"},
        {"AttributeName": "birth", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "action_id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": BY_STATUS,
            "KeySchema": [
                {"AttributeName": "status_shard", "KeyType": "HASH"},
                {"AttributeName": "birth", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        },
        {
            "IndexName": BY_BIRTH,
            "KeySchema": [
                {"AttributeName": "birth_shard", "KeyType": "HASH"},
                {"AttributeName": "birth", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        },
    ],
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
        item = _item_of(view)
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
        shards = (self._shard(status, shard, limit, oldest_first) for shard in range(SHARDS))
        rows = merge(*shards, key=_birth, reverse=not oldest_first)
        return list(islice(_views_in(rows), limit))

    def _shard(self, status: str | None, shard: int, limit: int, oldest_first: bool) -> Iterator[Item]:
        index, key, value = (
            (BY_BIRTH, "birth_shard", str(shard))
            if status is None
            else (BY_STATUS, "status_shard", f"{status}#{shard}")
        )
        return self.dynamodb.query(
            IndexName=index,
            KeyConditionExpression=f"{key} = :shard",
            ExpressionAttributeValues={":shard": {"S": value}},
            ScanIndexForward=oldest_first,
            Limit=min(limit, self._page),
        )

    def close(self) -> None:
        """Closes the connections. A later call opens new ones."""
        self.dynamodb.close()


def _birth(item: Item) -> str:
    birth: str = item["birth"]["S"]
    return birth


def _item_of(view: ActionView) -> dict[str, Any]:
    born, shard = to_text(view.born), shard_of(view.action_id)
    item: dict[str, Any] = {
        "action_id": {"S": view.action_id},
        "version": {"N": str(view.version)},
        "status": {"S": view.status},
        "action_type": {"S": view.action_type},
        "priority": {"S": view.priority.value},
        "born": {"S": born},
        "updated": {"S": to_text(view.updated)},
        "status_shard": {"S": f"{view.status}#{shard}"},
        "birth_shard": {"S": str(shard)},
        "birth": {"S": f"{born} {view.action_id}"},
    }
    if view.due_at is not None:
        item["due_at"] = {"S": to_text(view.due_at)}
    if view.holder is not None:
        item["holder"] = {"S": view.holder}
    return item


def _views_in(items: Iterable[Item]) -> Iterator[ActionView]:
    """A row that somebody damaged must not hide the others."""
    for item in items:
        try:
            yield _view_of(item)
        except (KeyError, ValueError) as error:
            log.error("the row of %s cannot be read and is left out: %s", item["action_id"]["S"], error)


def _view_of(item: Item) -> ActionView:
    """What other releases wrote may say less of what is optional, and more of what is unknown here."""
    said = {name: value.get("S") for name, value in item.items()}
    due_at = said.get("due_at")
    return ActionView(
        action_id=item["action_id"]["S"],
        version=int(item["version"]["N"]),
        status=item["status"]["S"],
        action_type=item["action_type"]["S"],
        due_at=None if due_at is None else from_text(due_at),
        born=from_text(item["born"]["S"]),
        updated=from_text(item["updated"]["S"]),
        holder=said.get("holder"),
        priority=Priority.of(said.get("priority")),
    )
