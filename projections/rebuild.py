"""The rows of lists, made anew beside those that lists are read from, compared with them, and put in their place.

    begin ──► keep, slice by slice ──► catch up with what was committed meanwhile ──► compare ──► switch
      ▲            │                              │
      └────────────┴── interrupted ───────────────┘

Until the switch, nobody sees anything of it; after it, nobody sees anything of what was there before. What was kept
stands, whatever happens to the process that keeps it: the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from domain.journal import Journal, Span
from projections.replay import BEGINNING, Finding, Place, Slice, Story, told_of
from projections.status import view_of
from projections.view import ActionView


@dataclass(frozen=True, slots=True)
class Anew:
    """Rows as events alone make them. Where something is wrong with an action, the row that is there stays as it is."""

    rows: Sequence[ActionView]
    findings: Sequence[Finding] = ()


Look: TypeAlias = Callable[[Sequence[str]], Anew]
"""Makes the rows of these actions, from what the ledger holds of them now."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the new rows say against those that lists were read from.

    `missing` were not there, `changed` said something else, `stray` were there without an action. `untold` were only
    there, though their action is in the ledger: nothing had told of it, and they were made good.
    """

    rows: int = 0
    missing: int = 0
    changed: int = 0
    stray: int = 0
    untold: int = 0

    @property
    def agrees(self) -> bool:
        return not (self.missing or self.changed or self.stray or self.untold)

    def as_dict(self) -> dict[str, int]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the rows stand to the ledger. `rows` and `actions` may be None where the store cannot tell at once.

    `missing` actions have no row, `stray` rows no action, and `ahead` are rows that say more than the action does;
    `unsearchable` rows were written by an earlier release, which did not say by what they are found; `unreadable` ones
    are in no list, because somebody damaged them.
    `behind` commits are in no row yet, the oldest of them for `lag_s` seconds. `within_s` is how far back was looked,
    None where that is all there is.
    """

    rows: int | None
    actions: int | None
    missing: int
    behind: int
    lag_s: float
    stray: int = 0
    ahead: int = 0
    unsearchable: int = 0
    unreadable: int = 0
    within_s: float | None = None
    is_rebuilt: bool = field(default=False)
    """Whether a rebuild is under way, or was interrupted."""

    @property
    def is_well(self) -> bool:
        return not any((self.missing, self.behind, self.stray, self.ahead, self.unsearchable, self.unreadable))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"is_well": self.is_well}


class Rebuild(Protocol):
    """Rows that are made beside those of a store. Every method raises OperationalError when the store fails."""

    def begin(self) -> Mapping[int, Place]:
        """Begins, or goes on with what was interrupted: where each part was left."""
        ...

    def keep(self, part: int, place: Place, anew: Anew) -> None:
        """Keeps a slice, and where the next one begins: both or neither."""
        ...

    def catch_up(self, look: Look) -> int:
        """Makes rows anew of some actions that went on meanwhile; how many of them are left."""
        ...

    def findings(self) -> Sequence[Finding]:
        """What is wrong with the actions whose rows stay as they are."""
        ...

    def compare(self) -> Comparison:
        """With the rows that lists are read from now."""
        ...

    def switch(self, look: Look) -> None:
        """Lists are read from the new rows from now on, and they lack nothing."""
        ...

    def abandon(self) -> None:
        """Forgets what was made, where there is something."""
        ...


class Upkeep(Protocol):
    """What can be asked, and done, about the rows of a store."""

    def extent(self, span: Span) -> int | None:
        """How many actions there may be in the span, at a glance; None where that cannot be told."""
        ...

    def standing(self, journal: Journal, now: datetime) -> Standing:
        """How the rows stand to the ledger. Raises OperationalError when it cannot be told."""
        ...

    def rebuild(self, journal: Journal) -> Rebuild:
        """Rows beside those that lists are read from."""
        ...

    def put(self, rows: Sequence[ActionView]) -> None:
        """Puts each in the place of the one that is there, unless that is newer."""
        ...


class Views:
    """`projections.replay.Projection`: the rows themselves, for a store that keeps them."""

    def __init__(self) -> None:
        self._rows: list[ActionView] = []

    def apply(self, story: Story) -> None:
        self._rows.append(view_of(story.standing))

    def result(self) -> list[ActionView]:
        return self._rows

    def add(self, result: list[ActionView]) -> None:
        self._rows += result


def look_into(journal: Journal) -> Look:
    """Rows of actions as the journal has them now. Whoever has no life there has no row."""

    def look(ids: Sequence[str]) -> Anew:
        lives = [life for life in map(journal.life, ids) if life is not None]
        return anew_of(told_of(lives, Views(), 0, BEGINNING, len(lives)))

    return look


def anew_of(told: Slice) -> Anew:
    """What a slice made, told to `Views`."""
    return Anew(told.result, told.findings)
