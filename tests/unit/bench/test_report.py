"""Figures, their targets and verdicts."""

from __future__ import annotations

import re

import pytest

from bench.report import Figure, Target, absence, at_least, at_most, exactly, lines_of, ratio


@pytest.mark.parametrize(
    ("target", "met", "missed"), [(at_most(1.5), 1.5, 1.51), (at_least(0.9), 0.9, 0.89), (exactly(2), 2.0, 2.1)]
)
def test_a_figure_says_whether_it_keeps_its_target(target: Target, met: float, missed: float) -> None:
    assert Figure("p50", met, "x floor", target).passed is True
    assert Figure("p50", missed, "x floor", target).passed is False
    assert Figure("p50", missed, "x floor").passed is None


def test_a_report_shows_target_and_verdict_beside_each_figure() -> None:
    kept = Figure("p50", 1.25, "x floor", at_most(1.8), beside={"ours": "1.0 ms", "floor": "0.8 ms"})
    missed = Figure("reads", 1.0, "an action", exactly(0))

    title, first, second, _ = lines_of("Latency", [kept, missed])

    assert title == "Latency"
    assert re.split(r" {2,}", first.strip()) == ["p50", "1.25 x floor", "<= 1.80", "PASS", "ours 1.0 ms, floor 0.8 ms"]
    assert re.split(r" {2,}", second.strip()) == ["reads", "1 an action", "= 0", "MISS"]


def test_a_ratio_shows_both_sides_of_it() -> None:
    figure = ratio("p50, 1 caller", 0.0015, 0.001, at_most(1.8))

    assert figure.value == pytest.approx(1.5)
    assert figure.beside == {"ours": "1.50 ms", "floor": "1.00 ms"}
    assert not figure.counted


def test_what_should_be_absent_is_counted_and_named() -> None:
    assert absence("libraries loaded without need", []).passed is True
    assert absence("libraries loaded without need", ["moto"]).passed is False
    assert absence("libraries loaded without need", ["moto", "rich"]).beside == {"they are": "moto, rich"}
