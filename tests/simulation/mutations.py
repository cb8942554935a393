"""Bugs that somebody could write, planted one at a time. A simulation that does not find them proves nothing.

A bug is planted by putting a broken method in the place of a good one, for as long as it is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from eventsourcing.persistence import IntegrityError

from domain import lifecycle, workflow_progress
from domain.action import Action
from domain.errors import LedgerConflict, LedgerUnavailable
from domain.events import ActionEvent, Expired
from domain.ledger import ActionLedger
from domain.lifecycle import Life, Status
from domain.outcome import CannotTell, Executed, NotExecuted, Outcome, Retry, Succeeded, Unknown
from domain.policy import Decision, FallBack, InDoubt, Retries, RetryAt
from domain.standing import Standing
from domain.workflow_events import RunLife
from domain.workflow_standing import RunStanding, StepStatus, UndoStatus
from handlers.advance import Advance
from handlers.compensate import Compensate
from handlers.execute import Execute
from handlers.receive import Receive
from handlers.workflows import conduct, timetable
from handlers.workflows.conduct import Conduct
from handlers.workflows.start import Start
from tests.simulation.processes import RunHolders
from tests.simulation.store import SimulatedStore

Broken = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug: where it sits, and what stands there, made of what stood there before."""

    name: str
    owner: Any
    attribute: str
    broken: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        good = vars(self.owner)[self.attribute]
        setattr(self.owner, self.attribute, self.broken(good))
        try:
            yield
        finally:
            setattr(self.owner, self.attribute, good)


# -- intent and effect ----------------------------------------------------------------------------------------------


class _NoLedger:
    """Takes everything and records nothing."""

    def record(self, action: Action) -> None:
        pass


def _recorded_after_the_send(record_intent: Broken) -> Broken:
    def broken(self: Any, *details: Any, **more: Any) -> Any:
        ledger, self._ledger = self._ledger, _NoLedger()
        try:
            return record_intent(self, *details, **more)
        finally:
            self._ledger = ledger

    return broken


def _sent_in_spite_of(error: type[Exception]) -> Callable[[Broken], Broken]:
    def mutate(record_intent: Broken) -> Broken:
        def broken(self: Any, action: Action, *details: Any, **more: Any) -> Any:
            try:
                return record_intent(self, action, *details, **more)
            except error:
                return action.version

        return broken

    return mutate


def _exception_is_certain(perform: Broken) -> Broken:
    def broken(self: Any, *details: Any) -> Outcome:
        outcome: Outcome = perform(self, *details)
        if isinstance(outcome, Unknown) and outcome.code == "unhandled_exception":
            return Retry(outcome.code, outcome.message)
        return outcome

    return broken


def _throttled_is_success(perform: Broken) -> Broken:
    def broken(self: Any, *details: Any) -> Outcome:
        outcome: Outcome = perform(self, *details)
        return Succeeded({}) if isinstance(outcome, Retry) and outcome.code == "http_429" else outcome

    return broken


def _answer_lost_to_a_conflict(conclude: Broken) -> Broken:
    def broken(self: Any, action: Action, epoch: int, outcome: Outcome) -> Action:
        try:
            action = self._record_outcome(action, epoch, outcome)
        except LedgerConflict:
            action = self._ledger.load(action.id)
        return action

    return broken


# -- deciding -------------------------------------------------------------------------------------------------------


def _retry_from_doubt(decide: Broken) -> Broken:
    def broken(self: Any, action: Action, failure: Any, now: datetime) -> Decision:
        decision: Decision = decide(self, action, failure, now)
        return RetryAt(now + timedelta(seconds=1)) if isinstance(decision, InDoubt) else decision

    return broken


def _fallback_from_doubt(decide: Broken) -> Broken:
    def broken(self: Any, action: Action, failure: Any, now: datetime) -> Decision:
        decision: Decision = decide(self, action, failure, now)
        if isinstance(decision, InDoubt) and action.route < len(action.fallbacks):
            return FallBack(now)
        return decision

    return broken


def _one_retry_too_many(remain_after: Broken) -> Broken:
    return lambda self, attempt: remain_after(replace(self, limit=self.limit + 1), attempt)


def _lapse_is_certain(_: Broken) -> Broken:
    gone = Retry("lease_lapsed", "the process is gone, so it has done nothing")
    return lambda self, action, **_: self._conclude(action, action.epoch or 0, gone)


def _expiry_hides_doubt(_: Broken) -> Broken:
    def broken(self: Action, *, at: datetime) -> None:
        self._happened(Expired, at, code="expired", message="too late")

    return broken


def _cancel_hides_doubt(cancel: Broken) -> Broken:
    def broken(self: Any, order: Any, *, at: datetime) -> None:
        self.doubted = False
        cancel(self, order, at=at)

    return broken


def _fence_ignored(_: Broken) -> Broken:
    return lambda self, epoch: self.status is Status.ATTEMPTED


def _always(answer: object) -> Callable[[Broken], Broken]:
    return lambda _: lambda *_args, **_more: answer


# -- what events make of an action ----------------------------------------------------------------------------------


def _applied(life: Life, change: Callable[[Any, Any], None]) -> Callable[[Any], Any]:
    """After this event, `change` is made as well."""

    def mutate(table: Any) -> Any:
        apply = table[life]

        def broken(self: Any, event: ActionEvent) -> None:
            apply(self, event)
            change(self, event)

        return {**table, life: broken}

    return mutate


def _change_key(action: Any, _: ActionEvent) -> None:
    action.effect_key += "-again"


def _forget_due(action: Any, _: ActionEvent) -> None:
    action.due_at = None


def _due_at_once(action: Any, event: ActionEvent) -> None:
    action.due_at = action.due_at and event.timestamp


def _forget_wish(action: Any, _: ActionEvent) -> None:
    action.cancel_requested = None


def _forget_doubt(action: Any, event: Any) -> None:
    action.doubted = event.failure == "unknown"


def _route_keeps_its_key(begin_route: Broken) -> Broken:
    def broken(self: Any, route: int) -> None:
        key = self.effect_key
        begin_route(self, route)
        self.effect_key = key

    return broken


def _redrive_from_doubt(table: Any) -> Any:
    return {**table, Life.REDRIVEN: table[Life.REDRIVEN] | {Life.IN_DOUBT}}


# -- who does what, and when ----------------------------------------------------------------------------------------


def _living_taken_over(take_over: Broken) -> Broken:
    def broken(self: Any, action: Action) -> Action:
        is_over, self._is_over = self._is_over, lambda _: True
        try:
            taken: Action = take_over(self, action)
        finally:
            self._is_over = is_over
        return taken

    return broken


def _zombies_are_dead(table: Any) -> Any:
    def forget(action: Any, _: ActionEvent) -> None:
        action.may_still_act = False

    return _applied(Life.IN_DOUBT, forget)(table)


def _what_cannot_be_told_was_not_done(settle: Broken) -> Broken:
    def broken(self: Action, finding: Any, decision: Any, *, at: datetime) -> None:
        settle(self, NotExecuted() if isinstance(finding, CannotTell) else finding, decision, at=at)

    return broken


def _whatever_was_asked_for_was_done(settle: Broken) -> Broken:
    return lambda self, finding, decision, *, at: settle(self, Executed(), decision, at=at)


def _asked_for_ever(stays: Broken) -> Broken:
    def broken(self: Any, finding: Any, at: datetime) -> None:
        self.probes = 0
        stays(self, finding, at)

    return broken


def _everybody_is_dead(_: Broken) -> Broken:
    return lambda self, holder: holder is not None and holder != self.me()


def _own_commit_is_a_conflict(_: Broken) -> Broken:
    return lambda self, problem: IntegrityError("a commit is there already")


def _ledger_ignored(record: Broken) -> Broken:
    def broken(self: Any, action: Action) -> None:
        try:
            record(self, action)
        except LedgerUnavailable:
            return

    return broken


def _key_ignored(_: Broken) -> Broken:
    return lambda self, request: self._new_id()


def _taken_back_anyhow(_: Broken) -> Broken:
    def broken(self: Any, original: Action, compensation: Action) -> None:
        if original.status is Status.COMPENSATING:
            original.compensated(at=self._world.clock.now())
            self._ledger.record(original)

    return broken


def _nobody_makes_it(_: Broken) -> Broken:
    def broken(self: Any, action: Action, deadline: Any) -> Action:
        now = self._world.clock.now()
        action.await_compensation(now + timedelta(days=30), at=now)
        self._ledger.record(action)
        return action

    return broken


# -- workflow runs --------------------------------------------------------------------------------------------------


def _the_first_is_undone_first(_: Broken) -> Broken:
    def broken(self: Any) -> str | None:
        left = [step for step in self.standing() if step not in self.undone]
        return left[-1] if left else None

    return broken


def _failure_is_no_failure(learn: Broken) -> Broken:
    def broken(run: Any, step: str, action: Action, *, at: datetime) -> None:
        if action.status is Status.FAILED:
            if step in run.open:
                run.end_step(step, StepStatus.SUCCEEDED, at=at)
            return
        learn(run, step, action, at=at)

    return broken


def _goes_on_while_some_run(backwards: Broken) -> Broken:
    def broken(run: Any, definition: Any) -> Any:
        running, run.open = run.open, {}
        try:
            return backwards(run, definition)
        finally:
            run.open = running

    return broken


def _a_late_success_is_ignored(learn: Broken) -> Broken:
    def broken(run: Any, step: str, action: Action, *, at: datetime) -> None:
        if not run.has_failed(step):
            learn(run, step, action, at=at)

    return broken


def _stops_at_the_first_irreversible(conclude: Broken) -> Broken:
    def broken(run: Any, definition: Any) -> Any:
        if any(one.status is UndoStatus.IRREVERSIBLE for one in run.undone.values()):
            return workflow_progress.Conclude()
        return conclude(run, definition)

    return broken


def _only_needs_matter(_: Broken) -> Broken:
    """A step begins when one of its needs has ended."""

    def broken(run: Any, definition: Any) -> Any:
        for step in definition.steps:
            fresh = step.id not in run.ended and step.id not in run.open
            if fresh and (not step.needs or any(need in run.ended for need in step.needs)):
                yield step

    return broken


def _run_key_ignored(new: Broken) -> Broken:
    return lambda self, definition, inputs, run_id, **cause: new(self, definition, inputs, self._new_id(), **cause)


def _a_failed_run_has_done_nothing(_: Broken) -> Broken:
    return lambda self, step: step not in self.otherwise and step in (self.acted | self.nested)


def _nothing_of_a_rollback(pass_on: Broken) -> Broken:
    def broken(run: Any, child: Any, *, at: datetime) -> None:
        if run.rollback is None:
            pass_on(run, child, at=at)

    return broken


def _the_first_word_is_the_last(learn_of_run: Broken) -> Broken:
    def broken(run: Any, step: str, child: Any, *, at: datetime) -> None:
        if step not in run.ended:
            learn_of_run(run, step, child, at=at)

    return broken


def _whatever_comes_begins(_: Broken) -> Broken:
    return lambda run, timetable, moment, now: None


def _moment_stays(table: Any) -> Any:
    """What has come comes again."""
    came = table[RunLife.MOMENT_CAME]

    def broken(self: Any, event: Any) -> None:
        before = self.next_moment
        came(self, event)
        self.next_moment = before if event.why is None else self.next_moment

    return {**table, RunLife.MOMENT_CAME: broken}


def _nobody_waits(table: Any) -> Any:
    came = table[RunLife.MOMENT_CAME]

    def broken(self: Any, event: Any) -> None:
        came(self, event)
        self.queued = None

    return {**table, RunLife.MOMENT_CAME: broken}


WORKFLOW_MUTATIONS = (
    Mutation("the first is undone first", RunStanding, "next_to_undo", _the_first_is_undone_first),
    Mutation("a failed step counts as done", conduct, "learn", _failure_is_no_failure),
    Mutation("an end is told to no run", Conduct, "hear", _always(None)),
    Mutation("a lost step is not made again", conduct, "_is_lost", _always(False)),
    Mutation("it is undone while some steps run", workflow_progress, "_backwards", _goes_on_while_some_run),
    Mutation("a step that succeeds late is ignored", conduct, "learn", _a_late_success_is_ignored),
    Mutation(
        "a rollback ends at what is irreversible", workflow_progress, "_backwards", _stops_at_the_first_irreversible
    ),
    Mutation("one need is enough", workflow_progress, "_ready", _only_needs_matter),
    Mutation("an idempotency key of a run is ignored", Start, "new", _run_key_ignored),
    Mutation("the end of a run is told to no parent", Conduct, "_passed_upwards", lambda _: lambda self, run, _: run),
    Mutation("a run is not taken back with its parent", conduct, "pass_on", _nothing_of_a_rollback),
    Mutation(
        "a run that failed has done nothing", RunStanding, "_may_have_done_something", _a_failed_run_has_done_nothing
    ),
    Mutation("the first end of a run is its last", conduct, "learn_of_run", _the_first_word_is_the_last),
    Mutation("whatever moment comes begins", timetable, "_why_not", _whatever_comes_begins),
    Mutation("a moment that has come comes again", RunStanding, "_APPLY", _moment_stays),
    Mutation("a moment that waits is forgotten", RunStanding, "_APPLY", _nobody_waits),
)
"""The same of workflow runs: they are looked for in runs that start workflows."""


MUTATIONS = (
    Mutation("the attempt is recorded after the send", Execute, "_record_intent", _recorded_after_the_send),
    Mutation("an intent that is in conflict is sent", Execute, "_record_intent", _sent_in_spite_of(LedgerConflict)),
    Mutation("an intent that is not stored is sent", Execute, "_record_intent", _sent_in_spite_of(LedgerUnavailable)),
    Mutation("the fence is ignored", Action, "_is_running", _fence_ignored),
    Mutation("a zombie's answer is thrown away", Action, "_keep_late", _always(None)),
    Mutation("an answer is lost to a conflict", Execute, "_conclude", _answer_lost_to_a_conflict),
    Mutation("an exception counts as not sent", Execute, "_perform", _exception_is_certain),
    Mutation("a throttled send counts as done", Execute, "_perform", _throttled_is_success),
    Mutation("it is retried from doubt", Execute, "_decide", _retry_from_doubt),
    Mutation("it falls back from doubt", Execute, "_decide", _fallback_from_doubt),
    Mutation("a lapsed lease counts as not sent", Execute, "lapse", _lapse_is_certain),
    Mutation("expiry hides doubt", Action, "expire", _expiry_hides_doubt),
    Mutation("cancelling hides doubt", Action, "cancel", _cancel_hides_doubt),
    Mutation("a later certain failure hides doubt", Standing, "_APPLY", _applied(Life.ATTEMPT_FAILED, _forget_doubt)),
    Mutation("doubt is redriven", lifecycle, "MAY_FOLLOW", _redrive_from_doubt),
    Mutation("a redrive has another effect key", Standing, "_APPLY", _applied(Life.REDRIVEN, _change_key)),
    Mutation("a fallback has the effect key of its predecessor", Standing, "_begin_route", _route_keeps_its_key),
    Mutation("the key window is ignored", Action, "is_forgotten", _always(False)),
    Mutation("one retry too many", Retries, "remain_after", _one_retry_too_many),
    Mutation("a retry begins before it is due", Standing, "_APPLY", _applied(Life.ATTEMPT_FAILED, _due_at_once)),
    Mutation("nobody is due after a failure", Standing, "_APPLY", _applied(Life.ATTEMPT_FAILED, _forget_due)),
    Mutation("a wish to cancel is forgotten", Standing, "_APPLY", _applied(Life.CANCEL_REQUESTED, _forget_wish)),
    Mutation("not_before is ignored", Receive, "_is_for_later", _always(False)),
    Mutation("expires_at is ignored", Action, "is_expired", _always(False)),
    Mutation("the living are taken over", Advance, "take_over", _living_taken_over),
    Mutation("nobody takes over the dead", Advance, "take_over", lambda _: lambda self, action: action),
    Mutation("a zombie counts as dead", Standing, "_APPLY", _zombies_are_dead),
    Mutation("what a probe cannot tell was not done", Action, "settle", _what_cannot_be_told_was_not_done),
    Mutation("what a probe is asked for was done", Action, "settle", _whatever_was_asked_for_was_done),
    Mutation("a probe is asked for ever", Action, "_stays_in_doubt", _asked_for_ever),
    Mutation("every other process counts as dead", RunHolders, "is_dead", _everybody_is_dead),
    Mutation("nobody has to approve", Action, "is_approved_for", _always(True)),
    Mutation("the end of a compensation is never told", Compensate, "report_back", _always(None)),
    Mutation("a compensation that failed counts as done", Compensate, "_conclude", _taken_back_anyhow),
    Mutation("a lost compensation is not made again", Compensate, "go_on", _nobody_makes_it),
    Mutation("an idempotency key is ignored", Receive, "_identify", _key_ignored),
    Mutation("another request under a key is a duplicate", Receive, "_is_other_request", _always(False)),
    Mutation("a ledger that cannot be used is ignored", ActionLedger, "record", _ledger_ignored),
    Mutation("a lost answer counts as another's commit", SimulatedStore, "_lost", _own_commit_is_a_conflict),
)
"""By what is wrong."""
