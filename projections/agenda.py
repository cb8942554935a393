"""What is due, and what stands how: the questions that a store answers without reading every action.

The agenda is the truth about pending work. It may name an action that has moved on since, so whoever takes one reads
the action itself and decides again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from domain.errors import ConfigurationError
from domain.ledger import translated
from projections.view import ActionView


class Agenda(Protocol):
    """Every store keeps one."""

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of what must be looked at by `now`, the longest due first: accepted, to be retried, expired, lapsed."""
        ...


@runtime_checkable
class Views(Protocol):
    """Stores that keep the rows of actions beside their events."""

    def views(self, status: str | None, limit: int) -> Sequence[ActionView]:
        """The rows of a status, or all, newest first."""
        ...


class StoredAgenda:
    """The agenda of a ledger's own store. Raises LedgerUnavailable when it cannot be read."""

    def __init__(self, store: Agenda) -> None:
        self._store = store

    @property
    def keeps_views(self) -> bool:
        """Whether the store can list actions."""
        return isinstance(self._store, Views)

    def due(self, now: datetime, limit: int) -> Sequence[str]:
        with translated():
            return self._store.due(now, limit)

    def views(self, status: str | None, limit: int) -> Sequence[ActionView]:
        """Raises ConfigurationError where the store keeps no views."""
        if not isinstance(self._store, Views):
            raise ConfigurationError("this ledger keeps no views beside its events, so it cannot list actions")
        with translated():
            return self._store.views(status, limit)
