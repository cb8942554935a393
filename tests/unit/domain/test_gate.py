"""The gate before a target: it defers and never refuses, spares the target, and lets it recover."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.gate import (
    MOST_PAUSE,
    ON_TIME,
    OPEN_ROAD,
    PROBE_PATIENCE,
    Closed,
    Entry,
    GateState,
    Health,
    Limits,
    Pass,
    Wait,
    enter,
    health_of,
    leave,
)
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown

THREE = Limits(failures=3, pause=30.0)
NOW = 1_000_000.0


def go(
    state: GateState, limits: Limits = THREE, *, now: float, token: str = "a", turn: float | None = None
) -> tuple[GateState, Entry]:
    return enter(state, limits, token, now=now, lease_until=now + 90, turn=turn)


def sick(state: GateState, *tokens: str, now: float = NOW, limits: Limits = THREE) -> GateState:
    for token in tokens:
        state = leave(state, limits, token, Health.SICK, now=now)
    return state


@pytest.mark.parametrize(
    ("outcome", "health"),
    [
        (Succeeded({}), Health.HEALTHY),
        (Permanent("http_404", "no"), Health.HEALTHY),
        (Retry("refused", "no"), Health.SICK),
        (Unknown("http_500", "no"), Health.SICK),
    ],
)
def test_any_answer_is_healthy_and_none_is_not(outcome: Outcome, health: Health) -> None:
    assert health_of(outcome) is health


def test_an_open_road_lets_everybody_pass_and_remembers_nothing() -> None:
    state, entry = go(OPEN_ROAD, now=NOW)
    assert (state, entry) == (OPEN_ROAD, Pass("a"))
    assert leave(state, THREE, "a", Health.HEALTHY, now=NOW) == OPEN_ROAD


def test_the_breaker_opens_after_sick_answers_to_so_many_actions() -> None:
    assert isinstance(go(sick(OPEN_ROAD, "a", "b"), now=NOW)[1], Pass)
    _, entry = go(sick(OPEN_ROAD, "a", "b", "c"), now=NOW)
    assert entry == Wait(NOW + 30, Closed.BREAKER_OPEN, turn=True)


def test_one_action_that_tries_often_does_not_open_it() -> None:
    assert isinstance(go(sick(OPEN_ROAD, *["a"] * 50), now=NOW)[1], Pass)


def test_a_healthy_answer_in_between_begins_the_count_anew() -> None:
    state = leave(sick(OPEN_ROAD, "a", "b"), THREE, "c", Health.HEALTHY, now=NOW)
    assert isinstance(go(sick(state, "d", "e"), now=NOW)[1], Pass)


def test_half_open_lets_one_through() -> None:
    state = sick(OPEN_ROAD, "a", "b", "c")
    state, probe = go(state, now=NOW + 30, token="probe")
    state, other = go(state, now=NOW + 30, token="other")
    assert isinstance(probe, Pass)
    assert isinstance(other, Wait)


def test_a_healthy_probe_opens_the_road_and_a_sick_one_doubles_the_pause() -> None:
    opened = sick(OPEN_ROAD, "a", "b", "c")
    state, _ = go(opened, now=NOW + 30, token="probe")
    healthy = leave(state, THREE, "probe", Health.HEALTHY, now=NOW + 31)
    assert isinstance(go(healthy, now=NOW + 31)[1], Pass)
    worse = leave(state, THREE, "probe", Health.SICK, now=NOW + 31)
    assert go(worse, now=NOW + 31)[1] == Wait(NOW + 31 + 60, Closed.BREAKER_OPEN, turn=True)


def test_a_probe_that_never_comes_back_is_given_up() -> None:
    state, _ = go(sick(OPEN_ROAD, "a", "b", "c"), now=NOW + 30, token="probe")
    assert isinstance(go(state, now=NOW + 30 + PROBE_PATIENCE - 0.1)[1], Wait)
    assert isinstance(go(state, now=NOW + 30 + PROBE_PATIENCE)[1], Pass)


def test_a_probe_that_never_began_lets_the_next_one_through_at_once() -> None:
    state, _ = go(sick(OPEN_ROAD, "a", "b", "c"), now=NOW + 30, token="probe")
    state = leave(state, THREE, "probe", Health.NO_ANSWER, now=NOW + 30)
    assert isinstance(go(state, now=NOW + 30)[1], Pass)


def test_a_target_that_says_when_to_come_back_is_obeyed_by_all() -> None:
    assert health_of(Retry("http_429", "slow down", retry_after=20.0)) is Health.SLOW_DOWN
    state = leave(OPEN_ROAD, THREE, "a", Health.SLOW_DOWN, now=NOW, retry_after=20.0)
    assert isinstance(go(state, now=NOW + 19.9)[1], Wait)
    assert isinstance(go(state, now=NOW + 20)[1], Pass)


def test_those_who_wait_do_not_come_back_as_a_herd() -> None:
    state = sick(OPEN_ROAD, "a", "b", "c")
    told = []
    for number in range(1_000):
        state, entry = go(state, Limits(per_second=10, failures=3), now=NOW, token=str(number))
        assert isinstance(entry, Wait)
        told.append(entry.until)
    assert min(told) == NOW + 30
    assert (
        max(sum(1 for until in told if second <= until < second + 1) for second in range(int(NOW), int(NOW) + 140))
        <= 11
    )


def test_at_most_so_many_run_at_once_and_the_dead_give_up_their_place() -> None:
    two = Limits(at_once=2)
    state = OPEN_ROAD
    for token in ("a", "b"):
        state, entry = enter(state, two, token, now=NOW, lease_until=NOW + 90)
        assert isinstance(entry, Pass)
    state, entry = enter(state, two, "c", now=NOW, lease_until=NOW + 90)
    assert isinstance(entry, Wait)
    assert entry.why is Closed.BUSY
    after_one_left = leave(state, two, "a", Health.HEALTHY, now=NOW)
    assert isinstance(enter(after_one_left, two, "c", now=NOW, lease_until=NOW + 90)[1], Pass)
    assert isinstance(enter(state, two, "c", now=NOW + 90, lease_until=NOW + 180)[1], Pass)


def test_a_turn_is_kept_for_whoever_was_told_it_and_not_for_ever() -> None:
    one = Limits(per_second=1)
    state, first = go(OPEN_ROAD, one, now=NOW, token="a")
    state, told = go(state, one, now=NOW, token="b")
    assert isinstance(first, Pass)
    assert told == Wait(NOW + 1, Closed.RATE_LIMITED, turn=True)
    state, _ = go(state, one, now=NOW, token="c")
    assert isinstance(go(state, one, now=NOW + 1, token="b", turn=NOW + 1)[1], Pass)
    late = NOW + 1 + ON_TIME + 0.1
    crowded, _ = go(state, one, now=late, token="d")
    assert isinstance(go(crowded, one, now=late, token="b", turn=NOW + 1)[1], Wait)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=120), st.sampled_from([1.0, 5.0, 20.0]))
def test_no_second_sees_more_than_twice_the_rate(steps: list[tuple[float, bool]], rate: float) -> None:
    limits = Limits(per_second=rate, failures=3, pause=5.0)
    state, now, waiting, begun = OPEN_ROAD, NOW, list[tuple[float, str]](), list[float]()
    for number, (pause, healthy) in enumerate(steps):
        now += pause
        due = [(until, token) for until, token in waiting if until <= now]
        waiting = [entry for entry in waiting if entry not in due]
        for turn, token in [*due, (None, str(number))]:
            state, entry = go(state, limits, now=now, token=str(token), turn=turn)
            if isinstance(entry, Wait):
                assert entry.until >= now
                waiting.append((entry.until, str(token)))
            else:
                begun.append(now)
                state = leave(state, limits, str(token), Health.HEALTHY if healthy else Health.SICK, now=now)
    for start in begun:
        assert sum(1 for at in begun if start <= at < start + 1) <= 2 * rate + 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(list(Health)), max_size=60), st.integers(1, 5))
def test_a_gate_always_opens_again(healths: list[Health], failures: int) -> None:
    limits, state, now = Limits(failures=failures, pause=30.0), OPEN_ROAD, NOW
    for number, health in enumerate(healths):
        state, entry = go(state, limits, now=now, token=str(number))
        if isinstance(entry, Wait):
            assert entry.until - now <= MOST_PAUSE + PROBE_PATIENCE + len(healths)
            now = entry.until
        else:
            state = leave(state, limits, str(number), health, now=now)
    assert isinstance(go(state, limits, now=now + 10 * MOST_PAUSE)[1], Pass)
