"""A commit, and the row of SQLite that holds it.

    action_id   the action's id
    version     version of the commit's first event
    events      the commit's body: see `domain.commit`
    last        type of the last event
    at          "2026-11-24T19:29:42.704559Z"
    previous    hash of the action's previous commit: empty in its first, NULL in what earlier releases wrote

The events can be read without this program, for instance in the sqlite3 shell:
SELECT version, sqlar_uncompress(substr(events, 3), 1000000) FROM commits WHERE substr(events, 2, 1) = x'7a'
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent

from domain.commit import packed, sayings, unpacked, word_of
from domain.errors import CorruptEvent
from domain.instant import to_text

CommitRow: TypeAlias = tuple[str, int, bytes, str, str]
"""All of a row but `previous`, which only the store can tell."""


def row_of(events: Sequence[StoredEvent], at: datetime) -> CommitRow:
    """Raises ProgrammingError for events of several actions, IntegrityError for versions that are not consecutive."""
    action_id, first = str(events[0].originator_id), events[0].originator_version
    if any(str(event.originator_id) != action_id for event in events):
        raise ProgrammingError("a commit belongs to one action")
    versions = [event.originator_version for event in events]
    if versions != list(range(first, first + len(versions))):
        raise IntegrityError(f"{action_id}: the versions {versions} are not consecutive")
    return action_id, first, packed(sayings(events)), word_of(events[-1].topic), to_text(at)


def events_in(body: bytes, originator_id: UUID | str, first: int) -> list[StoredEvent]:
    """The events bear the id that was asked for. Raises CorruptEvent when they cannot be read."""
    try:
        return [StoredEvent(originator_id, version, *event) for version, event in enumerate(unpacked(body), first)]
    except (ValueError, TypeError) as error:
        raise CorruptEvent(f"{originator_id}: the commit at version {first} cannot be read ({error})") from error
