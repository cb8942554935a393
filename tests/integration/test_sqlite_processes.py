"""Several processes at one ledger in SQLite: they race, they are killed, they fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import apsw
import pytest

from adapters.sqlite_events import SQLiteRecorder
from tests import sqlite_ledger

SPAWN = get_context("spawn")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "new" / "ledger.db")


def started(work: Callable[..., None], *given: Any) -> Any:
    process = SPAWN.Process(target=work, args=given)
    process.start()
    return process


def exit_code(process: Any) -> int | None:
    process.join(60)
    code: int | None = process.exitcode
    process.close()
    return code


def test_processes_that_race_lose_no_commit_and_double_none(path: str) -> None:
    start, appended = SPAWN.Barrier(4), SPAWN.Queue()
    processes = [started(sqlite_ledger.append_to_shared_actions, path, start, appended) for _ in range(4)]
    names = sorted(name for _ in processes for name in appended.get(timeout=60))
    assert [exit_code(process) for process in processes] == [0] * 4
    assert len(names) == 800
    with closing(SQLiteRecorder(path)) as recorder:
        lives = [recorder.select_events(f"act_{number}") for number in range(10)]
        for life in lives:
            assert [event.originator_version for event in life] == list(range(1, 161))
        assert sorted(event.state.decode() for life in lives for event in life[::2]) == names
        assert {row.version for row in recorder.views(None, 99)} == {160}


def test_what_was_answered_outlives_a_process_that_is_killed(path: str) -> None:
    answered: list[str] = []
    for kill_after in range(1, 200, 20):
        reader, writer = SPAWN.Pipe(duplex=False)
        process = started(sqlite_ledger.append_until_killed, path, writer)
        writer.close()
        with os.fdopen(os.dup(reader.fileno())) as lines:
            answered += [lines.readline().strip() for _ in range(kill_after)]
            process.kill()
            answered += [line.strip() for line in lines if line.endswith("\n")]
        reader.close()
        assert exit_code(process) == -9
        with closing(apsw.Connection(path)) as connection:
            assert connection.pragma("integrity_check") == "ok"
        with closing(SQLiteRecorder(path)) as recorder:
            assert all(sqlite_ledger.versions(recorder, action_id) == [1, 2] for action_id in answered)
            assert set(answered) <= {row.action_id for row in recorder.views(None, 1_000_000)}
    assert len(set(answered)) == len(answered) > 900


@pytest.mark.parametrize(
    "work", [sqlite_ledger.fork_between_two_commits, sqlite_ledger.fork_amid_commits, sqlite_ledger.fork_in_memory]
)
def test_a_forked_child_writes_and_nothing_is_lost(path: str, work: Callable[[str], None]) -> None:
    assert exit_code(started(work, path)) == 0


def test_what_a_forked_child_wrote_is_there_when_all_are_gone(path: str) -> None:
    assert exit_code(started(sqlite_ledger.fork_between_two_commits, path)) == 0
    with closing(SQLiteRecorder(path)) as recorder:
        states = [event.state for event in recorder.select_events("act_1")]
    assert states == [b"parent", b"child", b"child, alone"]
    with closing(apsw.Connection(path)) as connection:
        assert connection.pragma("integrity_check") == "ok"
