"""`python -m tests.simulation`: lives through as many seeds as asked, and tells the first that breaks a promise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from tests.simulation.books import Violation
from tests.simulation.campaign import ENOUGH_SEEDS, Summary, campaign, never_seen, undisturbed
from tests.simulation.faults import PROFILES
from tests.simulation.run import Run, Setup
from tests.simulation.zombies import wake_zombies

MOST_TOLD = 3
"""Actions whose story is told of a failing seed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every promise was kept, and enough was seen to say so; else 1."""
    asked = _read(arguments)
    setup = Setup(asked.first_seed, asked.actions, asked.workers, asked.processes, asked.faults, asked.workflows)
    if asked.zombies is not None:
        return _zombies(asked.zombies)
    if asked.trace is not None:
        return _trace(replace(setup, seed=asked.trace), whole=True)
    return _campaign(setup, asked.seeds)


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--actions", type=int, default=30, help="requests in each run")
    parser.add_argument("--workflows", type=int, default=0, help="workflows that are started in each run")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--faults", choices=PROFILES, default="heavy")
    parser.add_argument("--trace", type=int, metavar="SEED", help="tell what happened on one seed")
    parser.add_argument("--zombies", type=int, metavar="ROUNDS", help="only attempts that answer after their lease")
    return parser.parse_args(arguments)


def _campaign(first: Setup, seeds: int) -> int:
    began = perf_counter()
    summary = campaign(first, seeds, tell=_Progress(seeds).tell)
    _tell_totals(summary, perf_counter() - began)
    if summary.failures:
        seed = min(summary.failures)
        _trace(replace(first, seed=seed), whole=False)
        _say(
            f"seed {seed} breaks {len(summary.failures[seed])} promises; the first failing: {sorted(summary.failures)}"
        )
    missing = never_seen(first.faults, summary.totals) if seeds >= ENOUGH_SEEDS and not summary.failures else []
    for name in missing:
        _say(f"never happened: {name}")
    return 1 if summary.failures or missing else 0


class _Progress:
    """One line that moves, where somebody sees it."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds

    def tell(self, summary: Summary) -> None:
        if sys.stderr.isatty():
            end = "\n" if summary.seeds == self._seeds else ""
            failing = len(summary.failures)
            sys.stderr.write(f"\r{summary.seeds} of {self._seeds} seeds, {failing} failing{end}")
            sys.stderr.flush()


def _tell_totals(summary: Summary, seconds: float) -> None:
    for name, count in sorted(summary.totals.items()):
        _say(f"{name:<32} {count:>12,}")
    _say(f"{'seeds':<32} {summary.seeds:>12,}")
    _say(f"{'failing seeds':<32} {len(summary.failures):>12,}")
    _say(f"{'seconds':<32} {seconds:>12,.1f}")
    _say(f"hash of all that happened        {summary.digest}")


def _trace(setup: Setup, *, whole: bool) -> int:
    """The stories of the actions to which a promise was broken; of all, where `whole` and none was."""
    with undisturbed():
        run = Run(setup)
        result = run.finish()
    for violation in result.violations:
        _say(f"BROKEN  {violation}")
    for action_id in _concerned(result.violations):
        _say(f"\nwhat happened around {action_id} on seed {setup.seed}:")
        for line in run.story.about(action_id):
            _say(str(line))
    if whole and not result.violations:
        for line in run.story.lines:
            _say(f"{line}  {line.action_id}")
    _say(f"hash of all that happened        {result.digest}")
    return 1 if result.violations else 0


def _concerned(violations: tuple[Violation, ...]) -> list[str]:
    return list(dict.fromkeys(violation.action_id for violation in violations if violation.action_id))[:MOST_TOLD]


def _zombies(rounds: int) -> int:
    woken = wake_zombies(rounds)
    _say(f"rounds {woken.rounds:,}, answers applied {woken.applied:,}, kept as late {woken.kept_late:,}")
    for violation in woken.violations:
        _say(f"BROKEN  {violation}")
    is_right = (woken.applied, woken.kept_late) == (0, woken.rounds) and not woken.violations
    return 0 if is_right else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
