"""Callers that act at the same time, and contestants that take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from threading import Barrier, Thread
from time import perf_counter, process_time


def who(callers: int) -> str:
    """As a report says it."""
    return "1 caller" if callers == 1 else f"{callers} callers"


@dataclass
class Tally:
    """What one contestant did in all its turns. Times in seconds; CPU is that of this process, all threads."""

    latencies: list[float] = field(default_factory=list)
    throughputs: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def actions(self) -> int:
        return len(self.latencies)

    @property
    def p50(self) -> float:
        return median(self.latencies)

    @property
    def throughput(self) -> float:
        """Actions a second, the median of the turns."""
        return median(self.throughputs)

    @property
    def cpu_per_action(self) -> float:
        """The median of the turns."""
        return median(self.cpu)


def take_turns(acts: Sequence[Callable[[], object]], *, callers: int, each: int, turns: int) -> list[Tally]:
    """Lets the contestants act by turns, `callers` at once and `each` times a caller; who begins changes every turn.

    The first turn of everybody is for warming up, and is not counted.
    """
    tallies = [Tally() for _ in acts]
    for act in acts:
        _turn(act, Tally(), callers, max(each // 5, 1))
    contestants = list(zip(acts, tallies, strict=True))
    for turn in range(turns):
        for act, tally in contestants if turn % 2 == 0 else reversed(contestants):
            _turn(act, tally, callers, each)
    return tallies


def _turn(act: Callable[[], object], tally: Tally, callers: int, each: int) -> None:
    start = Barrier(callers + 1)
    failures: list[BaseException] = []

    def call() -> None:
        own = []
        start.wait()
        try:
            for _ in range(each):
                begun = perf_counter()
                act()
                own.append(perf_counter() - begun)
        except BaseException as failure:  # noqa: BLE001 - told by the thread that waits
            failures.append(failure)
        tally.latencies.extend(own)

    threads = [Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    start.wait()
    begun, cpu_begun = perf_counter(), process_time()
    for thread in threads:
        thread.join()
    wall, cpu = perf_counter() - begun, process_time() - cpu_begun
    if failures:
        raise failures[0]
    tally.throughputs.append(callers * each / wall)
    tally.cpu.append(cpu / (callers * each))
