"""One agent's ledger grows; at the end it takes turns with a small one.

Arguments: a folder, turns, samples a turn, sizes.
"""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agents.execution_agent.agent import ExecutionAgent
from bench.measure import take_turns
from bench.memory import peak_mib
from bench.ours import bench_agent, must_succeed, sqlite_ledger
from bench.workload import NOTE_REQUEST

CALLERS = 32
KEPT = 500
"""Ids that are remembered of each filling: all of them would be the most of the memory that is measured."""


def grow(agent: ExecutionAgent, actions: int) -> list[str]:
    """Carries out so many actions, by many callers; returns the ids of a few of them."""

    def carry_out(share: int) -> list[str]:
        every = max(share * CALLERS // KEPT, 1)
        ids = (carried_out(agent) for _ in range(share))
        return [action_id for number, action_id in enumerate(ids) if number % every == 0]

    shares = [actions // CALLERS + (caller < actions % CALLERS) for caller in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as callers:
        return [action_id for ids in callers.map(carry_out, shares) for action_id in ids]


def carried_out(agent: ExecutionAgent) -> str:
    response = agent.process(NOTE_REQUEST)
    must_succeed(response)
    return str(response["action_id"])


folder = Path(sys.argv[1])
turns, samples, *sizes = [int(argument) for argument in sys.argv[2:]]
large = bench_agent(sqlite_ledger(folder / "large.db"))
carried_out(large)
start, peaks, ids, size_before = peak_mib(), [], [], 1
for size in sizes:
    ids += grow(large, size - size_before)
    size_before = size
    peaks.append(peak_mib())

small = bench_agent(sqlite_ledger(folder / "small.db"))
small_ids = grow(small, sizes[0])
status_large, status_small = take_turns(
    [lambda: large.status(random.choice(ids)), lambda: small.status(random.choice(small_ids))],
    callers=1,
    each=samples,
    turns=turns,
)
append_large, append_small = take_turns(
    [lambda: carried_out(large), lambda: carried_out(small)], callers=1, each=samples, turns=turns
)
print(
    json.dumps(
        {
            "start_mib": start,
            "peak_mib": peaks,
            "status_large": status_large.p50,
            "status_small": status_small.p50,
            "append_large": append_large.p50,
            "append_small": append_small.p50,
        }
    )
)
