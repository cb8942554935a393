"""What a step costs beside its action: few writes, and as few reads at the end of a long run as at its beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent

from domain.workflow_definition import Definition, definition_of
from handlers.execute import Deadline
from tests.workflow_house import House, step

STEPS = 300


class Counted:
    """Counts what the store of a house is asked."""

    def __init__(self, house: House) -> None:
        self.writes: Counter[str] = Counter()
        self.read = 0
        self._insert, self._select = house.store.insert_events, house.store.select_events
        house.store.insert_events = self.insert  # type: ignore[method-assign]
        house.store.select_events = self.select  # type: ignore[method-assign]

    def insert(self, events: Sequence[StoredEvent], **more: Any) -> Any:
        self.writes[str(events[0].originator_id)[:4]] += 1
        return self._insert(events, **more)

    def select(self, originator_id: Any, **more: Any) -> Sequence[StoredEvent]:
        found = self._select(originator_id, **more)
        self.read += len(found)
        return found


def chain(length: int) -> list[dict[str, Any]]:
    return [step(f"s{n:04}", needs=[f"s{n - 1:04}"] if n else []) for n in range(length)]


def chain_of(length: int) -> Definition:
    steps = [{**told, "on_failure": "stop"} for told in chain(length)]
    return definition_of({"name": "long", "inputs": {}, "on_rollback_failure": "continue", "steps": steps})


def test_a_step_takes_at_most_two_writes_beside_its_actions_own() -> None:
    house = House()
    counted = Counted(house)
    assert house.start(*chain(20))["status"] == "completed"
    # Of an action's three, one tells that its run was told.
    assert counted.writes == {"run_": 21, "act_": 60}


def test_a_step_of_a_long_run_reads_no_more_than_one_of_a_short_run() -> None:
    house = House()
    house.desk.clock = house.clock
    workflows = house.agent._parts.workflows()
    # Longer than what a reader of files takes.
    workflows.start(chain_of(STEPS), {}, Deadline(house.clock, 0.0))
    counted, costs = Counted(house), []
    while places := house.store.line(house.clock.now(), 5):
        before = counted.read
        # There is time for one step: the next one begins with what it reads.
        house.agent._parts.advance(places[0].action_id, within=1.0)
        costs.append(counted.read - before)
    assert house.store.views("completed", 5)
    assert len(costs) == STEPS
    early, late = sum(costs[:64]), sum(costs[-64:])
    assert late <= 1.5 * early


def test_the_life_of_a_long_run_is_there_whole() -> None:
    house = House()
    run = house.start(*chain(100))
    words = house.words(run)
    assert words.count("step_ended") == 100
    assert words.count("checkpointed") == 3
    assert house.process().workflow_status(run["run_id"])["steps"] == run["steps"]
