"""Which actions a legal hold is on: there is no list of them, each says it of itself, and all are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eventsourcing.persistence import Mapper

from domain.commit import Commit
from domain.events import LegalHoldLifted, LegalHoldPlaced
from domain.instant import to_text
from domain.journal import Journal, Life
from domain.unreadable import Told, life_in

_OF_HOLDS = (LegalHoldPlaced.TOPIC, LegalHoldLifted.TOPIC)


def legal_holds(journal: Journal, mapper: Mapper[str], matter: str | None = None) -> Iterator[dict[str, Any]]:
    """`{action_id, matter, at, by, why}` of each hold that stands, of a matter or of all. Reads all that there is."""
    for life in journal.lives():
        for placed in _placed(life, mapper).values():
            if matter in (None, placed.matter):
                yield {
                    "action_id": placed.originator_id,
                    "matter": placed.matter,
                    "at": to_text(placed.timestamp),
                    "by": placed.by,
                    "why": placed.why,
                }


def _placed(life: Life, mapper: Mapper[str]) -> dict[str, LegalHoldPlaced]:
    """By matter, the holds that were not lifted. What cannot be read of the rest of a life does not matter here."""
    placed: dict[str, LegalHoldPlaced] = {}
    for event in _told_of_holds(life, mapper):
        if isinstance(event, LegalHoldPlaced):
            placed[event.matter] = event
        elif isinstance(event, LegalHoldLifted):
            placed.pop(event.matter, None)
    return placed


def _told_of_holds(life: Life, mapper: Mapper[str]) -> list[Told]:
    commits = [row for row in life.rows if isinstance(row, Commit)]
    events = [event for commit in commits for event in commit.stored_events() if event.topic in _OF_HOLDS]
    return life_in(events, mapper)
