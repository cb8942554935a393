"""What a step costs beside its action: few writes, and as few reads at the end of a long run as at its beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from domain.ledger import LARGEST_EVENT
from domain.workflow_definition import Definition, definition_of
from handlers.execute import Deadline
from tests.workflow_house import ADA, House, step

STEPS = 200
MOST_STEPS = 1_000


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


@pytest.fixture(scope="module")
def longest() -> tuple[House, dict[str, Any], list[int]]:
    """The longest workflow that is read: what each step read from the store, and the run."""
    house = House(wait=3_600.0)
    counted, costs = Counted(house), [0]
    do = house.desk.do

    def noticed(*task: Any) -> None:
        costs.append(counted.read)
        do(*task)

    house.desk.do = noticed  # type: ignore[method-assign]
    text = "\n".join(
        [
            "name: longest",
            "steps:",
            *(
                f"- {{id: s{n}, uses: do, with: {{name: s{n}}}, needs: [{f's{n - 1}' if n else ''}]}}"
                for n in range(MOST_STEPS)
            ),
        ]
    )
    return house, house.agent.start_workflow_run(text), costs


def test_a_thousand_steps_are_read_from_a_text_and_carried_out(longest: Any) -> None:
    house, run, costs = longest
    assert (run["status"], run["error"], len(run["steps"])) == ("completed", None, MOST_STEPS)
    assert house.desk.done == [f"s{n}" for n in range(MOST_STEPS)]
    reads = [after - before for before, after in pairwise(costs)]
    assert sum(reads[-100:]) <= 1.5 * max(sum(reads[:100]), 100)


def test_each_of_its_events_is_far_from_too_large(longest: Any) -> None:
    house, run, _ = longest
    sizes = [len(event.state) for event in house.store.select_events(run["run_id"])]
    # The first holds the whole definition.
    assert LARGEST_EVENT / 2 > sizes[0] > max(sizes[1:])
    assert max(sizes[1:]) < LARGEST_EVENT / 4


def test_a_thousand_steps_side_by_side_begin_a_hundred_in_a_commit() -> None:
    house = House()
    commits: list[int] = []
    insert = house.store.insert_events

    def noticed(events: Sequence[StoredEvent], **more: Any) -> Any:
        if events[0].originator_id.startswith("run_"):  # type: ignore[union-attr]
            commits.append(len(events))
        return insert(events, **more)

    house.store.insert_events = noticed  # type: ignore[method-assign]
    waits = [{"id": f"s{n}", "wait": {"for": "1h"}} for n in range(MOST_STEPS)]
    run = house.start(*waits, wait=0.0)
    assert {one["status"] for one in run["steps"]} == {"waiting"}
    assert max(commits) <= 102
    house.agent.cancel_run(run["run_id"], **ADA)
    assert (house.status(run), max(commits) <= 102) == ("compensated", True)


def test_the_life_of_a_long_run_is_there_whole() -> None:
    house = House()
    run = house.start(*chain(100))
    words = house.words(run)
    assert words.count("step_ended") == 100
    assert words.count("checkpointed") == 3
    assert house.process().workflow_status(run["run_id"])["steps"] == run["steps"]
