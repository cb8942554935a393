"""The life of a run: what its events make of it, what may happen when, and that a checkpoint says all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from domain.action import Order
from domain.errors import IllegalTransition
from domain.identity import step_action_id
from domain.workflow import CHECKPOINT_EVERY, MOST_REFUSALS, WorkflowRun
from domain.workflow_definition import Definition, OnFailure, definition_of
from domain.workflow_events import RUN_REGISTRY, Checkpointed, RunLife, WorkflowEvent
from domain.workflow_progress import Begin, Complete, Conclude, GiveUp, NeedOperator, RollBack, Undo, next_of
from domain.workflow_standing import FIRST_LOOK, MAY_STAND_AT, RunStatus, StepStatus, UndoStatus

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = "run_01m87gb1k7e4sb6d1n6rvkge9g"
ADA = Order("ada", "it was asked for")

Told = tuple[str, Mapping[str, Any]]
A_BEGUN: Told = ("step_begun", {"step": "a", "action": step_action_id(RUN, "a")})
A_DONE: Told = ("step_ended", {"step": "a", "status": "succeeded"})
A_FAILED: Told = ("step_ended", {"step": "a", "status": "failed", "error": {"code": "http_404", "message": "no"}})
B_BEGUN: Told = ("step_begun", {"step": "b", "action": step_action_id(RUN, "b")})
B_DONE: Told = ("step_ended", {"step": "b", "status": "succeeded"})
ROLLBACK: Told = ("rollback_begun", {"by": "ada", "why": "it was asked for"})


def new_run() -> WorkflowRun:
    return WorkflowRun.started(
        RUN, name="onboarding", definition={}, definition_hash="0" * 64, inputs={"x": 1}, cause={}, at=NOON
    )


def after(*told: Told) -> WorkflowRun:
    """The run that has lived through this, a second between two events."""
    run = new_run()
    run.collect_events()
    for word, says in told:
        kind = RUN_REGISTRY[RunLife(word).topic]
        at = NOON + timedelta(seconds=run.version)
        kind(originator_id=RUN, originator_version=run.version + 1, timestamp=at, **says).mutate(run)
    return run


class given:  # noqa: N801 - reads as a sentence
    """`given(*events).when(command).then(*events)`"""

    def __init__(self, *told: Told) -> None:
        self.run = after(*told)

    def when(self, command: Callable[[WorkflowRun], Any]) -> given:
        self._command = command
        return self

    def then(self, *expected: Told) -> WorkflowRun:
        self._command(self.run)
        decided = [event for event in self.run.pending_events if isinstance(event, WorkflowEvent)]
        assert [event.life.value for event in decided] == [word for word, _ in expected]
        for event, (_, says) in zip(decided, expected, strict=True):
            assert {name: getattr(event, name) for name in says} == dict(says)
        return self.run

    def then_refused(self) -> None:
        with pytest.raises(IllegalTransition):
            self._command(self.run)
        assert self.run.pending_events == []


def test_a_step_begins_once_and_ends_once() -> None:
    given().when(lambda run: run.begin_action("a", "act_a", at=NOON)).then(
        ("step_begun", {"step": "a", "action": "act_a"})
    )
    given(A_BEGUN).when(lambda run: run.begin_action("a", "act_a", at=NOON)).then_refused()
    given(A_BEGUN, A_DONE).when(lambda run: run.begin_wait("a", NOON, at=NOON)).then_refused()
    given(A_BEGUN, A_DONE).when(lambda run: run.end_step("a", StepStatus.FAILED, at=NOON)).then_refused()


def test_a_failed_step_may_still_succeed_and_then_the_run_goes_on() -> None:
    needs = ("needs_operator", {"steps": ["a"], "why": "it failed"})
    run = (
        given(A_BEGUN, A_FAILED, needs)
        .when(lambda run: run.end_step("a", StepStatus.SUCCEEDED, at=NOON))
        .then(("step_ended", {"step": "a", "status": "succeeded", "error": None}))
    )
    assert (run.status, run.needs, run.look_at) == (RunStatus.RUNNING, None, NOON + FIRST_LOOK)


def test_what_is_taken_back_is_the_last_that_succeeded() -> None:
    both = (A_BEGUN, B_BEGUN, B_DONE, A_DONE, ROLLBACK)
    given(*both).when(lambda run: run.begin_undo("b", at=NOON)).then_refused()
    given(*both).when(lambda run: run.begin_undo("a", at=NOON)).then(("step_undo_begun", {"step": "a"}))
    began = (*both, ("step_undo_begun", {"step": "a"}))
    given(*began).when(lambda run: run.begin_undo("b", at=NOON)).then_refused()
    failed = (*began, ("step_undone", {"step": "a", "status": "compensation_failed"}))
    given(*failed).when(lambda run: run.begin_undo("b", at=NOON)).then(("step_undo_begun", {"step": "b"}))
    given(*failed).when(lambda run: run.end_undo("a", UndoStatus.COMPENSATED, at=NOON)).then(
        ("step_undone", {"step": "a", "status": "compensated"})
    )
    given(*failed).when(lambda run: run.end_undo("a", UndoStatus.IRREVERSIBLE, at=NOON)).then_refused()


def test_nothing_is_taken_back_that_did_not_happen() -> None:
    given(A_BEGUN, A_FAILED, ROLLBACK).when(lambda run: run.begin_undo("a", at=NOON)).then_refused()
    given(A_BEGUN, A_FAILED).when(lambda run: run.end_undo("a", UndoStatus.COMPENSATED, at=NOON)).then_refused()
    skipped = ("step_ended", {"step": "a", "status": "skipped"})
    given(skipped, ROLLBACK).when(lambda run: run.begin_undo("a", at=NOON)).then_refused()


def test_what_remains_decides_how_a_run_ends() -> None:
    left = [{"step": "a", "why": "irreversible"}]
    given(ROLLBACK).when(lambda run: run.conclude([], at=NOON)).then(("compensated", {}))
    run = (
        given(ROLLBACK)
        .when(lambda run: run.conclude(left, at=NOON))
        .then(("partially_compensated", {"remaining": left}))
    )
    assert (run.due_at, run.remaining) == (None, left)


def test_acts_are_refused_where_they_make_no_sense() -> None:
    done: tuple[Told, ...] = (A_BEGUN, A_DONE, ("completed", {}))
    given(*done).when(lambda run: run.pause(ADA, at=NOON)).then_refused()
    given(*done).when(lambda run: run.cancel(ADA, at=NOON)).then_refused()
    given().when(lambda run: run.resume(ADA, at=NOON)).then_refused()
    given(ROLLBACK).when(lambda run: run.begin_rollback("bob", "me too", at=NOON)).then_refused()
    cancelled = ("cancel_requested", {"by": "ada", "why": "no"})
    given(cancelled).when(lambda run: run.cancel(ADA, at=NOON)).then_refused()
    given(*done).when(lambda run: run.begin_rollback("ada", "why", at=NOON)).then(("rollback_begun", {"by": "ada"}))


def test_who_forges_many_callbacks_fills_no_ledger() -> None:
    refused = [("callback_refused", {"step": "a", "why": "forged"})] * MOST_REFUSALS
    run = given(*refused).when(lambda run: run.refuse_callback("a", "forged", at=NOON)).then()
    assert run.status is RunStatus.RUNNING


def test_a_wait_is_the_due_time_of_its_run() -> None:
    run = after(("step_begun", {"step": "w", "until": "2026-03-01T12:00:30.000000Z"}))
    assert run.due_at == NOON + timedelta(seconds=30)


@pytest.mark.parametrize("life", [life for life in RunLife if life is not RunLife.STARTED])
def test_every_event_has_its_place_in_the_table(life: RunLife) -> None:
    assert MAY_STAND_AT[life] <= set(RunStatus)
    assert MAY_STAND_AT[life]


# -- what next ------------------------------------------------------------------------------------------------------


def definition(*steps: tuple[str, str, tuple[str, ...]], **more: Any) -> Definition:
    """Of `(id, on_failure, needs)`."""
    told = [{"id": name, "uses": "do", "on_failure": on, "needs": list(needs)} for name, on, needs in steps]
    return definition_of({"name": "w", "inputs": {}, "steps": told, "on_rollback_failure": "continue", **more})


TWO = definition(("a", "stop", ()), ("b", "stop", ("a",)))


def test_a_step_begins_when_its_needs_have_ended() -> None:
    assert next_of(after(), TWO) == Begin((TWO.steps[0],))
    assert next_of(after(A_BEGUN), TWO) is None
    assert next_of(after(A_BEGUN, A_DONE), TWO) == Begin((TWO.steps[1],))
    assert next_of(after(A_BEGUN, A_DONE, B_BEGUN, B_DONE), TWO) == Complete()
    assert next_of(after(A_BEGUN, A_DONE, ("paused", {"by": "ada", "why": "x"})), TWO) is None


def test_a_failure_is_followed_by_what_its_step_says() -> None:
    assert isinstance(next_of(after(A_BEGUN, A_FAILED), TWO), NeedOperator)
    goes_on = definition(("a", "continue", ()), ("b", "stop", ("a",)))
    assert next_of(after(A_BEGUN, A_FAILED), goes_on) == Begin((goes_on.steps[1],))
    undoes = definition(("a", "rollback", ()), ("b", "stop", ()))
    assert next_of(after(A_BEGUN, B_BEGUN, A_FAILED), undoes) == RollBack("failed: a")
    beside = definition(("a", "stop", ()), ("b", "stop", ()))
    assert next_of(after(A_BEGUN, B_BEGUN, A_FAILED), beside) is None


def test_what_runs_ends_before_anything_is_taken_back_and_what_waits_is_given_up() -> None:
    waits = ("step_begun", {"step": "w", "waits_for": "callback"})
    assert next_of(after(A_BEGUN, A_DONE, B_BEGUN, ROLLBACK), TWO) is None
    assert isinstance(next_of(after(A_BEGUN, A_DONE, waits, ROLLBACK), TWO), GiveUp)
    assert next_of(after(A_BEGUN, A_DONE, B_BEGUN, B_DONE, ROLLBACK), TWO) == Undo("b")
    assert next_of(after(A_BEGUN, A_FAILED, ROLLBACK), TWO) == Conclude()


# -- any life -------------------------------------------------------------------------------------------------------


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Any graph of 1 to 8 steps."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    return definition(
        *(
            (
                name,
                draw(st.sampled_from([str(word) for word in OnFailure])),
                tuple(draw(st.sets(st.sampled_from(names[:number]), max_size=3))) if number else (),
            )
            for number, name in enumerate(names)
        ),
        on_rollback_failure=draw(st.sampled_from(["continue", "stop"])),
    )


class AnyLife:
    """A run of any definition in a world that does anything: it follows what is decided, and draws what happens."""

    def __init__(self, plan: Definition, data: st.DataObject) -> None:
        self.plan, self._data = plan, data
        self.run = WorkflowRun.started(
            RUN, name="w", definition=plan.document, definition_hash=plan.hash, inputs={}, cause={}, at=NOON
        )

    def lives(self) -> WorkflowRun:
        for number in range(200):
            at = NOON + timedelta(seconds=number)
            following = next_of(self.run, self.plan)
            if not (self.happens(at) if following is None else self.follows(following, at)):
                break
        return self.run

    def follows(self, following: Any, at: datetime) -> bool:
        run = self.run
        match following:
            case Begin(steps):
                for step in steps:
                    assert all(need in run.ended for need in step.needs)
                    run.begin_action(step.id, step_action_id(RUN, step.id), at=at)
            case RollBack(why):
                run.begin_rollback("workflow", why, at=at)
            case Undo(step_id):
                assert not run.open
                run.begin_undo(step_id, at=at)
            case Complete():
                run.complete(at=at)
            case Conclude():
                run.conclude([{"step": step_id} for step_id in run.standing()], at=at)
            case NeedOperator(names, why):
                run.need_operator(names, why, at=at)
        return True

    def happens(self, at: datetime) -> bool:
        run, draw = self.run, self._data.draw
        if run.undoing is not None:
            run.end_undo(run.undoing, draw(st.sampled_from(list(UndoStatus))), at=at)
        elif run.status is RunStatus.PAUSED and (not run.open or draw(st.booleans())):
            run.resume(ADA, at=at)
        elif run.status is RunStatus.RUNNING and run.open and run.cancelled is None and draw(st.integers(0, 9)) == 0:
            draw(st.sampled_from([run.pause, run.cancel]))(ADA, at=at)
        elif run.open:
            ended = draw(st.sampled_from([StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.TIMED_OUT]))
            run.end_step(draw(st.sampled_from(sorted(run.open))), ended, at=at)
        else:
            return False
        return True


@settings(max_examples=150, deadline=None)
@drawn(definitions(), st.data())
def test_whatever_happens_a_run_comes_to_one_of_its_ends(plan: Definition, data: st.DataObject) -> None:
    run = AnyLife(plan, data).lives()
    on_failure = {step.id: step.on_failure for step in plan.steps}
    assert run.is_over or run.status is RunStatus.NEEDS_OPERATOR
    if run.status is RunStatus.COMPLETED:
        assert all(on_failure[name] is OnFailure.CONTINUE for name in run.failed)
        assert set(run.ended) == set(on_failure)
    if run.status is RunStatus.COMPENSATED:
        assert not list(run.standing())
    assert folded_from_a_checkpoint(run).state() == run.state()


def what_is_known_of(run: WorkflowRun) -> dict[str, Any]:
    return {name: value for name, value in vars(run).items() if name not in ("_pending_events", "checkpointed_at")}


def read_from(run: WorkflowRun, started: WorkflowEvent) -> Any:
    """The run as its first event and a checkpoint have it, written down in the place of its last event."""
    stored = json.loads(json.dumps(run.state()))
    checkpoint = Checkpointed(
        originator_id=RUN, originator_version=run.version, timestamp=run.modified_on, state=stored
    )
    return WorkflowRun.as_of(started, checkpoint)  # type: ignore[arg-type]


def folded_from_a_checkpoint(run: WorkflowRun) -> WorkflowRun:
    """The same run, as a reader has it who reads its first event, a checkpoint half-way, and what follows.

    A checkpoint says all that there is to know, wherever it stands.
    """
    events = [event for event in run.pending_events if isinstance(event, WorkflowEvent)]
    so_far: Any = None
    read: Any = None
    for place, event in enumerate(events):
        so_far = event.mutate(so_far)
        read = None if read is None else event.mutate(read)
        there = read_from(so_far, events[0])
        assert so_far.is_over or what_is_known_of(there) == what_is_known_of(so_far)
        read = there if place == len(events) // 2 else read
    found: WorkflowRun = read
    return found


def test_the_state_is_written_down_after_so_many_events_and_not_before() -> None:
    run = new_run()
    while run.version < CHECKPOINT_EVERY - 1:
        run.look_again(NOON, at=NOON)
    run.checkpoint(at=NOON)
    assert run.checkpointed_at == 0
    run.look_again(NOON, at=NOON)
    run.checkpoint(at=NOON)
    assert run.checkpointed_at == CHECKPOINT_EVERY + 1
