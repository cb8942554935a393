"""What is due in DynamoDB, from where the last sweep left off: nothing twice that is long over, and nothing missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_commit import SHARDS, due_shard
from adapters.dynamodb_events import DynamoDBRecorder
from adapters.dynamodb_gates import TABLE as GATES
from adapters.dynamodb_gates import gates_table
from adapters.dynamodb_unswept import LATEST_ENTRY, DynamoDBUnswept
from adapters.dynamodb_views import TABLE as VIEWS
from agents.execution_agent.agent import ExecutionAgent
from domain.errors import LedgerUnavailable
from domain.outcome import Permanent
from domain.priority import Priority
from projections.unswept import Stretch
from tests.engines import Engine
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.given import NOON
from tests.house import agent_with, greet


@dataclass
class Place:
    """A ledger whose due actions are asked for."""

    agent: ExecutionAgent
    clock: FakeClock
    unswept: DynamoDBUnswept
    gates: DynamoDB

    @property
    def recorder(self) -> DynamoDBRecorder:
        return cast("DynamoDBRecorder", self.agent._parts.ledger.recorder)

    def accept(self, **options: Any) -> str:
        action_id: str = self.agent.process(greet(options={"mode": "accept", **options}))["action_id"]
        return action_id

    def due(self, now: datetime | None = None) -> list[str]:
        """What a sweep finds an hour from now, or then."""
        now = now or self.clock.now() + timedelta(hours=1)
        return [action_id for stretch in self.unswept.stretches(now, 100) for action_id in stretch.due]


@pytest.fixture
def place(moto: Engine) -> Iterator[Place]:
    ledger = moto.new_ledger()
    clock = FakeClock(NOON)
    agent = agent_with(world=fake_world(clock=clock, extras={"provider": ScriptedProvider()}), ledger=ledger)
    gates = DynamoDB(gates_table(ledger["DYNAMODB_TABLE"]), endpoint_url=moto.url)
    gates.create_table(**GATES)
    yield Place(agent, clock, unswept_on(agent, gates), gates)
    agent.close()
    gates.close()


def unswept_on(agent: ExecutionAgent, gates: DynamoDB) -> DynamoDBUnswept:
    return DynamoDBUnswept(cast("DynamoDBRecorder", agent._parts.ledger.recorder), gates, timedelta(seconds=30))


def test_where_nothing_was_ever_due_there_is_nothing_to_look_at(place: Place) -> None:
    assert list(place.unswept.stretches(NOON, 100)) == [Stretch([], NOON)]


def test_the_first_sweep_begins_with_the_first_entry_of_all(place: Place) -> None:
    first = place.accept(priority="low")
    place.clock.pass_time(60)
    second = place.accept()
    later = NOON + timedelta(hours=30)
    assert list(place.unswept.stretches(later, 100)) == [Stretch([second, first], later)]


def test_a_first_entry_that_nobody_can_read_hides_no_other_one(place: Place) -> None:
    item = {"pk": {"S": "act_damaged"}, "sk": {"N": "1"}, "due_at": {"S": "1999-99-99"}}
    for shard in range(SHARDS):
        damaged = {**item, "sk": {"N": str(shard)}, "due_shard": {"S": due_shard(shard, Priority.NORMAL)}}
        place.recorder.dynamodb.call("PutItem", TableName=place.recorder.dynamodb.table, Item=damaged)
    action_id = place.accept()
    assert place.due() == [action_id]


def test_what_was_due_before_the_last_sweep_is_not_read_again(place: Place) -> None:
    place.accept()
    place.unswept.move_on(NOON + timedelta(minutes=10, seconds=1))
    before = place.recorder.dynamodb.requests.copy()
    assert place.due() == []
    asked = place.recorder.dynamodb.requests - before
    assert set(asked) == {"Query"}, "not an entry was looked at"


def test_ten_minutes_are_looked_through_again(place: Place) -> None:
    action_id = place.accept()
    place.unswept.move_on(NOON + timedelta(minutes=10))
    assert place.due() == [action_id]
    assert 2 * timedelta(seconds=30) + LATEST_ENTRY == timedelta(minutes=10)


def test_a_long_way_is_gone_in_stretches(place: Place) -> None:
    ids = []
    for _ in range(5):
        ids.append(place.accept())
        place.clock.pass_time(86_400)
    place.unswept.move_on(NOON - timedelta(days=300))
    stretches = list(place.unswept.stretches(NOON + timedelta(days=9), 2))
    assert [(stretch.until - NOON).days for stretch in stretches] == [1, 3, 9]
    assert [stretch.due for stretch in stretches] == [ids[:2], ids[2:4], ids[4:]]


def test_what_is_looked_at_again_does_not_move_a_sweep_back(place: Place) -> None:
    ids = [place.accept() for _ in range(4)]
    place.unswept.move_on(NOON + timedelta(minutes=5))
    stretches = list(place.unswept.stretches(NOON + timedelta(minutes=6), 2))
    assert [stretch.until - NOON for stretch in stretches] == [timedelta(minutes=minutes) for minutes in (5, 5, 6)]
    assert sorted(stretches[0].due + stretches[1].due) == sorted(ids)


def test_a_sweep_whose_clock_was_ahead_is_forgiven(place: Place) -> None:
    place.unswept.move_on(NOON + timedelta(days=365))
    place.clock.pass_time(60)
    action_id = place.accept()
    (stretch,) = place.unswept.stretches(place.clock.now(), 100)
    assert stretch == Stretch([action_id], place.clock.now())
    place.unswept.move_on(stretch.until)
    (stretch,) = place.unswept.stretches(place.clock.now() + timedelta(minutes=5), 100)
    assert stretch.until == place.clock.now() + timedelta(minutes=5)


def test_another_sweep_goes_on_from_there(place: Place, moto: Engine) -> None:
    place.accept()
    place.unswept.move_on(NOON + timedelta(hours=2))
    another = unswept_on(place.agent, DynamoDB(place.gates.table, endpoint_url=moto.url))
    place.clock.pass_time(7_200)
    later = place.accept()
    (stretch,) = another.stretches(NOON + timedelta(hours=3), 100)
    assert stretch.due == [later]


@pytest.mark.parametrize("damage", [{"until": {"S": "yesterday"}}, {}])
def test_a_place_that_cannot_be_read_is_the_beginning(place: Place, damage: dict[str, Any]) -> None:
    action_id = place.accept()
    place.gates.call("PutItem", TableName=place.gates.table, Item={"target": {"S": "#swept"}, **damage})
    assert place.due() == [action_id]


def test_a_place_that_cannot_be_asked_for_is_no_beginning(place: Place, moto: Engine) -> None:
    nowhere = unswept_on(place.agent, DynamoDB("no-such-table", endpoint_url=moto.url))
    with pytest.raises(LedgerUnavailable):
        next(nowhere.stretches(NOON, 100))
    with pytest.raises(LedgerUnavailable):
        nowhere.move_on(NOON)


# -- nothing enters the agenda in its past -----------------------------------------------------------------------------


def swept_days_ago(place: Place) -> None:
    place.clock.pass_time(3 * 86_400)
    place.unswept.move_on(place.clock.now() - timedelta(seconds=1))


def test_what_could_have_begun_long_ago_is_found(place: Place) -> None:
    swept_days_ago(place)
    action_id = place.accept(not_before=NOON.isoformat())
    assert place.due() == [action_id]


def test_what_is_redriven_after_it_expired_is_found(place: Place) -> None:
    place.agent._parts.world.extras["provider"]._answers.append(Permanent("http_404", "no"))
    failed = place.agent.process(greet(options={"expires_at": (NOON + timedelta(hours=1)).isoformat()}))["action_id"]
    swept_days_ago(place)
    place.agent.redrive(failed, actor="ada", reason="it is there now")
    assert place.due() == [failed]


def test_a_wish_to_cancel_what_died_long_ago_is_found(place: Place) -> None:
    class Died(BaseException):
        pass

    place.agent._parts.world.extras["provider"]._answers.append(Died())
    with pytest.raises(Died):
        place.agent.process(greet())
    place.unswept.move_on(NOON)
    (action_id,) = place.due(NOON + timedelta(hours=1))
    swept_days_ago(place)
    assert place.due() == []
    place.agent.cancel(action_id, actor="ada", reason="no longer wanted")
    assert place.due() == [action_id]


# -- the whole sweep ---------------------------------------------------------------------------------------------------


def test_a_sweep_moves_on_and_costs_no_write_to_the_ledger(place: Place) -> None:
    views: Any = place.agent._parts.views
    views.dynamodb.create_table(**VIEWS)
    place.unswept.move_on(NOON)
    ids = [place.accept() for _ in range(3)]
    place.clock.pass_time(60)
    report = place.agent.sweep(within=57.0)
    assert (report.due, report.left, report.oldest_in_doubt_s) == (3, 0, 0.0)
    assert {place.agent.status(action_id)["status"] for action_id in ids} == {"succeeded"}
    place.clock.pass_time(60)
    before = place.recorder.dynamodb.requests.copy()
    assert place.agent.sweep(within=57.0).due == 0
    assert set(place.recorder.dynamodb.requests - before) == {"Query", "BatchGetItem"}
    until = place.gates.call("GetItem", TableName=place.gates.table, Key={"target": {"S": "#swept"}})["Item"]["until"]
    assert until == {"S": "2026-03-01T12:02:00.000000Z"}
