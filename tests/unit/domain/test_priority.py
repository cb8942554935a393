"""The line of what is due: who goes first, and how long anybody is overtaken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.priority import Place, Priority

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HIGH, NORMAL, LOW = Priority.HIGH, Priority.NORMAL, Priority.LOW

moments = st.integers(0, 10**10).map(lambda microseconds: NOON + timedelta(microseconds=microseconds))
priorities = st.sampled_from(Priority)


def in_line(*due: tuple[datetime, Priority]) -> list[int]:
    """Numbers of those who wait, first in line first."""
    return [int(place.action_id) for place in sorted(Place.of(str(n), *one) for n, one in enumerate(due))]


def test_what_became_due_together_goes_by_priority() -> None:
    assert in_line((NOON, LOW), (NOON, HIGH), (NOON, NORMAL)) == [1, 2, 0]


def test_of_the_same_priority_the_longest_due_goes_first() -> None:
    for priority in Priority:
        assert in_line((NOON + MINUTE, priority), (NOON - MINUTE, priority), (NOON, priority)) == [1, 2, 0]


def test_the_line_of_the_docstring() -> None:
    places = [
        Place.of(f"{minute} {priority}", NOON + minute * MINUTE, priority).at - NOON
        for minute, priority in ((0, LOW), (8, NORMAL), (9, HIGH), (10, HIGH), (10, NORMAL), (10, LOW))
    ]
    assert [place / MINUTE for place in places] == [10, 9, 9, 10, 11, 20]


@given(due_at=moments, priority=priorities, other_priority=priorities)
def test_nobody_is_overtaken_by_what_becomes_due_when_its_patience_is_over(
    due_at: datetime, priority: Priority, other_priority: Priority
) -> None:
    later = due_at + priority.patience + timedelta(microseconds=1)
    assert in_line((due_at, priority), (later, other_priority)) == [0, 1]


@given(one=moments, other=moments, priority=priorities)
def test_a_higher_priority_never_puts_anybody_back(one: datetime, other: datetime, priority: Priority) -> None:
    if in_line((one, priority), (other, NORMAL)) == [0, 1]:
        assert in_line((one, HIGH), (other, NORMAL)) == [0, 1]


@pytest.mark.parametrize("word", ["urgent", "HIGH", "", None, 1, ["high"], {"priority": "high"}])
def test_what_is_no_priority_is_normal(word: object) -> None:
    assert Priority.of(word) is NORMAL


def test_the_words_of_the_contract_are_kept() -> None:
    assert {Priority.of(word) for word in ("low", "normal", "high")} == set(Priority)
