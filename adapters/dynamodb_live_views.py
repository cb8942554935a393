"""Which table the rows of lists are in: `<table>-views`, or `<table>-views-2`, which a rebuild has put in its place.

One item of the gates' table says so. Whoever keeps rows or reads them looks there once a minute, so after a switch rows
may go to the former table for a minute yet, and for as long as a call takes. A rebuild waits for that, and then makes
good what was kept there alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import RLock

from adapters.dynamodb import DynamoDB, TableMissing
from adapters.dynamodb_gates import gates_table
from adapters.dynamodb_views import views_table

KNOWN_FOR_S = 60.0
"""Seconds for which somebody goes by what was read."""

_KEY = {"target": {"S": "#views"}}
"""No target is called so: names of targets begin with a letter or a digit."""


def views_tables(ledger_table: str) -> tuple[str, str]:
    """The two names that the table of rows has in turn."""
    first = views_table(ledger_table)
    return first, f"{first}-2"


def live_table(dynamodb: DynamoDB, ledger_table: str) -> str:
    """The one that lists are read from. Raises OperationalError when that cannot be known."""
    first, second = views_tables(ledger_table)
    try:
        answer = dynamodb.call("GetItem", TableName=gates_table(ledger_table), Key=_KEY, ConsistentRead=True)
    except TableMissing:
        return first
    return second if answer.get("Item", {}).get("table") == {"S": second} else first


def point_to(gates: DynamoDB, table: str) -> None:
    """From now on, lists are read from this one."""
    gates.call("PutItem", TableName=gates.table, Item={**_KEY, "table": {"S": table}})


class LiveViewsTable(DynamoDB):
    """Speaks to the table of rows, whichever it is now. One client serves both: for the rows, and for that question."""

    def __init__(
        self,
        ledger_table: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger_table = ledger_table
        self._now = now
        self._asking = RLock()
        self._known = views_table(ledger_table)
        self._known_until = now()
        super().__init__(self._known, region=region, endpoint_url=endpoint_url, sleep=sleep)

    @property
    def table(self) -> str:
        """Its name. Raises OperationalError when that cannot be known."""
        with self._asking:
            if self._now() >= self._known_until:
                self._ask()
            return self._known

    @table.setter
    def table(self, _: str) -> None:
        """That is for the item to say."""

    def _ask(self) -> None:
        # Whoever explains a failure of this very request names the table, and does not ask again.
        self._known_until, asked_at = math.inf, self._now()
        try:
            self._known = live_table(self, self._ledger_table)
        except BaseException:
            self._known_until = self._now()
            raise
        # What is said may be as old as the question.
        self._known_until = asked_at + KNOWN_FOR_S
