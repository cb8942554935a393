"""The journal: all that the ledger's stores hold, commit by commit, for those who replay, audit and verify.

It only reads, it knows nothing of rows for lists, and it judges nothing: what cannot be read comes as Damaged, in its
place, so that one broken row hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeAlias

from eventsourcing.persistence import OperationalError

from domain.commit import Commit
from domain.instant import from_text


@dataclass(frozen=True, slots=True)
class Damaged:
    """A row that is no commit. `problem` is a sentence for people, without what the row says."""

    action_id: str
    version: int
    problem: str


Row: TypeAlias = Commit | Damaged


@dataclass(frozen=True, slots=True)
class Life:
    """All that is stored of one action, oldest first. `cursor` is where a reader goes on after it."""

    action_id: str
    rows: tuple[Row, ...]
    cursor: str

    @property
    def born(self) -> date | None:
        """The day of its first commit, UTC's; None where that cannot be told."""
        first = self.rows[0]
        if not isinstance(first, Commit) or first.version > 1:
            return None
        try:
            return from_text(first.at).date()
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Span:
    """Actions by their birth: from the day `since` to the day `until`, UTC's, both included; None is no bound."""

    since: date | None = None
    until: date | None = None

    def holds(self, born: date | None) -> bool:
        """Whose birth cannot be told belongs to any span: it is not to be overlooked."""
        return born is None or (
            (self.since is None or born >= self.since) and (self.until is None or born <= self.until)
        )


EVERYTHING = Span()


def can_be_stored(text: str) -> bool:
    """Whether it is text of whole characters: half of a surrogate pair is in no store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class NoCursor(OperationalError):
    """What was given for a cursor is none of this journal."""

    @classmethod
    def of(cls, cursor: str) -> NoCursor:
        return cls(f"{cursor[:80]!a} is no cursor of this journal")


class MayNotLook(Exception):
    """The store does not let us look for what nothing leads to. The message is a sentence for people."""


class Journal(Protocol):
    """What a store of the ledger holds."""

    @property
    def parts(self) -> int:
        """In how many parts it may be read by as many readers, each of other actions."""
        ...

    def life(self, action_id: str) -> Life | None:
        """All of one action, read consistently; None where there is nothing."""
        ...

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        """Each action that was born within the span, once, in a fixed order; those of a part only, or of all.

        `after` is the cursor of the last life that was read, from the same store, span and part. What is born or goes
        on meanwhile may be told or not, but a life is never told with a gap. Raises NoCursor.
        """
        ...

    def written(self, since: datetime) -> Iterator[Row]:
        """What was committed from `since` on, by the time that it says of itself, in no order, each once."""
        ...

    def unlisted(self) -> Iterator[Damaged]:
        """The rows of actions that `lives` does not tell, though they are there: no index leads to them.

        Raises MayNotLook where that takes a right that we do not have.
        """
        ...


class JournaledRecorder(Protocol):
    """Every store of the ledger has one."""

    def journal(self) -> Journal:
        """All that it holds."""
        ...
