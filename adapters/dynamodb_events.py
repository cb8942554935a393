"""The ledger in DynamoDB: one item a commit, one conditional PutItem, no transaction.

`InfrastructureFactory.construct({"PERSISTENCE_MODULE": "adapters.dynamodb_events", "DYNAMODB_TABLE": "ledger"})`
Also: DYNAMODB_REGION, DYNAMODB_ENDPOINT_URL, and CREATE_TABLE=y for development.

**Why a history cannot fork.** A commit that starts at version v is put only by a writer that saw a commit end at v - 1,
on the condition that no item is at (id, v). Items are never changed or deleted. Let the commits of an action tile the
versions 1..n, and look at the next put. The commit that its writer saw is still there. If it is the last one, v is
n + 1, and the put extends the tiles without gap or overlap. If not, another commit follows it; as they tile, that one
starts at v, and the condition fails. So what a writer remembers may be stale, but it is never wrong:

    time    writer A, saw 3        writer B, saw 3         writer C, saw 3         the history
      |     put 4..6: done                                                         1..3 4..6
      |                            put 4..4: refused                               1..3 4..6
      |     put 7..7: done                                                         1..3 4..6 7..7
      v                                                    put 4..8: refused       1..3 4..6 7..7

Long or short, the commits compete for one key, (id, 4). A commit at 5 needs a writer that saw one end at 4. Nobody did,
so a writer with such a version finds out by a consistent read, before it puts. The first tile needs no look: it is 1,
or a version 0 by itself, which 1 follows.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from threading import Lock
from typing import Any, NoReturn, TypeAlias
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    IntegrityError,
    NotSupportedError,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, strtobool

from adapters.dynamodb import ConditionFailed, DynamoDB, Item
from adapters.dynamodb_commit import SHARDS, Commit, can_be_key, due_shard, next_version, stored_commit
from adapters.dynamodb_journal import DynamoDBJournal
from domain.commit import NOTHING
from domain.commit import Commit as StoredCommit
from domain.errors import ConfigurationError, CorruptEvent
from domain.instant import from_text, to_text
from domain.priority import Place, Priority
from projections.view import ActionView

log = logging.getLogger("execution_agent.ledger")

KNOWN_TAILS = 1_024
"""Actions whose last version a recorder remembers."""

AGENDA_PAGE = 100
"""Entries looked at together; BatchGetItem takes no more."""
STRETCH_PAGE = 1_000
"""Entries asked for together by whoever reads a whole stretch of the agenda."""
READERS = 4
"""Threads that look beside each other whether entries are overtaken."""

TABLE: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "due_shard", "AttributeType": "S"},
        {"AttributeName": "due_at", "AttributeType": "S"},
        {"AttributeName": "born", "AttributeType": "S"},
        {"AttributeName": "written", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "due",
            "KeySchema": [
                {"AttributeName": "due_shard", "KeyType": "HASH"},
                {"AttributeName": "due_at", "KeyType": "RANGE"},
            ],
            # With the count an entry tells where the commit would be that overtook it.
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["count"]},
        },
        {
            "IndexName": "born",
            "KeySchema": [{"AttributeName": "born", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
        {
            "IndexName": "written",
            "KeySchema": [{"AttributeName": "written", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
}

_Key: TypeAlias = tuple[str, int]
"""Action id and version."""


BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class DynamoDBRecorder(AggregateRecorder):
    """Appends commits and reads them back, consistently. For any number of threads."""

    def __init__(self, dynamodb: DynamoDB, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.dynamodb = dynamodb
        self._now = now
        self._tails = KnownTails(KNOWN_TAILS)

    def create_table(self) -> None:
        """For development: makes the table unless it is there, and waits until it is active."""
        self.dynamodb.create_table(**TABLE)

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        at: datetime | None = None,
        due_at: datetime | None = None,
        view: ActionView | None = None,
        **_: Any,
    ) -> None:
        """Appends one commit, whole or not at all: consecutive versions of one action, after its last one.

        `at` is when it was decided, `due_at` when the action must be looked at again; both aware. Of the view nothing
        is kept here but its priority: the views have a table of their own (`adapters.dynamodb_views`).
        Raises IntegrityError when the versions do not follow or another writer was first; EventTooLarge, before
        anything is written; ProgrammingError for what is no commit; OperationalError when it cannot be known in time
        whether the commit is there.
        """
        if not stored_events:
            return
        commit = Commit.of(stored_events)
        when, priority = at or self._now(), Priority.NORMAL if view is None else view.priority
        previous = self._hash_before(commit)
        self._put(commit, commit.as_item(when, due_at, priority, previous=previous))
        self._tails.learn(commit.stored(when, previous))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """The events of versions above `gt` and up to `lte`, read consistently.

        Raises CorruptEvent when an item is no commit, OperationalError when the table cannot be read.
        """
        action_id = str(originator_id)
        if not can_be_key(action_id) or (limit is not None and limit < 1):
            return []
        chosen: list[StoredEvent] = []
        newest: Item | None = None
        for item in self._items(action_id, self._start_above(action_id, gt), lte, desc=desc, limit=limit):
            commit = Commit.from_item(item, originator_id)
            newest = newest if desc and newest else item
            wanted = [event for event in commit.events if _within(event.originator_version, gt, lte)]
            chosen.extend(reversed(wanted) if desc else wanted)
            if limit is not None and len(chosen) >= limit:
                break
        if newest is not None:
            self._tails.learn(stored_commit(newest))
        return chosen[:limit]

    def line(self, now: datetime, limit: int) -> list[Place]:
        """The actions that are due by `now`, first in line first, at most `limit`.

        Entries that a later commit has overtaken are left out. The index lags a little behind the table: read each
        action before you decide.
        """
        line = merge(*self._agenda(BEGINNING, now, AGENDA_PAGE), key=_place)
        places: dict[str, Place] = {}
        while len(places) < limit and (entries := list(islice(line, AGENDA_PAGE))):
            for place in self._left_of(entries):
                places.setdefault(place.action_id, place)
        return list(places.values())[:limit]

    def entries(self, since: datetime, until: datetime) -> Iterator[Entry]:
        """What became due from `since` to `until`, in the order of that, page after page as it is wanted."""
        return merge(*self._agenda(since, until, STRETCH_PAGE), key=_due_at)

    def waiting(self, entries: Sequence[Entry]) -> list[Place]:
        """The places of these, first in line first, without those that a later commit has overtaken."""
        pages = [entries[start : start + AGENDA_PAGE] for start in range(0, len(entries), AGENDA_PAGE)]
        with ThreadPoolExecutor(READERS, thread_name_prefix="agenda") as pool:
            left = sorted(place for page in pool.map(self._left_of, pages) for place in page)
        return list({place.action_id: place for place in left}.values())

    def journal(self) -> DynamoDBJournal:
        """All that the table holds, for those who replay, audit and verify."""
        return DynamoDBJournal(self.dynamodb, now=self._now)

    # -- writing ----------------------------------------------------------------------------------------------------

    def _hash_before(self, commit: Commit) -> bytes:
        """The hash that the commit has to bear. Raises IntegrityError where it does not follow the last one."""
        if commit.first == 1:
            return NOTHING
        tail = self._tails.of(commit.action_id)
        if tail is None or tail.last != commit.first - 1:
            tail = self._read_tail(commit.action_id)
        last = None if tail is None else tail.last
        if last != (None if commit.first == 0 else commit.first - 1):
            raise IntegrityError(f"{commit}: does not follow version {last}, the last one")
        return NOTHING if tail is None else tail.hash

    def _read_tail(self, action_id: str) -> StoredCommit | None:
        newest = self._query(*_commits_between(action_id, None, None), ScanIndexForward=False, Limit=1)
        return next(map(stored_commit, newest), None)

    def _put(self, commit: Commit, item: Item) -> None:
        try:
            self.dynamodb.call(
                "PutItem",
                TableName=self.dynamodb.table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as refusal:
            # An earlier try of this very call may have been carried out, though its answer was lost: the token tells.
            there = refusal.item or self._read_item(item)
            if there.get("token") != item["token"]:
                raise IntegrityError(f"{commit}: another writer was first") from refusal

    # -- reading ----------------------------------------------------------------------------------------------------

    def _start_above(self, action_id: str, gt: int | None) -> int | None:
        """Where to begin: the commit that holds version `gt + 1` may start before it, and reach over it."""
        if gt is None or gt < 1:
            return None
        holders = self._query(
            *_commits_between(action_id, None, gt + 1), ProjectionExpression="sk", ScanIndexForward=False, Limit=1
        )
        return next((int(item["sk"]["N"]) for item in holders), None)

    def _items(
        self, action_id: str, start: int | None, lte: int | None, *, desc: bool, limit: int | None
    ) -> Iterator[Item]:
        if start is not None and lte is not None and start > lte:
            return iter(())
        # Each commit holds an event at least: a page of `limit` commits is enough, nearly always.
        page: dict[str, Any] = {} if limit is None else {"Limit": limit}
        return self._query(*_commits_between(action_id, start, lte), ScanIndexForward=not desc, **page)

    def _query(self, condition: str, values: Item, **options: Any) -> Iterator[Item]:
        return self.dynamodb.query(
            KeyConditionExpression=condition, ExpressionAttributeValues=values, ConsistentRead=True, **options
        )

    def _read_item(self, item: Item) -> Item:
        key = {"pk": item["pk"], "sk": item["sk"]}
        answer = self.dynamodb.call("GetItem", TableName=self.dynamodb.table, Key=key, ConsistentRead=True)
        there: Item = answer.get("Item", {})
        return there

    def _agenda(self, since: datetime, now: datetime, page: int) -> list[Iterator[Entry]]:
        """The entries of each shard of each priority."""
        return [self._shard(priority, shard, since, now, page) for priority in Priority for shard in range(SHARDS)]

    def _shard(self, priority: Priority, shard: int, since: datetime, now: datetime, page: int) -> Iterator[Entry]:
        items = self.dynamodb.query(
            IndexName="due",
            KeyConditionExpression="due_shard = :shard AND due_at BETWEEN :since AND :now",
            ExpressionAttributeValues={
                ":shard": {"S": due_shard(shard, priority)},
                ":since": {"S": to_text(since)},
                ":now": {"S": to_text(now)},
            },
            Limit=page,
        )
        return filter(None, (Entry.found_in(item, priority) for item in items))

    def _left_of(self, entries: Sequence[Entry]) -> list[Place]:
        """The places of these, at most `AGENDA_PAGE`, that no later commit has overtaken."""
        overtaken = self._existing(entry.next_commit for entry in entries)
        return [entry.place for entry in entries if entry.next_commit not in overtaken]

    def _existing(self, keys: Iterable[_Key]) -> set[_Key]:
        """Those of the keys, at most `AGENDA_PAGE`, under which there is an item."""
        table = self.dynamodb.table
        wanted = [{"pk": {"S": action_id}, "sk": {"N": str(version)}} for action_id, version in set(keys)]
        remaining: Mapping[str, Any] = {table: {"Keys": wanted, "ProjectionExpression": "pk, sk"}}
        found: set[_Key] = set()
        while remaining:
            answer = self.dynamodb.call("BatchGetItem", RequestItems=remaining)
            found.update((item["pk"]["S"], int(item["sk"]["N"])) for item in answer["Responses"].get(table, ()))
            remaining = answer.get("UnprocessedKeys", {})
        return found


class KnownTails:
    """The last commit seen of each of the latest `size` actions. It may be stale, and is never wrong."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._commits: OrderedDict[str, StoredCommit] = OrderedDict()

    def of(self, action_id: str) -> StoredCommit | None:
        with self._lock:
            return self._commits.get(action_id)

    def learn(self, commit: StoredCommit) -> None:
        with self._lock:
            known = self._commits.get(commit.action_id)
            if known is None or known.version < commit.version:
                self._commits[commit.action_id] = commit
            self._commits.move_to_end(commit.action_id)
            if len(self._commits) > self._size:
                self._commits.popitem(last=False)


def _commits_between(action_id: str, start: int | None, lte: int | None) -> tuple[str, Item]:
    """The key condition, and its values, for the commits that start from `start` to `lte`."""
    condition, values = "pk = :id", {":id": {"S": action_id}}
    if start is not None:
        values[":start"] = {"N": str(start)}
    if lte is not None:
        values[":lte"] = {"N": str(lte)}
    if start is not None and lte is not None:
        condition += " AND sk BETWEEN :start AND :lte"
    elif start is not None:
        condition += " AND sk >= :start"
    elif lte is not None:
        condition += " AND sk <= :lte"
    return condition, values


def _within(version: int, gt: int | None, lte: int | None) -> bool:
    return (gt is None or version > gt) and (lte is None or version <= lte)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the index `due`, and where the commit would be that overtook it."""

    place: Place
    due_at: datetime
    next_commit: _Key

    @classmethod
    def found_in(cls, item: Item, priority: Priority) -> Entry | None:
        """None where somebody damaged it: it must not hide the others."""
        action_id = item["pk"]["S"]
        try:
            due_at, following = from_text(item["due_at"]["S"]), next_version(item)
        except (CorruptEvent, ValueError):
            log.exception("an entry of the agenda cannot be read, and is left out: %.80a", action_id)
            return None
        return cls(Place.of(action_id, due_at, priority), due_at, (action_id, following))


def _place(entry: Entry) -> Place:
    return entry.place


def _due_at(entry: Entry) -> datetime:
    return entry.due_at


class DynamoDBFactory(InfrastructureFactory[TrackingRecorder]):
    """Builds the recorder. One client for all that it builds."""

    def __init__(self, env: Environment | Mapping[str, str] | None) -> None:
        super().__init__(env)
        table = self.env.get("DYNAMODB_TABLE")
        if not table:
            raise ConfigurationError("set DYNAMODB_TABLE to the name of the ledger's table")
        self.dynamodb = DynamoDB(
            table,
            region=self.env.get("DYNAMODB_REGION") or os.environ.get("AWS_REGION"),
            endpoint_url=self.env.get("DYNAMODB_ENDPOINT_URL"),
        )

    def aggregate_recorder(self, purpose: str = "events") -> DynamoDBRecorder:
        """Where CREATE_TABLE says so, the table is made first, and OperationalError raised when it cannot be."""
        if purpose != "events":
            raise NotSupportedError(f"the ledger in DynamoDB keeps events, no {purpose}")
        recorder = DynamoDBRecorder(self.dynamodb)
        if strtobool(self.env.get("CREATE_TABLE") or "no"):
            recorder.create_table()
        return recorder

    def application_recorder(self) -> NoReturn:
        raise NotSupportedError(_NO_SEQUENCE)

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> NoReturn:  # noqa: ARG002 - the library's name
        raise NotSupportedError(_NO_SEQUENCE)

    def process_recorder(self) -> NoReturn:
        raise NotSupportedError(_NO_SEQUENCE)

    def close(self) -> None:
        self.dynamodb.close()


_NO_SEQUENCE = "the ledger in DynamoDB has no global sequence of events: ask for the aggregate recorder"
