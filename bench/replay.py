"""How fast what happened is told once more, and whether rows made anew survive being interrupted:
`python -m bench.replay [--actions N] [--kills N]`.

The rebuild is a process of its own, the command that people use. It is killed wherever it happens to be, each time that
so many rows are there, and started again; what comes of it is compared with what an undisturbed one makes.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter, process_time, sleep

import apsw

from agents.execution_agent.assembly import opened_journal
from agents.execution_agent.config import Settings
from agents.execution_agent.replaying import Made, slices, slices_beside_each_other
from bench.report import Figure, at_least, exactly, lines_of
from bench.verify import make_ledger
from domain.journal import EVERYTHING, Journal
from projections.counts import Counts
from projections.replay import Slice
from projections.rows import Rows

WORKPLACE = Path(".execution-agent")
COMMITS_OF_AN_ACTION = 2
TRIES = 3
"""The best of them counts: what else a machine does makes it slower, and nothing makes it faster."""
LOOKED_AFTER_S = 0.002
MOST_MISSES = 20
"""Rebuilds that end before they are killed, one after the other: a small one does on a busy machine."""


def main() -> None:
    """Makes a ledger, measures, and prints. A missed target is a word in the report, no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--actions", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    WORKPLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="replay-", dir=WORKPLACE.resolve()) as folder:
        made = list(figures(options.actions, options.kills, Path(folder)))
    print("\n".join(lines_of(f"Replay of {options.actions:,} actions, load {os.getloadavg()[0]:.1f}", made)))


def figures(actions: int, kills: int, folder: Path) -> Iterator[Figure]:
    ledger = folder / "ledger.db"
    make_ledger(ledger, COMMITS_OF_AN_ACTION * actions)
    yield from rates(settings_of(ledger))
    yield from rebuilds(ledger, actions, kills, folder)


def settings_of(ledger: Path) -> Settings:
    return Settings.from_environment({"EXECUTION_AGENT_LEDGER": f"sqlite:///{ledger}"})


# -- how fast --------------------------------------------------------------------------------------------------------


def rates(settings: Settings) -> Iterator[Figure]:
    """Of one process, beside what the store itself reads, and of as many as there are cores."""
    with opened_journal(settings) as journal:
        tries: dict[str, list[_Rate]] = {"store": [], "counts": [], "rows": []}
        for _ in range(TRIES):
            # In turn, so that all have the same share of what else goes on.
            tries["store"].append(_rate_of(lambda: _read(journal)))
            tries["counts"].append(_rate_of(lambda: _told(slices(journal, Counts, EVERYTHING, {}))))
            tries["rows"].append(_rate_of(lambda: _told(slices(journal, Rows, EVERYTHING, {}))))
        store, counts, rows = (_Rate.best(tries[name]) for name in ("store", "counts", "rows"))
        yield Figure("counts", counts.a_second, "events a second", at_least(100_000), beside=counts.beside)
        beside = {"counts": f"{counts.a_cpu_second:,.0f}", "the store": f"{store.a_cpu_second:,.0f}"}
        to_store = counts.a_cpu_second / store.a_cpu_second
        yield Figure("counts to what the store reads, in CPU time", to_store, "x", at_least(0.5), beside=beside)
        yield Figure("rows", rows.a_second, "events a second", beside=rows.beside)
        yield from _beside_each_other(settings, journal)


def _beside_each_other(settings: Settings, journal: Journal) -> Iterator[Figure]:
    cores = os.cpu_count() or 1
    for made in (Counts, Rows):

        def tell(made: Made = made) -> int:
            return _told(slices_beside_each_other(settings, journal, made, EVERYTHING, {}, workers=cores))

        rate = _Rate.best([_rate_of(tell) for _ in range(TRIES)])
        yield Figure(f"{made.__name__.lower()}, {cores} processes and their start", rate.a_second, "events a second")


@dataclass(frozen=True)
class _Rate:
    """Events a second, and a second of CPU time, which others on the machine do not make longer."""

    a_second: float
    a_cpu_second: float

    @classmethod
    def best(cls, tries: Sequence[_Rate]) -> _Rate:
        return cls(max(rate.a_second for rate in tries), max(rate.a_cpu_second for rate in tries))

    @property
    def beside(self) -> dict[str, str]:
        return {"in a second of CPU time": f"{self.a_cpu_second:,.0f}"}


def _rate_of(tell: Callable[[], int]) -> _Rate:
    began, cpu = perf_counter(), process_time()
    events = tell()
    return _Rate(events / (perf_counter() - began), events / (process_time() - cpu))


def _read(journal: Journal) -> int:
    """All that the store holds, as it hands it out, and nothing made of it."""
    return sum(len(getattr(row, "events", ())) for life in journal.lives() for row in life.rows)


def _told(told: Iterable[Slice]) -> int:
    return sum(piece.events for piece in told)


# -- interrupted -----------------------------------------------------------------------------------------------------


def rebuilds(ledger: Path, actions: int, kills: int, folder: Path) -> Iterator[Figure]:
    """Two rebuilds of the same ledger, one of them killed so many times."""
    undisturbed, disturbed = (Path(shutil.copy(ledger, folder / f"{name}.db")) for name in ("once", "often"))
    began = perf_counter()
    _end(_rebuild_of(undisturbed))
    took = perf_counter() - began
    chosen = random.Random(actions)
    points = sorted(chosen.randrange(actions) for _ in range(kills))
    # One that was over before it could be killed has made the rows anew, and another one begins.
    killed = sum(any(_killed_at(point, disturbed) for _ in range(MOST_MISSES)) for point in points)
    _end(_rebuild_of(disturbed))
    yield Figure("a rebuild was interrupted", killed, "times", exactly(kills), counted=True)
    differences = sum(one != other for one, other in zip(_rows(undisturbed), _rows(disturbed), strict=True))
    beside = {
        "rows": f"{sum(1 for _ in _rows(disturbed)):,}",
        "SHA-256": sha256(b"".join(_rows(disturbed))).hexdigest()[:16],
        "undisturbed": f"{took:.1f} s",
    }
    yield Figure("rows that differ from the undisturbed", differences, "rows", exactly(0), counted=True, beside=beside)


def _rebuild_of(ledger: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "agents.execution_agent", "views", "rebuild", "--workers", "1", "--json"]
    environ = {**os.environ, "EXECUTION_AGENT_LEDGER": f"sqlite:///{ledger}"}
    return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        raise RuntimeError(f"a rebuild ended with {process.returncode}")


def _killed_at(point: int, ledger: Path) -> bool:
    """Whether it was killed, once so many rows were there, wherever it was by then."""
    process = _rebuild_of(ledger)
    with closing(apsw.Connection(str(ledger))) as watcher:
        watcher.set_busy_timeout(5_000)
        while process.poll() is None and _made_anew(watcher) <= point:
            sleep(LOOKED_AFTER_S)
    process.kill()
    return process.wait() != 0


def _made_anew(watcher: apsw.Connection) -> int:
    try:
        ((count,),) = watcher.execute("SELECT count(*) FROM actions_anew").fetchall()
    except apsw.SQLError:
        return -1
    return int(str(count))


def _rows(ledger: Path) -> Iterator[bytes]:
    """Byte for byte, in the order of their key."""
    with closing(apsw.Connection(str(ledger))) as connection:
        for row in connection.execute("SELECT * FROM actions ORDER BY action_id"):
            yield repr(row).encode()


if __name__ == "__main__":
    main()
