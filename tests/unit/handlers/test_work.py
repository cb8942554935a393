"""Workers: everything due is done, by whoever comes first, and a poisoned action hurts nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock
from typing import cast

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.system import SystemChance, SystemClock
from agents.execution_agent.agent import ExecutionAgent
from domain.action import Action
from domain.base_action import Attempt
from domain.lifecycle import Life
from domain.outcome import Outcome, Succeeded
from domain.priority import Place
from handlers.advance import Advance
from handlers.work import Tally, Worker
from projections.agenda import StoredAgenda
from tests.fakes import FakeClock, FakeHolders, fake_world
from tests.given import LEADING_TO, action_after
from tests.house import agent_with, greet


class CountingProvider:
    """Counts what took effect, from any number of threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.effects: list[str] = []

    def __call__(self, attempt: Attempt) -> Outcome:
        with self._lock:
            self.effects.append(attempt.effect_key)
        return Succeeded({})


def agents_on(path: Path, provider: CountingProvider, count: int) -> list[ExecutionAgent]:
    """Agents that share a file, as processes do."""
    ledger = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(path)}
    world = fake_world(clock=SystemClock(), chance=SystemChance(), extras={"provider": provider})
    return [agent_with(world=world, ledger=ledger) for _ in range(count)]


def accept(agent: ExecutionAgent, count: int, priority: str = "normal") -> list[str]:
    options = {"mode": "accept", "priority": priority}
    return [agent.process(greet(options=options))["action_id"] for _ in range(count)]


def test_a_worker_does_all_that_is_due_and_stops_when_idle() -> None:
    provider = CountingProvider()
    agent = agent_with(world=fake_world(clock=SystemClock(), chance=SystemChance(), extras={"provider": provider}))
    ids = accept(agent, 50)
    tally = agent.worker(threads=4).run(Event(), until_idle=True)
    assert {agent.status(action_id)["status"] for action_id in ids} == {"succeeded"}
    assert (tally.by_status, tally.settled, tally.running) == ({"succeeded": 50}, 50, 0)
    assert len(provider.effects) == 50


def test_workers_beside_each_other_do_everything_once(tmp_path: Path) -> None:
    provider = CountingProvider()
    agents = agents_on(tmp_path / "ledger.db", provider, 3)
    accept(agents[0], 120)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda agent: agent.worker(threads=8).run(Event(), until_idle=True), agents))
    assert len(provider.effects) == len(set(provider.effects)) == 120
    assert agents[0].list_actions("scheduled") == []


def test_a_worker_that_is_told_to_stop_finishes_what_it_began() -> None:
    stop = Event()
    provider = CountingProvider()

    def slow(attempt: Attempt) -> Outcome:
        stop.set()
        return provider(attempt)

    agent = agent_with(world=fake_world(clock=SystemClock(), chance=SystemChance(), extras={"provider": slow}))
    ids = accept(agent, 100)
    tally = agent.worker(threads=1).run(stop)
    statuses = [agent.status(action_id)["status"] for action_id in ids]
    assert 1 <= statuses.count("succeeded") == tally.settled < 100
    assert set(statuses) == {"succeeded", "scheduled"}


def test_an_action_that_cannot_be_read_is_set_aside_and_the_others_go_on() -> None:
    agent = agent_with(
        world=fake_world(clock=SystemClock(), chance=SystemChance(), extras={"provider": CountingProvider()})
    )
    poisoned, *healthy = accept(agent, 20)
    agent._parts.ledger.recorder.insert_events([StoredEvent(poisoned, 3, "os:system", b"{}")])
    tally = agent.worker(threads=2).run(Event(), until_idle=True)
    assert list(tally.quarantined) == [poisoned]
    assert "os:system" in tally.quarantined[poisoned]
    assert {agent.status(action_id)["status"] for action_id in healthy} == {"succeeded"}


def test_an_action_that_breaks_its_worker_is_set_aside_and_the_worker_goes_on() -> None:
    agent = agent_with(
        world=fake_world(clock=SystemClock(), chance=SystemChance(), extras={"provider": CountingProvider()})
    )
    breaking, *healthy = accept(agent, 5)
    record = agent._parts.ledger.record

    def break_on_one(action: Action) -> None:
        if action.id == breaking:
            raise RuntimeError("nobody thought of this")
        record(action)

    agent._parts.ledger.record = break_on_one  # type: ignore[method-assign]
    tally = agent.worker(threads=2).run(Event(), until_idle=True)
    assert tally.quarantined == {breaking: "RuntimeError: nobody thought of this"}
    assert {agent.status(action_id)["status"] for action_id in healthy} == {"succeeded"}


@pytest.mark.parametrize("left_behind", [1, 30])
def test_the_attempts_of_a_dead_process_are_taken_over_at_once(tmp_path: Path, left_behind: int) -> None:
    class Died(BaseException):
        pass

    def die(_: Attempt) -> Outcome:
        raise Died

    ledger = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": str(tmp_path / "ledger.db")}
    before = agent_with(
        world=fake_world(clock=SystemClock(), holders=FakeHolders("before"), extras={"provider": die}), ledger=ledger
    )
    for _ in range(left_behind):
        with pytest.raises(Died):
            before.process(greet())
    after = agent_with(
        world=fake_world(clock=SystemClock(), holders=FakeHolders("after", dead={"before"})), ledger=ledger
    )
    after.worker(threads=1).run(Event(), until_idle=True)
    assert [row["status"] for row in after.list_actions()] == ["in_doubt"] * left_behind


# -- the order in which a worker takes what is due ------------------------------------------------------------------


def test_what_became_due_together_is_done_by_priority() -> None:
    clock, provider = FakeClock(), CountingProvider()
    agent = agent_with(world=fake_world(clock=clock, extras={"provider": provider}))
    asked = {priority: accept(agent, 6, priority) for priority in ("low", "normal", "high")}
    agent.worker(threads=1).run(Event(), until_idle=True)
    order = [effect.removesuffix("-r0") for effect in provider.effects]
    assert [set(order[:6]), set(order[6:12]), set(order[12:])] == [set(asked[p]) for p in ("high", "normal", "low")]


@pytest.mark.parametrize(("priority", "patience"), [("normal", 60), ("low", 600)])
def test_however_many_high_ones_come_whoever_was_patient_has_its_turn(priority: str, patience: int) -> None:
    """There are always five high ones; each takes ten seconds, and brings another one."""
    clock, done = FakeClock(), list[str]()

    def provider(attempt: Attempt) -> Outcome:
        done.append(attempt.action_id)
        clock.pass_time(10.0)
        if len(done) < 200:
            accept(agent, 1, "high")
        return Succeeded({})

    agent = agent_with(world=fake_world(clock=clock, extras={"provider": provider}))
    (patient,) = accept(agent, 1, priority)
    accept(agent, 5, "high")
    agent.worker(threads=1).run(Event(), until_idle=True)
    assert patience / 10 <= done.index(patient) < patience / 10 + 100


def test_a_priority_is_about_order_alone_where_there_is_room_nobody_waits() -> None:
    agent = agent_with()
    (low,) = accept(agent, 1, "low")
    agent.worker(threads=1).run(Event(), until_idle=True)
    assert agent.status(low)["status"] == "succeeded"


class CrowdedAgenda:
    """Forty who have waited long stand in line, and each look brings forty others who have, too."""

    keeps_views = False

    def __init__(self) -> None:
        self.waiting = {f"act_{number}" for number in range(40)}
        self._looks = 0

    def line(self, now: datetime, limit: int) -> list[Place]:
        self._looks += 1
        others = {f"act_{self._looks}_{number}" for number in range(40)}
        return [Place(now - timedelta(hours=1), action_id) for action_id in self.waiting | others]


def test_nobody_is_last_for_ever_in_a_line_that_never_ends() -> None:
    agenda, stop = CrowdedAgenda(), Event()

    def advance(action_id: str) -> Action:
        agenda.waiting.discard(action_id)
        return action_after(*LEADING_TO[Life.SUCCEEDED])

    def tell(tally: Tally) -> None:
        if not agenda.waiting or tally.advanced > 5_000:
            stop.set()

    Worker(cast("StoredAgenda", agenda), cast("Advance", advance), fake_world(), threads=1).run(stop, tell=tell)
    assert agenda.waiting == set()


def test_a_worker_tells_how_far_it_is() -> None:
    told: list[int] = []

    def listen(tally: Tally) -> None:
        told.append(tally.advanced)

    agent = agent_with(
        world=fake_world(clock=SystemClock(), chance=SystemChance(), extras={"provider": CountingProvider()})
    )
    accept(agent, 5)
    agent.worker(threads=2).run(Event(), until_idle=True, tell=listen)
    assert told[-1] == 5
