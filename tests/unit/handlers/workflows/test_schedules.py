"""Runs that begin by themselves: each moment once, one run at a time, and nothing lost when nobody looks."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.identity import child_run_id
from domain.outcome import Permanent
from tests.unit.handlers.workflows.test_run_crashes import Deaths
from tests.workflow_house import ADA, Died, House, child_step, step, workflow

NEVER = Permanent("http_404", "no such thing")
HOURLY = {"cron": "0 * * * *"}
A_WAIT = {"id": "w", "wait": {"for": "90m"}}


def scheduled(house: House, *steps: Any, **more: Any) -> dict[str, Any]:
    """A schedule, hourly unless it says otherwise. It is half past nine."""
    house.clock.pass_time((datetime(2026, 3, 2, 9, 30, tzinfo=UTC) - house.clock.now()).total_seconds())
    given, files = more.pop("given", {}), more.pop("files", None)
    text = workflow(*(steps or (step("a"),)), **{"schedule": HOURLY, **more})
    return house.agent.add_schedule(text, given, files=files)


def pass_hours(house: House, hours: float) -> None:
    """Somebody looks at what is due, each quarter of an hour."""
    for _ in range(round(hours * 4)):
        house.clock.pass_time(900.0)
        look(house)


def look(house: House) -> None:
    while line := house.store.line(house.clock.now(), 100):
        for place in line:
            house.agent.advance(place.action_id)


def comings(house: House, schedule: dict[str, Any]) -> list[tuple[str, str | None]]:
    """When moments came, and why no run began; None where one did."""
    life = house.agent.workflow_history(schedule["run_id"])
    came = [entry["data"] for entry in life if entry["type"] == "moment_came"]
    return [(one["moment"][11:16], one.get("why")) for one in came]


def test_a_run_begins_at_each_moment() -> None:
    house = House()
    schedule = scheduled(house)
    assert (schedule["status"], schedule["steps"], schedule["error"]) == ("scheduled", [], None)
    assert schedule["schedule"] == {"next": "2026-03-02T10:00:00.000000Z", "queued": None, "run_id": None}
    pass_hours(house, 3)
    assert house.desk.done == ["a", "a", "a"]
    assert comings(house, schedule) == [("10:00", None), ("11:00", None), ("12:00", None)]
    assert house.agent.workflow_status(schedule["run_id"])["schedule"]["next"] == "2026-03-02T13:00:00.000000Z"
    run = house.agent.workflow_status(child_run_id(schedule["run_id"], "2026-03-02T10:00:00.000000Z"))
    assert (run["status"], run["name"], run["schedule"]) == ("completed", "onboarding", None)


def test_each_run_is_given_the_inputs_of_the_schedule_and_the_definition_as_it_was() -> None:
    house = House()
    files = {"child.yaml": workflow(step("x"), name="provision")}
    steps = {"id": "a", "uses": "do", "with": {"name": "a", "value": "${{ inputs.who }}"}}, child_step("sub")
    scheduled(house, *steps, inputs={"who": {"type": "string", "required": True}}, given={"who": "Ada"}, files=files)
    files["child.yaml"] = workflow(step("other"), name="provision")
    pass_hours(house, 1)
    assert (house.desk.brought["a"], sorted(house.desk.done)) == ("Ada", ["a", "x"])


def test_what_cannot_be_scheduled_is_refused_and_leaves_nothing_behind() -> None:
    house = House(callback_key=None)
    inputs = {"who": {"type": "string", "required": True}}
    ask = {"id": "ask", "wait_for": "callback", "timeout": "1h"}
    no_schedule = house.agent.add_schedule(workflow(step("a")))
    assert [detail["field"] for detail in no_schedule["error"]["details"]] == ["schedule"]
    assert scheduled(house, inputs=inputs)["error"]["code"] == "invalid_parameters"
    assert scheduled(house, ask)["error"]["details"][0]["field"] == "steps.ask"
    assert scheduled(house, schedule={"cron": "never"})["error"]["code"] == "invalid_definition"
    assert house.store.views(None, 10) == []


def test_there_is_one_schedule_of_a_name() -> None:
    house = House()
    one = scheduled(house)
    assert scheduled(house) == {**one, "duplicate": True}
    other = scheduled(house, step("b"))
    assert (other["error"]["code"], other["run_id"]) == ("conflict", one["run_id"])
    house.agent.cancel_run(one["run_id"], **ADA)
    again = scheduled(house, step("b"))
    assert (again["status"], again["run_id"] == one["run_id"]) == ("scheduled", False)
    assert [told["run_id"] for told in house.agent.list_schedules()] == [again["run_id"]]


@pytest.mark.parametrize(("catch_up", "done"), [("latest", 1), ("none", 0)])
def test_what_nobody_was_there_for_is_caught_up_with_once_or_not_at_all(catch_up: str, done: int) -> None:
    house = House()
    schedule = scheduled(house, schedule={**HOURLY, "catch_up": catch_up})
    house.clock.pass_time(5 * 3_600 + 20 * 60)
    look(house)
    assert len(house.desk.done) == done
    why = None if done else "missed"
    assert comings(house, schedule) == [("10:00", "missed"), ("14:00", why)]
    pass_hours(house, 1)
    assert len(house.desk.done) == done + 1


def test_what_is_a_little_late_is_in_time() -> None:
    house = House()
    scheduled(house, schedule={**HOURLY, "catch_up": "none"})
    house.clock.pass_time(30 * 60 + 299)
    look(house)
    assert house.desk.done == ["a"]


def test_where_the_run_before_goes_on_the_moment_is_left_out() -> None:
    house = House()
    schedule = scheduled(house, A_WAIT, step("a", needs=["w"]))
    pass_hours(house, 4)
    assert comings(house, schedule) == [("10:00", None), ("11:00", "overlap"), ("12:00", None), ("13:00", "overlap")]


def test_or_it_waits_for_the_end_of_that_and_the_latest_is_enough() -> None:
    house = House()
    long = {"id": "w", "wait": {"for": "150m"}}
    schedule = scheduled(house, long, step("a", needs=["w"]), schedule={**HOURLY, "overlap": "queue"})
    pass_hours(house, 2.75)
    assert comings(house, schedule) == [("10:00", None), ("11:00", "queued"), ("12:00", "queued")]
    assert house.agent.workflow_status(schedule["run_id"])["schedule"]["queued"] == "2026-03-02T12:00:00.000000Z"
    pass_hours(house, 0.25)
    assert house.desk.done == ["a"]
    begun = [
        e["data"]["step"][11:16] for e in house.agent.workflow_history(schedule["run_id"]) if e["type"] == "step_begun"
    ]
    assert begun == ["10:00", "12:00"]


def test_one_that_failed_stands_in_nobodys_way() -> None:
    house = House()
    house.desk.script["a"] = [NEVER]
    scheduled(house)
    pass_hours(house, 2)
    assert house.desk.done == ["a"]
    assert [row["status"] for row in house.agent.list_workflow_runs("needs_operator")] == ["needs_operator"]


def test_while_it_is_paused_nothing_begins_and_what_has_begun_goes_on() -> None:
    house = House()
    schedule = scheduled(house, A_WAIT, step("a", needs=["w"]))
    pass_hours(house, 0.75)
    house.agent.pause_run(schedule["run_id"], **ADA)
    pass_hours(house, 5)
    assert house.desk.done == ["a"]
    assert house.agent.list_schedules()[0]["status"] == "paused"
    house.agent.resume_run(schedule["run_id"], **ADA)
    look(house)
    assert comings(house, schedule)[1:] == [("11:00", "missed"), ("15:00", None)]


def test_one_that_is_paused_can_be_removed() -> None:
    house = House()
    schedule = scheduled(house)
    house.agent.pause_run(schedule["run_id"], **ADA)
    assert house.agent.cancel_run(schedule["run_id"], **ADA)["status"] == "completed"


def test_one_that_is_removed_begins_nothing_and_what_has_begun_goes_on() -> None:
    house = House()
    schedule = scheduled(house, A_WAIT, step("a", needs=["w"]), schedule={**HOURLY, "overlap": "queue"})
    pass_hours(house, 1.75)
    removed = house.agent.cancel_run(schedule["run_id"], **ADA)
    assert (removed["status"], removed["schedule"]["next"]) == ("completed", None)
    pass_hours(house, 5)
    assert house.desk.done == ["a"]
    assert house.status(removed) == "completed"
    assert house.agent.list_schedules() == []


def test_it_is_nothing_to_be_taken_back() -> None:
    house = House()
    schedule = scheduled(house)
    assert house.agent.undo_run(schedule["run_id"], **ADA)["error"]["code"] == "conflict"
    house.agent.pause_run(schedule["run_id"], **ADA)
    assert house.agent.undo_run(schedule["run_id"], **ADA)["error"]["code"] == "conflict"


def test_years_of_moments_leave_a_schedule_as_it_was() -> None:
    house = House()
    schedule = scheduled(house, {"id": "w", "wait": {"for": "1s"}})
    pass_hours(house, 60)
    life = house.agent.workflow_history(schedule["run_id"])
    checkpoints = [entry["data"]["state"] for entry in life if entry["type"] == "checkpointed"]
    assert len(checkpoints) >= 2
    assert all(len(state["ended"]) == 0 and len(state["open"]) <= 1 for state in checkpoints)
    house.process()
    pass_hours(house, 2)
    assert len(comings(house, schedule)) == 62


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whenever_it_dies_each_moment_has_one_run(after: bool) -> None:
    for number in range(1, 60):
        house = House()
        schedule = scheduled(house)
        deaths = Deaths(house, number, after=after)
        for _ in range(3):
            house.clock.pass_time(3_600.0)
            with suppress(Died):
                look(house)
            if deaths.has_struck:
                house.process()
                house.clock.pass_time(120.0)
                look(house)
                house.clock.pass_time(-120.0)
        deaths.are_over()
        house.clock.pass_time(timedelta(minutes=3).total_seconds())
        look(house)
        assert comings(house, schedule) == [("10:00", None), ("11:00", None), ("12:00", None)], number
        assert house.desk.done == ["a", "a", "a"], number
        assert set(house.desk.effects.values()) == {1}
        if not deaths.has_struck:
            return
    raise AssertionError("it never came through")


def test_two_who_look_at_once_begin_one_run() -> None:
    house = House()
    schedule = scheduled(house)
    house.clock.pass_time(1_800.0)
    ledger, rivals = house.agent._parts.ledger, [schedule["run_id"]]
    record = ledger.record

    def beaten_once(what: Any) -> None:
        if rivals:
            house.agent.advance(rivals.pop())
        record(what)

    ledger.record = beaten_once  # type: ignore[method-assign]
    house.agent.advance(schedule["run_id"])
    look(house)
    assert (house.desk.done, comings(house, schedule)) == (["a"], [("10:00", None)])


def test_a_sweep_drives_it_where_no_worker_does() -> None:
    house = House()
    schedule = scheduled(house)
    house.clock.pass_time(1_800.0)
    report = house.agent.sweep(within=60.0)
    assert (report.due, report.left, report.quarantined) == (1, 0, 0)
    assert (house.desk.done, comings(house, schedule)) == (["a"], [("10:00", None)])
