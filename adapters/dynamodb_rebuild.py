"""Rows of actions made anew in a table beside the live one, while others write (`projections.rebuild.Rebuild`).

    TABLE-views       one of the two is live: an item of the gates' table says which (`adapters.dynamodb_live_views`)
    TABLE-views-2     the other one is made anew, and stays as it was after the switch, until the next rebuild
    #rebuild          an item of the gates' table: which table is made, how far each part was read, what was found

What goes on meanwhile is found by the ledger's index of writing times, again and again, the last time once everybody
has heard of the switch. Rows are put on the condition "no row, or none that is newer", so a row that is told twice, or
late, does no harm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from adapters.dynamodb import LONGEST_CALL, ConditionFailed, DynamoDB, Item, TableMissing
from adapters.dynamodb_live_views import KNOWN_FOR_S, live_table, point_to, views_tables
from adapters.dynamodb_row import BY_BIRTH, item_of
from adapters.dynamodb_views import TABLE
from domain.instant import from_text, to_text
from domain.journal import Journal
from projections.rebuild import Anew, Comparison, Look, look_into
from projections.replay import Finding, Place

OVERLAP = timedelta(minutes=2)
"""A commit may come this much later into the index than it says of itself."""
WRITERS = 16
"""Threads that put rows beside each other."""
TOGETHER = 100
"""Rows that BatchGetItem takes."""
MOST_FINDINGS = 200
"""Findings that are remembered: the item has its limit."""

_KEY = {"target": {"S": "#rebuild"}}


@dataclass(slots=True)
class _State:
    """What the item says."""

    into: str
    since: str
    places: dict[str, Any] = field(default_factory=dict)
    findings: dict[str, Any] = field(default_factory=dict)


class DynamoDBRebuild:
    """Every method raises OperationalError when a table cannot be read or written, or may not be made."""

    def __init__(
        self,
        ledger_table: str,
        gates: DynamoDB,
        journal: Journal,
        table: Callable[[str], DynamoDB],
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger_table = ledger_table
        self._gates = gates
        self._journal = journal
        self._table = table
        self._now = now
        self._sleep = sleep
        self._state: _State | None = None

    def begin(self) -> Mapping[int, Place]:
        """The table that is made anew is a new one. Who may not make one is told so here."""
        state = self._state = _read(self._gates) or self._anew()
        return {int(part): Place(*place) for part, place in state.places.items()}

    def keep(self, part: int, place: Place, anew: Anew) -> None:
        """First the rows, then the place: what was put without it is put once more."""
        state = self._begun
        self._save(anew)
        state.places[str(part)] = [place.after, place.is_over]
        _write(self._gates, state)

    def catch_up(self, look: Look) -> int:
        """With all that was written since the last time. There may be some left where that was a while ago."""
        state, now = self._begun, self._now()
        since = from_text(state.since)
        ids = sorted({row.action_id for row in self._journal.written(since - OVERLAP)})
        for page in pages(ids):
            self._save(look(page))
        state.since = to_text(now)
        _write(self._gates, state)
        return len(ids) if now - since > OVERLAP else 0

    def findings(self) -> Sequence[Finding]:
        """Also those of a process that was interrupted, the first of many."""
        return [Finding(action_id, *found) for action_id, found in sorted(self._begun.findings.items())]

    def compare(self) -> Comparison:
        """Row by row. A row that went on meanwhile is none that differs. One that only the old table has is made anew,
        if its action is there: not all that is written is told by an index."""
        old, anew, look = self._former, self._table(self._begun.into), look_into(self._journal)
        rows = missing = changed = stray = untold = 0
        for page in pages(_rows_of(anew)):
            there = rows_called(old, page)
            rows += len(page)
            missing += sum(row["action_id"]["S"] not in there for row in page)
            changed += sum(_differs(there.get(row["action_id"]["S"]), row) for row in page)
        for page in pages(_rows_of(old)):
            there = rows_called(anew, page)
            left = [row["action_id"]["S"] for row in page if row["action_id"]["S"] not in there]
            found = self._make_good(left, look)
            untold += found
            stray += len(left) - found
        return Comparison(rows, missing, changed, stray, untold)

    def switch(self, look: Look) -> None:
        """Lists follow within a minute. The former table is left as it is."""
        point_to(self._gates, self._begun.into)
        # The last call of whoever has just not heard of it may take its time, too.
        self._sleep(KNOWN_FOR_S + LONGEST_CALL)
        self.catch_up(look)
        self._take_over_the_rest(look)
        self._forget()

    def abandon(self) -> None:
        """The table as well, unless lists are read from it."""
        state = _read(self._gates)
        if state is None:
            return
        if state.into != live_table(self._gates, self._ledger_table):
            with suppress(TableMissing):
                self._table(state.into).delete_table()
        self._forget()

    def _take_over_the_rest(self, look: Look) -> None:
        """What the former table alone has, or has newer: a writer put it there, and no index has told of it."""
        anew = self._table(self._begun.into)
        for page in pages(_rows_of(self._former)):
            there = rows_called(anew, page)
            self._make_good([row["action_id"]["S"] for row in page if _is_newer(row, there)], look)

    def _make_good(self, ids: Sequence[str], look: Look) -> int:
        """Rows of these, at most `TOGETHER`, as far as they are actions; how many are."""
        anew = look(ids) if ids else Anew(())
        self._save(anew)
        return len(anew.rows) + len(anew.findings)

    @property
    def _former(self) -> DynamoDB:
        """The table that lists were read from before."""
        (former,) = {*views_tables(self._ledger_table)} - {self._begun.into}
        return self._table(former)

    @property
    def _begun(self) -> _State:
        assert self._state is not None, "it begins with `begin`"
        return self._state

    def _anew(self) -> _State:
        live = live_table(self._gates, self._ledger_table)
        (into,) = {*views_tables(self._ledger_table)} - {live}
        table = self._table(into)
        with suppress(TableMissing):
            table.delete_table()
        since = to_text(self._now())
        table.create_table(**TABLE)
        state = _State(into, since)
        _write(self._gates, state)
        return state

    def _save(self, anew: Anew) -> None:
        state = self._begun
        into = self._table(state.into)
        put_rows(into, [item_of(view) for view in anew.rows])
        for view in anew.rows:
            state.findings.pop(view.action_id, None)
        if anew.findings:
            self._leave_as_they_are(into, anew.findings)

    def _leave_as_they_are(self, into: DynamoDB, findings: Sequence[Finding]) -> None:
        for page in pages(findings):
            rows = rows_called(self._former, [{"action_id": {"S": finding.action_id}} for finding in page])
            put_rows(into, list(rows.values()))
        for finding in findings[: MOST_FINDINGS - len(self._begun.findings)]:
            self._begun.findings[finding.action_id] = [finding.version, finding.problem[:300]]

    def _forget(self) -> None:
        self._gates.call("DeleteItem", TableName=self._gates.table, Key=_KEY)
        self._state = None


def put_rows(table: DynamoDB, items: Sequence[Item]) -> None:
    """Each in the place of the one that is there, unless that is newer."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="rows") as pool:
        for _ in pool.map(lambda item: _put(table, item), items):
            pass


def _put(table: DynamoDB, item: Item) -> None:
    with suppress(ConditionFailed):
        table.call(
            "PutItem",
            TableName=table.table,
            Item=item,
            ConditionExpression="attribute_not_exists(version) OR version <= :version",
            ExpressionAttributeValues={":version": item["version"]},
        )


def _rows_of(table: DynamoDB) -> Iterator[Item]:
    """All, by the index of births, and none where there is no table."""
    for partition in BY_BIRTH.partitions(None):
        with suppress(TableMissing):
            yield from table.query(
                IndexName=BY_BIRTH.name,
                KeyConditionExpression="birth_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": partition}},
            )


def rows_called(table: DynamoDB, page: Sequence[Item]) -> dict[str, Item]:
    """Those of these that are there, by their ids. `page` has at most `TOGETHER`."""
    remaining: Mapping[str, Any] = {
        table.table: {"Keys": [{"action_id": row["action_id"]} for row in page], "ConsistentRead": True}
    }
    found: dict[str, Item] = {}
    while remaining:
        try:
            answer = table.call("BatchGetItem", RequestItems=remaining)
        except TableMissing:
            return {}
        found.update((row["action_id"]["S"], row) for row in answer["Responses"].get(table.table, ()))
        remaining = answer.get("UnprocessedKeys", {})
    return found


def _differs(there: Item | None, row: Item) -> bool:
    return there is not None and there != row and version_of(there) <= version_of(row)


def _is_newer(row: Item, there: Mapping[str, Item]) -> bool:
    other = there.get(row["action_id"]["S"])
    return other is None or version_of(other) < version_of(row)


def version_of(row: Item) -> int:
    """0 where it does not say."""
    return int(row.get("version", {}).get("N", 0))


def is_under_way(gates: DynamoDB) -> bool:
    """Whether a rebuild has begun and not come to its end."""
    return _read(gates) is not None


def _read(gates: DynamoDB) -> _State | None:
    answer = gates.call("GetItem", TableName=gates.table, Key=_KEY, ConsistentRead=True)
    item = answer.get("Item")
    return None if item is None else _State(**json.loads(item["state"]["S"]))


def _write(gates: DynamoDB, state: _State) -> None:
    gates.call("PutItem", TableName=gates.table, Item={**_KEY, "state": {"S": json.dumps(asdict(state))}})


T = TypeVar("T")


def pages(rows: Iterable[T]) -> Iterator[list[T]]:
    """As many as are asked for together."""
    left = iter(rows)
    while page := list(islice(left, TOGETHER)):
        yield page
