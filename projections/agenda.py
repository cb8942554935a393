"""What is due, and what stands how: the questions that a store answers without reading every action.

The agenda is the truth about pending work. It may name an action that has moved on since, so whoever takes one reads
the action itself and decides again. Views that are kept apart from the ledger follow it, a moment or more behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from domain.errors import ConfigurationError
from domain.ledger import translated
from domain.priority import Place
from projections.view import ActionView

if TYPE_CHECKING:
    from projections.search import Count, Page, Position, Search


class Agenda(Protocol):
    """Every store keeps one."""

    def line(self, now: datetime, limit: int) -> Sequence[Place]:
        """What must be looked at by `now`, first in line first: accepted, to be retried, expired, lapsed."""
        ...


@runtime_checkable
class Views(Protocol):
    """Stores that keep the rows of actions. A ledger that does writes them in the transaction of their events."""

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> Sequence[ActionView]:
        """The rows of a status, or all, newest first or oldest first, by birth."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """Stores whose rows are found by what they say, and counted."""

    def find(self, search: Search, limit: int, after: Position | None = None) -> Page:
        """A page of what is searched for, newest first. Not more than so many rows are looked at for it."""
        ...

    def counts(self, since: datetime | None, until: datetime | None) -> Sequence[Count]:
        """How many were born in which hour, and where they stand now; by hour, status and type."""
        ...

    def not_searchable(self) -> int | None:
        """How many rows an earlier release wrote, which do not say by what they are found; None where nobody can tell
        without reading them all."""
        ...


class SeparateViews(Views, Protocol):
    """A store of rows that is kept apart from the ledger, by whoever hears of a commit."""

    def keep(self, view: ActionView) -> bool:
        """Keeps the row unless a newer one is there; True when this is the newest now. Twice, or late, does no harm."""
        ...

    def close(self) -> None:
        """Lets go of the store."""
        ...


class StoredAgenda:
    """The agenda of a ledger's own store, and its rows. Raises LedgerUnavailable when they cannot be read."""

    def __init__(self, store: Agenda, views: Views | None = None) -> None:
        """`views` are those kept apart, where the store keeps none itself."""
        self._store = store
        self._own_views = store if isinstance(store, Views) else None
        self._views = self._own_views or views

    @property
    def keeps_views(self) -> bool:
        """Whether the store itself keeps the rows, so that they are never behind."""
        return self._own_views is not None

    def line(self, now: datetime, limit: int) -> Sequence[Place]:
        """What must be looked at by `now`, first in line first."""
        with translated():
            return self._store.line(now, limit)

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        """The ids in that line."""
        return [place.action_id for place in self.line(now, limit)]

    def views(self, status: str | None, limit: int, *, oldest_first: bool = False) -> Sequence[ActionView]:
        """Raises ConfigurationError where nobody keeps views."""
        if self._views is None:
            raise ConfigurationError("this ledger keeps no views beside its events, so it cannot list actions")
        with translated():
            return self._views.views(status, limit, oldest_first=oldest_first)

    def find(self, search: Search, limit: int, after: Position | None = None) -> Page:
        """A page of what is searched for. Raises ConfigurationError where nobody can search."""
        with translated():
            return self._searchable.find(search, limit, after)

    def counts(self, since: datetime | None, until: datetime | None) -> Sequence[Count]:
        """How many were born in which hour, and where they stand now. Raises as `find` does."""
        with translated():
            return self._searchable.counts(since, until)

    def not_searchable(self) -> int | None:
        """How many rows are found by status, type and birth only, None where nobody can tell. Raises as `find` does."""
        with translated():
            return self._searchable.not_searchable()

    @property
    def _searchable(self) -> Searchable:
        views: object = self._views
        if not isinstance(views, Searchable):
            raise ConfigurationError("this ledger keeps no views beside its events, so it cannot find actions")
        return views
