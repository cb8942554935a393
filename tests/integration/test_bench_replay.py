"""A rebuild that is killed again and again comes to the same rows: what `make bench-replay` does at length."""

from __future__ import annotations

from pathlib import Path

from bench.replay import COMMITS_OF_AN_ACTION, rebuilds
from bench.verify import make_ledger


def test_a_rebuild_that_is_killed_comes_to_the_same_byte_for_byte(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    make_ledger(ledger, COMMITS_OF_AN_ACTION * 400)
    figures = list(rebuilds(ledger, 400, 2, tmp_path))
    assert [figure.as_dict() for figure in figures if not figure.passed] == []
    assert figures[-1].beside["rows"] == "400"
