"""The table of the life, walked at random: everything in it is reached, and everything else is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import product
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
from domain.hold import Hold
from domain.lifecycle import AFTER_ARCHIVING, ENDED, MAY_FOLLOW, STATUS_AFTER, Life, Status, require_may_follow
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
MAY_DOUBT = (Life.ATTEMPT_FAILED, Life.HELD, Life.APPROVED)
MOVES_NOTHING = set(Life) - set(STATUS_AFTER)


class LifeOfAnAction(RuleBasedStateMachine):
    """A model that knows only the table beside an action that knows only its commands."""

    walked: ClassVar[set[tuple[Life | None, Life]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.action: Action | None = None
        self.last: Life | None = None

    @initialize(at=st.sampled_from([None, *STATUS_AFTER]), doubted=st.booleans())
    def begin_somewhere(self, at: Life | None, doubted: bool) -> None:
        for step in self.way_to(at, UNKNOWN if doubted else NOT_SENT):
            step()

    def way_to(self, life: Life | None, first_failure: outcome.Failure) -> list[Callable[[], None]]:
        """Commands that lead there. What may carry a doubt carries it if the first attempt failed unknown."""
        fail = partial(self.fail, stale=False)
        retry = partial(fail, failure=first_failure, decision=RetryAt(NOON))
        give_up = partial(fail, failure=NOT_SENT, decision=GiveUp(Reason.EXHAUSTED))
        doubt = partial(fail, failure=UNKNOWN, decision=InDoubt(Doubt.OUTCOME_UNKNOWN))
        find_nothing = partial(self.settle, finding=outcome.NotExecuted(), decision=RetryAt(NOON))
        succeed = partial(self.succeed, stale=False)
        accepted = [self.request, self.validate]
        attempted = [*accepted, self.begin]
        ways: dict[Life | None, list[Callable[[], None]]] = {
            None: [],
            Life.REQUESTED: [self.request],
            Life.REJECTED: [self.request, self.reject],
            Life.VALIDATED: accepted,
            Life.HELD: [*attempted, retry, self.hold],
            Life.APPROVED: [*attempted, retry, self.hold, self.approve],
            Life.DENIED: [*accepted, self.hold, self.deny],
            Life.ATTEMPTED: attempted,
            Life.ATTEMPT_FAILED: [*attempted, retry],
            Life.IN_DOUBT: [*attempted, doubt],
            Life.RESOLVED: [*attempted, doubt, find_nothing],
            Life.SUCCEEDED: [*attempted, succeed],
            Life.FAILED: [*attempted, give_up],
            Life.REDRIVEN: [*attempted, give_up, self.redrive],
            Life.CANCELLED: [*accepted, self.cancel],
            Life.EXPIRED: [*accepted, self.expire],
            Life.COMPENSATION_REQUESTED: [*attempted, succeed, self.request_compensation],
            Life.COMPENSATED: [*attempted, succeed, self.request_compensation, self.compensate],
            Life.COMPENSATION_FAILED: [*attempted, succeed, self.request_compensation, self.fail_compensation],
        }
        return ways[life]

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
        elif self.last in MAY_DOUBT and self.action is not None and self.action.doubted:
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

    @rule()
    def hold(self) -> None:
        self.attempt_to(Life.HELD, lambda action: action.put_on_hold(Hold("review", "a person looks"), at=NOON))

    @rule()
    def approve(self) -> None:
        self.attempt_to(Life.APPROVED, lambda action: action.approve(ORDER, at=NOON))

    @precondition(lambda self: self.action is None or self.action.cancel_requested is None)
    @rule()
    def deny(self) -> None:
        doubted = self.last is Life.HELD and self.action is not None and self.action.doubted
        events = [Life.CANCEL_REQUESTED, Life.IN_DOUBT] if doubted else [Life.DENIED]
        self.attempt_to(*events, lambda action: action.deny(ORDER, at=NOON))

    @rule()
    def request_compensation(self) -> None:
        self.attempt_to(
            Life.COMPENSATION_REQUESTED,
            lambda action: action.request_compensation("act_other", ORDER, look_at=NOON, at=NOON),
        )

    @rule()
    def report(self) -> None:
        self.attempt_to(Life.REPORTED, lambda action: action.reported(at=NOON))

    @rule()
    def compensate(self) -> None:
        self.attempt_to(Life.COMPENSATED, lambda action: action.compensated(at=NOON))

    @rule()
    def fail_compensation(self) -> None:
        self.attempt_to(
            Life.COMPENSATION_FAILED, lambda action: action.fail_compensation(ErrorReport("a", "b"), at=NOON)
        )

    @rule()
    def place_legal_hold(self) -> None:
        if self.action is None or "case-7" not in self.action.legal_holds:
            self.attempt_to(Life.LEGAL_HOLD_PLACED, lambda action: action.place_legal_hold("case-7", ORDER, at=NOON))

    @rule()
    def lift_legal_hold(self) -> None:
        if self.action is not None and "case-7" in self.action.legal_holds:
            self.attempt_to(Life.LEGAL_HOLD_LIFTED, lambda action: action.lift_legal_hold("case-7", ORDER, at=NOON))

    @precondition(lambda self: self.action is None or not self.action.legal_holds)
    @rule()
    def archive(self) -> None:
        self.attempt_to(Life.ARCHIVED, lambda action: action.archive("a file", 0, ORDER, at=NOON))

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
        is_archived = self.action.archived is not None
        if self.last in MAY_FOLLOW[events[0]] and (not is_archived or events[0] in AFTER_ARCHIVING):
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
            if self.action.status not in (Status.IN_DOUBT, Status.HELD):
                assert (self.action.due_at is None) == (self.action.status in ENDED)


COMMANDS: list[Callable[[LifeOfAnAction], None]] = [
    LifeOfAnAction.reject,
    LifeOfAnAction.validate,
    LifeOfAnAction.hold,
    LifeOfAnAction.approve,
    LifeOfAnAction.deny,
    LifeOfAnAction.begin,
    LifeOfAnAction.expire,
    LifeOfAnAction.cancel,
    LifeOfAnAction.redrive,
    LifeOfAnAction.bring_forward,
    LifeOfAnAction.defer,
    LifeOfAnAction.request_compensation,
    LifeOfAnAction.report,
    LifeOfAnAction.compensate,
    LifeOfAnAction.fail_compensation,
    LifeOfAnAction.place_legal_hold,
    LifeOfAnAction.archive,
    *(partial(LifeOfAnAction.succeed, stale=stale) for stale in (False, True)),
    *(partial(LifeOfAnAction.fail, stale=False, failure=UNKNOWN, decision=decision) for decision in DECISIONS),
    *(partial(LifeOfAnAction.settle, finding=finding, decision=DECISIONS[0]) for finding in FINDINGS),
    *(partial(LifeOfAnAction.resolve, verdict=verdict) for verdict in Verdict),
]


def test_every_transition_of_the_table_is_reached_and_every_other_pair_refused() -> None:
    LifeOfAnAction.walked = set()
    for life, doubted, command in product([None, *STATUS_AFTER], (False, True), COMMANDS):
        story = LifeOfAnAction()
        story.begin_somewhere(life, doubted)
        command(story)
        story.lift_legal_hold()
    run_state_machine_as_test(
        LifeOfAnAction,
        settings=settings(
            max_examples=500,
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
    if event not in AFTER_ARCHIVING:
        with pytest.raises(IllegalTransition, match="archived"):
            require_may_follow(event, last, archived=True)


def test_stored_words_never_change() -> None:
    assert [life.topic for life in Life] == [
        "action.requested",
        "action.rejected",
        "action.validated",
        "action.held",
        "action.approved",
        "action.denied",
        "action.attempted",
        "action.attempt_failed",
        "action.in_doubt",
        "action.resolved",
        "action.succeeded",
        "action.failed",
        "action.redriven",
        "action.cancelled",
        "action.expired",
        "action.compensation_requested",
        "action.compensated",
        "action.compensation_failed",
        "action.cancel_requested",
        "action.brought_forward",
        "action.deferred",
        "action.probed",
        "action.reported",
        "action.late_outcome",
        "action.legal_hold_placed",
        "action.legal_hold_lifted",
        "action.archived",
    ]
