"""`python -m tests.simulation.mutants`: plants every known bug, and tells which promise it broke, on which seed."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from tests.simulation.campaign import live, undisturbed
from tests.simulation.mutations import MUTATIONS, WORKFLOW_MUTATIONS, Mutation
from tests.simulation.run import Run, Setup
from tests.simulation.zombies import ZombieRound

MOST_SEEDS = 400
"""A bug that lives longer goes unnoticed."""


@dataclass(frozen=True, slots=True)
class Killed:
    """A planted bug was noticed: on which seed, by which promises."""

    seed: int
    rules: tuple[str, ...]


class NotSound(Exception):
    """A promise is broken without any bug planted: whatever is noticed proves nothing."""


def hunt(mutation: Mutation, most_seeds: int = MOST_SEEDS, *, workflows: int = 0) -> Killed | None:
    """The first seed that notices the bug, None when it lives. Raises NotSound where it would break without it."""
    with undisturbed():
        with mutation.planted():
            killed = next(filter(None, (_broken_on(seed, workflows) for seed in range(most_seeds))), None)
        if killed is not None and (unplanted := _broken_on(killed.seed, workflows)) is not None:
            raise NotSound(f"seed {killed.seed} breaks without any bug: {', '.join(unplanted.rules)}")
    return killed


def _broken_on(seed: int, workflows: int) -> Killed | None:
    setup = Setup(seed, actions=2, workflows=workflows) if workflows else Setup(seed)
    violations = live(ZombieRound(seed)).violations or live(Run(setup)).violations
    return Killed(seed, tuple(sorted({violation.rule for violation in violations}))) if violations else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=MOST_SEEDS, help="seeds after which a bug is given up")
    most_seeds: int = parser.parse_args().seeds
    alive = 0
    hunted = [*((mutation, 0) for mutation in MUTATIONS), *((mutation, 4) for mutation in WORKFLOW_MUTATIONS)]
    for mutation, workflows in hunted:
        killed = hunt(mutation, most_seeds, workflows=workflows)
        alive += killed is None
        told = "LIVES" if killed is None else f"seed {killed.seed}: {', '.join(killed.rules)}"
        sys.stdout.write(f"{mutation.name:<47} {told}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(hunted) - alive} of {len(hunted)} bugs were noticed\n")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
