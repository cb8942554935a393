"""A commit, and the item of DynamoDB that holds it.

pk         S  the action's id
sk         N  version of the commit's first event
events     L  of {type, topic, at, state (B)}
last       S  type of the last event
count      N  how many events
previous   B  hash of the action's previous commit (`domain.commit`): empty in its first, missing in earlier releases'
token      S  random: which call wrote this
at         S  when it was written, with written S: "2026-11-24#3" (day#shard), so that it is found by that
due_shard  S  "0" .. "7", "0-high" .. "7-high", "0-low" .. "7-low", with due_at S: only where the action must be looked
              at again
born       S  "2026-11-24#3" (day#shard): only where version 1 is
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any
from uuid import UUID
from zlib import crc32

from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent

from adapters.dynamodb import Item
from domain.commit import NOTHING, sayings, word_of
from domain.commit import Commit as StoredCommit
from domain.errors import CorruptEvent, EventTooLarge
from domain.instant import to_text
from domain.priority import Priority

SHARDS = 8
"""Keys that an index is spread over. One takes some 1,000 writes a second, and moments, which only grow, do not split
under load: eight carry 8,000 commits a second, for eight small queries a sweep of each priority. May grow, never
shrink."""

LARGEST_STATE = 350_000
LARGEST_ITEM = 390_000
"""Bytes. DynamoDB takes items up to 409,600 bytes, by its own way of counting."""

LAST_VERSION = 2**63 - 1
"""More than any action has, and the largest that all stores can keep."""

LONGEST_ID = 1_024
"""Bytes of an id: a partition key may have 2,048, but the index `born` sorts by it, and a sort key has 1,024."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Events decided together: consecutive versions of one action, from `first` to `last`."""

    action_id: str
    first: int
    events: tuple[StoredEvent, ...]

    @classmethod
    def of(cls, events: Sequence[StoredEvent]) -> Commit:
        """Raises IntegrityError for versions that are not consecutive, ProgrammingError for what no commit can be."""
        commit = cls(str(events[0].originator_id), events[0].originator_version, tuple(events))
        if any(str(event.originator_id) != commit.action_id for event in events):
            raise ProgrammingError("a commit belongs to one action")
        if not can_be_key(commit.action_id):
            raise ProgrammingError(f"an action id is text of 1 to {LONGEST_ID} bytes, not {commit.action_id[:40]!r}")
        versions = [event.originator_version for event in events]
        if versions != list(range(commit.first, commit.last + 1)):
            raise IntegrityError(f"{commit.action_id}: the versions {versions} are not consecutive")
        # Version 1 is put without a look at what is there. Were 0..1 one item, it would not stand in version 1's way.
        if commit.first < 0 or (commit.first == 0 and commit.last > 0):
            raise ProgrammingError(f"{commit}: versions start at 1, or at 0 with a commit of one event")
        return commit

    @classmethod
    def from_item(cls, item: Item, originator_id: UUID | str) -> Commit:
        """The events bear the id that was asked for. Raises CorruptEvent when the item is no commit."""
        first = version_in(item)
        try:
            events = [
                StoredEvent(originator_id, first + place, event["M"]["topic"]["S"], event["M"]["state"]["B"])
                for place, event in enumerate(item["events"]["L"])
            ]
        except (KeyError, TypeError) as error:
            raise CorruptEvent(f"{originator_id}: the item at version {item['sk']['N']} is no commit") from error
        return cls(str(originator_id), first, tuple(events))

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1

    def stored(self, at: datetime, previous: bytes = NOTHING) -> StoredCommit:
        """As it is hashed."""
        return StoredCommit(self.action_id, self.first, to_text(at), previous, sayings(self.events))

    def as_item(
        self,
        at: datetime,
        due_at: datetime | None,
        priority: Priority = Priority.NORMAL,
        *,
        previous: bytes = NOTHING,
    ) -> Item:
        """A new item, under a token of its own. `previous` is the hash of the commit before. Raises EventTooLarge."""
        when = to_text(at)
        shard = shard_of(self.action_id)
        item: dict[str, Any] = {
            "pk": {"S": self.action_id},
            "sk": {"N": str(self.first)},
            "events": {"L": [_event_as_member(event, when) for event in self.events]},
            "last": {"S": word_of(self.events[-1].topic)},
            "count": {"N": str(len(self.events))},
            "previous": {"B": previous},
            "token": {"S": token_urlsafe(12)},
            "at": {"S": when},
            "written": {"S": day_shard(when, shard)},
        }
        if due_at is not None:
            item |= {"due_shard": {"S": due_shard(shard, priority)}, "due_at": {"S": to_text(due_at)}}
        if self.first == 1:
            item["born"] = {"S": day_shard(when, shard)}
        self._refuse_too_large(item)
        return item

    def _refuse_too_large(self, item: Item) -> None:
        largest = max(self.events, key=lambda event: len(event.state))
        if len(largest.state) > LARGEST_STATE:
            raise EventTooLarge(
                f"{word_of(largest.topic)!r} takes {len(largest.state)} bytes; at most {LARGEST_STATE} are stored"
            )
        size = size_of({"M": item})
        if size > LARGEST_ITEM:
            raise EventTooLarge(f"{self} takes {size} bytes; at most {LARGEST_ITEM} are stored together")

    def __str__(self) -> str:
        versions = f"version {self.first}" if self.first == self.last else f"versions {self.first}..{self.last}"
        return f"{self.action_id} {versions}"


def shard_of(action_id: str) -> int:
    """The shard of all that is said of an action."""
    return crc32(action_id.encode()) % SHARDS


def day_shard(when: str, shard: int) -> str:
    """A key of the indexes `born` and `written`. `when` is a moment as text, or a day."""
    return f"{when[:10]}#{shard}"


def stored_commit(item: Item) -> StoredCommit:
    """The commit of an item, as it is hashed. Raises CorruptEvent when the item is none."""
    action_id, version = item["pk"]["S"], version_in(item)
    try:
        members = [event["M"] for event in item["events"]["L"]]
        events = tuple([(member["topic"]["S"], bytes(member["state"]["B"])) for member in members])
        at = members[0]["at"]["S"]
        previous = bytes(item["previous"]["B"]) if "previous" in item else None
        commit = StoredCommit(action_id, version, at, previous, events)
    except (KeyError, IndexError, TypeError, UnicodeEncodeError) as error:
        raise CorruptEvent(f"{action_id}: the item at version {version} is no commit") from error
    return commit


def due_shard(shard: int, priority: Priority) -> str:
    """A key of the index `due`: each priority has its own, so that a crowd of low ones hides no high one.

    Normal is the bare number, which is what was written before there were others.
    """
    return str(shard) if priority is Priority.NORMAL else f"{shard}-{priority}"


def version_in(item: Item) -> int:
    """The version that the item's key says. Raises CorruptEvent where it says none, as `1.5` does, or `-1`."""
    number: str = item["sk"]["N"]
    if not number.isdecimal() or len(number) > len(str(LAST_VERSION)) or int(number) > LAST_VERSION:
        raise CorruptEvent(f"{item['pk']['S']}: {number[:40]} is no version")
    return int(number)


def next_version(item: Item) -> int:
    """The version that follows the item's last event. Raises CorruptEvent where that cannot be told."""
    version = version_in(item)
    try:
        following = version + int(item["count"]["N"])
    except (KeyError, ValueError) as error:
        raise CorruptEvent(f"{item['pk']['S']}: nobody can tell what follows version {version}") from error
    if not version < following <= LAST_VERSION:
        raise CorruptEvent(f"{item['pk']['S']}: version {following} does not follow version {version}")
    return following


def can_be_key(action_id: str) -> bool:
    """Whether there can be an item under this id at all."""
    try:
        return 0 < len(action_id.encode()) <= LONGEST_ID
    except UnicodeEncodeError:
        return False


def size_of(attribute: Item) -> int:
    """Bytes, as DynamoDB counts them, or a few more."""
    match attribute:
        case {"L": members}:
            return 3 + sum(1 + size_of(member) for member in members)
        case {"M": members}:
            return 3 + sum(1 + len(name.encode()) + size_of(member) for name, member in members.items())
        case {"B": value}:
            return len(value)
        case _:
            (text,) = attribute.values()
            return len(text.encode())


def _event_as_member(event: StoredEvent, when: str) -> Item:
    return {
        "M": {
            "type": {"S": word_of(event.topic)},
            "topic": {"S": event.topic},
            "at": {"S": when},
            "state": {"B": event.state},
        }
    }
