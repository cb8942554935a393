"""Lives as a journal tells them, made by hand: what our own ledger would never write, too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from eventsourcing.persistence import JSONTranscoder

from domain.commit import Commit
from domain.instant import to_text
from domain.journal import EVERYTHING, Damaged, Life, Row, Span
from domain.ledger import ActionMapper
from tests.given import ACTION_ID, DEFAULTS, NOON

MAPPER = ActionMapper(JSONTranscoder())
Said = tuple[str, Mapping[str, Any]]

REQUEST: Mapping[str, Any] = {
    "action_type": "greet",
    "parameters": {"name": "Ada"},
    "correlation_id": "c-1",
    "decision": {"id": "d-1", "agent": "renewals", "reason": "it ends soon"},
}
REQUESTED: Said = (
    "action.requested",
    {"request": REQUEST, "fingerprint": "0" * 64, "effect_key": f"{ACTION_ID}-r0"},
)
VALIDATED: Said = ("action.validated", {})
ATTEMPTED: Said = (
    "action.attempted",
    {"attempt": 1, "lease_until": DEFAULTS["lease_until"], "delivery": "at_most_once"},
)
SUCCEEDED: Said = ("action.succeeded", {"epoch": 3, "result": {"greeting": "Hello Ada"}, "reference": "g-1"})


def commit(version: int, *said: Said, action_id: str = ACTION_ID, previous: bytes | None = b"") -> Commit:
    """Events decided together, a second after one another; the first of a life at noon."""
    times = [to_text(NOON + timedelta(seconds=version - 1 + place)) for place in range(len(said))]
    events = tuple(
        (topic, json.dumps({"at": at, **says}).encode()) for (topic, says), at in zip(said, times, strict=True)
    )
    return Commit(action_id, version, times[-1], previous, events)


def life(*rows: Row, action_id: str = ACTION_ID) -> Life:
    return Life(action_id, rows, action_id)


def greeted(action_id: str = ACTION_ID) -> Life:
    """A life without surprises."""
    first = commit(1, REQUESTED, VALIDATED, ATTEMPTED, action_id=action_id)
    return life(first, commit(4, SUCCEEDED, action_id=action_id, previous=first.hash), action_id=action_id)


class ListedJournal:
    """A journal of these lives; it remembers of which spans it was asked."""

    parts = 1

    def __init__(self, *lives: Life) -> None:
        self._lives = lives
        self.spans: list[Span] = []

    def life(self, action_id: str) -> Life | None:
        return next((life for life in self._lives if life.action_id == action_id), None)

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        self.spans.append(span)
        return iter(self._lives)

    def written(self, since: datetime) -> Iterator[Row]:
        return (row for life in self._lives for row in life.rows)

    def unlisted(self) -> Iterator[Damaged]:
        return iter(())
