"""When two values are the same to a CRM."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.crm import Value, differing, same

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (5, "5"),
        (5, 5.0),
        (5.5, "5.50"),
        (1e21, "1E+21"),
        (True, "true"),
        (False, "False"),
        ("Ada@Example.com", "ada@example.com"),
        ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00.000+0100"),
        ("2026-03-01T12:00:00.000+0000", "2026-03-01T12:00:00+00:00"),
    ],
)
def test_the_same_told_in_two_ways(one: Value, other: Value) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, 0),
        (None, False),
        ("", "0"),
        (5, "6"),
        (5, "five"),
        (5, "Infinity"),
        (1, True),
        (0, False),
        (True, "1"),
        ("5", "5.0"),
        ("007", "7"),
        ("Ada", "ada"),
        ("a@b", "a@c"),
        ("CTO ", "CTO"),
        ("2026-03-01", "2026-03-02"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"),
        ("2026-13-01T12:00:00Z", "2026-13-01T12:00:00+00:00"),
    ],
)
def test_what_differs(one: Value, other: Value) -> None:
    assert not same(one, other)
    assert not same(other, one)


@given(values, values)
def test_it_is_a_relation_without_direction_and_everything_is_the_same_as_itself(one: Value, other: Value) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)


def test_what_differs_is_told_by_name_and_what_is_not_meant_is_not_looked_at() -> None:
    assert differing({"a": "1", "b": None, "c": "x"}, {"b": "2", "a": 1, "d": None}) == ["b"]
