"""Many callers at one ledger in SQLite: they share transactions, and nobody pays for another's trouble."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ctypes import c_ulong, py_object, pythonapi
from itertools import count
from pathlib import Path
from threading import Barrier, Thread, main_thread
from types import FrameType

import apsw
import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from adapters.sqlite_events import SQLiteRecorder
from tests.sqlite_ledger import Disk, Naps, being_written, commit, queue_of, until, versions, view


class Interrupted(BaseException):
    """What Ctrl-C is to a program."""


class Interruption:
    """Strikes whoever writes: right before a statement, or right after its transaction is on disk."""

    AFTER_COMMIT = "after the commit"

    def __init__(self) -> None:
        self._moments: list[str] = []
        self._spared = 0

    def strike(self, *moments: str, sparing: int = 0) -> None:
        """One by one. A moment is how a statement begins, or AFTER_COMMIT; the first is let through `sparing` times."""
        self._moments, self._spared = list(moments), sparing

    def lie_in_wait(self, connection: apsw.Connection) -> None:
        connection.set_exec_trace(lambda cursor, statement, values: self._reach(statement.strip()))
        connection.set_wal_hook(lambda connection, database, pages: not self._reach(self.AFTER_COMMIT))

    def _reach(self, moment: str) -> bool:
        if self._moments and moment.startswith(self._moments[0]):
            self._spared -= 1
            if self._spared < 0:
                self._moments.pop(0)
                raise Interrupted
        return True


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    interruption = Interruption()
    apsw.connection_hooks.append(interruption.lie_in_wait)
    yield interruption
    apsw.connection_hooks.remove(interruption.lie_in_wait)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.unregister()


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def recorder(tmp_path: Path, disk: Disk, naps: Naps, interruption: Interruption) -> Iterator[SQLiteRecorder]:
    recorder = SQLiteRecorder(str(tmp_path / "ledger.db"), sleep=naps)
    disk.diary.clear()
    yield recorder
    recorder.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


def test_a_commit_is_on_disk_before_it_is_answered(recorder: SQLiteRecorder, disk: Disk) -> None:
    for number in range(20):
        recorder.insert_events(commit(f"act_{number}", 1), view=view(f"act_{number}", 1))
        assert disk.diary.count("sync") == number + 1
        assert disk.diary[-1] == "sync"
    assert recorder.synced_commits == 20


def test_callers_that_come_together_share_a_transaction(
    recorder: SQLiteRecorder, naps: Naps, threads: ThreadPoolExecutor, disk: Disk
) -> None:
    ids = [f"act_{number}" for number in range(16)]
    with queue_of(recorder, naps, threads, *[commit(action_id, 1) for action_id in ids]) as calls:
        assert recorder.waiting == len(ids) - 1
    for call in calls:
        call.result()
    assert recorder.synced_commits == disk.diary.count("sync") == 2
    assert all(versions(recorder, action_id) == [1] for action_id in ids)


def test_a_conflict_is_its_own_callers_affair(
    recorder: SQLiteRecorder, naps: Naps, threads: ThreadPoolExecutor
) -> None:
    mine, theirs, gap = commit("act_1", 1, b"mine"), commit("act_1", 1), commit("act_2", 3)
    with queue_of(recorder, naps, threads, commit("act_0", 1), mine, theirs, gap, commit("act_3", 1)) as calls:
        first, won, lost, refused, last = calls
    for call in (first, won, last):
        call.result()
    with pytest.raises(IntegrityError, match="act_1: version 2 comes next, not 1"):
        lost.result()
    with pytest.raises(IntegrityError, match="act_2: version 1 comes next, not 3"):
        refused.result()
    assert [event.state for event in recorder.select_events("act_1")] == [b"mine"]
    assert recorder.synced_commits == 2


@pytest.mark.parametrize(
    ("step", "trouble", "advice"),
    [
        ("sync", apsw.IOError("the disk is gone"), "check its disk"),
        ("write", apsw.FullError("no space left"), "free some space"),
    ],
)
def test_a_transaction_that_fails_is_kept_for_nobody_and_told_to_all(
    recorder: SQLiteRecorder,
    naps: Naps,
    threads: ThreadPoolExecutor,
    disk: Disk,
    step: str,
    trouble: apsw.Error,
    advice: str,
) -> None:
    ids = [f"act_{number}" for number in range(8)]
    disk.trouble[step] = trouble
    with queue_of(recorder, naps, threads, *[commit(action_id, 1) for action_id in ids]) as calls:
        assert recorder.waiting == len(ids) - 1
    for call in calls:
        with pytest.raises(OperationalError, match=f"{recorder.path} .*{trouble}.*{advice}"):
            call.result()
    assert len({id(call.exception()) for call in calls}) == 8
    assert recorder.synced_commits == 0
    assert all(versions(recorder, action_id) == [] for action_id in ids)
    disk.trouble.clear()
    recorder.insert_events(commit("act_0", 1))
    assert versions(recorder, "act_0") == [1]


def test_of_sixteen_that_want_the_same_version_one_gets_it(
    recorder: SQLiteRecorder, threads: ThreadPoolExecutor
) -> None:
    start = Barrier(16)
    winners: list[list[int]] = [[] for _ in range(200)]

    def run(racer: int) -> None:
        for number, won in enumerate(winners):
            start.wait()
            with suppress(IntegrityError):
                recorder.insert_events(commit("act_1", number + 1, b"%d" % racer))
                won.append(racer)

    list(threads.map(run, range(16)))
    assert [len(won) for won in winners] == [1] * 200
    assert [int(event.state) for event in recorder.select_events("act_1")] == [won[0] for won in winners]


def test_reading_never_waits_for_a_writer(recorder: SQLiteRecorder, threads: ThreadPoolExecutor) -> None:
    recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))
    with being_written(recorder.path):
        pending = threads.submit(recorder.insert_events, commit("act_1", 2))
        assert versions(recorder, "act_1") == [1]
        assert list(threads.map(lambda _: versions(recorder, "act_1"), range(50))) == [[1]] * 50
        assert recorder.views(None, 1) == [view("act_1", 1)]
        assert not pending.done()
    pending.result()
    assert versions(recorder, "act_1") == [1, 2]


def test_whatever_is_answered_is_read_at_once_by_anybody(recorder: SQLiteRecorder, threads: ThreadPoolExecutor) -> None:
    other = SQLiteRecorder(recorder.path)

    def live(life: int) -> None:
        for version in range(1, 31):
            recorder.insert_events(commit(f"act_{life}", version), view=view(f"act_{life}", version))
            for reader in (recorder, other):
                assert versions(reader, f"act_{life}") == list(range(1, version + 1))

    list(threads.map(live, range(8)))
    assert {row.version for row in other.views(None, 9)} == {30}
    other.close()


def test_who_is_interrupted_while_waiting_leaves_nothing_behind(recorder: SQLiteRecorder, naps: Naps) -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    def interrupt_main_thread_in_its_nap() -> None:
        until(lambda: naps.taken > 2)
        signal.pthread_kill(main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    interrupter = Thread(target=interrupt_main_thread_in_its_nap)
    interrupter.start()
    with being_written(recorder.path), pytest.raises(Interrupted):
        recorder.insert_events(commit("act_1", 1))
    interrupter.join()
    signal.signal(signal.SIGUSR1, before)
    assert versions(recorder, "act_1") == []
    recorder.insert_events(commit("act_1", 1))
    assert versions(recorder, "act_1") == [1]


@pytest.mark.parametrize(
    "moment",
    ["BEGIN", "SAVEPOINT", "SELECT version", "INSERT INTO commits", "INSERT INTO actions", "RELEASE", "COMMIT"],
)
def test_who_is_interrupted_before_the_commit_leaves_nothing_behind(
    recorder: SQLiteRecorder, interruption: Interruption, moment: str
) -> None:
    interruption.strike(moment)
    with pytest.raises(Interrupted):
        recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))
    with being_written(recorder.path):
        assert versions(recorder, "act_1") == []
        assert recorder.views(None, 9) == []
    assert recorder.synced_commits == recorder.waiting == 0
    recorder.insert_events(commit("act_1", 1), view=view("act_1", 1))
    assert versions(recorder, "act_1") == [1]


def test_who_is_interrupted_once_more_while_rolling_back_hinders_nobody_after(
    recorder: SQLiteRecorder, interruption: Interruption
) -> None:
    interruption.strike("COMMIT", "ROLLBACK")
    with pytest.raises(Interrupted):
        recorder.insert_events(commit("act_1", 1))
    recorder.insert_events(commit("act_2", 1))
    assert (versions(recorder, "act_1"), versions(recorder, "act_2")) == ([], [1])


@pytest.mark.parametrize(
    ("moment", "sparing"), [("BEGIN", 0), ("INSERT INTO commits", 1), ("INSERT INTO commits", 4), ("COMMIT", 1)]
)
def test_when_a_leader_is_interrupted_before_the_commit_another_one_leads(
    recorder: SQLiteRecorder,
    naps: Naps,
    threads: ThreadPoolExecutor,
    interruption: Interruption,
    moment: str,
    sparing: int,
) -> None:
    ids = [f"act_{number}" for number in range(6)]
    with queue_of(recorder, naps, threads, *[commit(action_id, 1) for action_id in ids]) as calls:
        interruption.strike(moment, sparing=sparing)
    interrupted = [action_id for action_id, call in zip(ids, calls, strict=True) if call.exception()]
    assert len(interrupted) == 1
    assert [action_id for action_id in ids if versions(recorder, action_id) == []] == interrupted
    assert recorder.synced_commits == 2


def test_when_a_leader_is_interrupted_after_the_commit_the_others_are_answered(
    recorder: SQLiteRecorder, naps: Naps, threads: ThreadPoolExecutor, interruption: Interruption
) -> None:
    ids = [f"act_{number}" for number in range(6)]
    with queue_of(recorder, naps, threads, *[commit(action_id, 1) for action_id in ids]) as calls:
        interruption.strike(Interruption.AFTER_COMMIT, sparing=1)
    endings = [type(call.exception()) for call in calls]
    assert (endings.count(Interrupted), endings.count(type(None))) == (1, 5)
    assert all(versions(recorder, action_id) == [1] for action_id in ids)


def test_closing_waits_for_the_transaction_that_is_being_written(
    recorder: SQLiteRecorder, naps: Naps, threads: ThreadPoolExecutor
) -> None:
    with being_written(recorder.path):
        pending = threads.submit(recorder.insert_events, commit("act_1", 1))
        until(lambda: naps.taken > 0)
        closing = threads.submit(recorder.close)
    pending.result()
    closing.result()
    for use in (lambda: recorder.insert_events(commit("act_2", 1)), lambda: versions(recorder, "act_1")):
        with pytest.raises(OperationalError, match=r"ledger\.db .*open it again"):
            use()


def test_whichever_thread_is_struck_wherever_the_file_is_right(tmp_path: Path) -> None:
    recorder = SQLiteRecorder(str(tmp_path / "struck.db"))
    answered: list[str] = []
    struck: list[str] = []
    over = False

    def append_again_and_again(caller: int) -> None:
        numbers = count()
        action_id = ""
        while not over:
            try:
                while not over:
                    action_id = f"act_{caller}_{next(numbers)}"
                    recorder.insert_events(commit(action_id, 1, b"{}", b"{}"), view=view(action_id, 2))
                    answered.append(action_id)
            except Interrupted:
                struck.append(action_id)

    callers = [Thread(target=append_again_and_again, args=(caller,)) for caller in range(6)]
    for caller in callers:
        caller.start()
    try:
        until(lambda: len({action_id.split("_")[1] for action_id in answered[:]}) == 6)
        for strike in range(150):
            victim = callers[strike % 6].ident or 0
            pythonapi.PyThreadState_SetAsyncExc(c_ulong(victim), py_object(Interrupted))
            until(lambda strike=strike: len(struck) > strike)  # type: ignore[misc]
    finally:
        over = True
        for caller in callers:
            caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    kept = {row.action_id for row in recorder.views(None, 1_000_000)}
    assert set(answered) <= kept <= set(answered) | set(struck)
    assert all(versions(recorder, action_id) == ([1, 2] if action_id in kept else []) for action_id in struck)
    other = SQLiteRecorder(recorder.path, lock_timeout_s=1)
    other.insert_events(commit("act_afterwards", 1))
    other.close()
    recorder.close()
