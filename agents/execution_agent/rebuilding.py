"""The rows of lists, made anew from the ledger: beside those that lists are read from, or one by one in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from domain.journal import Journal
from projections.rebuild import Comparison, Rebuild, Upkeep, anew_of, look_into
from projections.replay import Finding, Place, Slice

Telling: TypeAlias = Callable[[Mapping[int, Place]], Iterator[Slice]]
"""Tells all that the ledger holds to `projections.rebuild.Views`, from those places on."""
Told: TypeAlias = Callable[[Slice], None]
"""Hears of each slice when it is kept."""
Stop: TypeAlias = Callable[[], bool]

FEW = 200
"""Actions that may be left to catch up with when it is time to switch."""


@dataclass(slots=True)
class Account:
    """What a rebuild has come to. `comparison` is there once the new rows are complete."""

    resumed: bool = False
    is_complete: bool = False
    actions: int = 0
    events: int = 0
    comparison: Comparison | None = None
    findings: list[Finding] = field(default_factory=list)

    def take(self, told: Slice) -> None:
        """Counts a slice."""
        self.actions += told.actions
        self.events += told.events

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for programs."""
        return {
            "complete": self.is_complete,
            "resumed": self.resumed,
            "actions": self.actions,
            "events": self.events,
            "comparison": None if self.comparison is None else self.comparison.as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def rebuild(journal: Journal, upkeep: Upkeep, telling: Telling, *, stop: Stop, tell: Told) -> Account:
    """Makes all rows beside those that are there, compares, and switches. What `stop` ends can be gone on with.

    Raises OperationalError when the store fails.
    """
    anew, account = upkeep.rebuild(journal), Account()
    places = anew.begin()
    account.resumed = bool(places)
    for told in telling(places):
        anew.keep(told.part, told.place, anew_of(told))
        account.take(told)
        tell(told)
        if stop():
            break
    if is_caught_up := _catch_up(anew, journal, stop):
        account.comparison = anew.compare()
    account.findings += anew.findings()
    if is_caught_up:
        anew.switch(look_into(journal))
        account.is_complete = True
    return account


def _catch_up(anew: Rebuild, journal: Journal, stop: Stop) -> bool:
    """Whether there is little left by now, and nobody wants to stop."""
    look = look_into(journal)
    while not stop():
        if anew.catch_up(look) <= FEW:
            return not stop()
    return False


def repair(upkeep: Upkeep, telling: Telling, *, stop: Stop, tell: Told) -> Account:
    """Makes each row anew in its own place. Rows without an action stay. What is stopped begins anew the next time."""
    account = Account()
    for told in telling({}):
        upkeep.put(told.result)
        account.take(told)
        account.findings += told.findings
        tell(told)
        if stop():
            return account
    account.is_complete = True
    return account
