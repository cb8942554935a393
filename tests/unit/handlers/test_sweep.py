"""The sweep: what is due and was not rung for is done, and it moves on only when nothing was left."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from agents.execution_agent.handler import sweep_with
from domain.action import Action
from domain.base_action import Attempt
from domain.errors import LedgerUnavailable
from domain.outcome import Outcome, Retry, Unknown
from handlers import sweep as sweeps
from handlers.doorbell import Doorbell, time_for_rings
from handlers.set_aside import SetAside
from handlers.sweep import Sweep, SweepReport
from handlers.visit import Visit
from projections.unswept import Stretch
from tests.bells import Bells
from tests.fakes import ScriptedProvider
from tests.house import greet
from tests.lambda_calls import Context

ACCEPTED = {"options": {"mode": "accept"}}


@dataclass
class FakeUnswept:
    """Names what it is told to, and remembers how far a sweep has come."""

    ids: Sequence[str]
    error: Exception | None = None
    until: list[datetime] = field(default_factory=list)

    def stretches(self, now: datetime, limit: int) -> Iterator[Stretch]:
        yield Stretch(self.ids[:limit], now)

    def move_on(self, until: datetime) -> None:
        if self.error is not None:
            raise self.error
        self.until.append(until)


def sweep(bells: Bells, unswept: Any, *, within: float = 57.0, agenda: Any = None) -> SweepReport:
    parts = bells.agent._parts
    visit = Visit(Doorbell(parts.advance, None, bells.world), SetAside(bells.world))
    return Sweep(parts.ledger, agenda or parts.agenda, unswept, visit, bells.world)(time_for_rings(bells.clock, within))


def accepted(bells: Bells, count: int) -> list[str]:
    return [bells.process(greet(**ACCEPTED)) for _ in range(count)]


def failing(bells: Bells, action_id: str, error: Exception) -> Callable[[], None]:
    """Whoever records anything of this action meets the error, until this is called."""
    ledger = bells.agent._parts.ledger
    record = ledger.record

    def broken(action: Action) -> None:
        if action.id == action_id:
            raise error
        record(action)

    def mend() -> None:
        ledger.record = record  # type: ignore[method-assign]

    ledger.record = broken  # type: ignore[method-assign]
    return mend


def test_all_that_is_due_is_done() -> None:
    bells = Bells()
    ids = accepted(bells, 30)
    bells.clock.pass_time(90)
    report = bells.agent.sweep(within=57.0)
    assert report == SweepReport(due=30, left=0, quarantined=0, lag_s=90.0, oldest_in_doubt_s=0.0)
    assert sorted(bells.effects) == sorted(ids)


def test_nothing_is_due() -> None:
    assert Bells().agent.sweep(within=57.0).as_dict() == {
        "due": 0,
        "left": 0,
        "quarantined": 0,
        "lag_s": 0.0,
        "oldest_in_doubt_s": 0.0,
    }


def test_an_attempt_whose_function_died_is_settled_when_its_lease_is_over() -> None:
    class Died(BaseException):
        pass

    bells = Bells(Died())
    with pytest.raises(Died):
        bells.process(greet())
    bells.agent.sweep(within=57.0)
    bells.clock.pass_time(120)
    bells.agent.sweep(within=57.0)
    (row,) = bells.agent.list_actions()
    assert row["status"] == "in_doubt"


def test_a_retry_that_nobody_rang_for_is_made() -> None:
    bells = Bells(Retry("refused", "nobody listens", retry_after=120.0))
    action_id = bells.process(greet())
    bells.clock.pass_time(60)
    assert bells.agent.sweep(within=57.0).due == 0
    bells.clock.pass_time(62)
    assert bells.agent.sweep(within=57.0).lag_s == 1.0
    assert bells.status(action_id) == "succeeded"


def test_what_has_moved_on_since_is_late_for_nobody() -> None:
    bells = Bells()
    done = bells.process(greet())
    assert sweep(bells, FakeUnswept([done])).lag_s == 0.0


# -- moving on ---------------------------------------------------------------------------------------------------------


def test_a_sweep_that_left_nothing_moves_on_to_when_it_began() -> None:
    bells = Bells()
    unswept = FakeUnswept(accepted(bells, 3))
    began = bells.clock.now()
    sweep(bells, unswept)
    assert unswept.until == [began]


def test_a_sweep_that_left_something_does_not() -> None:
    bells = Bells()
    ids = accepted(bells, 3)
    unswept = FakeUnswept(ids)
    mend = failing(bells, ids[1], LedgerUnavailable("throttled"))
    assert sweep(bells, unswept).left == 1
    assert unswept.until == []
    mend()
    assert sweep(bells, unswept).left == 0
    assert len(unswept.until) == 1


@pytest.mark.parametrize("seconds", [1.9, 0.0, -2.0])
def test_without_time_nothing_is_begun_and_nothing_forgotten(seconds: float) -> None:
    bells = Bells()
    unswept = FakeUnswept(accepted(bells, 3))
    assert sweep(bells, unswept, within=seconds).left == 3
    assert (bells.effects, unswept.until) == ([], [])


@dataclass
class FakeStretches(FakeUnswept):
    """A stretch for each id."""

    def stretches(self, now: datetime, limit: int) -> Iterator[Stretch]:
        for number, action_id in enumerate(self.ids, start=1):
            yield Stretch([action_id], now + timedelta(seconds=number))


def test_stretch_after_stretch_is_left_behind_up_to_the_first_that_is_not_done_and_the_rest_is_looked_at() -> None:
    bells = Bells()
    ids = accepted(bells, 5)
    unswept = FakeStretches(ids)
    failing(bells, ids[2], LedgerUnavailable("throttled"))
    report = sweep(bells, unswept)
    assert (report.due, report.left) == (5, 1)
    assert unswept.until == [bells.clock.now() + timedelta(seconds=number) for number in (1, 2)]
    assert bells.effects == ids[:2] + ids[3:]


def test_what_there_was_time_for_is_left_behind_for_good() -> None:
    class Slow(ScriptedProvider):
        def __call__(self, attempt: Attempt) -> Outcome:
            bells.clock.pass_time(20.0)
            return super().__call__(attempt)

    bells = Bells(world={"extras": {"provider": Slow()}})
    unswept = FakeStretches(accepted(bells, 9))
    report = sweep(bells, unswept, within=57.0)
    assert (report.due, report.left, len(unswept.until)) == (3, 0, 3)


def test_a_sweep_that_could_not_take_on_everything_does_not_move_on() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    unswept = FakeUnswept([action_id] * (sweeps.MOST_DUE + 1))
    report = sweep(bells, unswept)
    assert (report.due, report.left, unswept.until) == (sweeps.MOST_DUE, 0, [])


def test_a_place_that_cannot_be_remembered_costs_only_that(caplog: pytest.LogCaptureFixture) -> None:
    bells = Bells()
    report = sweep(bells, FakeUnswept(accepted(bells, 2), LedgerUnavailable("throttled")))
    assert (report.due, report.left) == (2, 0)
    assert "begins where this one did: throttled" in caplog.text


def test_an_agenda_that_cannot_be_read_fails_the_sweep() -> None:
    class Closed(FakeUnswept):
        def stretches(self, now: datetime, limit: int) -> Iterator[Stretch]:
            raise LedgerUnavailable("there is no table")

    with pytest.raises(LedgerUnavailable):
        sweep(Bells(), Closed([]))


# -- poison ------------------------------------------------------------------------------------------------------------


def test_a_poison_is_set_aside_once_and_not_every_minute() -> None:
    bells = Bells()
    ids = accepted(bells, 5)
    bells.poison(ids[2])
    counts = []
    for _ in range(10):
        bells.clock.pass_time(60)
        counts.append(bells.agent.sweep(within=57.0).quarantined)
    assert counts == [1] + [0] * 9
    assert [case.action_id for case in bells.quarantine.cases] == [ids[2]]
    assert bells.quarantine.cases[0].event_id == "sweep:2026-03-01T12:01:00.000000Z"
    assert sorted(bells.effects) == sorted(ids[:2] + ids[3:])


def test_what_the_stream_has_set_aside_the_sweep_does_not_set_aside_again() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    bells.hand_on([bells.poison(action_id)])
    assert bells.agent.sweep(within=57.0).quarantined == 0


def test_a_poison_is_done_as_soon_as_its_cause_is_mended() -> None:
    bells = Bells()
    (action_id,) = accepted(bells, 1)
    mend = failing(bells, action_id, RuntimeError("a mistake of this release"))
    bells.agent.sweep(within=57.0)
    mend()
    bells.agent.sweep(within=57.0)
    assert bells.status(action_id) == "succeeded"


def test_a_poison_counts_as_looked_at_once_it_is_set_aside() -> None:
    bells = Bells()
    ids = accepted(bells, 2)
    bells.poison(ids[0])
    unswept = FakeUnswept(ids)
    bells.quarantine.answers = [Unknown("sqs_500", "SQS answered 500")]
    assert sweep(bells, unswept).left == 1
    assert unswept.until == []
    assert (sweep(bells, unswept).left, len(unswept.until)) == (0, 1)


# -- what is told ------------------------------------------------------------------------------------------------------


def test_the_oldest_doubt_is_as_old_as_itself_and_not_as_its_action() -> None:
    bells = Bells(Unknown("timeout", "no answer"), Unknown("timeout", "no answer"))
    for _ in range(2):
        bells.clock.pass_time(1_000)
        accepted(bells, 1)
        bells.clock.pass_time(500)
        bells.hand_on(bells.stream)
    bells.clock.pass_time(3_600)
    assert bells.agent.sweep(within=57.0).oldest_in_doubt_s == 1_500 + 3_600


def test_a_doubt_that_cannot_be_read_hides_no_other() -> None:
    bells = Bells(Unknown("timeout", "no answer"), Unknown("timeout", "no answer"))
    unreadable = bells.process(greet())
    bells.clock.pass_time(60)
    bells.process(greet())
    bells.poison(unreadable)
    bells.clock.pass_time(3_600)
    report = sweep(bells, FakeUnswept([]))
    assert report.oldest_in_doubt_s == 3_660, "its row tells when the action was last heard of"
    bells.agent.resolve(bells.agent.list_actions()[0]["action_id"], executed=True, actor="ada", reason="it is there")
    assert sweep(bells, FakeUnswept([])).oldest_in_doubt_s == 3_660


def test_a_crowd_of_younger_doubts_hides_no_older_one() -> None:
    bells = Bells(*[Unknown("timeout", "no answer")] * (sweeps.MOST_DOUBTS + 6))
    for _ in range(sweeps.MOST_DOUBTS + 6):
        bells.process(greet())
        bells.clock.pass_time(600)
    assert {row["status"] for row in bells.agent.list_actions()} == {"in_doubt"}
    assert sweep(bells, FakeUnswept([])).oldest_in_doubt_s == 600 * (sweeps.MOST_DOUBTS + 6)


def test_an_old_doubt_of_a_younger_action_is_the_oldest_all_the_same() -> None:
    bells = Bells(Unknown("timeout", "no answer"), Unknown("timeout", "no answer"))
    later = bells.process(greet(**ACCEPTED))
    bells.process(greet())
    bells.clock.pass_time(1_000)
    bells.agent.advance(later)
    assert sweep(bells, FakeUnswept([])).oldest_in_doubt_s == 1_000


def test_a_doubt_that_was_settled_is_no_doubt() -> None:
    bells = Bells(Unknown("timeout", "no answer"))
    action_id = bells.process(greet())
    bells.agent.resolve(action_id, executed=True, actor="ada", reason="she has the mail")
    bells.clock.pass_time(3_600)
    assert bells.agent.sweep(within=57.0).oldest_in_doubt_s == 0.0


def test_where_nobody_can_tell_the_oldest_doubt_the_rest_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Unreadable:
        def views(self, status: str, limit: int, *, oldest_first: bool) -> list[Any]:
            raise LedgerUnavailable("the views are throttled")

    bells = Bells()
    with caplog.at_level(logging.WARNING):
        report = sweep(bells, FakeUnswept(accepted(bells, 1)), agenda=Unreadable())
    assert (report.due, report.left, report.oldest_in_doubt_s) == (1, 0, None)
    assert "the views are throttled" in caplog.text


def test_a_sweep_answers_and_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    bells = Bells()
    ids = accepted(bells, 3)
    bells.poison(ids[0])
    failing(bells, ids[1], LedgerUnavailable("throttled"))
    bells.clock.pass_time(60)
    answer = sweep_with(bells.agent, Context(60.0))
    assert answer == {"due": 3, "left": 1, "quarantined": 1, "lag_s": 60.0, "oldest_in_doubt_s": 0.0}
    line = json.loads(capsys.readouterr().out)
    about = line.pop("_aws")["CloudWatchMetrics"]
    assert line == {
        "DueActions": [1.0],
        "SweepLagSeconds": [60.0],
        "Quarantined": [1.0],
        "OldestInDoubtSeconds": [0.0],
    }
    assert about == [
        {
            "Namespace": "ExecutionAgent",
            "Dimensions": [[]],
            "Metrics": [
                {"Name": "DueActions", "Unit": "Count"},
                {"Name": "SweepLagSeconds", "Unit": "Seconds"},
                {"Name": "Quarantined", "Unit": "Count"},
                {"Name": "OldestInDoubtSeconds", "Unit": "Seconds"},
            ],
        }
    ]


@pytest.mark.parametrize(("seconds", "done"), [(5.0, 2), (4.9, 0)])
def test_with_less_than_five_seconds_left_no_attempt_starts(seconds: float, done: int) -> None:
    bells = Bells()
    accepted(bells, 2)
    assert sweep_with(bells.agent, Context(seconds))["left"] == 2 - done
    assert len(bells.effects) == done
