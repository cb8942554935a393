"""Rows in DynamoDB made anew: in a table beside, compared, and switched to; or one by one, by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from eventsourcing.persistence import OperationalError

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_events import DynamoDBRecorder
from adapters.dynamodb_gates import TABLE as GATES
from adapters.dynamodb_gates import gates_table
from adapters.dynamodb_live_views import KNOWN_FOR_S, LiveViewsTable, live_table, point_to, views_tables
from adapters.dynamodb_rebuild import DynamoDBRebuild
from adapters.dynamodb_upkeep import DynamoDBUpkeep
from adapters.dynamodb_views import TABLE, DynamoDBViews
from agents.execution_agent.config import Settings
from agents.execution_agent.rebuilding import Account, rebuild
from agents.execution_agent.replay_door import answer_replay
from agents.execution_agent.replaying import slices
from domain.journal import EVERYTHING
from projections.rebuild import Comparison, Views, anew_of, look_into
from projections.view import ActionView
from tests.engines import Engine
from tests.fakes import FakeClock
from tests.recorded_lives import ENDED, WAITS, append, commits_of, record
from tests.wire import after, on_the_wire, passes, refused

NEW_YEAR = datetime(2026, 1, 2, 12, tzinfo=UTC)
"""A ledger of two days: each day that is looked through is a query a shard."""
DAYS = {"since": "2026-01-01", "until": "2026-01-03"}


@dataclass
class House:
    """A ledger, the rows beside it, and a clock that passes when somebody sleeps."""

    engine: Engine
    name: str
    clock: FakeClock

    def __post_init__(self) -> None:
        self.tables: dict[str, DynamoDB] = {}
        self.recorder = DynamoDBRecorder(self.table(self.name), now=self.clock.now)
        self.views = DynamoDBViews(
            LiveViewsTable(self.name, endpoint_url=self.engine.url, sleep=lambda _: None, now=self.clock.monotonic)
        )

    def table(self, name: str) -> DynamoDB:
        if name not in self.tables:
            self.tables[name] = DynamoDB(name, endpoint_url=self.engine.url, sleep=lambda _: None)
        return self.tables[name]

    @property
    def gates(self) -> DynamoDB:
        return self.table(gates_table(self.name))

    def upkeep(self) -> DynamoDBUpkeep:
        return DynamoDBUpkeep(self.name, self.gates, self.table, now=self.clock.now, sleep=self.clock.sleep)

    def lives(self, count: int) -> list[str]:
        """So many actions, with their rows."""
        ids = [f"act_{number:026d}" for number in range(count)]
        for number, action_id in enumerate(ids):
            record(self.recorder, action_id, *(WAITS if number % 2 else ENDED), at=self.clock.now())
        self.keep(ids)
        return ids

    def keep(self, ids: list[str]) -> None:
        for view in look_into(self.recorder.journal())(ids).rows:
            assert self.views.keep(view)

    def listed(self) -> dict[str, ActionView]:
        return {view.action_id: view for view in self.views.views(None, 1_000)}

    def lose(self, action_id: str) -> None:
        self._by_hand("delete_item", Key={"action_id": {"S": action_id}})

    def put(self, like: str, **said: Any) -> None:
        (item,) = [item for item in self._items() if item["action_id"]["S"] == like]
        self._by_hand("put_item", Item=item | said)

    def _items(self) -> list[Any]:
        live = self.table(live_table(self.gates, self.name))
        return list(live.client.scan(TableName=live.table, ConsistentRead=True)["Items"])

    def _by_hand(self, operation: str, **said: Any) -> None:
        live = self.table(live_table(self.gates, self.name))
        getattr(live.client, operation)(TableName=live.table, **said)

    def rebuilt(self, *, stop_after: int | None = None) -> Account:
        journal, kept = self.recorder.journal(), []
        return rebuild(
            journal,
            self.upkeep(),
            lambda places: slices(journal, Views, EVERYTHING, places, 3),
            stop=lambda: stop_after is not None and len(kept) >= stop_after,
            tell=kept.append,
        )

    def settings(self) -> Settings:
        ledger = f"dynamodb://{self.name}?endpoint_url={quote(self.engine.url, safe='')}"
        return Settings.from_environment({"EXECUTION_AGENT_LEDGER": ledger})


@pytest.fixture
def house(ministack: Engine) -> Iterator[House]:
    house = House(ministack, f"ledger-{uuid4().hex}", FakeClock(NEW_YEAR))
    house.recorder.create_table()
    house.table(gates_table(house.name)).create_table(**GATES)
    house.table(views_tables(house.name)[0]).create_table(**TABLE)
    yield house
    for table in house.tables.values():
        table.close()
    house.views.close()


def test_rows_are_made_in_a_table_beside_and_lists_are_then_read_from_it(house: House) -> None:
    ids = house.lives(9)
    before = house.listed()
    first, second = views_tables(house.name)
    account = house.rebuilt()
    assert (account.is_complete, account.actions, account.comparison) == (True, 9, Comparison(9))
    assert live_table(house.gates, house.name) == house.views.dynamodb.table == second
    assert house.listed() == before
    assert set(before) == set(ids)
    # and the next one goes the other way
    assert house.rebuilt().is_complete
    assert live_table(house.gates, house.name) == house.views.dynamodb.table == first
    assert house.listed() == before


def test_what_is_wrong_is_compared_and_mended(house: House) -> None:
    lost, changed, *_ = house.lives(6)
    before = house.listed()
    house.put(lost, action_id={"S": "act_stray"})
    house.put(changed, status={"S": "failed"})
    house.lose(lost)
    assert house.rebuilt().comparison == Comparison(6, missing=1, changed=1, stray=1)
    assert house.listed() == before


def test_what_happens_until_everybody_has_heard_of_the_switch_is_in_the_new_rows(house: House) -> None:
    ids = house.lives(4)
    journal = house.recorder.journal()
    look, anew = look_into(journal), house.upkeep().rebuild(journal)
    anew.begin()
    for told in slices(journal, Views, EVERYTHING, {}, 100):
        anew.keep(told.part, told.place, anew_of(told))
    # One goes on, and one is born, before the switch ...
    house.clock.pass_time(10)
    append(house.recorder, _next_commit(ids[1], house))
    record(house.recorder, "act_born", *WAITS, at=house.clock.now())
    assert anew.compare() == Comparison(4)
    # ... and one more by somebody who has not heard of it
    late = "act_late"
    sleep = house.clock.sleep

    def meanwhile(seconds: float) -> None:
        record(house.recorder, late, *WAITS, at=house.clock.now())
        house.keep([late])
        sleep(seconds)

    house.clock.sleep = meanwhile  # type: ignore[method-assign]
    _rebuild_of(house).switch(look)
    assert house.listed().keys() == {*ids, "act_born", late}
    assert house.listed()[ids[1]].version == 5


def test_a_row_whose_action_nothing_tells_of_is_made_good_and_counted(house: House) -> None:
    ids = house.lives(3)

    def telling(places: Any) -> Iterator[Any]:
        yield from slices(house.recorder.journal(), Views, EVERYTHING, places, 100)
        # An earlier release writes meanwhile: its commits are in no index of writing times.
        _written_by_an_earlier_release("act_before", house)

    sleep = house.clock.sleep

    def meanwhile(seconds: float) -> None:
        assert seconds >= KNOWN_FOR_S + 35  # five tries of seven seconds
        _written_by_an_earlier_release("act_after", house)
        sleep(seconds)

    house.clock.sleep = meanwhile  # type: ignore[method-assign]
    account = rebuild(house.recorder.journal(), house.upkeep(), telling, stop=lambda: False, tell=lambda _: None)
    assert account.comparison == Comparison(3, untold=1)
    assert not account.comparison.agrees
    assert house.listed().keys() == {*ids, "act_before", "act_after"}


def _written_by_an_earlier_release(action_id: str, house: House) -> None:
    record(house.recorder, action_id, *WAITS, at=house.clock.now())
    table = house.recorder.dynamodb
    for item in table.query(
        KeyConditionExpression="pk = :id", ExpressionAttributeValues={":id": {"S": action_id}}, ConsistentRead=True
    ):
        earlier = {name: value for name, value in item.items() if name not in ("written", "at", "previous")}
        table.call("PutItem", TableName=table.table, Item=earlier)
    house.keep([action_id])


def _rebuild_of(house: House) -> DynamoDBRebuild:
    anew = house.upkeep().rebuild(house.recorder.journal())
    anew.begin()
    return anew


def _next_commit(action_id: str, house: House) -> list[Any]:
    life = list(commits_of(action_id, (*WAITS, ("attempted", {"attempt": 2})), house.clock.now()))
    return life[-1]


def test_what_was_interrupted_goes_on_with_the_table_that_was_begun(house: House) -> None:
    house.lives(9)
    before = house.listed()
    stopped = house.rebuilt(stop_after=3)
    assert (stopped.is_complete, live_table(house.gates, house.name)) == (False, views_tables(house.name)[0])
    assert house.upkeep().standing(house.recorder.journal(), house.clock.now()).is_rebuilt
    account = house.rebuilt()
    assert (account.is_complete, account.resumed, account.comparison) == (True, True, Comparison(9))
    assert stopped.actions + account.actions == 9
    assert house.listed() == before


def test_a_rebuild_that_nobody_wants_any_more_is_forgotten_with_its_table(house: House) -> None:
    house.lives(3)
    house.rebuilt(stop_after=1)
    house.upkeep().rebuild(house.recorder.journal()).abandon()
    assert not house.upkeep().standing(house.recorder.journal(), house.clock.now()).is_rebuilt
    assert views_tables(house.name)[1] not in house.gates.client.list_tables()["TableNames"]
    assert not house.rebuilt().resumed


def test_whoever_may_make_no_table_is_told_so_and_nothing_has_begun(house: House) -> None:
    house.lives(2)
    second = house.table(views_tables(house.name)[1])
    on_the_wire(second.client, "CreateTable", refused("AccessDeniedException", "dynamodb:CreateTable"))
    with pytest.raises(OperationalError, match="access denied, CreateTable"):
        house.rebuilt()
    assert not house.upkeep().standing(house.recorder.journal(), house.clock.now()).is_rebuilt


def test_where_an_action_cannot_be_read_its_row_stays(house: House) -> None:
    broken, *_ = house.lives(3)
    before = house.listed()
    item = house.recorder.dynamodb.client.get_item(
        TableName=house.name, Key={"pk": {"S": broken}, "sk": {"N": "4"}}, ConsistentRead=True
    )["Item"]
    item["events"] = {"L": []}
    house.recorder.dynamodb.client.put_item(TableName=house.name, Item=item)
    account = house.rebuilt()
    assert [finding.action_id for finding in account.findings] == [broken]
    assert house.listed() == before


# -- how rows stand to the ledger --------------------------------------------------------------------------------------


def test_how_far_rows_are_behind_is_a_number(house: House) -> None:
    ids = house.lives(3)
    house.clock.pass_time(60)
    append(house.recorder, _next_commit(ids[1], replace_clock(house, -55)))
    record(house.recorder, "act_new", *ENDED, at=house.clock.now())
    house.clock.pass_time(30)
    standing = house.upkeep().standing(house.recorder.journal(), house.clock.now())
    assert (standing.behind, standing.missing, standing.is_well) == (3, 1, False)
    assert 25 < standing.lag_s < 91
    house.keep([ids[1], "act_new"])
    assert house.upkeep().standing(house.recorder.journal(), house.clock.now()).is_well


def replace_clock(house: House, seconds: float) -> House:
    return replace(house, clock=FakeClock(house.clock.now() + timedelta(seconds=seconds)))


# -- which table is the one ------------------------------------------------------------------------------------------


def test_whoever_keeps_rows_follows_a_switch_within_a_minute(house: House) -> None:
    first, second = views_tables(house.name)
    assert house.views.dynamodb.table == first
    asked = house.views.dynamodb.requests["GetItem"]
    point_to(house.gates, second)
    house.clock.pass_time(KNOWN_FOR_S - 1)
    assert (house.views.dynamodb.table, house.views.dynamodb.requests["GetItem"]) == (first, asked)
    house.clock.pass_time(1)
    assert (house.views.dynamodb.table, house.views.dynamodb.requests["GetItem"]) == (second, asked + 1)


def test_what_was_asked_a_while_ago_is_known_for_so_much_less(house: House) -> None:
    first, second = views_tables(house.name)
    assert house.views.dynamodb.table == first
    house.clock.pass_time(KNOWN_FOR_S)
    slow = after(lambda: house.clock.pass_time(20), passes)
    on_the_wire(house.views.dynamodb.client, "GetItem", slow)
    assert house.views.dynamodb.table == first
    point_to(house.gates, second)
    house.clock.pass_time(KNOWN_FOR_S - 20)
    assert house.views.dynamodb.table == second


def test_without_the_gates_table_it_is_the_first_one(ministack: Engine) -> None:
    table = LiveViewsTable(f"ledger-{uuid4().hex}", endpoint_url=ministack.url, sleep=lambda _: None)
    assert table.table.endswith("-views")
    table.close()


def test_where_it_cannot_be_known_nothing_is_kept_anywhere(house: House) -> None:
    on_the_wire(house.views.dynamodb.client, "GetItem", refused("AccessDeniedException", "dynamodb:GetItem"))
    with pytest.raises(OperationalError, match="access denied, GetItem"):
        house.views.views(None, 1)
    assert house.views.views(None, 1) == []


# -- by a function, as far as its time goes ----------------------------------------------------------------------------


def asked(house: House, has_time: Callable[[], bool] = lambda: True, **said: Any) -> dict[str, Any]:
    return answer_replay(house.settings(), {"replay": said}, has_time=has_time, together=2)


def test_a_function_puts_rows_in_their_places_and_goes_on_from_its_cursor(house: House) -> None:
    ids = house.lives(12)
    before = house.listed()
    for action_id in ids:
        house.lose(action_id)
    three_slices = cycle([True, True, False])
    answers = [asked(house, lambda: next(three_slices), projection="views", **DAYS)]
    while answers[-1]["cursor"] is not None:
        cursor = answers[-1]["cursor"]
        answers.append(asked(house, lambda: next(three_slices), projection="views", **DAYS, cursor=cursor))
    assert [answer["complete"] for answer in answers] == [False, False, True]
    assert sum(answer["actions"] for answer in answers) == 12
    assert house.listed() == before


def test_a_function_counts_and_names_what_is_wrong(house: House) -> None:
    house.lives(4)
    answer = asked(house, **DAYS)
    assert (answer["complete"], answer["actions"], answer["events"], answer["findings"]) == (True, 4, 16, [])
    assert sum(row["count"] for row in answer["result"] if row["status"] == "requested") == 4
    assert asked(house, action_id=f"act_{1:026d}")["events"] == 4


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"projection": "nobody_knows_it"}, "unknown_projection"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "bad_range"),
        ({"mood": 1}, "unknown_field"),
        ({"cursor": "text"}, "bad_place"),
        ({"cursor": {"0": {"after": 1, "is_over": False}}}, "bad_place"),
        ({"cursor": {"0": {"after": "[1]", "is_over": False}}}, "bad_place"),
        ({"action_id": "\ud800"}, "malformed"),
    ],
)
def test_what_a_function_cannot_be_asked_is_answered_in_one_line(said: dict[str, Any], code: str, house: House) -> None:
    assert asked(house, **said)["error"]["code"] == code


@pytest.mark.parametrize("event", [{}, None, {"replay": None}, {"replay": []}, "replay"])
def test_what_asks_for_no_replay_is_refused(event: Any) -> None:
    answer = answer_replay(Settings.from_environment({}), event, has_time=lambda: True)
    assert answer["error"]["code"] == "malformed"
