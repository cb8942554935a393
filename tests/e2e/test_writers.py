"""Processes full of threads write to the same actions of one ledger: nothing is lost, and no version is there twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_events import DynamoDBRecorder
from tests.e2e.cloud import Cloud
from tests.e2e.writer import names, state

ROOT = Path(__file__).parents[2]
PROCESSES = 2
WRITER = (sys.executable, "-m", "tests.e2e.writer")


@pytest.mark.parametrize(("threads", "actions"), [(8, 20), pytest.param(50, 200, marks=pytest.mark.full)])
def test_every_commit_of_every_thread_is_there_once(threads: int, actions: int, cloud: Cloud) -> None:
    table = f"crowd-{uuid4().hex}"
    recorder = DynamoDBRecorder(DynamoDB(table, endpoint_url=cloud.url))
    recorder.create_table()

    writers = [
        subprocess.Popen([*WRITER, cloud.url, table, str(process), str(threads), str(actions)], cwd=ROOT)
        for process in range(PROCESSES)
    ]

    assert [writer.wait(timeout=600) for writer in writers] == [0] * PROCESSES
    everybody = sorted(state(process, thread) for process in range(PROCESSES) for thread in range(threads))
    for action_id in names(actions):
        history = recorder.select_events(action_id)
        assert [event.originator_version for event in history] == list(range(1, len(everybody) + 1))
        assert sorted(event.state for event in history) == everybody
    recorder.dynamodb.close()
