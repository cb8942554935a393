"""A process of many threads, each of which adds one commit to each of some actions, in an order of its own.

python -m tests.e2e.writer URL TABLE PROCESS THREADS ACTIONS
"""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor

from eventsourcing.persistence import IntegrityError, StoredEvent

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_events import DynamoDBRecorder


def names(actions: int) -> list[str]:
    """The ids of the actions that all processes write to."""
    return [f"act_{number}" for number in range(actions)]


def state(process: int, thread: int) -> bytes:
    """What only this thread writes, and once to each action."""
    return f"{process}:{thread}".encode()


def add(recorder: DynamoDBRecorder, action_id: str, mark: bytes) -> None:
    """Appends after the last version, however often others are first."""
    while True:
        newest = recorder.select_events(action_id, desc=True, limit=1)
        version = newest[0].originator_version + 1 if newest else 1
        try:
            recorder.insert_events([StoredEvent(action_id, version, "action.noted", mark)])
        except IntegrityError:
            continue
        return


def main(url: str, table: str, process: int, threads: int, actions: int) -> None:
    recorder = DynamoDBRecorder(DynamoDB(table, endpoint_url=url))

    def write(thread: int) -> None:
        order = names(actions)
        random.Random(f"{process}:{thread}").shuffle(order)
        for action_id in order:
            add(recorder, action_id, state(process, thread))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(threads)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
