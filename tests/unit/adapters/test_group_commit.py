"""Callers share a write; nobody is answered before it, and nobody is left waiting."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from ctypes import c_ulong, py_object, pythonapi
from itertools import count
from threading import Event, Lock, Thread, main_thread
from time import monotonic
from types import FrameType

import pytest

from adapters.group_commit import PATIENCE_S, Batch, GroupCommit


class Interrupted(BaseException):
    """What Ctrl-C is to a program."""


class Store:
    """Writes batches, or does with one what it is told to."""

    def __init__(self, patience_s: float = 60) -> None:
        self.lock = Lock()
        self.batches: list[list[str]] = []
        self.accidents: list[Callable[[Batch[str]], None]] = []
        self.group: GroupCommit[str] = GroupCommit(self.lock, self.write, patience_s=patience_s)

    def write(self, batch: Batch[str]) -> None:
        assert self.lock.locked()
        if self.accidents:
            self.accidents.pop()(batch)
        entries = list(batch.entries)
        if batch.failure is None:
            self.batches += [entries]  # no call, so that no exception can strike from here on
        batch.pending = False

    @property
    def written(self) -> list[str]:
        return [entry for batch in self.batches for entry in batch]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads take turns all the time, and no collector runs in them: an exception that strikes it there is ignored."""
    before = sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(before)
    gc.enable()


def until(condition: Callable[[], bool]) -> None:
    """Looks again and again; a minute is more than anything here takes."""
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end, "it never happens"
        Event().wait(0.0002)


def until_heard(thread: int, condition: Callable[[], bool]) -> None:
    """Strikes the thread; again, should the exception have struck where Python ignores it."""
    for _ in range(60):
        pythonapi.PyThreadState_SetAsyncExc(c_ulong(thread), py_object(Interrupted))
        end = monotonic() + 1
        while monotonic() < end:
            if condition():
                return
            Event().wait(0.0002)
    raise AssertionError("it never happens")


def waiting_callers(store: Store, threads: ThreadPoolExecutor, *entries: str) -> list[Future[Exception | None]]:
    """One caller after the other, so that the first one leads."""
    calls = []
    for number, entry in enumerate(entries, start=1):
        calls.append(threads.submit(store.group.share, entry))
        until(lambda number=number: store.group.waiting == number)  # type: ignore[misc]
    return calls


@contextmanager
def interrupted_when(condition: Callable[[], bool]) -> Iterator[None]:
    """The main thread, which runs the tests, is interrupted by a signal as soon as `condition` holds."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    def watch() -> None:
        until(condition)
        signal.pthread_kill(main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    watcher = Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(Interrupted):
            yield
    finally:
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_lone_caller_is_answered_when_its_entry_is_written(store: Store) -> None:
    assert store.group.share("a") is None
    assert store.batches == [["a"]]


def test_callers_that_come_while_another_batch_is_written_share_the_next(
    store: Store, threads: ThreadPoolExecutor
) -> None:
    entries = [f"entry {number}" for number in range(16)]
    with store.lock:
        calls = waiting_callers(store, threads, *entries)
        assert not any(call.done() for call in calls)
    assert [call.result(30) for call in calls] == [None] * 16
    assert store.batches == [entries]
    assert store.group.waiting == 0


def test_a_failure_reaches_every_caller_of_its_batch_and_no_other(store: Store, threads: ThreadPoolExecutor) -> None:
    failure = OSError("the disk is gone")

    def fail(batch: Batch[str]) -> None:
        batch.failure = failure

    store.accidents.append(fail)
    with store.lock:
        calls = waiting_callers(store, threads, "a", "b", "c")
    assert [call.result(30) for call in calls] == [failure] * 3
    assert store.group.share("d") is None
    assert store.written == ["d"]


def test_when_a_leader_dies_before_the_write_a_follower_leads(store: Store, threads: ThreadPoolExecutor) -> None:
    def die(batch: Batch[str]) -> None:
        raise Interrupted

    store.accidents.append(die)
    with store.lock:
        dying, *others = waiting_callers(store, threads, "a", "b", "c")
    with pytest.raises(Interrupted):
        dying.result(30)
    assert [call.result(30) for call in others] == [None, None]
    assert [entry for entry in store.written if entry != "a"] == ["b", "c"]


def test_when_a_leader_dies_after_the_write_its_followers_are_answered(
    store: Store, threads: ThreadPoolExecutor
) -> None:
    def die_too_late(batch: Batch[str]) -> None:
        store.batches.append(list(batch.entries))
        batch.pending = False
        raise Interrupted

    store.accidents.append(die_too_late)
    with store.lock:
        dying, *others = waiting_callers(store, threads, "a", "b", "c")
    with pytest.raises(Interrupted):
        dying.result(30)
    assert [call.result(30) for call in others] == [None, None]
    assert store.batches == [["a", "b", "c"]]


def test_a_leader_interrupted_in_the_queue_takes_its_entry_back(store: Store, threads: ThreadPoolExecutor) -> None:
    with store.lock:
        with interrupted_when(lambda: store.group.waiting == 1):
            store.group.share("a")
        calls = waiting_callers(store, threads, "b")
    assert calls[0].result(30) is None
    assert store.batches == [["b"]]


def test_an_interrupted_follower_takes_its_entry_back(store: Store, threads: ThreadPoolExecutor) -> None:
    with store.lock:
        calls = waiting_callers(store, threads, "a")
        with interrupted_when(lambda: store.group.waiting == 2):
            store.group.share("b")
        calls += [threads.submit(store.group.share, "c")]
        until(lambda: store.group.waiting == 2)
    assert [call.result(30) for call in calls] == [None, None]
    assert store.batches == [["a", "c"]]


def test_whichever_thread_is_struck_wherever_the_others_are_answered(hectic: None) -> None:
    store = Store(PATIENCE_S)
    answered: list[str] = []
    struck: list[str] = []
    over = False

    def call_again_and_again(caller: int) -> None:
        numbers = count()
        entry = ""
        while not over:
            try:
                while not over:
                    entry = f"{caller}.{next(numbers)}"
                    assert store.group.share(entry) is None
                    answered.append(entry)
            except Interrupted:
                struck.append(entry)

    callers = [Thread(target=call_again_and_again, args=(caller,)) for caller in range(8)]
    for caller in callers:
        caller.start()
    try:
        until(lambda: len({entry.partition(".")[0] for entry in answered[:]}) == 8)
        for strike in range(200):
            victim = callers[strike % 8].ident or 0
            until_heard(victim, lambda strike=strike: len(struck) > strike)  # type: ignore[misc]
    finally:
        over = True
        for caller in callers:
            caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert len(store.written) == len(set(store.written))
    assert set(answered) <= set(store.written) <= set(answered) | set(struck)
    assert store.group.share("afterwards") is None
