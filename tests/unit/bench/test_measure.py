"""Callers act at the same time, contestants by turns, and nothing that went wrong is measured."""

from __future__ import annotations

from threading import Barrier, Lock

import pytest

from bench.loaded import loaded_needlessly
from bench.measure import take_turns
from bench.ours import must_succeed


def test_every_contestant_acts_equally_often_and_its_first_turn_is_not_counted() -> None:
    acted: list[str] = []

    ours, floor = take_turns([lambda: acted.append("ours"), lambda: acted.append("floor")], callers=3, each=10, turns=2)

    assert (ours.actions, floor.actions) == (60, 60)
    assert len(ours.throughputs) == len(ours.cpu) == 2
    assert acted.count("ours") == acted.count("floor") == 60 + 3 * 2


def test_who_begins_changes_every_turn() -> None:
    acted: list[str] = []

    take_turns([lambda: acted.append("ours"), lambda: acted.append("floor")], callers=1, each=1, turns=2)

    assert acted == ["ours", "floor", "ours", "floor", "floor", "ours"]


def test_callers_act_at_the_same_time() -> None:
    together = Barrier(4, timeout=10)

    (tally,) = take_turns([together.wait], callers=4, each=5, turns=1)

    assert tally.actions == 20


def test_a_failing_act_is_not_measured_away() -> None:
    lock, acts = Lock(), iter(range(100))

    def fail_sometimes() -> None:
        with lock:
            if next(acts) == 7:
                raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        take_turns([fail_sometimes], callers=2, each=10, turns=1)


def test_an_action_that_did_not_succeed_stops_the_bench() -> None:
    must_succeed({"status": "succeeded"})

    with pytest.raises(RuntimeError, match="rejected"):
        must_succeed({"status": "rejected", "error": {"code": "invalid_parameters"}})


def test_a_library_that_is_loaded_is_found() -> None:
    assert "pytest" in loaded_needlessly()
    assert "json" in loaded_needlessly("json", "no_such_library")
    assert "no_such_library" not in loaded_needlessly("json", "no_such_library")
