"""The judge of workflow runs in the storm, against runs that a person can see to be wrong."""

from __future__ import annotations

import json
from itertools import islice
from random import Random

from handlers.actions.call_webhook import CallWebhook
from handlers.workflows.reading import read_definition
from tests.storm.effect import ACTIONS
from tests.storm.plots import MOST_STEPS, Plot, plots
from tests.storm.run_audit import Event, Told, violations_of
from tests.storm.sink import Seen
from tests.storm.story import webhook_parameters

STEP = {"needs": [], "on_failure": "stop", "uses": "call_webhook", "with": webhook_parameters("idempotent_by_key")}
PLOT = Plot("k", {"steps": [{"id": "a", **STEP}, {"id": "b", **STEP}]}, True, False, False, False)


def run(*told: tuple[str, str], status: str = "completed") -> Told:
    """A run of two steps, by what happened to it and to which of them."""
    events = [Event("started", {"definition": PLOT.document, "cause": {}})]
    events += [Event(kind, {"step": step, "status": "succeeded"}) for kind, step in told]
    return Told(PLOT, status=status, events=[*events, Event(status, {})])


def carried_out(told: Told, action_id: str, *numbers: int, status: str = "succeeded") -> None:
    """The action has succeeded, and the receiver has seen it: each number is an effect."""
    compensation = {"compensation": PLOT.undo_of("a" if action_id == PLOT.action_of("a") else "b")}
    asked = [{"type": "compensation_requested", "data": compensation}] if status == "compensated" else []
    life = [{"type": "attempted", "data": {}}, {"type": "succeeded", "data": {}}, *asked]
    told.actions[action_id] = {"status": status, "history": life}
    told.seen = {**told.seen, action_id: [Seen(1, "answer", True, number) for number in numbers]}


def kinds(told: Told) -> set[str]:
    return {violation.kind for violation in violations_of(told)}


def completed() -> Told:
    told = run(("step_begun", "a"), ("step_ended", "a"), ("step_begun", "b"), ("step_ended", "b"))
    carried_out(told, PLOT.action_of("a"), 1)
    carried_out(told, PLOT.action_of("b"), 2)
    return told


def test_a_run_that_is_as_it_should_be_breaks_no_promise() -> None:
    assert kinds(completed()) == set()


def test_a_run_that_was_answered_and_is_not_there_is_lost() -> None:
    assert "lost" in kinds(Told(PLOT, answers=[{"run_id": PLOT.run_id, "status": "running", "error": None}]))


def test_a_run_is_at_one_of_its_ends() -> None:
    told = completed()
    told.status = "rolling_back"
    assert "not settled" in kinds(told)


def test_an_action_is_cancelled_only_where_its_run_was_called_off_and_then_without_effect() -> None:
    told = run(("step_begun", "a"), ("rollback_begun", "a"), status="compensated")
    told.actions[PLOT.action_of("a")] = {"status": "cancelled", "history": []}
    found = kinds(told)
    assert not found & {"not settled", "cancelled with effect"}
    told.seen = {PLOT.action_of("a"): [Seen(1, "answer", True, 1)]}
    assert "cancelled with effect" in kinds(told)
    told.events = [event for event in told.events if event.kind != "rollback_begun"]
    assert "not settled" in kinds(told)


def test_an_action_of_a_step_that_never_began_is_an_orphan() -> None:
    told = run(("step_begun", "a"), ("step_ended", "a"))
    carried_out(told, PLOT.action_of("a"), 1)
    carried_out(told, PLOT.action_of("b"), 2)
    assert "orphan action" in kinds(told)


def test_an_end_that_the_run_has_not_heard_of_is_found() -> None:
    told = run(("step_begun", "a"), ("step_ended", "a"), ("step_begun", "b"))
    carried_out(told, PLOT.action_of("a"), 1)
    carried_out(told, PLOT.action_of("b"), 2)
    assert "every end of a step is heard" in kinds(told)


def test_what_is_idempotent_takes_effect_once() -> None:
    told = completed()
    carried_out(told, PLOT.action_of("b"), 2, 3)
    assert "duplicate effect" in kinds(told)


def test_the_receiver_sees_the_last_step_undone_first() -> None:
    told = completed()
    for step, number in (("a", 3), ("b", 4)):
        carried_out(told, PLOT.action_of(step), number - 2, status="compensated")
        carried_out(told, PLOT.undo_of(step), number)
    assert "undone out of turn" in kinds(told)


def test_what_is_said_to_be_taken_back_was_taken_back_by_something() -> None:
    told = completed()
    carried_out(told, PLOT.action_of("b"), 2, status="compensated")
    assert "undone by nobody" in kinds(told)


def test_every_plot_is_a_workflow_of_up_to_eight_steps() -> None:
    action_types = {kind.action_type: kind.parameters for kind in (*ACTIONS, CallWebhook)}
    documents = [plot.document for plot in islice(plots(30.0, Random(1)), 200)]

    assert {len(document["steps"]) for document in documents} == set(range(1, MOST_STEPS + 1))
    for document in documents:
        assert read_definition(json.dumps(document).encode(), action_types).document
