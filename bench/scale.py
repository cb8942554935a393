"""How much is measured: enough to believe the times, or just enough to count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Turns:
    """How many turns each contestant gets, and how often each of its callers acts in one. Short turns share a noise."""

    turns: int
    each: int


@dataclass(frozen=True)
class Scale:
    """`callers` says what each number of callers does; `sizes` are the steps in which a ledger grows.

    `rows` are those of a small and a large ledger in which actions are found.
    """

    callers: Mapping[int, Turns]
    starts: int
    sizes: tuple[int, ...]
    rows: tuple[int, int]
    samples: Turns
    store_actions: int


FULL = Scale(
    callers={1: Turns(80, each=25), 8: Turns(12, each=30), 32: Turns(16, each=15)},
    starts=12,
    sizes=(1_000, 10_000, 100_000),
    rows=(1_000, 300_000),
    samples=Turns(20, each=25),
    store_actions=50,
)
QUICK = Scale(
    callers={1: Turns(2, each=25), 32: Turns(2, each=10)},
    starts=1,
    sizes=(100, 400),
    rows=(1_000, 3_000),
    samples=Turns(2, each=10),
    store_actions=5,
)
