"""Moments of a timetable, also on the days on which clocks are changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.workflow_definition import CatchUp, Overlap, Timetable
from handlers.workflows.cron import cron_flaw, last_until, next_after, zone_flaw

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def table(*cron: str, zone: str = BERLIN) -> Timetable:
    return Timetable(cron, zone, CatchUp.LATEST, Overlap.SKIP)


def moments(timetable: Timetable, start: str, count: int) -> list[str]:
    found, moment = [], at(start)
    for _ in range(count):
        following = next_after(timetable, moment)
        assert following is not None
        found.append(following.strftime("%m-%d %H:%M"))
        moment = following
    return found


def test_working_days_are_by_the_clocks_of_the_zone() -> None:
    # Friday; Berlin is one hour ahead in winter, and two from Sunday on.
    assert moments(table("0 9 * * MON-FRI"), "2026-03-27T00:00", 3) == ["03-27 08:00", "03-30 07:00", "03-31 07:00"]
    assert moments(table("0 9 * * MON-FRI", zone="UTC"), "2026-03-27T00:00", 2) == ["03-27 09:00", "03-30 09:00"]


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("30 2 * * *", ["03-29 01:00", "03-30 00:30"]),
        ("0 3 * * *", ["03-29 01:00", "03-30 01:00"]),
        ("30 2,3 * * *", ["03-29 01:00", "03-29 01:30", "03-30 00:30"]),
        ("*/30 2 * * *", ["03-30 00:00", "03-30 00:30"]),
        ("30 * * * *", ["03-28 20:30", "03-28 21:30", "03-28 22:30", "03-28 23:30", "03-29 00:30", "03-29 01:30"]),
    ],
)
def test_where_an_hour_is_left_out(cron: str, told: list[str]) -> None:
    """From 02:00 on it is 03:00, which is 01:00 in UTC."""
    assert moments(table(cron), "2026-03-28T20:00", len(told)) == told


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("30 2 * * *", ["10-25 00:30", "10-26 01:30"]),
        ("0 3 * * *", ["10-25 02:00", "10-26 02:00"]),
        ("*/30 2 * * *", ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-26 01:00"]),
        ("30 * * * *", ["10-24 22:30", "10-24 23:30", "10-25 00:30", "10-25 01:30", "10-25 02:30"]),
    ],
)
def test_where_an_hour_comes_twice(cron: str, told: list[str]) -> None:
    """From 03:00 on it is 02:00 once more, which is 01:00 in UTC."""
    assert moments(table(cron), "2026-10-24T22:00", len(told)) == told


@pytest.mark.parametrize("start", ["00:29", "00:30", "00:45", "01:10", "01:29", "01:30", "01:45"])
def test_what_has_been_in_the_first_of_two_hours_does_not_come_in_the_second(start: str) -> None:
    told = moments(table("30 2 * * *"), f"2026-10-25T{start}", 1)
    assert told == ["10-25 00:30" if start == "00:29" else "10-26 01:30"]


def test_half_an_hour_may_be_left_out_too() -> None:
    assert moments(table("15 2 * * *", zone=LORD_HOWE), "2026-10-02T20:00", 2) == ["10-03 15:30", "10-04 15:15"]


def test_several_expressions_make_one_timetable() -> None:
    told = moments(table("0 9 * * *", "0 9 1 * *", "30 8 * * *", zone="UTC"), "2026-03-31T12:00", 3)
    assert told == ["04-01 08:30", "04-01 09:00", "04-02 08:30"]


def test_the_last_moment_is_found_however_long_nobody_has_looked() -> None:
    for cron, told in (
        ("* * * * *", "2026-03-01T12:00"),
        ("0 9 1 * *", "2026-03-01T08:00"),
        ("0 0 29 2 *", "2024-02-28T23:00"),
    ):
        earliest = next_after(table(cron), at("2020-01-01T00:00"))
        assert earliest is not None
        assert last_until(table(cron), earliest, at("2026-03-01T12:00")) == at(told)
    earliest = at("2026-03-01T08:00")
    assert last_until(table("0 9 * * *"), earliest, at("2026-03-01T08:30")) == earliest


@given(
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 */3 * * *", "59 1,2 * * SUN", "15 2 28-31 3,10 *"]),
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "UTC", "Asia/Kathmandu"]),
    st.integers(0, 364 * 86_400),
    st.integers(0, 5 * 86_400),
)
@settings(max_examples=150, deadline=None)
def test_whenever_one_looks_the_moments_are_the_same(cron: str, zone: str, start: int, later: int) -> None:
    timetable, begin = table(cron, zone=zone), at("2026-01-01T00:00") + timedelta(seconds=start)
    first = next_after(timetable, begin)
    assert first is not None
    assert first > begin
    now = begin + timedelta(seconds=later)
    if first <= now:
        last = last_until(timetable, first, now)
        following = next_after(timetable, last)
        assert first <= last <= now
        assert following is not None
        assert following > now
    else:
        assert next_after(timetable, now) == first


def test_what_is_no_expression_is_told() -> None:
    for cron in (
        "",
        "* * * *",
        "60 * * * *",
        "0 0 31 2 *",
        "* * * * * *",
        "a b c d e",
        "*/0 * * * *",
        "5L/2 * * * *",
        "ä * * * *",
    ):
        assert cron_flaw(cron), cron
    assert cron_flaw("0 0 " + ",".join(["1"] * 99) + " * *")
    assert [cron_flaw(cron) for cron in ("*/15 8-18 * * MON-FRI", "0 0 L * *", "0 9 * * MON#1", "0 0 29 2 *")] == [
        None
    ] * 4
    assert [zone_flaw(zone) for zone in ("UTC", BERLIN)] == [None, None]
    assert all(zone_flaw(zone) for zone in ("", "Nowhere", "../UTC", "Europe", "/etc/passwd", "x\0y"))
