"""Bulk orders when rows lag behind their actions, and when actions move on under the hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from domain.errors import Refused
from domain.identity import new_bulk_id
from domain.outcome import Permanent, Retry
from handlers.bulk import Bulk, Chosen
from projections.view import ActionView
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import agent_with, greet, words

ADA = {"actor": "ada", "reason": "all of them"}
REFUSED = Permanent("http_404", "no such thing")
LATER = Retry("http_429", "slow down", retry_after=600)


class RowsOfThen:
    """The rows of a list as they were at one moment, whatever has happened since."""

    def __init__(self, agent: ExecutionAgent) -> None:
        self._rows = agent._parts.agenda.views(None, 100)

    def views(self, status: str | None, limit: int) -> Sequence[ActionView]:
        return [row for row in self._rows if status in (None, row.status)][:limit]


def house(*answers: Any) -> tuple[ExecutionAgent, FakeClock]:
    clock = FakeClock()
    return agent_with(world=fake_world(clock=clock, extras={"provider": ScriptedProvider(*answers)})), clock


def bulk_on(rows: RowsOfThen, agent: ExecutionAgent) -> Bulk:
    return Bulk(rows, agent._parts.ledger, agent._parts.world)


def accept(agent: ExecutionAgent, action_type: str = "greet") -> str:
    action_id: str = agent.process(greet(action_type, options={"mode": "accept"}))["action_id"]
    return action_id


def cancel(agent: ExecutionAgent, bulk_id: str) -> Callable[[str], dict[str, Any]]:
    return lambda action_id: agent.cancel(action_id, bulk=bulk_id, **ADA)


def redrive(agent: ExecutionAgent, bulk_id: str) -> Callable[[str], dict[str, Any]]:
    return lambda action_id: agent.redrive(action_id, bulk=bulk_id, **ADA)


def test_an_order_reaches_what_stood_so_when_it_was_counted_oldest_first() -> None:
    agent, clock = house()
    waiting = []
    for _ in range(3):
        waiting.append(accept(agent))
        clock.pass_time(1.0)
    other_type = accept(agent, "greet_again")
    chosen = Chosen("scheduled", "greet")
    rows = RowsOfThen(agent)
    bulk_id, count = bulk_on(rows, agent).count(chosen)
    assert count == 3
    report = bulk_on(rows, agent).carry_out(cancel(agent, bulk_id), chosen, bulk_id)
    assert [item["action_id"] for item in report] == waiting
    assert agent.status(other_type)["status"] == "scheduled"


def test_what_came_after_the_count_is_not_concerned() -> None:
    agent, clock = house()
    accept(agent)
    chosen = Chosen("scheduled")
    bulk_id, _ = bulk_on(RowsOfThen(agent), agent).count(chosen)
    clock.pass_time(1.0)
    late = accept(agent)
    assert len(bulk_on(RowsOfThen(agent), agent).carry_out(cancel(agent, bulk_id), chosen, bulk_id)) == 1
    assert agent.status(late)["status"] == "scheduled"


def test_a_row_of_another_status_than_its_action_is_no_reason_to_act() -> None:
    """It has been retrying for long, and a lost row still says scheduled. Both could be cancelled."""
    agent, clock = house(LATER)
    action_id = accept(agent)
    rows = RowsOfThen(agent)
    agent.advance(action_id)
    clock.pass_time(60.0)
    chosen = Chosen("scheduled")
    bulk_id, count = bulk_on(rows, agent).count(chosen)
    assert count == 1
    assert bulk_on(rows, agent).carry_out(cancel(agent, bulk_id), chosen, bulk_id) == []
    assert agent.status(action_id)["status"] == "retrying"


def test_what_failed_again_after_the_count_is_not_redriven_a_second_time() -> None:
    agent, clock = house(REFUSED, REFUSED)
    response = agent.process(greet())
    rows = RowsOfThen(agent)
    chosen = Chosen("failed")
    bulk_id, _ = bulk_on(rows, agent).count(chosen)
    clock.pass_time(1.0)
    agent.redrive(response["action_id"], actor="bob", reason="I saw it first")
    agent.advance(response["action_id"])
    assert bulk_on(rows, agent).carry_out(redrive(agent, bulk_id), chosen, bulk_id) == []
    assert words(agent, response).count("redriven") == 1


def test_an_action_that_moves_on_under_the_hand_is_left_alone_and_told() -> None:
    """Between the look at the action and the act somebody else redrives it, and it fails again."""
    agent, clock = house(REFUSED, REFUSED)
    response = agent.process(greet())
    chosen = Chosen("failed")
    bulk_id, _ = bulk_on(RowsOfThen(agent), agent).count(chosen)

    def redrive_too_late(action_id: str) -> dict[str, Any]:
        clock.pass_time(1.0)
        agent.redrive(action_id, actor="bob", reason="I saw it first")
        agent.advance(action_id)
        return redrive(agent, bulk_id)(action_id)

    (told,) = bulk_on(RowsOfThen(agent), agent).carry_out(redrive_too_late, chosen, bulk_id)
    assert (told["status"], told["error"]["code"]) == ("failed", "conflict")
    assert words(agent, response).count("redriven") == 1


def test_an_order_that_is_repeated_finds_only_what_it_has_not_reached_though_rows_lag() -> None:
    agent, clock = house()
    waiting = [accept(agent) for _ in range(3)]
    rows = RowsOfThen(agent)
    chosen = Chosen("scheduled")
    bulk_id, _ = bulk_on(rows, agent).count(chosen)
    clock.pass_time(1.0)
    cancel(agent, bulk_id)(waiting[0])
    report = bulk_on(rows, agent).carry_out(cancel(agent, bulk_id), chosen, bulk_id)
    assert sorted(item["action_id"] for item in report) == sorted(waiting[1:])
    assert bulk_on(rows, agent).carry_out(cancel(agent, bulk_id), chosen, bulk_id) == []


def test_an_id_that_nobody_was_told_is_refused() -> None:
    agent, clock = house()
    accept(agent)
    tomorrow = new_bulk_id(clock.now() + timedelta(days=1), b"ab")
    for made_up in ("", "made-up", "act_20260301T120000.000000Z-6162", "blk_yesterday-6162", tomorrow):
        with pytest.raises(Refused) as refused:
            bulk_on(RowsOfThen(agent), agent).carry_out(cancel(agent, made_up), Chosen("scheduled"), made_up)
        assert refused.value.details[0].field == "bulk_id"
