"""In which order, and who never."""

from __future__ import annotations

from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.workflows.order import Needs, in_order, never_run


def test_what_is_in_order_already_stays_as_it_is() -> None:
    assert in_order({"c": [], "a": ["c"], "b": []}) == ("c", "a", "b")


def test_a_step_moves_behind_what_it_needs_and_no_further() -> None:
    assert in_order({"d": ["b"], "a": [], "b": ["c"], "c": [], "e": []}) == ("a", "c", "b", "d", "e")


def test_no_steps_have_an_order_too() -> None:
    assert in_order({}) == ()


def test_a_circle_has_no_order() -> None:
    with pytest.raises(CycleError):
        in_order({"a": ["b"], "b": ["a"]})


def test_a_circle_is_told_once_from_its_first_step() -> None:
    needs = {"x": [], "b": ["x", "c"], "c": ["a"], "a": ["b"]}
    assert [*never_run(needs)] == [("b", "these steps wait for each other: b needs c needs a needs b")]


def test_what_needs_a_circle_never_runs_however_far_behind_it_is() -> None:
    needs = {"last": ["next"], "next": ["a"], "a": ["b"], "b": ["a"], "free": []}
    assert [*never_run(needs)] == [
        ("a", "these steps wait for each other: a needs b needs a"),
        ("next", "never runs: it needs a, which never ends"),
        ("last", "never runs: it needs next, which never ends"),
    ]


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    names = [f"s{number}" for number in range(draw(st.integers(0, 8)))]
    return {name: draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) for name in names}


@given(graphs())
def test_what_never_runs_is_what_cannot_be_reached_from_the_beginning(needs: Needs) -> None:
    # given
    runs: set[str] = set()
    while more := {name for name in needs if name not in runs and set(needs[name]) <= runs}:
        runs |= more
    # when
    told = dict(never_run(needs))
    # then
    in_circles = {
        name
        for why in told.values()
        if ": " in why and "each other" in why
        for name in why.split(": ")[1].split(" needs ")
    }
    assert {*told} | in_circles == {*needs} - runs
