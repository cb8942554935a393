"""Many runs, on every core, and what they add up to."""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from tests.simulation.books import Violation
from tests.simulation.faults import PROFILES, Port
from tests.simulation.run import Result, Run, Setup

BATCH = 20
"""Seeds that a core takes in one go."""
MOST_FAILURES = 5
"""Failing seeds that are told; then the campaign is over."""
ENOUGH_SEEDS = 100
"""From so many on, everything that can happen must have happened."""

STATUSES = ("scheduled", "attempted", "retrying", "in_doubt", "succeeded", "failed", "cancelled", "expired", "rejected")
WITHOUT_FAULTS = ("scheduled", "attempted", "succeeded", "cancelled", "expired", "rejected")
VERBS = ("cancel", "retry_now", "redrive", "resolve")
HARDSHIP = ("zombies", "late_outcome events", "in_doubt events")


@dataclass
class Summary:
    """What a campaign has seen so far. `digest` is the hash over everything that happened, seed by seed."""

    seeds: int = 0
    digest: str = ""
    totals: Counter[str] = field(default_factory=Counter)
    failures: dict[int, tuple[Violation, ...]] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.digest = blake2b(f"{self.digest}{result.digest}".encode(), digest_size=16).hexdigest()
        self.totals.update(result.totals)
        if result.violations:
            self.failures[result.seed] = result.violations


def campaign(first: Setup, seeds: int, *, tell: Callable[[Summary], None], cores: int | None = None) -> Summary:
    """Runs `seeds` seeds from the first one's on. `tell` hears of every batch."""
    setups = [replace(first, seed=first.seed + number) for number in range(seeds)]
    batches = [setups[start : start + BATCH] for start in range(0, seeds, BATCH)]
    summary = Summary()
    for results in _results(batches, cores or len(os.sched_getaffinity(0))):
        for result in results:
            summary.add(result)
        tell(summary)
        if len(summary.failures) >= MOST_FAILURES:
            break
    return summary


def _results(batches: list[list[Setup]], cores: int) -> Iterator[list[Result]]:
    if cores == 1 or len(batches) == 1:
        yield from map(run_all, batches)
        return
    with ProcessPoolExecutor(cores) as pool:
        try:
            yield from pool.map(run_all, batches)
        finally:
            pool.shutdown(cancel_futures=True)


def run_all(setups: list[Setup]) -> list[Result]:
    """One after the other, here."""
    with undisturbed():
        return [live(Run(setup)) for setup in setups]


def live(run: Run) -> Result:
    """What became of the run; nothing else is left of it."""
    result = run.finish()
    run.forget()
    return result


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing is logged, and garbage waits."""
    log = logging.getLogger("execution_agent")
    level = log.level
    log.setLevel(logging.CRITICAL)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        log.setLevel(level)


def never_seen(faults: str, totals: Counter[str]) -> list[str]:
    """What did not happen though it can: a campaign that sees too little proves nothing."""
    profile = PROFILES[faults]
    expected = [name for port in Port for name in profile.seen_by(port)]
    expected += [f"status: {status}" for status in (STATUSES if expected else WITHOUT_FAULTS)]
    if expected and profile.chances:
        expected += [f"verb: {verb}" for verb in VERBS]
        expected += HARDSHIP
    if profile.kills:
        expected.append("crashes")
    return [name for name in ("actions", "attempts", "effects", *expected) if not totals[name]]
