"""Real processes, forked from one that has everything imported: cheap enough to be killed by the thousand.

The forking process has one thread, and never opens a ledger.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Said: TypeAlias = dict[str, Any]
Tell: TypeAlias = Callable[[Said], None]
"""Tells the parent something, which stays told even if the next thing is a SIGKILL."""

PATIENCE = 60
"""Seconds after which a process that was forgotten ends itself."""


@dataclass(slots=True)
class Child:
    """A running process, and what it has said so far."""

    pid: int
    pipe: int
    received: bytearray = field(default_factory=bytearray)
    is_reaped: bool = False

    def hear(self) -> bool:
        """Reads what is there; False when the process has ended."""
        data = os.read(self.pipe, 1 << 16)
        self.received += data
        return bool(data)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: a signal's number, or minus its exit code; and what it said."""

    by: int
    said: list[Said]

    def must_be_by(self, by: int, what: str) -> list[Said]:
        """What it said, if it ended as it had to. Raises WrongEnd."""
        if self.by != by:
            raise WrongEnd(f"{what} had to end by {by or 'itself'}, and ended by {self.by}\n{self.raised}")
        return self.said

    @property
    def raised(self) -> str:
        """The trace of what ended it, if anything did."""
        return "".join(said["raised"] for said in self.said if "raised" in said)


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is done for so many seconds."""

    seconds: float


Work: TypeAlias = Callable[[Tell], None]
Lane: TypeAlias = Generator[Work | Pause, Ended, None]
"""A sequence of processes, each after the end of the one before."""


class WrongEnd(Exception):
    """A process did not end as it had to."""


def hear_all(children: Iterable[Child], seconds: float) -> None:
    """Lets them live for a while, and hears them, so that none waits for a full pipe."""
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for child in children:
            selector.register(child.pipe, selectors.EVENT_READ, child)
        while (left := until - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if not key.data.hear():
                    selector.unregister(key.fileobj)


def fork(work: Work, *, patience: int | None = PATIENCE) -> Child:
    """A child that does `work` and ends."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _live(work, write, patience)
    os.close(write)
    return Child(pid, read)


def _live(work: Work, write: int, patience: int | None) -> None:
    code = 1

    def tell(what: Said) -> None:
        os.write(write, json.dumps(what).encode() + b"\n")

    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if patience is not None:
            signal.alarm(patience)
            gc.disable()  # it would copy every page that is shared with the parent, for so short a life
        work(tell)
        code = 0
    except BaseException:  # noqa: BLE001 - told to the parent, whatever it is
        tell({"raised": traceback.format_exc()})
    finally:
        os._exit(code)


def reap(child: Child) -> Ended:
    """Waits for the end."""
    while child.hear():
        pass
    return _reaped(child)


def end(child: Child) -> Ended:
    """Kills it, wherever it is."""
    os.kill(child.pid, signal.SIGKILL)
    return reap(child)


@contextmanager
def ended_with_us(children: Iterable[Child]) -> Iterator[None]:
    """Whoever of them still lives at the end of the context is killed."""
    try:
        yield
    finally:
        for child in children:
            if not child.is_reaped:
                end(child)


def _reaped(child: Child) -> Ended:
    os.close(child.pipe)
    _, status = os.waitpid(child.pid, 0)
    child.is_reaped = True
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)
    # The last line may be half a line: it was never told.
    lines = bytes(child.received).split(b"\n")[:-1]
    return Ended(by, [json.loads(line) for line in lines])


def run_alone(work: Work, what: str) -> list[Said]:
    """What a process said that did its work and ended by itself."""
    return reap(fork(work)).must_be_by(0, what)


def run(lanes: Iterable[Lane], at_each_turn: Callable[[], None]) -> None:
    """All lanes side by side, until each has come to its end; no child outlives it."""
    running = _Running()
    try:
        for lane in lanes:
            running.step(lane, None)
        while running.has_work:
            running.turn()
            at_each_turn()
    finally:
        running.end_all()


class _Running:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._pauses: list[tuple[float, Lane]] = []
        self._children: dict[int, tuple[Lane, Child]] = {}

    @property
    def has_work(self) -> bool:
        return bool(self._children or self._pauses)

    def step(self, lane: Lane, ended: Ended | None) -> None:
        try:
            step = next(lane) if ended is None else lane.send(ended)
        except StopIteration:
            return
        if isinstance(step, Pause):
            self._pauses.append((time.monotonic() + step.seconds, lane))
            return
        child = fork(step)
        self._children[child.pipe] = (lane, child)
        self._selector.register(child.pipe, selectors.EVENT_READ)

    def turn(self) -> None:
        now = time.monotonic()
        over = [pause for pause in self._pauses if pause[0] <= now]
        self._pauses = [pause for pause in self._pauses if pause[0] > now]
        for _, lane in over:
            self.step(lane, Ended(0, []))
        for key, _ in self._selector.select(self._patience()):
            lane, child = self._children[key.fd]
            if not child.hear():
                self._forget(child)
                self.step(lane, _reaped(child))

    def _patience(self) -> float:
        return min((at - time.monotonic() for at, _ in self._pauses), default=PATIENCE)

    def _forget(self, child: Child) -> None:
        self._selector.unregister(child.pipe)
        del self._children[child.pipe]

    def end_all(self) -> None:
        for _, child in list(self._children.values()):
            self._forget(child)
            end(child)
