"""A ring: what is due is done, a moment is waited for, and what waits longer is rung for again, to the second."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError

from domain.action import Action
from domain.errors import LedgerConflict, LedgerUnavailable
from domain.outcome import Retry, Unknown
from handlers.doorbell import Doorbell, OutOfTime, Rung, time_for_rings
from projections.view import ActionView
from tests.bells import Bells
from tests.fakes import FakeClock
from tests.house import greet

ACCEPTED = {"options": {"mode": "accept"}}
REFUSED = Retry("connection_refused", "nobody listens")


@dataclass
class FakeViews:
    """Rows as they came in, or a store that is down."""

    error: Exception | None = None
    rows: list[ActionView] = field(default_factory=list)

    def keep(self, view: ActionView) -> bool:
        if self.error is not None:
            raise self.error
        self.rows.append(view)
        return True

    def views(self, status: str | None, limit: int) -> list[ActionView]:
        return []

    def close(self) -> None:
        pass


def ring(bells: Bells, action_id: str, *, within: float = 60.0, newest: int | None = None, views: Any = None) -> Rung:
    parts = bells.agent._parts
    doorbell = Doorbell(parts.advance, views, bells.world)
    return doorbell.ring(action_id, time_for_rings(bells.clock, within), newest=newest)


def waits(seconds: float, **members: Any) -> dict[str, Any]:
    """A request that nobody may begin before so many seconds are gone."""
    at = Bells().clock.now() + timedelta(seconds=seconds)
    return greet(options={"mode": "accept", "not_before": at.isoformat()}, **members)


def test_what_is_due_is_done() -> None:
    bells = Bells()
    action_id = bells.process(greet(**ACCEPTED))
    assert str(ring(bells, action_id).action.status) == "succeeded"


def test_what_is_over_stays_as_it_is() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    rung = ring(bells, action_id, newest=4)
    assert (str(rung.action.status), rung.action.version, rung.due_since) == ("succeeded", 4, None)
    assert (bells.effects, bells.doorbells.asked) == ([action_id], [])


def test_the_row_is_kept_as_the_action_stands_afterwards() -> None:
    bells, views = Bells(), FakeViews()
    action_id = bells.process(greet(**ACCEPTED))
    ring(bells, action_id, views=views)
    assert [(row.action_id, row.version, row.status) for row in views.rows] == [(action_id, 4, "succeeded")]


def test_a_row_that_cannot_be_kept_has_to_be_rung_for_again() -> None:
    bells = Bells()
    action_id = bells.process(greet())
    with pytest.raises(LedgerUnavailable, match="throttled"):
        ring(bells, action_id, views=FakeViews(OperationalError("throttled")))


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_a_moment_is_waited_for() -> None:
    bells = Bells()
    action_id = bells.process(waits(1.5))
    assert str(ring(bells, action_id).action.status) == "succeeded"
    assert (bells.clock.slept, bells.doorbells.asked) == ([1.5], [])


def test_no_ring_waits_for_longer_than_a_moment_in_all() -> None:
    bells = Bells(REFUSED, REFUSED)
    action_id = bells.process(greet(**ACCEPTED))
    rung = ring(bells, action_id)
    assert (str(rung.action.status), bells.clock.slept) == ("retrying", [1.0])
    assert bells.doorbells.asked == [(action_id, 2.0)]


def test_nobody_waits_who_would_have_no_time_for_the_attempt() -> None:
    bells = Bells()
    action_id = bells.process(waits(1.5))
    rung = ring(bells, action_id, within=3.4, newest=2)
    assert (str(rung.action.status), bells.clock.slept) == ("scheduled", [])
    assert bells.doorbells.asked == [(action_id, 1.5)]


@pytest.mark.parametrize(("seconds", "asked"), [(2.1, True), (60, True), (900, True), (901, False), (86_400, False)])
def test_up_to_a_quarter_of_an_hour_is_rung_for_again(seconds: float, asked: bool) -> None:
    bells = Bells()
    action_id = bells.process(waits(seconds))
    ring(bells, action_id, newest=2)
    assert bells.doorbells.asked == ([(action_id, seconds)] if asked else [])


def test_who_leaves_an_action_waiting_asks_for_its_ring() -> None:
    bells = Bells(replace(REFUSED, retry_after=29.0))
    action_id = bells.process(greet(**ACCEPTED))
    ring(bells, action_id)
    assert bells.doorbells.asked == [(action_id, 30.0)]


@pytest.mark.parametrize("newest", [None, 1])
def test_a_ring_that_finds_nothing_to_do_asks_for_none(newest: int | None) -> None:
    bells = Bells()
    action_id = bells.process(waits(60))
    for _ in range(3):
        ring(bells, action_id, newest=newest)
    assert bells.doorbells.asked == []


def test_an_attempt_that_runs_has_a_lease_and_needs_no_ring() -> None:
    class Died(BaseException):
        pass

    bells = Bells(Died())
    with pytest.raises(Died):
        bells.process(greet())
    (record,) = bells.stream
    action_id = record["dynamodb"]["Keys"]["pk"]["S"]
    assert str(ring(bells, action_id, newest=3).action.status) == "attempted"
    assert bells.doorbells.asked == []


def test_a_doorbell_that_is_not_to_be_had_hurts_nobody() -> None:
    bells = Bells()
    bells.doorbells.failure = Unknown("sqs_500", "SQS answered 500")
    action_id = bells.process(waits(60))
    assert str(ring(bells, action_id, newest=2).action.status) == "scheduled"


def test_where_there_are_no_doorbells_nobody_is_asked() -> None:
    bells = Bells(world={"doorbells": None})
    assert str(ring(bells, bells.process(waits(60)), newest=2).action.status) == "scheduled"


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("within", "attempted"), [(2.0, True), (1.999, False), (0.0, False), (-3.0, False)])
def test_with_less_than_two_seconds_before_the_deadline_no_attempt_starts(within: float, attempted: bool) -> None:
    bells = Bells()
    action_id = bells.process(greet(**ACCEPTED))
    if attempted:
        ring(bells, action_id, within=within)
    else:
        with pytest.raises(OutOfTime):
            ring(bells, action_id, within=within)
    assert bells.effects == ([action_id] if attempted else [])


@pytest.mark.parametrize("ticks", range(20))
def test_time_that_runs_out_in_between_is_no_fault_of_the_action(ticks: int) -> None:
    class TickingClock(FakeClock):
        def monotonic(self) -> float:
            self.pass_time(0.01)
            return super().monotonic()

    bells = Bells(world={"clock": TickingClock()})
    action_id = bells.process(greet(**ACCEPTED))
    ledger = bells.agent._parts.ledger
    record = ledger.record

    def conflict(action: Action) -> None:
        ledger.record = record  # type: ignore[method-assign]
        raise LedgerConflict("another was first, and let go again")

    ledger.record = conflict  # type: ignore[method-assign]
    with suppress(OutOfTime):
        ring(bells, action_id, within=2.0 + 0.01 * ticks)
    assert bells.status(action_id) in ("scheduled", "succeeded")


def test_since_when_it_had_been_due_is_told() -> None:
    bells = Bells()
    action_id = bells.process(waits(30))
    bells.clock.pass_time(100)
    rung = ring(bells, action_id)
    assert rung.due_since is not None
    assert (bells.clock.now() - rung.due_since).total_seconds() == 70.0


def test_what_was_due_before_anybody_asked_for_it_is_due_since_it_was_asked_for() -> None:
    bells = Bells()
    asked_at = bells.clock.now()
    assert ring(bells, bells.process(waits(-86_400))).due_since == asked_at


# -- the door ----------------------------------------------------------------------------------------------------------


def test_a_request_that_is_left_waiting_is_rung_for() -> None:
    bells = Bells(replace(REFUSED, retry_after=599.0))
    action_id = bells.process(greet())
    assert (bells.status(action_id), bells.doorbells.asked) == ("retrying", [(action_id, 600.0)])


@pytest.mark.parametrize("request_", [greet(), greet(**ACCEPTED), waits(60)])
def test_a_request_that_is_done_or_accepted_is_for_the_stream(request_: dict[str, Any]) -> None:
    bells = Bells()
    bells.process(request_)
    assert bells.doorbells.asked == []


def test_a_request_is_answered_though_nobody_will_ring() -> None:
    bells = Bells(replace(REFUSED, retry_after=599.0))
    bells.doorbells.failure = Unknown("sqs_500", "SQS answered 500")
    assert bells.status(bells.process(greet())) == "retrying"
