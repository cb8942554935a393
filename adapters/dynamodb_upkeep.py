"""How the rows of actions in DynamoDB stand to the ledger, and how they are made anew (`projections.rebuild`)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_live_views import live_table
from adapters.dynamodb_rebuild import DynamoDBRebuild, is_under_way, pages, put_rows, rows_called, version_of
from adapters.dynamodb_row import item_of
from domain.commit import Commit
from domain.instant import from_text
from domain.journal import EVERYTHING, Journal, Span
from projections.rebuild import Standing
from projections.view import ActionView

LOOKED_AT = timedelta(hours=1)
"""How far back the ledger is compared with the rows: a stream that is later than that has its own alarm."""


class DynamoDBUpkeep:
    """`projections.rebuild.Upkeep`. `table` gives access to a table by its name."""

    def __init__(
        self,
        ledger_table: str,
        gates: DynamoDB,
        table: Callable[[str], DynamoDB],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger_table = ledger_table
        self._gates = gates
        self._table = table
        self._now = now
        self._sleep = sleep

    def extent(self, span: Span) -> int | None:
        """DynamoDB counts the rows some four times a day. Of a span nobody knows."""
        return self._count() or None if span == EVERYTHING else None

    def standing(self, journal: Journal, now: datetime) -> Standing:
        """Of what was written in the last hour. `rows` is some hours old."""
        commits: dict[str, list[Commit]] = defaultdict(list)
        for row in journal.written(now - LOOKED_AT):
            if isinstance(row, Commit):
                commits[row.action_id].append(row)
        known = self._versions(sorted(commits))
        behind = [
            commit
            for action_id, written in commits.items()
            for commit in written
            if action_id not in known or commit.version > known[action_id]
        ]
        oldest = min((from_text(commit.at) for commit in behind), default=now)
        return Standing(
            rows=self._count(),
            actions=None,
            missing=len(commits.keys() - known.keys()),
            behind=len(behind),
            lag_s=max(0.0, (now - oldest).total_seconds()),
            within_s=LOOKED_AT.total_seconds(),
            is_rebuilt=is_under_way(self._gates),
        )

    def rebuild(self, journal: Journal) -> DynamoDBRebuild:
        """In a table beside."""
        return DynamoDBRebuild(self._ledger_table, self._gates, journal, self._table, now=self._now, sleep=self._sleep)

    def put(self, rows: Sequence[ActionView]) -> None:
        """Into the table that is live."""
        put_rows(self._live(), [item_of(view) for view in rows])

    def _live(self) -> DynamoDB:
        return self._table(live_table(self._gates, self._ledger_table))

    def _count(self) -> int:
        live = self._live()
        count: int = live.call("DescribeTable", TableName=live.table)["Table"].get("ItemCount", 0)
        return count

    def _versions(self, ids: Sequence[str]) -> dict[str, int]:
        live = self._live()
        return {
            action_id: version_of(row)
            for page in pages(ids)
            for action_id, row in rows_called(live, [{"action_id": {"S": action_id}} for action_id in page]).items()
        }
