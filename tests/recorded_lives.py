"""Lives that are recorded in a store as an agent records them: commit by commit, each with the row of its action."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from eventsourcing.persistence import AggregateRecorder, JSONTranscoder

from adapters.sqlite_events import SQLiteRecorder
from domain.events import ActionEvent
from domain.ledger import ActionMapper, agenda_time
from projections.status import view_of
from tests.given import ATTEMPTED, LEADING_TO, NOON, SUCCEEDED, VALIDATED, Told, life_of

REQUEST: Told = (
    "requested",
    {"request": {"action_type": "greet", "parameters": {"name": "Ada"}, "decision": {"id": "d1", "agent": "renewals"}}},
)
WAITS: tuple[Told, ...] = (
    REQUEST,
    VALIDATED,
    ATTEMPTED,
    ("attempt_failed", {"failure": "retry", "retry_at": "2026-03-01T12:00:05.000000Z"}),
)
"""A life that somebody must look at again."""
ENDED: tuple[Told, ...] = (REQUEST, *SUCCEEDED[1:])
EVERY_LIFE = tuple(told for life, told in LEADING_TO.items() if life is not None)

_MAPPER = ActionMapper(JSONTranscoder())


def record(recorder: AggregateRecorder, action_id: str, *told: Told, at: datetime = NOON) -> None:
    """All of a life: what is told first in one commit, as a request is, and each later event in one of its own."""
    for commit in commits_of(action_id, told, at):
        append(recorder, commit)


def commits_of(action_id: str, told: Sequence[Told], at: datetime = NOON) -> Iterator[list[ActionEvent]]:
    """At most three events come together."""
    life = [replace(event, originator_id=action_id) for event in life_of(*told, at=at)]
    yield life[:3]
    for event in life[3:]:
        yield [event]


def append(recorder: AggregateRecorder, commit: Sequence[ActionEvent]) -> None:
    """One commit, after those that are there."""
    stored = [_MAPPER.to_stored_event(event) for event in commit]
    before = recorder.select_events(commit[0].originator_id)
    action: Any = None
    for event in (*map(_MAPPER.to_domain_event, before), *commit):
        action = event.mutate(action)
    recorder.insert_events(stored, at=action.modified_on, due_at=agenda_time(action), view=view_of(action))


def many(recorder: AggregateRecorder, count: int, *lives: Sequence[Told]) -> list[str]:
    """So many actions, of these lives in turn, a second apart; their ids."""
    lives = lives or EVERY_LIFE
    ids = [f"act_{number:026d}" for number in range(count)]
    for number, action_id in enumerate(ids):
        record(recorder, action_id, *lives[number % len(lives)], at=NOON + timedelta(seconds=number))
    return ids


@contextmanager
def sqlite_ledger(
    path: Path | str, *, count: int = 0, lives: Iterable[Sequence[Told]] = ()
) -> Iterator[SQLiteRecorder]:
    """A file with so many actions."""
    recorder = SQLiteRecorder(str(path))
    try:
        many(recorder, count, *lives)
        yield recorder
    finally:
        recorder.close()


def act_until_told(path: str, over: Event, answered: Connection) -> None:
    """Another process begins actions and goes on with them for as long as it may, and names each commit that is there.

    Of each action it names how many events it has.
    """
    recorder = SQLiteRecorder(path)
    number = 0
    while not over.is_set():
        action_id = f"act_{os.getpid()}_{number}"
        for commit in commits_of(action_id, WAITS if number % 2 else ENDED):
            append(recorder, commit)
            os.write(answered.fileno(), f"{action_id} {commit[-1].originator_version}\n".encode())
        number += 1
    recorder.close()
