"""An export holds one life at a time: a ledger that is eight times as large takes no more memory."""

from __future__ import annotations

from pathlib import Path

from bench.export import EVENTS_OF_A_COMMIT, MOST_MIB, exported
from bench.verify import make_ledger

SMALL, LARGE = 2_000, 16_000
"""Events. What the large one is written as takes 10 MiB."""
NOISE_MIB = 6


def test_memory_does_not_grow_with_the_ledger(tmp_path: Path) -> None:
    said = {}
    for events in (SMALL, LARGE):
        ledger = tmp_path / f"{events}.db"
        make_ledger(ledger, events // EVENTS_OF_A_COMMIT)
        said[events] = exported(ledger, "jsonl", tmp_path)

    assert [one["events"] for one in said.values()] == [SMALL, LARGE]
    assert said[LARGE]["bytes"] > 8 * 2**20
    assert said[LARGE]["peak_mib"] - said[SMALL]["peak_mib"] < NOISE_MIB
    assert said[LARGE]["peak_mib"] < MOST_MIB
