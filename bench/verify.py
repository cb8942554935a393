"""How long it takes to make a checkpoint of a large ledger, and to verify it: `python -m bench.verify`."""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TypeAlias, TypeVar

import apsw

from adapters.checkpoint_keys import make_key
from adapters.sqlite_events import SQLiteRecorder
from agents.execution_agent import evidence
from agents.execution_agent.config import Settings
from domain.commit import NOTHING, Commit, packed, word_of
from domain.identity import new_action_id
from domain.instant import to_text

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORKPLACE = Path(".execution-agent")
AIM_S = 60.0
"""For a million commits."""

Made = TypeVar("Made")
Row: TypeAlias = tuple[str, int, bytes, str, str, bytes]


def main() -> None:
    """Makes a ledger, a checkpoint of it, verifies it, and prints what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description=__doc__)
    parser.add_argument("--commits", type=int, default=1_000_000)
    commits = parser.parse_args().commits
    WORKPLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="verify-", dir=WORKPLACE.resolve()) as folder:
        measure(commits, Path(folder))


def measure(commits: int, folder: Path) -> None:
    """Prints a line for each step. Raises AssertionError where a sound ledger is not found to be so."""
    settings = Settings.from_environment(
        {
            "EXECUTION_AGENT_LEDGER": f"sqlite:///{folder}/ledger.db",
            "EXECUTION_AGENT_CHECKPOINTS": f"{folder}/checkpoints",
            "EXECUTION_AGENT_CHECKPOINT_KEY": f"file:{folder}/key.pem",
        }
    )
    make_key(folder / "key.pem")
    _, took = _timed(lambda: make_ledger(folder / "ledger.db", commits))
    size = (folder / "ledger.db").stat().st_size / 2**20
    print(f"{commits:,} commits, {size:,.0f} MiB, made in {took}; load {os.getloadavg()[0]:.1f}", flush=True)
    sealed, took = _timed(lambda: evidence.seal(settings))
    print(f"checkpoint of {sealed.header.size:,} commits: {took}; {_peak()}", flush=True)
    verified, took = _timed(lambda: evidence.verify(settings))
    assert verified.is_sound, verified.examined.findings[:3]
    assert verified.examined.commits == commits
    aim = AIM_S * commits / 1_000_000
    print(f"verified: {took} (aim for this many: {aim:.1f} s); {_peak()}", flush=True)


def make_ledger(path: Path, commits: int) -> None:
    """Actions of two commits each, as an agent would have written them: three events, then the outcome."""
    SQLiteRecorder(str(path)).close()
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "off")
    with connection:
        connection.executemany(
            "INSERT INTO commits (action_id, version, events, last, at, previous) VALUES (?, ?, ?, ?, ?, ?)",
            _rows(commits),
        )
    connection.close()


def _rows(commits: int) -> Iterator[Row]:
    for number in range(commits // 2):
        at = BEGIN + timedelta(seconds=number)
        action_id = new_action_id(at, os.urandom(10))
        first = _commit(action_id, 1, at, NOTHING, _intent(number, at))
        yield _row(first)
        later = at + timedelta(milliseconds=80)
        yield _row(_commit(action_id, 4, later, first.hash, _outcome(number, later)))


def _commit(action_id: str, version: int, at: datetime, previous: bytes, said: list[tuple[str, object]]) -> Commit:
    events = tuple((topic, json.dumps(state, separators=(",", ":")).encode()) for topic, state in said)
    return Commit(action_id, version, to_text(at), previous, events, packed(events))


def _row(commit: Commit) -> Row:
    last = word_of(commit.events[-1][0])
    return commit.action_id, commit.version, commit.body, last, commit.at, commit.previous or NOTHING


def _intent(number: int, at: datetime) -> list[tuple[str, object]]:
    variables = {"customer_name": f"Customer {number} Inc.", "renewal_date": "2026-12-31"}
    parameters = {"template": "renewal_reminder", "recipient": f"customer{number}@example.com", "variables": variables}
    decision = {"id": f"dec-{number}", "agent": "renewals", "reason": "the contract ends within thirty days"}
    request = {"action_type": "send_email", "parameters": parameters, "decision": decision}
    said = {"at": to_text(at)}
    key = f"{number:064x}"
    return [
        ("action.requested", said | {"request": request, "fingerprint": key, "effect_key": key[:40]}),
        ("action.validated", said),
        ("action.attempted", said | {"attempt": 1, "lease_until": to_text(at), "delivery": "at_most_once"}),
    ]


def _outcome(number: int, at: datetime) -> list[tuple[str, object]]:
    result = {"outbox": f".execution-agent/outbox/{number:032x}.eml", "recipient": f"customer{number}@example.com"}
    return [("action.succeeded", {"at": to_text(at), "epoch": 3, "result": result, "reference": f"<{number:032x}>"})]


def _timed(act: Callable[[], Made]) -> tuple[Made, str]:
    """What it made, and how long that took, by the clock and in CPU of all processes."""
    begun, cpu = perf_counter(), _cpu()
    made = act()
    return made, f"{perf_counter() - begun:.1f} s, {_cpu() - cpu:.1f} s of CPU"


def _cpu() -> float:
    return sum(os.times()[:4])


def _peak() -> str:
    ours, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"at most {ours:,.0f} MiB here, {child:,.0f} MiB in a process beside it"


if __name__ == "__main__":
    main()
