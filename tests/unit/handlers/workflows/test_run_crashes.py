"""A process dies between any two commits: the next one carries the run to the same end, and does nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from domain.errors import LedgerConflict, LedgerUnavailable
from domain.outcome import Permanent
from domain.policy import Delivery
from tests.workflow_house import ADA, Died, House, child_step, step, workflow

NEVER = Permanent("http_404", "no such thing")

Scenario = Callable[[House], Any]


def straight(house: House) -> None:
    house.start(step("a"), step("b", needs=["a"]), step("c", "tell", needs=["b"]), key="run")


def side_by_side(house: House) -> None:
    house.start(step("a"), step("b"), step("c", **{"if": "run.id == 'x'"}), step("d", needs=["a", "b", "c"]), key="run")


def with_a_wait(house: House) -> None:
    house.start(step("a"), {"id": "w", "wait": {"for": "1h"}, "needs": ["a"]}, step("b", needs=["w"]), key="run")


def rolled_back(house: House) -> None:
    house.desk.script.setdefault("d", [NEVER] * 9)
    failing = step("d", needs=["c"], on_failure="rollback")
    house.start(step("a"), step("b", "tell", needs=["a"]), step("c", needs=["b"]), failing, key="run")


CHILD = {"child.yaml": workflow(step("x"), step("y", needs=["x"]), name="provision")}


def with_a_run(house: House) -> None:
    steps = step("a"), child_step("sub", needs=["a"]), step("b", needs=["sub"])
    house.start(*steps, files=CHILD, key="run")


def with_a_run_rolled_back(house: House) -> None:
    house.desk.script.setdefault("d", [NEVER] * 9)
    failing = step("d", needs=["sub"], on_failure="rollback")
    house.start(step("a"), child_step("sub", needs=["a"]), failing, files=CHILD, key="run")


def undone(house: House) -> None:
    run = house.start(step("a"), step("b", needs=["a"]), key="run")
    house.agent.undo_run(run["run_id"], **ADA)


ENDS: dict[Scenario, tuple[str, ...]] = {
    straight: ("completed",),
    side_by_side: ("completed",),
    with_a_wait: ("completed",),
    rolled_back: ("partially_compensated", "compensated"),
    with_a_run: ("completed",),
    with_a_run_rolled_back: ("compensated",),
    undone: ("compensated", "completed"),
}
"""A death before the order to undo is on disk leaves the run as completed; a told thing in doubt never happened."""


class Deaths:
    """The process dies at the commit of this number, before or after it is on disk."""

    def __init__(self, house: House, at: int, *, after: bool) -> None:
        self.has_struck = False
        self._house, self._left, self._after = house, at, after
        self._insert = house.store.insert_events
        house.store.insert_events = self._insert_or_die  # type: ignore[method-assign]

    def _insert_or_die(self, *events: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left != 0:
            return self._insert(*events, **more)
        self.has_struck = True
        if self._after:
            self._insert(*events, **more)
        raise Died

    def are_over(self) -> None:
        self._house.store.insert_events = self._insert  # type: ignore[method-assign]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", ENDS, ids=lambda scenario: scenario.__name__)
def test_whenever_it_dies_the_next_process_comes_to_the_same_end(scenario: Scenario, after: bool) -> None:
    seen = set()
    for number in range(1, 200):
        house = House()
        deaths = Deaths(house, number, after=after)
        with suppress(Died):
            scenario(house)
        deaths.are_over()
        house.process()
        scenario_again(house, scenario)
        seen.add(ends_well(house, scenario))
        if not deaths.has_struck:
            break
    else:
        raise AssertionError("it never came through")
    assert number >= 6
    assert ENDS[scenario][0] in seen


def scenario_again(house: House, scenario: Scenario) -> None:
    """Whoever heard nothing asks again, under the same key; the doubt of what is told at most once is settled."""
    if not house.store.views(None, 10):
        scenario(house)
    for _ in range(5):
        house.drive()
        doubts = house.store.views("in_doubt", 10)
        if not doubts:
            return
        for view in doubts:
            happened = any(key.startswith(view.action_id) for key in house.desk.effects)
            house.agent.resolve(view.action_id, executed=happened, **ADA)
            if not happened:
                house.agent.redrive(view.action_id, **ADA)


def ends_well(house: House, scenario: Scenario) -> str:
    runs = [view for view in house.store.views(None, 100) if view.action_id.startswith("run_")]
    (run,) = [view for view in runs if view.action_type == "workflow:onboarding"]
    assert run.status in ENDS[scenario], house.agent.workflow_history(run.action_id)
    assert [view for view in runs if view.due_at is not None] == []
    assert all(count == 1 for count in house.desk.effects.values()), house.desk.effects
    undone = [name.removeprefix("undo ") for name in house.desk.done if name.startswith("undo ")]
    told = {key for key, delivery in house.desk.delivery.items() if delivery is Delivery.AT_MOST_ONCE}
    assert len(told) <= 1
    done = [name for name in house.desk.done if not name.startswith("undo ")]
    assert undone == [name for name in reversed(done) if name in undone]
    return run.status


def test_a_store_that_is_away_for_a_moment_loses_nothing() -> None:
    for number in range(1, 20):
        house = House()
        record, left = house.agent._parts.ledger.record, [number]

        def away_once(what: Any, record: Any = record, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise LedgerUnavailable("away")
            record(what)

        house.agent._parts.ledger.record = away_once  # type: ignore[method-assign]
        with suppress(LedgerUnavailable):
            house.start(step("a"), step("b", needs=["a"]), key="run")
        scenario_again(house, lambda house: house.start(step("a"), step("b", needs=["a"]), key="run"))
        (run,) = [view for view in house.store.views(None, 100) if view.action_id.startswith("run_")]
        assert (run.status, house.desk.done) == ("completed", ["a", "b"])


def test_two_steps_that_end_at_once_are_both_heard_at_once() -> None:
    house = House()
    run = house.start(step("a"), step("b"), step("last", needs=["a", "b"]), wait=0.0)
    ledger, rivals = house.agent._parts.ledger, ["b"]
    record = ledger.record

    def beaten_once(what: Any) -> None:
        if what.id.startswith("run_") and rivals:
            house.agent.advance(house.action(run, rivals.pop()))
            raise LedgerConflict("another writer was first")
        record(what)

    ledger.record = beaten_once  # type: ignore[method-assign]
    house.agent.advance(house.action(run, "a"))
    assert (house.status(run), house.desk.done) == ("completed", ["a", "b", "last"])


def test_whoever_is_beaten_again_and_again_leaves_it_to_the_next_look() -> None:
    house = House()
    run = house.start(step("a"), step("b", needs=["a"]), wait=0.0)
    parts = house.agent._parts
    record = parts.ledger.record

    def always_beaten(what: Any) -> None:
        if what.id.startswith("run_"):
            raise LedgerConflict("another writer was first")
        record(what)

    parts.ledger.record = always_beaten  # type: ignore[method-assign]
    with pytest.raises(LedgerUnavailable):
        house.agent.advance(house.action(run, "a"))
    parts.ledger.record = record  # type: ignore[method-assign]
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["a", "b"])


def test_whoever_looks_for_nothing_looks_less_and_less_often() -> None:
    house = House()
    run = house.start({"id": "ask", "wait_for": "callback", "timeout": "300d"}, step("a", needs=["ask"]), wait=0.0)
    before = len(house.words(run))
    for _ in range(290):
        house.clock.pass_time(86_400)
        house.agent.advance(run["run_id"])
    assert 5 <= len(house.words(run)) - before <= 30
