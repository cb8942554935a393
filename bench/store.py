"""What an action asks of its store, counted: requests and units of DynamoDB, syncs of SQLite's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.aws import dynamodb
from bench.ours import bench_agent, must_succeed, recorder_of, sqlite_ledger
from bench.report import Figure, exactly
from bench.scale import Scale
from bench.syncs import counted_syncs
from bench.workload import NOTE_REQUEST

TITLE = "What an action asks of its store (happy path, the caller waits)"

_READS = ("BatchGetItem", "GetItem", "Query", "Scan")
_TRANSACTIONS = ("ExecuteStatement", "ExecuteTransaction", "TransactGetItems", "TransactWriteItems")


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    yield from _dynamodb(scale.store_actions)
    yield _sqlite(scale.store_actions, directory / "syncs.db")


def _dynamodb(actions: int) -> Iterator[Figure]:
    with dynamodb() as (_, ledger), bench_agent(ledger) as agent:
        for _ in range(actions):
            must_succeed(agent.process(NOTE_REQUEST))
        asked = recorder_of(agent).dynamodb
        counts = {
            "PutItem": asked.requests["PutItem"],
            "reads": sum(asked.requests[operation] for operation in _READS),
            "transactions": sum(asked.requests[operation] for operation in _TRANSACTIONS),
            "requests in all": asked.requests.total(),
        }
        units = {"write units": asked.write_units, "read units": asked.read_units}
    wanted = {"PutItem": 2, "reads": 0, "transactions": 0, "requests in all": 2}
    for name, count in counts.items():
        yield Figure(f"DynamoDB, {name}", count / actions, "an action", exactly(wanted[name]), counted=True)
    for name, count in units.items():
        yield Figure(f"DynamoDB, {name}", count / actions, "an action", counted=True)


def _sqlite(actions: int, file: Path) -> Figure:
    with counted_syncs() as syncs, bench_agent(sqlite_ledger(file)) as agent:
        must_succeed(agent.process(NOTE_REQUEST))
        before = syncs.count
        for _ in range(actions):
            must_succeed(agent.process(NOTE_REQUEST))
        after = syncs.count
    return Figure("SQLite, syncs of its files", (after - before) / actions, "an action", exactly(2), counted=True)
