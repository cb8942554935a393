"""What comes next, after this outcome."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.gate import Limits
from domain.outcome import Failure, Permanent, Retry, Unknown
from domain.policy import (
    LONGEST_WAIT,
    Decision,
    Delivery,
    Doubt,
    FallBack,
    GiveUp,
    InDoubt,
    Reason,
    Retries,
    RetryAt,
    RetryPolicy,
    Route,
    decide,
    rules_of,
)
from tests.fakes import FakeChance
from tests.given import NOON

NEVER = Permanent("http_404", "no such thing")
NOT_SENT = Retry("connection_refused", "nobody listens")
UNKNOWN = Unknown("timed_out", "no answer")
THREE = Retries(RetryPolicy.EXPONENTIAL, limit=3, backoff=timedelta(seconds=1))
ALL = list(Delivery)
RESENDABLE = [Delivery.AT_LEAST_ONCE, Delivery.IDEMPOTENT_BY_KEY]


def decision(
    failure: Failure,
    *,
    attempt: int = 1,
    delivery: Delivery = Delivery.AT_MOST_ONCE,
    doubted: bool = False,
    retries: Retries = THREE,
    key_until: datetime | None = None,
    number: int = 0,
    fallbacks: int = 0,
) -> Decision:
    route = Route(attempt, delivery, doubted, key_until, number, fallbacks)
    return decide(failure, route, retries, now=NOON, chance=FakeChance())


@pytest.mark.parametrize("delivery", ALL)
def test_a_permanent_failure_is_never_tried_again(delivery: Delivery) -> None:
    assert decision(NEVER, delivery=delivery) == GiveUp(Reason.PERMANENT)


@pytest.mark.parametrize("delivery", ALL)
def test_what_certainly_did_not_happen_is_tried_again_whatever_was_promised(delivery: Delivery) -> None:
    assert decision(NOT_SENT, delivery=delivery) == RetryAt(NOON + timedelta(seconds=1))


def test_unknown_is_never_resent_when_at_most_once_was_promised() -> None:
    assert decision(UNKNOWN) == InDoubt(Doubt.OUTCOME_UNKNOWN)


@pytest.mark.parametrize("delivery", RESENDABLE)
def test_unknown_is_resent_under_the_same_key_where_that_was_declared_harmless(delivery: Delivery) -> None:
    assert isinstance(decision(UNKNOWN, delivery=delivery), RetryAt)


@pytest.mark.parametrize("delivery", ALL)
def test_when_the_retries_are_used_up_it_failed(delivery: Delivery) -> None:
    assert decision(NOT_SENT, attempt=4, delivery=delivery) == GiveUp(Reason.EXHAUSTED)


@pytest.mark.parametrize("delivery", RESENDABLE)
def test_when_the_retries_are_used_up_on_unknown_it_is_in_doubt(delivery: Delivery) -> None:
    assert decision(UNKNOWN, attempt=4, delivery=delivery) == InDoubt(Doubt.OUTCOME_UNKNOWN)


@pytest.mark.parametrize("failure", [NEVER, NOT_SENT])
def test_a_certain_failure_does_not_take_back_an_earlier_doubt(failure: Failure) -> None:
    doubted = decision(failure, attempt=4, delivery=Delivery.AT_LEAST_ONCE, doubted=True)
    assert doubted == InDoubt(Doubt.EARLIER_ATTEMPT_UNKNOWN)


@pytest.mark.parametrize("failure", [NOT_SENT, UNKNOWN])
def test_no_retries_means_none(failure: Failure) -> None:
    none = Retries(RetryPolicy.NONE, limit=3, backoff=timedelta(seconds=1))
    assert not isinstance(decision(failure, delivery=Delivery.AT_LEAST_ONCE, retries=none), RetryAt)


def test_a_limit_of_n_means_n_attempts_after_the_first() -> None:
    attempts = [attempt for attempt in range(1, 10) if THREE.remain_after(attempt)]
    assert attempts == [1, 2, 3]


def test_fixed_waits_stay_and_exponential_ceilings_double_up_to_a_day() -> None:
    fixed = Retries(RetryPolicy.FIXED, limit=9, backoff=timedelta(seconds=2))
    assert {fixed.wait_after(n, FakeChance()) for n in range(1, 9)} == {timedelta(seconds=2)}
    assert [THREE.wait_after(n, FakeChance()).total_seconds() for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert THREE.wait_after(100, FakeChance()) == LONGEST_WAIT


def test_jitter_is_full_from_nothing_to_the_ceiling() -> None:
    asked: list[tuple[float, float]] = []

    class Listening(FakeChance):
        def uniform(self, low: float, high: float) -> float:
            asked.append((low, high))
            return low

    assert THREE.wait_after(3, Listening()) == timedelta(0)
    assert asked == [(0.0, 4.0)]


@pytest.mark.parametrize("asks", [Retry("http_429", "slow down", 120.0), Unknown("http_503", "busy", 120.0)])
def test_a_provider_that_asks_to_wait_is_obeyed(asks: Failure) -> None:
    after = decision(asks, delivery=Delivery.AT_LEAST_ONCE)
    assert isinstance(after, RetryAt)
    assert timedelta(seconds=120) <= after.at - NOON <= timedelta(seconds=121)


@pytest.mark.parametrize(("failure", "attempt"), [(NEVER, 1), (NOT_SENT, 4)])
def test_a_route_on_which_nothing_was_done_gives_way_to_the_next(failure: Failure, attempt: int) -> None:
    assert decision(failure, attempt=attempt, fallbacks=2) == FallBack(NOON)
    assert decision(failure, attempt=attempt, number=1, fallbacks=2) == FallBack(NOON)


def test_after_the_last_route_none_is_left() -> None:
    assert decision(NEVER, number=2, fallbacks=2) == GiveUp(Reason.NO_ROUTE)


@pytest.mark.parametrize("delivery", ALL)
def test_nothing_falls_back_from_doubt(delivery: Delivery) -> None:
    assert isinstance(decision(UNKNOWN, attempt=4, delivery=delivery, fallbacks=1), InDoubt)
    assert isinstance(decision(NEVER, attempt=4, delivery=delivery, doubted=True, fallbacks=1), InDoubt)


@pytest.mark.parametrize(("failure", "doubted"), [(UNKNOWN, False), (UNKNOWN, True), (NOT_SENT, True)])
def test_a_provider_that_will_have_forgotten_the_key_is_not_asked_again(failure: Failure, doubted: bool) -> None:
    def after(key_until: datetime) -> Decision:
        return decision(failure, delivery=Delivery.IDEMPOTENT_BY_KEY, doubted=doubted, key_until=key_until)

    assert after(NOON + timedelta(seconds=1)) == InDoubt(Doubt.KEY_WINDOW_OVER)
    assert after(NOON + timedelta(seconds=1.001)) == RetryAt(NOON + timedelta(seconds=1))


def test_a_key_that_nobody_has_seen_cannot_be_forgotten() -> None:
    certain = decision(NOT_SENT, delivery=Delivery.IDEMPOTENT_BY_KEY, key_until=NOON)
    assert isinstance(certain, RetryAt)


@settings(max_examples=300, deadline=None)
@given(
    failure=st.one_of(
        st.builds(Retry, st.just("c"), st.just("m"), st.none() | st.floats(-1e300, 1e300)),
        st.builds(Unknown, st.just("c"), st.just("m"), st.none() | st.floats(-1e300, 1e300)),
        st.just(NEVER),
    ),
    attempt=st.integers(1, 200),
    delivery=st.sampled_from(ALL),
    doubted=st.booleans(),
    policy=st.sampled_from(list(RetryPolicy)),
    limit=st.integers(0, 100),
    number=st.integers(0, 3),
)
def test_whatever_happens_the_promise_holds(
    failure: Failure, attempt: int, delivery: Delivery, doubted: bool, policy: RetryPolicy, limit: int, number: int
) -> None:
    retries = Retries(policy, limit, timedelta(seconds=1))
    after = decision(
        failure, attempt=attempt, delivery=delivery, doubted=doubted, retries=retries, number=number, fallbacks=3
    )
    unknown = isinstance(failure, Unknown)
    if isinstance(after, RetryAt):
        assert NOON <= after.at <= NOON + LONGEST_WAIT
        assert attempt <= limit
        assert not (unknown and delivery is Delivery.AT_MOST_ONCE)
    if isinstance(after, GiveUp | FallBack):
        assert not unknown
        assert not doubted


def test_the_rules_of_an_attempt_are_told_and_limits_only_where_there_are_any() -> None:
    told = {"retries": "exponential", "limit": 3, "backoff_ms": 1_000}

    assert rules_of(THREE, Limits()) == told
    assert rules_of(THREE, Limits(per_second=2.5, failures=5)) == {**told, "per_second": 2.5, "failures": 5}
