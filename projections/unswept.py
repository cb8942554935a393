"""What is due, from where the last sweep left off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from projections.agenda import StoredAgenda


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the agenda: ids of what became due in it, first in line first, and where it ends."""

    due: Sequence[str]
    until: datetime


class Unswept(Protocol):
    """The agenda from where the last sweep left off."""

    def stretches(self, now: datetime, limit: int) -> Iterator[Stretch]:
        """One after another up to `now`, nearly always one; at most `limit` ids of each. Raises LedgerUnavailable."""
        ...

    def move_on(self, until: datetime) -> None:
        """All that became due by then has been looked at. Raises LedgerUnavailable."""
        ...


class WholeAgenda:
    """`Unswept` of a ledger whose agenda is short, since it keeps nothing that is over."""

    def __init__(self, agenda: StoredAgenda) -> None:
        self._agenda = agenda

    def stretches(self, now: datetime, limit: int) -> Iterator[Stretch]:
        yield Stretch(self._agenda.due(now, limit), now)

    def move_on(self, until: datetime) -> None:
        """Nothing has to be remembered."""
