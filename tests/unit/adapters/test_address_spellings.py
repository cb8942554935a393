"""However an address is spelled, the guard and the system's own parsers agree on what may be reached."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapters.http import UnsafeTarget, guard
from tests.address_spellings import compared

SOME = 10_000
"""`make guard` compares ten times as many."""


def test_no_parser_reads_in_a_spelling_what_the_guard_did_not_see() -> None:
    tally = compared(SOME)
    assert tally.disagreements == []
    assert tally.spelled == SOME
    assert tally.read > SOME // 2, "most of them are an address to somebody"
    assert tally.let_pass > SOME // 20, "and not all of them are refused"


def never_asked(name: str) -> Sequence[str]:
    raise AssertionError("an address is not looked up")


@pytest.mark.parametrize("text", ["127.1", "0x7f.0.0.1", "017700000001", "2130706433", "1.1.257", "08.8.8.8"])
def test_what_only_some_parsers_read_is_refused(text: str) -> None:
    with pytest.raises(UnsafeTarget):
        guard(f"https://{text}/", never_asked)
