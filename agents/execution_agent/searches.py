"""The part of the front door behind which actions are found and counted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from projections.view import row_of

if TYPE_CHECKING:
    from agents.execution_agent.assembly import Parts

Moment = datetime | date | str
"""Aware, or a text of RFC 3339; a day is a date or `YYYY-MM-DD`, in UTC."""


class Filters(TypedDict, total=False):
    """What may be true of an action: what its row says. None says nothing."""

    status: str | None
    action_type: str | None
    subject: str | None
    """Whom or what it is about, as its type declares: a recipient, a record, a channel."""
    target: str | None
    """Who bears the effect: `webhook:NAME`, `crm:CONNECTION`."""
    agent: str | None
    decision: str | None
    correlation: str | None
    workflow: str | None
    """The id of the run that it is a step of."""
    actor: str | None
    """The person who acted on it last."""
    error: str | None
    """The code of what is wrong with it."""


class Searches:
    """Finds actions by what they say, and counts them. On DynamoDB rows may be a moment behind their actions."""

    _parts: Parts

    def find(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 50,
        cursor: str | None = None,
        **filters: Unpack[Filters],
    ) -> dict[str, Any]:
        """`{"actions": [row, ...], "next": cursor | None}`: those of which all this is true, the newest first.

        `since` and `until` are about their birth; `until` is excluded, but a day is included. A page costs so much and
        no more, however many actions there are. So where several filters are given it may hold fewer rows than `limit`
        (1 to 1,000), even none; there are more as long as `next` says where. Raises Refused (invalid_options) for what
        is no filter, and for a cursor of other filters.
        """
        from projections.cursor import cursor_of, place_in
        from projections.search import check_limit, search_of

        search, ledger = search_of(filters, since=since, until=until), self._name_of_ledger
        check_limit(limit)
        after = None if cursor is None else place_in(cursor, search, ledger)
        page = self._parts.agenda.find(search, limit, after)
        return {
            "actions": [row_of(view) for view in page.rows],
            "next": None if page.after is None else cursor_of(page.after, search, ledger),
        }

    def counters(self, *, since: Moment | None = None, until: Moment | None = None) -> list[dict[str, Any]]:
        """How many actions were born in each hour, and where they stand now: a list of `{hour, status, action_type,
        count}`, in this order; `hour` is `2026-03-01T12`, in UTC.

        All rows that were born then are read. Raises Refused as `find` does.
        """
        from projections.search import search_of

        search = search_of({}, since=since, until=until)
        return [asdict(count) for count in self._parts.agenda.counts(search.since, search.until)]

    def count_not_searchable(self) -> int | None:
        """How many rows were written by a release that did not say by what they are found: they are found by status,
        type and birth only, until `views rebuild` has made them anew. None where nobody can tell."""
        return self._parts.agenda.not_searchable()

    @property
    def _name_of_ledger(self) -> str:
        """The same from wherever it is called."""
        ledger = self._parts.settings.ledger
        path = ledger.get("SQLITE_DBNAME")
        return ledger.get("DYNAMODB_TABLE", "") if path is None else str(Path(path).resolve())
