"""One action end to end on SQLite, beside the floor: 1, 8 and 32 callers in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from bench.floor import Floor
from bench.measure import Tally, take_turns, who
from bench.ours import bench_agent, must_succeed, recorder_of, sqlite_ledger
from bench.report import Figure, Target, at_least, at_most, exactly, ratio
from bench.scale import Scale
from bench.sink import running_sink
from bench.workload import POST_REQUEST, Sender

TITLE = "Latency and throughput on SQLite (the effect is one POST)"

P50: dict[int, Target] = {1: at_most(1.8)}
THROUGHPUT: dict[int, Target] = {32: at_least(0.9)}
SYNCED: dict[int, Target] = {1: exactly(2.0), 32: at_most(0.7)}


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    ledger, floor_file = directory / "ours.db", directory / "floor.db"
    with running_sink() as port:
        sender = Sender(port)
        agent, floor = bench_agent(sqlite_ledger(ledger), post=sender.post), Floor(floor_file, sender.post)
        empty, empty_floor = _bytes(ledger), _bytes(floor_file)
        acts = (lambda: must_succeed(agent.process(POST_REQUEST)), lambda: floor.carry_out(POST_REQUEST))
        for callers, turns in scale.callers.items():
            synced_before, actions_before = _synced(agent), _actions(ledger)
            ours, bare = take_turns(acts, callers=callers, each=turns.each, turns=turns.turns)
            actions = _actions(ledger) - actions_before
            yield from _times(callers, ours, bare)
            yield Figure(
                f"synced transactions an action, {who(callers)}",
                (_synced(agent) - synced_before) / actions,
                "an action",
                SYNCED.get(callers),
                counted=callers == 1,  # how many share one is a matter of time
                beside={"actions": f"{actions:,}"},
            )
            if callers == 1:
                yield Figure(
                    "file size an action, 1 caller",
                    (_bytes(ledger) - empty) / actions,
                    "bytes",
                    at_most(1_200),
                    counted=True,
                    beside={"actions": f"{actions:,}"},
                )
        agent.close()
        floor.close()
    yield Figure(
        "file size an action",
        (_bytes(ledger) - empty) / _actions(ledger),
        "bytes",
        at_most(1_200),  # how full its pages are is a matter of who comes when
        beside={
            "actions": f"{_actions(ledger):,}",
            "floor": f"{(_bytes(floor_file) - empty_floor) / _floor_actions(floor_file):,.0f}",
        },
    )


def _times(callers: int, ours: Tally, floor: Tally) -> Iterator[Figure]:
    name = who(callers)
    yield ratio(f"p50, {name}", ours.p50, floor.p50, P50.get(callers))
    target = THROUGHPUT.get(callers)
    yield ratio(f"throughput, {name}", ours.throughput, floor.throughput, target, shown="{:,.0f}/s", scale=1)
    yield ratio(f"CPU an action, {name}", ours.cpu_per_action, floor.cpu_per_action, at_most(2.5))


def _synced(agent: Any) -> int:
    return int(recorder_of(agent).synced_commits)


def _actions(ledger: Path) -> int:
    return _count(ledger, "SELECT count(*) FROM actions")


def _floor_actions(file: Path) -> int:
    return _count(file, "SELECT count(*) FROM status")


def _count(file: Path, query: str) -> int:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return int(connection.execute(query).get)
    finally:
        connection.close()


def _bytes(file: Path) -> int:
    """What is in it, and in its WAL."""
    return _count(file, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
