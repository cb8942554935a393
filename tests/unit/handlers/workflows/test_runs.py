"""A run is carried out: steps in their order, side by side where they may be, and what follows when one fails."""

from __future__ import annotations

from typing import Any

import pytest

from domain.identity import step_action_id
from domain.outcome import Permanent, Retry, Unknown
from projections.news import news_of
from tests.workflow_house import ADA, Died, House, step, workflow

NEVER = Permanent("http_404", "no such thing")
LATER = Retry("connection_refused", "nobody listens")
NOBODY_KNOWS = Unknown("timed_out", "no answer")


def test_steps_are_carried_out_in_the_order_of_their_needs() -> None:
    house = House()
    run = house.start(step("third", needs=["second"]), step("first"), step("second", needs=["first"]))
    assert (run["status"], run["error"]) == ("completed", None)
    assert house.desk.done == ["first", "second", "third"]
    assert house.words(run)[-1] == "completed"


def test_a_step_is_given_inputs_and_what_earlier_steps_brought() -> None:
    house = House()
    value = {"name": "b", "value": "${{ steps.a.result.value }} and ${{ inputs.more }}"}
    run = house.start(
        {"id": "a", "uses": "do", "with": {"name": "a", "value": "this"}},
        {"id": "b", "uses": "do", "with": value},
        inputs={"more": {"type": "string", "required": True}},
        given={"more": "that"},
    )
    assert run["status"] == "completed"
    assert house.desk.brought["b"] == "this and that"


def test_a_step_is_an_action_like_any_other_and_says_whose_it_is() -> None:
    house = House()
    run = house.start(step("a", summary="Opens the account."))
    asked = house.agent.history(house.action(run, "a"))[0]["data"]["request"]
    assert asked["workflow"] == {"run": run["run_id"], "step": "a"}
    assert asked["decision"] == {"agent": "workflow:onboarding", "reason": "Opens the account."}
    assert house.agent.status(house.action(run, "a"))["status"] == "succeeded"


def test_the_wish_of_a_client_to_be_a_step_is_refused_and_nobody_is_told() -> None:
    house = House()
    run = house.start(step("a"), step("b", needs=["a"]), wait=0.0)
    forged = house.agent.process(
        {"action_type": "do", "parameters": {"name": "x"}, "workflow": {"run": run["run_id"], "step": "a"}}
    )
    assert forged["error"]["code"] == "unknown_field"
    house.clock.pass_time(120)
    house.agent.advance(forged["action_id"])
    assert house.steps(run) == {"a": "running", "b": "pending"}


def test_what_may_begin_together_is_there_for_workers_side_by_side() -> None:
    house = House()
    run = house.start(step("a"), step("b"), step("c"), step("last", needs=["a", "b", "c"]), wait=0.0)
    assert house.steps(run) == {"a": "running", "b": "running", "c": "running", "last": "pending"}
    assert len(house.store.line(house.clock.now(), 10)) == 3
    house.drive()
    assert house.status(run) == "completed"
    assert house.desk.done[-1] == "last"


def test_what_is_not_wanted_is_skipped_and_what_needs_it_goes_on() -> None:
    house = House()
    unwanted = step("b", **{"if": "inputs.wanted"})
    run = house.start(
        step("a"), unwanted, step("c", needs=["b"]), inputs={"wanted": {"type": "boolean"}}, given={"wanted": False}
    )
    assert run["status"] == "completed"
    assert house.steps(run) == {"a": "succeeded", "b": "skipped", "c": "succeeded"}
    assert sorted(house.desk.done) == ["a", "c"]


def test_what_is_not_there_fails_the_step_and_not_the_engine() -> None:
    house = House()
    run = house.start(
        step("a"),
        {"id": "b", "uses": "do", "with": {"name": "b", "value": "${{ steps.a.result.no_such_thing }}"}},
        step("c", needs=["b"]),
    )
    assert (run["status"], run["needs_operator"]["steps"]) == ("needs_operator", ["b"])
    assert house.steps(run) == {"a": "succeeded", "b": "failed", "c": "pending"}
    ended = [entry for entry in house.agent.workflow_history(run["run_id"]) if entry["data"].get("status") == "failed"]
    assert ended[0]["data"]["error"]["code"] == "unresolved_reference"


def test_a_step_may_look_at_one_that_could_not_even_begin() -> None:
    house = House()
    broken = {"id": "a", "uses": "do", "with": {"name": "${{ inputs.x }}"}, "on_failure": "continue"}
    looks = {"id": "b", "uses": "do", "with": {"name": "b", "value": "${{ steps.a.error.code }}"}}
    run = house.start(broken, looks, inputs={"x": {"type": "object"}}, given={"x": {}})
    assert house.steps(run) == {"a": "failed", "b": "succeeded"}
    house = House()
    unresolved = {**broken, "with": {"name": "a", "value": "${{ inputs.x.y }}"}}
    run = house.start(unresolved, looks, inputs={"x": {"type": "object"}}, given={"x": {}})
    assert (run["status"], house.desk.brought["b"]) == ("completed", "unresolved_reference")


def test_a_retried_step_is_waited_for() -> None:
    house = House()
    house.desk.script["a"] = [LATER, LATER]
    run = house.start(step("a"), step("b", needs=["a"]), wait=0.6)
    assert (run["status"], house.steps(run)["a"]) == ("running", "running")
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["a", "b"])


def test_whoever_waits_long_enough_sees_the_end() -> None:
    house = House()
    house.desk.script["a"] = [LATER, LATER]
    pause = {"id": "pause", "wait": {"for": "5s"}, "needs": ["a"]}
    run = house.start(step("a"), pause, step("b", needs=["pause"]), wait=60.0)
    assert (run["status"], house.desk.done) == ("completed", ["a", "b"])


def test_a_steps_timeout_is_its_actions_time() -> None:
    house = House()
    house.desk.script["a"] = [LATER] * 9
    run = house.start(step("a", timeout="30s", on_failure="continue", options={"max_retries": 90}), step("b"), wait=0.6)
    house.drive()
    assert house.status(run) == "completed"
    assert house.steps(run)["a"] == "timed_out"


def test_another_way_is_taken_where_the_first_one_fails() -> None:
    house = House()
    house.desk.script["a"] = [NEVER]
    run = house.start(step("a", fallback=[{"uses": "tell", "with": {"name": "instead"}}]))
    assert (run["status"], house.desk.done) == ("completed", ["instead"])


# -- a failure ------------------------------------------------------------------------------------------------------


def test_where_a_failure_does_not_matter_the_others_go_on() -> None:
    house = House()
    house.desk.script["a"] = [NEVER]
    run = house.start(step("a", on_failure="continue"), step("b", needs=["a"]))
    assert (run["status"], house.desk.done) == ("completed", ["b"])


def test_where_a_failure_stops_the_run_what_runs_ends_and_a_person_is_called() -> None:
    house = House()
    house.desk.script["a"] = [NEVER]
    run = house.start(step("a"), step("b"), step("c", needs=["b"]), step("d", needs=["a"]), wait=0.0)
    house.drive()
    assert house.status(run) == "needs_operator"
    assert house.steps(run)["d"] == "pending"
    assert "b" in house.desk.done
    assert house.agent.workflow_status(run["run_id"])["needs_operator"]["steps"] == ["a"]


def test_what_a_person_redrives_lets_the_run_go_on() -> None:
    house = House()
    house.desk.script["a"] = [NEVER]
    run = house.start(step("a"), step("b", needs=["a"]))
    assert run["status"] == "needs_operator"
    assert house.agent.redrive(house.action(run, "a"), **ADA)["status"] == "scheduled"
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["a", "b"])


def test_where_a_failure_is_to_undo_the_others_they_are_undone_the_last_first() -> None:
    house = House()
    house.desk.script["c"] = [NEVER]
    run = house.start(step("a"), step("b", needs=["a"]), step("c", needs=["b"], on_failure="rollback"))
    assert (run["status"], run["remaining"]) == ("compensated", [])
    assert house.desk.done == ["a", "b", "undo b", "undo a"]
    assert house.steps(run) == {"a": "compensated", "b": "compensated", "c": "failed"}


def test_what_cannot_be_undone_is_told_and_the_others_are_undone_all_the_same() -> None:
    house = House()
    house.desk.script["d"] = [NEVER]
    house.desk.script["undo a"] = [NEVER]
    run = house.start(
        step("a"), step("b", "tell", needs=["a"]), step("c", needs=["b"]), step("d", needs=["c"], on_failure="rollback")
    )
    assert run["status"] == "partially_compensated"
    assert [(left["step"], left["status"], left["action_type"]) for left in run["remaining"]] == [
        ("b", "irreversible", "tell"),
        ("a", "compensation_failed", "do"),
    ]
    assert run["remaining"][0]["why"] == "tell cannot be taken back. What is told is told."
    assert run["remaining"][1]["action_id"] == house.action(run, "a")
    # Nobody asked for it but the run, which says whose it is.
    assert house.agent.status(house.action(run, "a"))["result"]["owner"] is None
    assert house.desk.done == ["a", "b", "c", "undo c"]


def test_a_compensation_that_fails_stops_the_rollback_where_the_definition_says_so() -> None:
    house = House()
    house.desk.script = {"c": [NEVER], "undo b": [NEVER]}
    steps = (step("a"), step("b", needs=["a"]), step("c", needs=["b"], on_failure="rollback"))
    run = house.start(*steps, on_rollback_failure="stop")
    assert (run["status"], run["needs_operator"]["steps"]) == ("needs_operator", ["b"])
    assert "undo a" not in house.desk.done
    compensation = house.agent.status(house.action(run, "b"))["result"]["compensation"]
    house.agent.redrive(compensation, **ADA)
    house.drive()
    assert house.status(run) == "compensated"
    assert house.desk.done == ["a", "b", "undo b", "undo a"]


def test_a_compensation_that_is_held_shows_that_a_person_is_needed_and_goes_on_when_it_is_approved() -> None:
    house = House()
    house.desk.held = {"undo b"}
    run = house.start(step("a"), step("b", needs=["a"]))
    undone = house.agent.undo_run(run["run_id"], **ADA)
    assert (undone["status"], undone["needs_operator"]["steps"]) == ("needs_operator", ["b"])
    compensation = house.agent.status(house.action(run, "b"))["result"]["compensation"]
    house.agent.approve(compensation, **ADA)
    house.drive()
    assert (house.status(run), house.desk.done) == ("compensated", ["a", "b", "undo b", "undo a"])


def test_what_is_in_doubt_is_settled_before_anything_is_undone() -> None:
    house = House()
    house.desk.script = {"told": [NOBODY_KNOWS], "c": [NEVER]}
    run = house.start(step("a"), step("told", "tell"), step("c", needs=["a"], on_failure="rollback"), wait=0.0)
    house.agent.advance(house.action(run, "told"))
    house.drive()
    assert house.status(run) == "needs_operator"
    assert "undo a" not in house.desk.done
    house.agent.resolve(house.action(run, "told"), executed=False, **ADA)
    house.drive()
    assert house.status(run) == "compensated"


def test_what_waits_for_a_person_is_shown_and_goes_on_when_he_has_acted() -> None:
    house = House()
    house.desk.held = {"a"}
    run = house.start(step("a"), step("b", needs=["a"]))
    assert (run["status"], run["needs_operator"]["steps"]) == ("needs_operator", ["a"])
    house.agent.approve(house.action(run, "a"), **ADA)
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["a", "b"])


# -- people ---------------------------------------------------------------------------------------------------------


def test_a_run_that_has_ended_is_undone_as_a_whole() -> None:
    house = House()
    run = house.start(step("a"), step("b"), step("c"))
    done = list(house.desk.done)
    assert house.agent.undo_run(run["run_id"], **ADA)["status"] == "compensated"
    assert house.desk.done[3:] == [f"undo {name}" for name in reversed(done)]
    assert house.agent.undo_run(run["run_id"], **ADA)["error"]["code"] == "conflict"


def test_a_paused_run_begins_nothing_until_it_is_resumed() -> None:
    house = House()
    run = house.start(step("a"), step("b", needs=["a"]), wait=0.0)
    assert house.agent.pause_run(run["run_id"], **ADA)["status"] == "paused"
    house.drive()
    assert (house.status(run), house.desk.done) == ("paused", ["a"])
    assert house.agent.resume_run(run["run_id"], **ADA)["status"] == "completed"
    assert house.agent.pause_run(run["run_id"], **ADA)["error"]["code"] == "conflict"


def test_a_cancelled_run_tells_what_stands() -> None:
    house = House()
    house.desk.script["b"] = [LATER]
    run = house.start(step("a"), step("b", needs=["a"]), step("c", needs=["b"]), wait=0.6)
    told = house.agent.cancel_run(run["run_id"], **ADA)
    assert (told["status"], [left["step"] for left in told["remaining"]]) == ("partially_compensated", ["a"])
    house.drive()
    assert house.desk.done == ["a"], "the other attempt of b would have been its first effect"
    assert house.agent.undo_run(run["run_id"], **ADA)["status"] == "compensated"


STOPPING = pytest.mark.parametrize("verb", ["cancel_run", "undo_run"])


@STOPPING
def test_what_has_not_left_when_a_run_is_called_off_does_not_leave(verb: str) -> None:
    house = House()
    house.desk.held = {"held"}
    run = house.start(step("mail", "tell"), step("held"), step("last"), wait=0.0)
    house.agent.advance(house.action(run, "held"))
    assert getattr(house.agent, verb)(run["run_id"], **ADA)["status"] == "compensated"
    house.drive()
    assert house.desk.done == []
    assert {house.agent.status(house.action(run, name))["status"] for name in ("mail", "held", "last")} == {"cancelled"}
    assert house.agent.history(house.action(run, "mail"))[-2]["data"]["by"] == "ada"


def test_a_failure_that_takes_the_run_back_keeps_what_has_not_left_from_leaving() -> None:
    house = House()
    house.desk.script["bad"] = [NEVER]
    run = house.start(step("mail", "tell"), step("bad", on_failure="rollback"))
    house.drive()
    assert (house.status(run), house.desk.done) == ("compensated", [])


@STOPPING
def test_an_attempt_that_runs_when_a_run_is_called_off_is_the_last_one(verb: str) -> None:
    house = House()
    house.desk.script["a"] = [Died()]
    run = house.start(step("a", "tell"), step("b", needs=["a"]), wait=0.0)
    with pytest.raises(Died):
        house.agent.advance(house.action(run, "a"))
    agent = house.process()
    getattr(agent, verb)(run["run_id"], **ADA)
    house.drive()
    assert house.agent.status(house.action(run, "a"))["status"] == "in_doubt"
    assert (house.status(run), house.desk.done) == ("needs_operator", [])


def test_what_may_have_left_goes_on_until_that_is_known_and_is_taken_back() -> None:
    house = House()
    house.desk.script["a"] = [NOBODY_KNOWS]
    run = house.start(step("a"), wait=0.6)
    house.agent.undo_run(run["run_id"], **ADA)
    house.drive()
    assert (house.status(run), house.desk.done) == ("compensated", ["a", "undo a"])


def test_an_action_that_nobody_made_before_the_run_was_called_off_is_made_by_nobody_later() -> None:
    house = House()
    run = house.start(step("a"), step("b", needs=["a"]), step("c", needs=["a"]), wait=0.0)
    house.dies_before(lambda what: what.id == step_action_id(run["run_id"], "b"))
    with pytest.raises(Died):
        house.agent.advance(house.action(run, "a"))
    house.process().cancel_run(run["run_id"], **ADA)
    house.drive()
    assert (house.status(run), house.desk.done) == ("partially_compensated", ["a"])
    assert house.agent.status(house.action(run, "b"))["status"] == "cancelled"


def test_a_process_that_dies_before_it_has_called_an_action_off_leaves_that_to_the_next_look() -> None:
    house = House()
    run = house.start(step("mail", "tell"), step("last"), wait=0.0)
    house.dies_before(lambda what: what.id.startswith("act_"))
    with pytest.raises(Died):
        house.agent.cancel_run(run["run_id"], **ADA)
    agent = house.process()
    house.clock.pass_time(120)
    agent.advance(run["run_id"])
    house.drive()
    assert (house.status(run), house.desk.done) == ("compensated", [])


def test_a_run_that_has_done_nothing_is_cancelled_without_a_trace() -> None:
    house = House()
    run = house.start({"id": "w", "wait": {"for": "3d"}}, step("a", needs=["w"]), wait=0.0)
    assert house.agent.cancel_run(run["run_id"], **ADA)["status"] == "compensated"
    house.drive()
    assert house.desk.done == []


@pytest.mark.parametrize("verb", ["undo_run", "pause_run", "resume_run", "cancel_run"])
def test_an_act_needs_an_actor_a_reason_and_a_run(verb: str) -> None:
    house = House()
    run = house.start(step("a"), wait=0.0)
    act = getattr(house.agent, verb)
    assert act(run["run_id"], actor="", reason="x")["error"]["code"] == "missing_field"
    assert act(run["run_id"], actor="ada", reason="")["error"]["code"] == "missing_field"
    assert act("run_nobody", **ADA)["error"]["code"] == "not_found"
    assert house.words(run)[-1] == "step_begun"


def test_a_step_that_a_person_takes_back_alone_is_known_to_its_run() -> None:
    house = House()
    run = house.start(step("a"), step("b", needs=["a"]))
    assert house.agent.undo(house.action(run, "a"), **ADA)["status"] == "compensated"
    house.drive()
    assert house.steps(run) == {"a": "compensated", "b": "succeeded"}
    assert house.agent.undo_run(run["run_id"], **ADA)["status"] == "compensated"
    assert house.desk.done.count("undo a") == 1


def test_a_failed_compensation_that_is_redriven_completes_the_rollback() -> None:
    house = House()
    house.desk.script["undo a"] = [NEVER]
    run = house.start(step("a"))
    assert house.agent.undo_run(run["run_id"], **ADA)["status"] == "partially_compensated"
    compensation = house.agent.status(house.action(run, "a"))["result"]["compensation"]
    house.agent.redrive(compensation, **ADA)
    house.drive()
    assert (house.status(run), house.agent.workflow_status(run["run_id"])["remaining"]) == ("compensated", [])


def test_a_failed_compensation_has_an_owner_and_is_listed_until_somebody_has_redriven_it() -> None:
    house = House()
    house.desk.script["undo b"] = [NEVER]
    text = workflow(step("a"), step("b"))
    run = house.agent.start_workflow_run(text, actor="grace")
    undone = house.agent.undo_run(run["run_id"], **ADA)
    why = "its compensation failed: redrive that when the cause is mended, or undo the action anew where it was denied"
    needs = {"steps": ["b"], "why": why, "owner": "ada"}
    assert (undone["status"], undone["needs_operator"]) == ("partially_compensated", needs)
    (listed,) = house.agent.list_actions("compensation_failed")
    assert listed["action_id"] == house.action(run, "b")
    assert news_of(house.agent._parts.ledger.load(listed["action_id"])).title == "Action Compensation Failed"
    house.agent.redrive(house.agent.status(listed["action_id"])["result"]["compensation"], **ADA)
    house.drive()
    assert house.agent.workflow_status(run["run_id"])["needs_operator"] is None
    assert house.agent.list_actions("compensation_failed") == []


def test_what_nobody_asked_to_take_back_belongs_to_whoever_started_the_run() -> None:
    house = House()
    house.desk.script |= {"undo a": [NEVER], "b": [NEVER]}
    failing = step("b", needs=["a"], on_failure="rollback")
    run = house.agent.start_workflow_run(workflow(step("a"), failing), actor="grace")
    assert run["needs_operator"]["owner"] == "grace"
    house.desk.script |= {"undo a": [NEVER], "b": [NEVER]}
    assert house.start(step("a"), failing)["needs_operator"]["owner"] is None


def test_a_failed_step_that_succeeds_after_the_rollback_is_taken_back_as_well() -> None:
    house = House()
    house.desk.script["b"] = [NEVER]
    run = house.start(step("a"), step("b", needs=["a"], on_failure="rollback"))
    assert run["status"] == "compensated"
    house.agent.redrive(house.action(run, "b"), **ADA)
    house.drive()
    assert house.status(run) == "compensated"
    assert house.desk.done == ["a", "undo a", "b", "undo b"]


# -- waiting --------------------------------------------------------------------------------------------------------


def test_a_wait_is_a_time_in_the_ledger_and_nobody_sleeps() -> None:
    house = House()
    run = house.start(step("a"), {"id": "w", "wait": {"for": "3d"}, "needs": ["a"]}, step("b", needs=["w"]), wait=0.6)
    began = house.clock.now()
    house.agent.advance(run["run_id"])
    assert house.steps(run)["w"] == "waiting"
    house.drive()
    assert (house.status(run), house.desk.done) == ("completed", ["a", "b"])
    assert 3 * 86_400 <= (house.clock.now() - began).total_seconds() < 4 * 86_400


def test_a_wait_may_be_until_a_day_that_an_input_names() -> None:
    house = House()
    wait = {"id": "w", "wait": {"until": "${{ inputs.day }}"}}
    run = house.start(
        wait, step("a", needs=["w"]), inputs={"day": {"type": "date"}}, given={"day": "2026-03-09"}, wait=0
    )
    house.drive()
    assert house.status(run) == "completed"
    assert house.clock.now().isoformat() >= "2026-03-09T00:00:00+00:00"


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inputs", "code"),
    [
        ("", {}, "invalid_definition"),
        ("name: x\nsteps: [", {}, "invalid_definition"),
        (workflow(step("a", uses="no_such_type")), {}, "invalid_definition"),
        (workflow(step("a", needs=["b"]), step("b", needs=["a"])), {}, "invalid_definition"),
        (workflow({"id": "a", "workflow": "other"}), {}, "invalid_definition"),
        (workflow(step("a"), inputs={"x": {"type": "string", "required": True}}), {}, "missing_field"),
        (workflow(step("a")), {"x": 1}, "unknown_field"),
        (workflow(step("a")), "no object", "invalid_type"),
        (workflow(step("a")), {"x": float("nan")}, "malformed"),
    ],
)
def test_what_cannot_be_run_is_refused_and_leaves_nothing_behind(text: str, inputs: Any, code: str) -> None:
    house = House()
    refused = house.agent.start_workflow_run(text, inputs)
    assert (refused["status"], refused["run_id"]) == ("rejected", None)
    details = {detail["code"] for detail in refused["error"]["details"]}
    assert code in {refused["error"]["code"], *details}
    assert house.store.views(None, 10) == []


def test_bad_keys_and_names_are_refused() -> None:
    house = House()
    text = workflow(step("a"))
    for bad in ({"idempotency_key": ""}, {"actor": "a\nb"}, {"correlation_id": "x" * 256}, {"idempotency_key": 7}):
        assert house.agent.start_workflow_run(text, **bad)["status"] == "rejected"  # type: ignore[arg-type]


def test_the_same_key_is_the_same_run() -> None:
    house = House()
    first = house.start(step("a"), key="k1")
    again = house.start(step("a"), key="k1")
    assert again == {**first, "duplicate": True}
    other = house.start(step("b"), key="k1")
    assert other["error"]["code"] == "idempotency_mismatch"
    assert house.desk.done == ["a"]


def test_a_changed_definition_touches_no_run_that_has_started() -> None:
    house = House()
    run = house.start(step("a"), step("b", needs=["a"]), wait=0.0)
    house.process()
    house.start(step("a"), step("c", needs=["a"]))
    house.drive()
    assert (house.status(run), set(house.steps(run))) == ("completed", {"a", "b"})


def test_runs_are_listed_beside_actions_and_no_bulk_order_concerns_them() -> None:
    house = House()
    run = house.start(step("a"))
    house.agent.undo_run(run["run_id"], **ADA)
    rows = house.agent.list_actions("compensated")
    assert ("workflow:onboarding", run["run_id"]) in {(row["action_type"], row["action_id"]) for row in rows}
    house.clock.pass_time(1)
    assert house.agent.count_bulk("compensated")["count"] == 1
    assert house.agent.status(run["run_id"])["result"] == {"workflow": "onboarding"}
    assert house.agent.history(run["run_id"]) == house.agent.workflow_history(run["run_id"])
    assert house.agent.cancel(run["run_id"], **ADA)["error"]["code"] == "not_found"
