"""What is due, and what stands how: the questions that a store answers without reading every action.

The agenda is the truth about pending work. It may name an action that has moved on since, so whoever takes one reads
the action itself and decides again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

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
