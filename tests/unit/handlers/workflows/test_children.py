"""A step that is a run of its own: how it ends, and what happens to it when something happens to its parent."""

from __future__ import annotations

from typing import Any

import pytest

from domain.identity import child_run_id
from domain.outcome import Permanent, Unknown
from tests.workflow_house import ADA, House, child_step, step, workflow

NEVER = Permanent("http_404", "no such thing")
NOBODY_KNOWS = Unknown("timed_out", "no answer")
PROVISION = workflow(step("x"), step("y", needs=["x"]), name="provision")


def started(house: House, *steps: Any, child: str = PROVISION, **more: Any) -> dict[str, Any]:
    return house.start(*steps, files={"child.yaml": child}, **more)


def around(**more: Any) -> tuple[dict[str, Any], ...]:
    """A step, a run, and a step."""
    return step("a"), child_step("sub", needs=["a"], **more), step("b", needs=["sub"])


def test_a_step_that_is_a_run_has_its_place_among_the_others() -> None:
    house = House()
    run = started(house, *around())
    assert (run["status"], run["error"]) == ("completed", None)
    assert house.desk.done == ["a", "x", "y", "b"]
    told = {one["id"]: one for one in run["steps"]}["sub"]
    assert (told["status"], told["uses"], told["action_id"]) == ("succeeded", "child.yaml", None)
    assert told["run_id"] == child_run_id(run["run_id"], "sub")
    assert house.child(run, "sub")["name"] == "provision"


def test_it_is_given_inputs_and_brings_outputs() -> None:
    house = House()
    child = workflow(
        {"id": "x", "uses": "do", "with": {"name": "x", "value": "${{ inputs.account }}"}},
        name="provision",
        inputs={"account": {"type": "string", "required": True}},
        outputs={"id": "made for ${{ steps.x.result.value }}"},
    )
    given = {"account": "${{ inputs.account }}"}
    after = {"id": "b", "uses": "do", "with": {"name": "b", "value": "${{ steps.sub.result.outputs.id }}"}}
    inputs = {"account": {"type": "string"}}
    run = started(
        house, child_step("sub", **{"with": given}), after, child=child, inputs=inputs, given={"account": "A"}
    )
    assert run["status"] == "completed"
    assert house.desk.brought == {"x": "A", "b": "made for A"}


def test_inputs_that_do_not_fit_fail_the_step_and_no_run_begins() -> None:
    house = House()
    child = workflow(step("x"), name="provision", inputs={"seats": {"type": "integer"}})
    given = {"seats": "${{ steps.a.result.name }}"}
    run = started(house, step("a"), child_step("sub", **{"with": given}, on_failure="rollback"), child=child)
    assert run["status"] == "compensated"
    assert run["steps"][1]["error"]["code"] == "invalid_parameters"
    assert house.desk.done == ["a", "undo a"]


def test_each_end_of_it_is_the_steps_result() -> None:
    for failing, status, code, done in (
        (step("y", needs=["x"], on_failure="rollback"), "failed", "compensated", ["x", "undo x"]),
        (step("y", needs=["x"]), "failed", "needs_operator", ["x"]),
    ):
        house = House()
        house.desk.script["y"] = [NEVER]
        child = workflow(step("x"), failing, name="provision")
        run = started(house, child_step("sub", on_failure="continue"), step("b", needs=["sub"]), child=child)
        told = run["steps"][0]
        assert (told["status"], told["error"]["code"]) == (status, code)
        assert (run["status"], house.desk.done) == ("completed", [*done, "b"])


def test_one_that_is_cancelled_has_failed_and_what_it_did_stands() -> None:
    house = House()
    child = workflow(step("x"), {"id": "w", "wait": {"for": "1h"}, "needs": ["x"]}, name="provision")
    run = started(house, child_step("sub"), child=child, wait=1.0)
    house.agent.cancel_run(house.child(run, "sub")["run_id"], **ADA)
    assert house.child(run, "sub")["status"] == "partially_compensated"
    told = house.agent.workflow_status(run["run_id"])
    assert (told["status"], told["needs_operator"]["steps"]) == ("needs_operator", ["sub"])
    assert (told["steps"][0]["status"], told["steps"][0]["error"]["code"]) == ("failed", "cancelled")


def test_it_is_taken_back_whole_in_its_place() -> None:
    house = House()
    run = started(house, *around())
    undone = house.agent.undo_run(run["run_id"], **ADA)
    assert undone["status"] == "compensated"
    assert house.desk.done[4:] == ["undo b", "undo y", "undo x", "undo a"]
    assert [one["status"] for one in undone["steps"]] == ["compensated"] * 3
    assert house.child(run, "sub")["status"] == "compensated"


def test_a_failure_after_it_takes_it_back_as_well() -> None:
    house = House()
    house.desk.script["b"] = [NEVER]
    run = started(house, step("a"), child_step("sub", needs=["a"]), step("b", needs=["sub"], on_failure="rollback"))
    assert (run["status"], house.desk.done) == ("compensated", ["a", "x", "y", "undo y", "undo x", "undo a"])


def test_one_that_failed_half_way_is_taken_back_too() -> None:
    house = House()
    house.desk.script["y"] = [NEVER]
    run = started(house, step("a"), child_step("sub", needs=["a"], on_failure="rollback"))
    assert (run["status"], house.desk.done) == ("compensated", ["a", "x", "undo x", "undo a"])


def test_what_is_left_of_it_is_told_under_its_own_id() -> None:
    house = House()
    child = workflow(step("x"), step("t", "tell", needs=["x"]), name="provision")
    run = started(house, *around(), child=child)
    undone = house.agent.undo_run(run["run_id"], **ADA)
    assert (undone["status"], house.desk.done[-3:]) == ("partially_compensated", ["undo b", "undo x", "undo a"])
    (left,) = undone["remaining"]
    assert left["action_id"] == child_run_id(run["run_id"], "sub")
    assert (left["step"], left["action_type"]) == ("sub", "workflow:provision")
    assert (left["status"], left["why"]) == ("partially_compensated", "this is left of it: t")
    assert undone["steps"][1]["status"] == "irreversible"


def test_a_failed_compensation_of_it_that_is_redriven_completes_the_rollback() -> None:
    house = House()
    run = started(house, *around())
    house.desk.script["undo x"] = [NEVER]
    undone = house.agent.undo_run(run["run_id"], **ADA)
    assert (undone["status"], undone["steps"][1]["status"]) == ("partially_compensated", "compensation_failed")
    child = house.child(run, "sub")
    compensation = house.agent.status(house.action(child, "x"))["result"]["compensation"]
    house.agent.redrive(compensation, **ADA)
    house.drive()
    assert (house.status(child), house.status(run)) == ("compensated", "compensated")


def test_it_is_paused_and_goes_on_with_its_parent() -> None:
    house = House()
    run = started(house, child_step("sub"), step("b", needs=["sub"]), wait=0.0)
    child = house.child(run, "sub")
    assert child["status"] == "running"
    house.agent.pause_run(run["run_id"], **ADA)
    assert house.status(child) == "paused"
    assert house.agent.resume_run(child["run_id"], **ADA)["error"]["code"] == "conflict"
    house.agent.advance(house.action(child, "x"))
    assert house.desk.done == ["x"]
    house.agent.resume_run(run["run_id"], **ADA, wait=0.0)
    assert house.status(child) == "running"
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["x", "y", "b"])


def test_one_that_somebody_paused_alone_shows_in_its_parent_and_goes_on_when_they_resume_it() -> None:
    house = House()
    run = started(house, child_step("sub"), wait=0.0)
    child = house.child(run, "sub")
    house.agent.pause_run(child["run_id"], **ADA)
    assert house.agent.workflow_status(run["run_id"])["needs_operator"]["steps"] == ["sub"]
    house.agent.resume_run(child["run_id"], **ADA)
    house.drive()
    assert house.status(run) == "completed"


def test_it_is_cancelled_with_its_parent() -> None:
    house = House()
    child = workflow(step("x"), {"id": "w", "wait": {"for": "1h"}, "needs": ["x"]}, name="provision")
    run = started(house, *around(), child=child, wait=1.0)
    house.agent.cancel_run(run["run_id"], **ADA)
    house.drive()
    told = house.agent.workflow_status(run["run_id"])
    assert told["status"] == "partially_compensated"
    assert [left["step"] for left in told["remaining"]] == ["sub", "a"]
    assert house.child(run, "sub")["status"] == "partially_compensated"


def test_one_that_still_runs_is_taken_back_with_its_parent_before_the_others() -> None:
    house = House()
    child = workflow(step("x"), {"id": "w", "wait": {"for": "1h"}, "needs": ["x"]}, name="provision")
    run = started(house, *around(), child=child, wait=1.0)
    house.agent.undo_run(run["run_id"], **ADA)
    house.drive()
    assert (house.status(run), house.desk.done) == ("compensated", ["a", "x", "undo x", "undo a"])


def test_one_that_takes_too_long_is_cancelled_and_its_step_timed_out() -> None:
    house = House()
    child = workflow(step("x"), {"id": "w", "wait": {"for": "9h"}, "needs": ["x"]}, name="provision")
    run = started(house, child_step("sub", timeout="1h", on_failure="continue"), child=child, wait=1.0)
    house.clock.pass_time(3_599)
    house.agent.advance(house.child(run, "sub")["run_id"])
    assert house.steps(run) == {"sub": "running"}
    house.clock.pass_time(1.0)
    due = [place.action_id for place in house.store.line(house.clock.now(), 10)]
    assert house.child(run, "sub")["run_id"] in due
    house.drive()
    assert (house.status(run), house.steps(run)) == ("completed", {"sub": "timed_out"})


def test_what_waits_for_a_person_in_it_shows_in_its_parent() -> None:
    house = House()
    house.desk.held.add("x")
    run = started(house, *around())
    told = house.agent.workflow_status(run["run_id"])
    assert (told["status"], told["needs_operator"]["steps"]) == ("needs_operator", ["sub"])
    assert told["steps"][1]["status"] == "running"
    house.agent.approve(house.action(house.child(run, "sub"), "x"), **ADA)
    house.drive()
    assert house.status(run) == "completed"


def test_a_failed_step_of_it_that_is_redriven_lets_both_go_on() -> None:
    house = House()
    house.desk.script["y"] = [NEVER]
    run = started(house, *around())
    assert (run["status"], house.steps(run)["sub"]) == ("needs_operator", "failed")
    house.agent.redrive(house.action(house.child(run, "sub"), "y"), **ADA)
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["a", "x", "y", "b"])


def test_a_step_of_it_that_succeeds_after_the_rollback_is_taken_back_and_what_that_leaves_is_told() -> None:
    house = House()
    house.desk.script["t"] = [NEVER]
    child = workflow(step("x"), step("t", "tell", needs=["x"]), name="provision")
    run = started(house, child_step("sub", on_failure="rollback"), child=child)
    assert run["status"] == "compensated"
    house.agent.redrive(house.action(house.child(run, "sub"), "t"), **ADA)
    house.drive()
    assert house.child(run, "sub")["status"] == "partially_compensated"
    told = house.agent.workflow_status(run["run_id"])
    assert (told["status"], [left["step"] for left in told["remaining"]]) == ("partially_compensated", ["sub"])


def test_one_that_somebody_takes_back_alone_is_known_to_its_parent() -> None:
    house = House()
    run = started(house, *around())
    house.agent.undo_run(house.child(run, "sub")["run_id"], **ADA)
    assert (house.status(run), house.steps(run)["sub"]) == ("completed", "compensated")
    house.agent.undo_run(run["run_id"], **ADA)
    assert house.desk.done[4:] == ["undo y", "undo x", "undo b", "undo a"]


def test_one_that_people_took_back_step_by_step_after_its_parent_was_over_is_no_longer_told_as_left() -> None:
    house = House()
    run = started(house, child_step("sub"), {"id": "w", "wait": {"for": "1h"}}, wait=1.0)
    assert [left["step"] for left in house.agent.cancel_run(run["run_id"], **ADA)["remaining"]] == ["sub"]
    for name in ("y", "x"):
        assert house.status(run) == "partially_compensated"
        house.agent.undo(house.action(house.child(run, "sub"), name), **ADA)
        house.drive()
    assert (house.status(run), house.steps(run)["sub"]) == ("compensated", "compensated")


def test_what_succeeds_late_in_one_that_had_nothing_to_show_is_told_as_left() -> None:
    house = House()
    house.desk.script["x"] = [NEVER]
    child = workflow(step("x", on_failure="continue"), name="provision")
    run = started(house, child_step("sub"), {"id": "w", "wait": {"for": "1h"}}, child=child, wait=1.0)
    assert house.agent.cancel_run(run["run_id"], **ADA)["status"] == "compensated"
    house.agent.redrive(house.action(house.child(run, "sub"), "x"), **ADA)
    house.drive()
    told = house.agent.workflow_status(run["run_id"])
    assert (told["status"], [left["step"] for left in told["remaining"]]) == ("partially_compensated", ["sub"])


def test_what_becomes_of_one_after_its_parent_is_over_is_told_anew() -> None:
    house = House()
    house.desk.script["t"] = [NEVER]
    child = workflow(step("t", "tell"), {"id": "w", "wait": {"for": "1h"}}, name="provision", on_failure="continue")
    run = started(house, child_step("sub"), child=child, wait=1.0)
    house.agent.cancel_run(run["run_id"], **ADA)
    house.drive()
    assert house.status(run) == "compensated"
    house.agent.redrive(house.action(house.child(run, "sub"), "t"), **ADA)
    house.drive()
    told = house.agent.workflow_status(run["run_id"])
    assert (told["status"], [left["step"] for left in told["remaining"]]) == ("partially_compensated", ["sub"])


def test_what_succeeds_in_one_after_it_was_taken_back_with_nothing_in_it_is_taken_back_as_well() -> None:
    house = House()
    house.desk.script["x"] = [NEVER]
    child = workflow(step("x"), {"id": "w", "wait": {"for": "1h"}}, name="provision", on_failure="continue")
    run = started(house, step("a"), child_step("sub", needs=["a"]), child=child, wait=1.0)
    inner = house.child(run, "sub")
    house.agent.cancel_run(inner["run_id"], **ADA)
    house.agent.undo_run(run["run_id"], **ADA)
    assert (house.status(run), house.status(inner)) == ("compensated", "compensated")
    house.agent.redrive(house.action(inner, "x"), **ADA)
    house.drive()
    assert house.desk.done == ["a", "undo a", "x", "undo x"]
    assert (house.status(run), house.status(inner)) == ("compensated", "compensated")


def test_what_was_left_of_one_and_is_taken_back_alone_is_told_no_more() -> None:
    house = House()
    child = workflow(step("x"), {"id": "w", "wait": {"for": "1h"}}, name="provision")
    run = started(house, child_step("sub"), child=child, wait=1.0)
    house.agent.cancel_run(run["run_id"], **ADA)
    assert house.status(run) == "partially_compensated"
    house.agent.undo_run(house.child(run, "sub")["run_id"], **ADA)
    assert house.status(run) == "compensated"


def test_runs_within_runs_are_carried_out_and_taken_back() -> None:
    house = House()
    files = {
        "child.yaml": workflow(step("x"), child_step("deeper", "deep/child.yaml", needs=["x"]), name="middle"),
        "deep/child.yaml": workflow(step("y"), child_step("deepest", "leaf.json"), name="inner"),
        "deep/leaf.json": workflow(step("z"), name="leaf"),
    }
    run = house.start(*around(), files=files)
    assert run["status"] == "completed"
    assert sorted(house.desk.done) == ["a", "b", "x", "y", "z"]
    assert house.agent.undo_run(run["run_id"], **ADA, wait=60.0)["status"] == "compensated"
    assert sorted(house.desk.done[5:]) == [f"undo {name}" for name in ("a", "b", "x", "y", "z")]


def test_a_file_that_changes_touches_no_run_that_has_started() -> None:
    house = House()
    files = {"child.yaml": workflow(step("x"), name="provision")}
    run = house.start({"id": "w", "wait": {"for": "1h"}}, child_step("sub", needs=["w"]), files=files, wait=0.0)
    files["child.yaml"] = workflow(step("other"), name="provision")
    house.process()
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["x"])


def test_the_same_key_is_the_same_run_only_with_the_same_files() -> None:
    house = House()
    one = started(house, child_step("sub"), key="k")
    assert started(house, child_step("sub"), key="k")["duplicate"]
    other = started(house, child_step("sub"), child=workflow(step("z"), name="provision"), key="k")
    assert (one["duplicate"], other["error"]["code"]) == (False, "idempotency_mismatch")


def test_a_callback_deep_down_needs_the_key_of_the_operator() -> None:
    child = workflow({"id": "c", "wait_for": "callback", "timeout": "1d"}, name="provision")
    refused = started(House(callback_key=None), child_step("sub"), child=child)
    assert refused["error"]["details"][0]["field"] == "steps.c"


@pytest.mark.parametrize("verb", ["pause_run", "cancel_run", "undo_run"])
def test_what_was_not_passed_on_by_a_process_that_died_is_passed_on_by_the_next(verb: str) -> None:
    house = House()
    child = workflow(step("x"), {"id": "w", "wait": {"for": "9d"}, "needs": ["x"]}, name="provision")
    run = started(house, child_step("sub"), child=child, wait=1.0)
    conduct = house.agent._parts.workflows().conduct
    conduct._see_to = lambda *_: None  # type: ignore[method-assign]
    conduct._go_on = lambda run, errands, deadline: run  # type: ignore[method-assign]
    getattr(house.agent, verb)(run["run_id"], **ADA)
    assert house.child(run, "sub")["status"] == "running"
    house.process()
    house.clock.pass_time(120.0)
    house.agent.advance(run["run_id"])
    expected = {"pause_run": "paused", "cancel_run": "partially_compensated", "undo_run": "compensated"}
    assert house.child(run, "sub")["status"] == expected[verb]
