"""The table of the life, walked at random: everything in it is reached, and everything else is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain import outcome
from domain.action import Action, Lease, Order, Verdict
from domain.errors import ErrorReport, IllegalTransition
from domain.gate import Closed
from domain.lifecycle import ENDED, MAY_FOLLOW, STATUS_AFTER, Life, Status, require_may_follow
from domain.policy import LEASE_LAPSED, Decision, Delivery, Doubt, FallBack, GiveUp, InDoubt, Reason, RetryAt
from tests.given import ACTION_ID, NOON

UNKNOWN = outcome.Unknown("timed_out", "no answer")
GONE = outcome.Unknown(LEASE_LAPSED, "it may wake up")
NOT_SENT = outcome.Retry("connection_refused", "nobody listens")
DECISIONS = [
    RetryAt(NOON + timedelta(seconds=5)),
    GiveUp(Reason.PERMANENT),
    GiveUp(Reason.EXHAUSTED),
    InDoubt(Doubt.OUTCOME_UNKNOWN),
    FallBack(NOON),
]
FOLLOWS = [decision for decision in DECISIONS if not isinstance(decision, InDoubt)]
FINDINGS = [outcome.Executed(), outcome.NotExecuted(), outcome.CannotTell("no"), outcome.CannotTell("no", again=False)]
ORDER = Order("ada", "it was asked for")
MOVES_NOTHING = set(Life) - set(STATUS_AFTER)


class LifeOfAnAction(RuleBasedStateMachine):
    """A model that knows only the table beside an action that knows only its commands."""

    walked: ClassVar[set[tuple[Life | None, Life]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.action: Action | None = None
        self.last: Life | None = None

    @initialize(head_start=st.integers(0, 7), first_failure=st.sampled_from([UNKNOWN, NOT_SENT]))
    def begin_somewhere(self, head_start: int, first_failure: outcome.Failure) -> None:
        def fail_for_now() -> None:
            self.fail(stale=False, failure=first_failure, decision=DECISIONS[0])

        def fail_for_good() -> None:
            self.begin()
            self.fail(stale=False, failure=NOT_SENT, decision=DECISIONS[2])

        def fail_in_doubt() -> None:
            self.fail(stale=False, failure=UNKNOWN, decision=DECISIONS[3])

        def find_nothing() -> None:
            self.settle(finding=outcome.NotExecuted(), decision=RetryAt(NOON))

        accepted = (self.request, self.validate, self.begin)
        failed, doubted = (fail_for_now, fail_for_good), (fail_in_doubt, find_nothing)
        steps = (*accepted, *failed)[:head_start] if head_start <= 5 else (*accepted, *doubted[: head_start - 5])
        for step in steps:
            step()

    @precondition(lambda self: self.action is None)
    @rule()
    def request(self) -> None:
        self.action = Action.requested(
            ACTION_ID, request={"action_type": "greet"}, fingerprint="f", effect_key="k", at=NOON
        )
        self.walk(Life.REQUESTED)

    @rule()
    def reject(self) -> None:
        self.attempt_to(Life.REJECTED, lambda action: action.reject(ErrorReport("a", "b"), at=NOON))

    @rule()
    def validate(self) -> None:
        self.attempt_to(Life.VALIDATED, lambda action: action.validate(at=NOON))

    @rule()
    def begin(self) -> None:
        self.attempt_to(
            Life.ATTEMPTED,
            lambda action: action.begin_attempt(Lease(NOON), delivery=Delivery.AT_LEAST_ONCE, can_probe=True, at=NOON),
        )

    @rule()
    def expire(self) -> None:
        doubted = self.action is not None and self.action.doubted
        self.attempt_to(Life.IN_DOUBT if doubted else Life.EXPIRED, lambda action: action.expire(at=NOON))

    @rule(stale=st.booleans())
    def succeed(self, stale: bool) -> None:
        epoch = self.epoch(stale)
        applied = self.last is Life.ATTEMPTED and not stale
        self.attempt_to(
            Life.SUCCEEDED if applied else Life.LATE_OUTCOME,
            lambda action: action.succeed(outcome.Succeeded({}), epoch=epoch, at=NOON),
        )

    @rule(stale=st.booleans(), failure=st.sampled_from([UNKNOWN, GONE, NOT_SENT]), decision=st.sampled_from(DECISIONS))
    def fail(self, stale: bool, failure: outcome.Failure, decision: Decision) -> None:
        epoch = self.epoch(stale)
        events = [Life.LATE_OUTCOME]
        if self.last is Life.ATTEMPTED and not stale:
            events = self.events_after(failure, decision)
        self.attempt_to(*events, command=lambda action: action.fail_attempt(failure, decision, epoch=epoch, at=NOON))

    def events_after(self, failure: outcome.Failure, decision: Decision) -> list[Life]:
        assert self.action is not None
        if isinstance(decision, InDoubt):
            return [Life.IN_DOUBT]
        if isinstance(decision, GiveUp):
            return [Life.ATTEMPT_FAILED, Life.FAILED]
        if self.action.cancel_requested is None:
            return [Life.ATTEMPT_FAILED]
        doubted = self.action.doubted or failure is not NOT_SENT
        return [Life.ATTEMPT_FAILED, Life.IN_DOUBT if doubted else Life.CANCELLED]

    @precondition(lambda self: self.action is None or self.action.cancel_requested is None)
    @rule()
    def cancel(self) -> None:
        events = [Life.CANCELLED]
        if self.last is Life.ATTEMPTED:
            events = [Life.CANCEL_REQUESTED]
        elif self.last is Life.ATTEMPT_FAILED and self.action is not None and self.action.doubted:
            events = [Life.CANCEL_REQUESTED, Life.IN_DOUBT]
        self.attempt_to(*events, lambda action: action.cancel(ORDER, at=NOON))

    @rule()
    def redrive(self) -> None:
        self.attempt_to(Life.REDRIVEN, lambda action: action.redrive(ORDER, at=NOON))

    @precondition(lambda self: self.action is None or not self.action.is_brought_forward)
    @rule()
    def bring_forward(self) -> None:
        self.attempt_to(Life.BROUGHT_FORWARD, lambda action: action.bring_forward(ORDER, at=NOON))

    @rule()
    def defer(self) -> None:
        self.attempt_to(
            Life.DEFERRED,
            lambda action: action.defer(NOON, reason=Closed.BUSY, target="crm", turn=False, at=NOON),
        )

    @rule(verdict=st.sampled_from(Verdict))
    def resolve(self, verdict: Verdict) -> None:
        end = Life.SUCCEEDED if verdict is Verdict.EXECUTED else Life.FAILED
        self.attempt_to(Life.RESOLVED, end, lambda action: action.resolve(verdict, ORDER, at=NOON))

    @rule(finding=st.sampled_from(FINDINGS), decision=st.sampled_from(FOLLOWS))
    def settle(self, finding: outcome.Finding, decision: RetryAt | FallBack | GiveUp) -> None:
        self.attempt_to(*self.events_of(finding, decision), lambda action: action.settle(finding, decision, at=NOON))

    def events_of(self, finding: outcome.Finding, decision: Decision) -> list[Life]:
        if isinstance(finding, outcome.Executed):
            return [Life.RESOLVED, Life.SUCCEEDED]
        if isinstance(finding, outcome.CannotTell) or self.action is None or self.action.may_still_act:
            return [Life.PROBED]
        if isinstance(decision, GiveUp):
            return [Life.RESOLVED, Life.FAILED]
        return [Life.RESOLVED, *([Life.CANCELLED] if self.action.cancel_requested else [])]

    def epoch(self, stale: bool) -> int:
        known = (self.action.epoch if self.action else None) or 0
        return known - 1 if stale else known

    def attempt_to(self, *events_and_command: object, command: Callable[[Action], None] | None = None) -> None:
        events = [event for event in events_and_command if isinstance(event, Life)]
        act = command or events_and_command[-1]
        assert callable(act)
        if self.action is None:
            return
        before = self.action.version
        if self.last in MAY_FOLLOW[events[0]]:
            act(self.action)
            for event in events:
                self.walk(event)
            assert self.action.version == before + len(events)
        else:
            with pytest.raises(IllegalTransition):
                act(self.action)
            assert self.action.version == before

    def walk(self, event: Life) -> None:
        self.walked.add((self.last, event))
        if event not in MOVES_NOTHING:
            self.last = event

    @invariant()
    def the_status_is_that_of_the_last_event(self) -> None:
        if self.action is not None and self.last is not None:
            assert self.action.status is STATUS_AFTER[self.last]
            if self.action.status is not Status.IN_DOUBT:
                assert (self.action.due_at is None) == (self.action.status in ENDED)


def test_every_transition_of_the_table_is_reached_and_every_other_pair_refused() -> None:
    LifeOfAnAction.walked = set()
    run_state_machine_as_test(
        LifeOfAnAction,
        settings=settings(
            max_examples=800,
            stateful_step_count=14,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.filter_too_much],
        ),
    )
    table = {(last, event) for event, lasts in MAY_FOLLOW.items() for last in lasts}
    assert table == LifeOfAnAction.walked


@pytest.mark.parametrize("event", Life)
@pytest.mark.parametrize("last", [None, *Life])
def test_the_rule_says_what_the_table_says(event: Life, last: Life | None) -> None:
    if last in MAY_FOLLOW[event]:
        require_may_follow(event, last)
    else:
        with pytest.raises(IllegalTransition, match=event.value):
            require_may_follow(event, last)


def test_stored_words_never_change() -> None:
    assert [life.topic for life in Life] == [
        "action.requested",
        "action.rejected",
        "action.validated",
        "action.attempted",
        "action.attempt_failed",
        "action.in_doubt",
        "action.resolved",
        "action.succeeded",
        "action.failed",
        "action.redriven",
        "action.cancelled",
        "action.expired",
        "action.cancel_requested",
        "action.brought_forward",
        "action.deferred",
        "action.probed",
        "action.late_outcome",
    ]
