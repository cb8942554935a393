"""Many writers, one action: whatever they believe, its history is one line."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_events import DynamoDBRecorder
from tests.engines import Engine

WRITERS = 16
ROUNDS = 200


@pytest.fixture
def recorders(ministack: Engine) -> Iterator[list[DynamoDBRecorder]]:
    """Four processes, as far as the table can tell."""
    table = ministack.new_ledger()["DYNAMODB_TABLE"]
    recorders = [DynamoDBRecorder(DynamoDB(table, endpoint_url=ministack.url)) for _ in range(4)]
    recorders[0].create_table()
    yield recorders
    for recorder in recorders:
        recorder.dynamodb.close()


def commit(action_id: str, first: int, count: int, writer: int) -> list[StoredEvent]:
    return [StoredEvent(action_id, first + place, "action.noted", b"%d" % writer) for place in range(count)]


def test_of_sixteen_writers_of_one_version_one_wins_every_time(recorders: list[DynamoDBRecorder]) -> None:
    rounds = [f"act_{uuid4().hex}" for _ in range(ROUNDS)]
    together = Barrier(WRITERS)

    def wins(writer: int) -> list[bool]:
        recorder = recorders[writer % len(recorders)]
        won = []
        for action_id in rounds:
            together.wait()
            try:
                recorder.insert_events(commit(action_id, 1, 3, writer))
            except IntegrityError:
                won.append(False)
            else:
                won.append(True)
        return won

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(wins, range(WRITERS)))

    for place, action_id in enumerate(rounds):
        [winner] = [writer for writer in range(WRITERS) if outcomes[writer][place]]
        assert recorders[0].select_events(action_id) == commit(action_id, 1, 3, winner)
    assert sum(recorder.dynamodb.requests["PutItem"] for recorder in recorders) == WRITERS * ROUNDS


def test_writers_that_start_at_different_versions_never_fork_the_history(recorders: list[DynamoDBRecorder]) -> None:
    action_id = f"act_{uuid4().hex}"
    recorders[0].insert_events(commit(action_id, 1, 2, WRITERS))

    def write(writer: int) -> list[StoredEvent]:
        chance, recorder = random.Random(writer), recorders[writer % len(recorders)]
        written: list[StoredEvent] = []
        believed = 2
        for _ in range(12):
            believed = chance.choice([believed, believed + 1, len(recorder.select_events(action_id))])
            events = commit(action_id, believed + 1, chance.randint(1, 4), writer)
            try:
                recorder.insert_events(events)
            except IntegrityError:
                continue
            written += events
            believed = events[-1].originator_version
        return written

    with ThreadPoolExecutor(WRITERS) as pool:
        written = [event for events in pool.map(write, range(WRITERS)) for event in events]

    history = recorders[0].select_events(action_id)
    assert [event.originator_version for event in history] == list(range(1, len(history) + 1))
    assert history[2:] == sorted(written, key=lambda event: event.originator_version)
    assert len({event.state for event in history}) > WRITERS / 2
