"""A row of an action as an item of DynamoDB, and the indexes in which it is found.

action_id     S  whose row it is; there is one, and it is always put whole
version       N  of the last event that it knows
status, action_type, priority, born, updated  S
due_at, holder, and by what it is found (`projections.search.KEYS`)  S  only where there is one
birth         S  "2026-11-24T19:29:42.704559Z act_...": what every index sorts by
birth_shard   S  "0" .. "7"
KEY_shard     S  "failed#0" .. "failed#7": for keys that many actions share

**Why indexes are sharded.** An index has the throughput of its keys, some 1,000 writes a second each, and a key whose
entries come in the order of their birth does not split under load. Were a status one key, all that succeeds would go
through it, and an index that cannot follow holds up its table. Eight keys carry eight times as much, and a list is
eight small queries, however many rows there are. What few actions share (a decision, a recipient) is one key.

The indexes by status and by birth hold whole rows. The others hold an action's id and its place, and are written only
when that key changes: nearly always once, when the action is born.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.dynamodb import Item
from adapters.dynamodb_commit import SHARDS, shard_of
from domain.instant import from_text, to_text
from domain.priority import Priority
from projections.view import ActionView


@dataclass(frozen=True, slots=True)
class Index:
    """An index of rows that share a key, in the order of their birth."""

    name: str
    attribute: str
    shards: int = 1
    is_whole: bool = False
    """Whether it holds whole rows."""

    def partitions(self, value: str | None) -> list[str]:
        """The keys under which rows with this value are; None for those of all rows, which `BY_BIRTH` has."""
        if value is None:
            return [str(shard) for shard in range(self.shards)]
        return [value] if self.shards == 1 else [_in_shard(value, shard) for shard in range(self.shards)]

    def as_definition(self) -> dict[str, Any]:
        """In the words of CreateTable."""
        return {
            "IndexName": self.name,
            "KeySchema": [
                {"AttributeName": self.attribute, "KeyType": "HASH"},
                {"AttributeName": "birth", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL" if self.is_whole else "KEYS_ONLY"},
        }


BY_BIRTH = Index("by_birth", "birth_shard", SHARDS, is_whole=True)
BY_KEY: Mapping[str, Index] = {
    "status": Index("by_status", "status_shard", SHARDS, is_whole=True),
    "action_type": Index("by_type", "type_shard", SHARDS),
    "subject": Index("by_subject", "subject"),
    "target": Index("by_target", "target_shard", SHARDS),
    "agent": Index("by_agent", "agent_shard", SHARDS),
    "decision": Index("by_decision", "decision"),
    "correlation": Index("by_correlation", "correlation"),
    "workflow": Index("by_workflow", "workflow"),
    "actor": Index("by_actor", "actor_shard", SHARDS),
    "error": Index("by_error", "error_shard", SHARDS),
}
INDEXES = (BY_KEY["status"], BY_BIRTH, *(index for key, index in BY_KEY.items() if key != "status"))

_SHARDED = {key: index.attribute for key, index in BY_KEY.items() if index.shards > 1}
_OPTIONAL = ("holder", *(key for key in BY_KEY if key not in ("status", "action_type")))


def birth_of(born: str, action_id: str) -> str:
    """What indexes sort by. `born` alone comes just before all that was born then."""
    return f"{born} {action_id}"


def item_of(view: ActionView) -> dict[str, Any]:
    """The whole row. What there is none of is left out, and then stands in no index."""
    born, shard = to_text(view.born), shard_of(view.action_id)
    said = {
        "action_id": view.action_id,
        "status": view.status,
        "action_type": view.action_type,
        "priority": view.priority.value,
        "born": born,
        "updated": to_text(view.updated),
        "birth_shard": str(shard),
        "birth": birth_of(born, view.action_id),
        "due_at": None if view.due_at is None else to_text(view.due_at),
        **{name: getattr(view, name) for name in _OPTIONAL},
    }
    for key, attribute in _SHARDED.items():
        value = said[key]
        said[attribute] = None if value is None else _in_shard(value, shard)
    item = {name: {"S": text} for name, text in said.items() if text is not None}
    return {**item, "version": {"N": str(view.version)}}


def view_in(item: Item) -> ActionView:
    """What other releases wrote may say less of what is optional, and more of what is unknown here.

    Raises KeyError, ValueError for what is no row.
    """
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
        priority=Priority.of(said.get("priority")),
        **{name: said.get(name) for name in _OPTIONAL},
    )


def _in_shard(value: str, shard: int) -> str:
    return f"{value}#{shard}"
