"""The bench of verification still runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.verify import measure


def test_a_ledger_is_made_sealed_and_found_to_be_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(200, tmp_path)
    made, sealed, verified = capsys.readouterr().out.splitlines()
    assert made.startswith("200 commits")
    assert sealed.startswith("checkpoint of 200 commits")
    assert verified.startswith("verified")
