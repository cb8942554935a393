"""What finding costs in a large ledger, beside a small one: pages of lists and searches, from the front door.

python -m bench.search [--quick]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from time import perf_counter, thread_time
from typing import Any

import apsw

from adapters.sqlite_views import row_of_view, saving
from agents.execution_agent.agent import ExecutionAgent
from bench.ours import bench_agent, sqlite_ledger
from bench.report import Figure, at_most, exactly
from bench.scale import Scale
from projections.view import ActionView

TITLE = "Finding actions on SQLite, large ledger to small"

FLAT = at_most(1.3)
BORN = datetime(2026, 1, 1, tzinfo=UTC)
SHARED_BY = 60
"""Actions of one customer, decision or thread: more than a page."""

QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "the newest": {},
    "by status": {"status": "failed"},
    "by type": {"action_type": "send_email"},
    "by subject": {"subject": "customer0@example.com"},
    "by target": {"target": "webhook:crm"},
    "by agent": {"agent": "agent1"},
    "by decision": {"decision": "d-0"},
    "by correlation": {"correlation": "c-0"},
    "by workflow": {"workflow": "run_1"},
    "by actor": {"actor": "ada"},
    "by error": {"error": "http_404"},
    "by time": {"until": BORN + timedelta(seconds=900)},
    "by agent and type": {"agent": "agent1", "action_type": "send_email"},
    "by target, agent and status": {"target": "webhook:crm", "agent": "agent1", "status": "succeeded"},
}
NOTHING = {"agent": "agent1", "action_type": "no_such_type"}
"""Of the first rows that are looked at, it is none."""


@dataclass(frozen=True)
class Taken:
    """What pages took: seconds of the processor, which nobody else on the machine moves, and seconds."""

    cpu: list[float]
    wall: list[float]


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    small, large = scale.rows
    with ExitStack() as stack:
        agents = [stack.enter_context(_agent(directory / f"{rows}.db", rows)) for rows in (large, small)]
        for name, question in QUESTIONS.items():
            yield from _flat(name, agents, question, scale)
        in_large, _ = _taken(agents, NOTHING, scale)
        yield Figure(f"p95, a page with nothing on it, {large:,} actions", _p95(in_large.wall) * 1e3, "ms")


def _flat(name: str, agents: Sequence[ExecutionAgent], question: Mapping[str, Any], scale: Scale) -> Iterator[Figure]:
    in_large, in_small = (len(agent.find(**question)["actions"]) for agent in agents)
    yield Figure(f"rows of a page, {name}", in_large, "rows", exactly(in_small), counted=True)
    large, small = _taken(agents, question, scale)
    beside = {
        f"{rows:,}:": f"{_p95(taken.wall) * 1e3:.2f} ms" for rows, taken in zip(scale.rows, (small, large), strict=True)
    }
    yield Figure(f"p95 in CPU, {name}", _p95(large.cpu) / _p95(small.cpu), "x", FLAT, beside=beside)


def _taken(agents: Sequence[ExecutionAgent], question: Mapping[str, Any], scale: Scale) -> list[Taken]:
    """They take turns, page by page."""
    taken = [Taken([], []) for _ in agents]
    for _ in range(scale.samples.turns * scale.samples.each):
        for agent, times in zip(agents, taken, strict=True):
            cpu, wall = thread_time(), perf_counter()
            agent.find(**question)
            times.cpu.append(thread_time() - cpu)
            times.wall.append(perf_counter() - wall)
    return taken


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[-1]


def _agent(file: Path, rows: int) -> ExecutionAgent:
    """On a ledger with so many rows, of which each says all that a row can say."""
    agent = bench_agent(sqlite_ledger(file))
    chance, keep = random.Random(rows), saving()
    with closing(apsw.Connection(str(file))) as connection:
        connection.pragma("synchronous", "off")
        with connection:
            for number in range(rows):
                keep(connection, row_of_view(_row(number, chance)))
        connection.pragma("wal_checkpoint(TRUNCATE)")
    return agent


def _row(number: int, chance: random.Random) -> ActionView:
    born, group, has_failed = BORN + timedelta(seconds=number), number // SHARED_BY, number % 10 == 0
    return ActionView(
        action_id=f"act_{chance.getrandbits(128):032x}",
        version=4,
        status="failed" if has_failed else "succeeded",
        action_type=("send_email", "call_webhook", "crm_update")[number % 3],
        due_at=None,
        born=born,
        updated=born,
        subject=f"customer{group}@example.com",
        target="webhook:crm" if number % 2 else None,
        agent=f"agent{number % 5}",
        decision=f"d-{group}",
        correlation=f"c-{group}",
        workflow=f"run_{group}",
        actor="ada" if has_failed else None,
        error="http_404" if has_failed else None,
    )


def main() -> None:
    """The same as `python -m bench --only search`."""
    from bench.__main__ import main as bench_main

    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="just enough to count")
    bench_main([*(["--quick"] if parser.parse_args().quick else []), "--only", "search"])


if __name__ == "__main__":
    main()
