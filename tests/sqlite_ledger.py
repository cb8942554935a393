"""Ledgers in SQLite for tests: short commits, a disk that can be watched and can fail, and other processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import apsw
from eventsourcing.persistence import IntegrityError, StoredEvent

from adapters.sqlite_events import SQLiteRecorder
from projections.view import ActionView

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def commit(action_id: str, first: int, *states: bytes) -> list[StoredEvent]:
    """Consecutive events, one for each state."""
    return [
        StoredEvent(action_id, first + place, "action.noted", state) for place, state in enumerate(states or (b"{}",))
    ]


def view(action_id: str, version: int, **said: Any) -> ActionView:
    """A view that says nothing of interest but what is given."""
    defaults = {"status": "attempted", "action_type": "greet", "due_at": None, "born": NOON, "updated": NOON}
    return ActionView(action_id=action_id, version=version, **(defaults | said))


def versions(recorder: SQLiteRecorder, action_id: str) -> list[int]:
    return [event.originator_version for event in recorder.select_events(action_id)]


def until(condition: Callable[[], bool]) -> None:
    """Looks again and again; a minute is more than anything in these tests takes."""
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "it never happens"
        Event().wait(0.0002)


@contextmanager
def being_written(path: str | Path) -> Iterator[None]:
    """Somebody else, at this file, holds the one lock of writers."""
    somebody = apsw.Connection(str(path))
    somebody.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        somebody.execute("ROLLBACK")
        somebody.close()


class Naps:
    """Sleeps, and counts how often: whoever naps here waits for somebody who writes."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, seconds: float) -> None:
        self.taken += 1
        Event().wait(seconds)


@contextmanager
def queue_of(
    recorder: SQLiteRecorder, naps: Naps, threads: ThreadPoolExecutor, *commits: list[StoredEvent]
) -> Iterator[list[Future[None]]]:
    """Callers who come one by one while somebody else writes: the first waits for the file, the others for the first.

    They go on when the block is left.
    """
    first, *others = commits
    with being_written(recorder.path):
        before = naps.taken
        calls = [threads.submit(recorder.insert_events, first)]
        until(lambda: naps.taken > before)
        for place, events in enumerate(others, start=1):
            calls.append(threads.submit(recorder.insert_events, events))
            until(lambda place=place: recorder.waiting == place)  # type: ignore[misc]
        yield calls


class Disk(apsw.VFS):
    """The usual disk, with a diary of what is written and synced; `trouble` is raised instead of the next such step."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.trouble: dict[Literal["write", "sync"], apsw.Error] = {}
        super().__init__("watched", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _File(self, name, flags)

    def does(self, step: Literal["write", "sync"]) -> None:
        if step in self.trouble:
            raise self.trouble[step]
        self.diary.append(step)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.does("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.does("sync")
        super().xSync(flags)


# -- what other processes do; a test names it and starts it in a process of its own ----------------------------------


def append_to_shared_actions(path: str, start: Barrier, appended: Queue[list[str]]) -> None:
    """Four threads append to ten actions that everybody appends to, and load again after each conflict."""
    start.wait()
    recorder = SQLiteRecorder(path)

    def append(thread: int) -> list[str]:
        names = [f"{os.getpid()}.{thread}.{number}" for number in range(50)]
        for number, name in enumerate(names):
            _append_behind_the_last(recorder, f"act_{number % 10}", name.encode())
        return names

    with ThreadPoolExecutor(4) as threads:
        appended.put([name for names in threads.map(append, range(4)) for name in names])
    recorder.close()


def _append_behind_the_last(recorder: SQLiteRecorder, action_id: str, state: bytes) -> None:
    while True:
        tail = recorder.select_events(action_id, desc=True, limit=1)
        version = tail[0].originator_version + 1 if tail else 1
        with suppress(IntegrityError):
            recorder.insert_events(commit(action_id, version, state, b"{}"), view=view(action_id, version + 1))
            return


def append_until_killed(path: str, answered: Connection) -> None:
    """Four threads append new actions for ever, and name each one as soon as it is answered."""
    recorder = SQLiteRecorder(path)
    pid = os.getpid()

    def append(thread: int) -> None:
        for number in count():
            action_id = f"act_{pid}_{thread}_{number}"
            recorder.insert_events(commit(action_id, 1, b"x" * 500, b"{}"), view=view(action_id, 2))
            os.write(answered.fileno(), f"{action_id}\n".encode())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(append, range(4)))


def fork_between_two_commits(path: str) -> None:
    """A child goes on where its parent was, and its parent leaves first."""
    recorder = SQLiteRecorder(path)
    recorder.insert_events(commit("act_1", 1, b"parent"))
    parent_is_gone, gone = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(gone)
        recorder.insert_events(commit("act_1", 2, b"child"))
        os.read(parent_is_gone, 1)
        recorder.insert_events(commit("act_1", 3, b"child, alone"))
        os._exit(0 if versions(recorder, "act_1") == [1, 2, 3] else 1)
    until(lambda: len(recorder.select_events("act_1")) == 2)
    recorder.close()
    os.close(gone)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def fork_in_memory(_: str) -> None:
    """What is in memory is copied: from then on, parent and child go separate ways."""
    recorder = SQLiteRecorder(":memory:")
    recorder.insert_events(commit("act_1", 1))
    child = os.fork()
    if child == 0:
        recorder.insert_events(commit("act_1", 2))
        os._exit(0 if versions(recorder, "act_1") == [1, 2] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert versions(recorder, "act_1") == [1]
    recorder.close()


def fork_amid_commits(path: str) -> None:
    """Whatever the threads of the parent hold at the moment of the fork, its children are free to write."""
    recorder = SQLiteRecorder(path)
    over = Event()

    def append(thread: int) -> None:
        for number in count():
            recorder.insert_events(commit(f"act_{thread}_{number}", 1))
            if over.is_set():
                return

    def read() -> None:
        while not over.is_set():
            recorder.views(None, 10)

    with ThreadPoolExecutor(5) as threads:
        calls = [threads.submit(read), *[threads.submit(append, thread) for thread in range(4)]]
        try:
            children = [os.fork() or _append_and_exit(recorder) for _ in range(20)]
            exits = {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
        finally:
            over.set()
        for call in calls:
            call.result()
    assert exits == {0}
    assert all(versions(recorder, f"act_child_{child}") == [1] for child in children)
    recorder.close()


def _append_and_exit(recorder: SQLiteRecorder) -> NoReturn:
    asked: list[Any] = []
    apsw.connection_hooks.append(lambda new: new.set_exec_trace(lambda _, __, values: asked.append(values) is None))
    action_id = f"act_child_{os.getpid()}"
    recorder.insert_events(commit(action_id, 1))
    kept = versions(recorder, action_id) == [1]
    minds_its_own = {values[0] for values in asked if values} == {action_id}
    os._exit(0 if kept and minds_its_own else 1)
