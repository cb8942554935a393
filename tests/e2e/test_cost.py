"""What `make cost` counts keeps its bounds: what an action asks of the ledger is known, whoever waits for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.cost import WAYS, Way, figures
from bench.metered import MeteredAgent, metered_agent

ACTIONS = 3


@pytest.fixture(scope="module")
def agent(aws: None, package: bytes) -> Iterator[MeteredAgent]:
    with metered_agent(package) as agent:
        yield agent


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=way.name, marks=[pytest.mark.full] if way.fails_first else []) for way in WAYS]
)
def test_nothing_that_is_counted_misses_its_bound(way: Way, agent: MeteredAgent) -> None:
    counted = {figure.name: figure for figure in figures(way, ACTIONS, agent)}

    assert [figure for figure in counted.values() if figure.passed is False] == []
    assert counted["ledger, writes"].value >= 2
    assert counted["invocations of Invoke"].value == 1
    assert counted["events for others"].value == 1
