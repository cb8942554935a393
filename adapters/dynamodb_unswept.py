"""The agenda in DynamoDB from where the last sweep left off.

The index `due` keeps the entries of all that was ever due. So a sweep remembers, in one item of the gates' table, until
when all that became due has been looked at: a read and a write a sweep, and nothing is written to the ledger. Entries
that may have come in late are looked at again for a few minutes, each minute, at half a read unit each.

Without the item a sweep begins with the first entry of all. However much has gathered, it is read in stretches of so
many entries that each is soon left behind: what a sweep got done is done, and the next one goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_commit import SHARDS, due_shard
from adapters.dynamodb_events import DynamoDBRecorder, Entry
from domain.instant import from_text, to_text
from domain.ledger import translated
from domain.priority import Priority
from projections.unswept import Stretch

log = logging.getLogger("execution_agent.sweep")

LATEST_ENTRY = timedelta(minutes=9)
"""An index is seconds behind its table, and a put may be tried for a minute. What comes in later than this is for its
doorbells alone."""
LONGEST_STRETCH = 2_000
"""Entries, nearly all of them over as a rule: some fifty requests. Time in which nothing was due costs nothing."""

_KEY = {"target": {"S": "#swept"}}
"""No target is called so: names of targets begin with a letter or a digit."""


class DynamoDBUnswept:
    """`projections.unswept.Unswept`. `gates` speaks to the gates' table, and clocks differ by `clock_skew` at most."""

    def __init__(self, recorder: DynamoDBRecorder, gates: DynamoDB, clock_skew: timedelta) -> None:
        self._recorder = recorder
        self._gates = gates
        self._overlap = LATEST_ENTRY + 2 * clock_skew

    def stretches(self, now: datetime, limit: int) -> Iterator[Stretch]:
        # A sweep whose clock was ahead of ours is no reason to look at nothing until we get there.
        swept = min(self._swept_until() or self._first_entry() or now, now)
        entries, longest = self._recorder.entries(swept - self._overlap, now), min(limit, LONGEST_STRETCH)
        is_last = False
        while not is_last:
            with translated():
                stretch = list(islice(entries, longest))
                waiting = self._recorder.waiting(stretch)
            is_last = len(stretch) < longest
            # Others may be due in the same moment as the last one: the next sweep looks there once more.
            yield Stretch([place.action_id for place in waiting], now if is_last else max(swept, stretch[-1].due_at))

    def move_on(self, until: datetime) -> None:
        with translated():
            self._gates.call("PutItem", TableName=self._gates.table, Item={**_KEY, "until": {"S": to_text(until)}})

    def _swept_until(self) -> datetime | None:
        with translated():
            answer = self._gates.call("GetItem", TableName=self._gates.table, Key=_KEY, ConsistentRead=True)
        until = answer.get("Item", {}).get("until", {}).get("S")
        try:
            return None if until is None else from_text(until)
        except ValueError:
            log.error("nobody can read until when all has been looked at: a sweep begins at the beginning")
            return None

    def _first_entry(self) -> datetime | None:
        """When the first of all actions was due; None before there is one."""
        with translated():
            firsts = [self._first_of(shard, priority) for priority in Priority for shard in range(SHARDS)]
        return min((due_at for due_at in firsts if due_at is not None), default=None)

    def _first_of(self, shard: int, priority: Priority) -> datetime | None:
        items = self._recorder.dynamodb.query(
            IndexName="due",
            KeyConditionExpression="due_shard = :shard",
            ExpressionAttributeValues={":shard": {"S": due_shard(shard, priority)}},
            Limit=1,
        )
        readable = filter(None, (Entry.found_in(item, priority) for item in items))
        return next((entry.due_at for entry in readable), None)
