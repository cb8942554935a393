"""The table of the life, walked at random: everything in it is reached, and everything else is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from domain import outcome
from domain.action import Action
from domain.errors import ErrorReport, IllegalTransition
from domain.lifecycle import ENDED, MAY_FOLLOW, STATUS_AFTER, Life, Status, require_may_follow
from domain.policy import Delivery, Doubt, GiveUp, InDoubt, Reason, RetryAt
from tests.given import ACTION_ID, NOON

UNKNOWN = outcome.Unknown("timed_out", "no answer")
NOT_SENT = outcome.Retry("connection_refused", "nobody listens")
DECISIONS = [
    RetryAt(NOON + timedelta(seconds=5)),
    GiveUp(Reason.PERMANENT),
    GiveUp(Reason.EXHAUSTED),
    InDoubt(Doubt.OUTCOME_UNKNOWN),
]


class LifeOfAnAction(RuleBasedStateMachine):
    """A model that knows only the table beside an action that knows only its commands."""

    walked: ClassVar[set[tuple[Life | None, Life]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.action: Action | None = None
        self.last: Life | None = None

    @initialize(head_start=st.integers(0, 4), first_failure=st.sampled_from([UNKNOWN, NOT_SENT]))
    def begin_somewhere(self, head_start: int, first_failure: outcome.Failure) -> None:
        def fail_for_now() -> None:
            self.fail(stale=False, failure=first_failure, decision=DECISIONS[0])

        for step in (self.request, self.validate, self.begin, fail_for_now)[:head_start]:
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
            lambda action: action.begin_attempt(lease_until=NOON, delivery=Delivery.AT_LEAST_ONCE, facts=None, at=NOON),
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

    @rule(stale=st.booleans(), failure=st.sampled_from([UNKNOWN, NOT_SENT]), decision=st.sampled_from(DECISIONS))
    def fail(self, stale: bool, failure: outcome.Failure, decision: RetryAt | GiveUp | InDoubt) -> None:
        epoch = self.epoch(stale)
        events = [Life.LATE_OUTCOME]
        if self.last is Life.ATTEMPTED and not stale:
            events = [Life.IN_DOUBT] if isinstance(decision, InDoubt) else [Life.ATTEMPT_FAILED]
            events += [Life.FAILED] if isinstance(decision, GiveUp) else []
        self.attempt_to(*events, command=lambda action: action.fail_attempt(failure, decision, epoch=epoch, at=NOON))

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
        if event is not Life.LATE_OUTCOME:
            self.last = event

    @invariant()
    def the_status_is_that_of_the_last_event(self) -> None:
        if self.action is not None and self.last is not None:
            assert self.action.status is STATUS_AFTER[self.last]
            assert (self.action.due_at is None) == (self.action.status in ENDED | {Status.IN_DOUBT})


def test_every_transition_of_the_table_is_reached_and_every_other_pair_refused() -> None:
    LifeOfAnAction.walked = set()
    run_state_machine_as_test(
        LifeOfAnAction,
        settings=settings(
            max_examples=400,
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
        "action.succeeded",
        "action.failed",
        "action.expired",
        "action.late_outcome",
    ]
