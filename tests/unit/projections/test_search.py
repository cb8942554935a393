"""What a search says, and what is refused as none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from projections.cursor import LONGEST_CURSOR, cursor_of, place_in
from projections.search import KEYS, Position, Search, check_limit, search_of
from tests.sqlite_ledger import NOON, view

PLACE = Position(NOON + timedelta(microseconds=7), "act_01m87gb1k7e4sb6d1n6rvkge9g")
SEARCH = Search({"agent": "renewals"}, NOON)


def refused(**said: Any) -> list[str]:
    """The filters that are refused."""
    times = {name: said.pop(name, None) for name in ("since", "until")}
    with pytest.raises(Refused) as refusal:
        search_of(said, **times)
    assert refusal.value.code == "invalid_options"
    assert "\n" not in refusal.value.message
    return [detail.field for detail in refusal.value.details]


# -- filters --------------------------------------------------------------------------------------------------------


def test_what_is_not_said_is_not_searched_for() -> None:
    assert search_of({"agent": None, "status": None}) == Search({})
    assert search_of({"agent": "renewals"}) == Search({"agent": "renewals"})


@pytest.mark.parametrize("value", ["", 7, True, ["renewals"], {"a": 1}, b"renewals", "\ud800"])
def test_what_is_no_text_is_no_filter(value: object) -> None:
    assert refused(agent=value, decision="d-1") == ["agent"]


def test_an_unknown_filter_is_named_with_those_that_there_are() -> None:
    with pytest.raises(Refused, match="colour: no such filter; there are decision, correlation"):
        search_of({"colour": "red"})
    assert refused(colour=None) == ["colour"]


def test_an_unknown_status_is_refused_and_those_of_runs_are_known() -> None:
    with pytest.raises(Refused, match="there is no such status; there are requested, rejected"):
        search_of({"status": "nope"})
    assert search_of({"status": "rolling_back"}).keys == {"status": "rolling_back"}


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert refused(agent=7, colour="red", since="soon", until="later") == ["agent", "colour", "since", "until"]


def test_what_is_too_long_is_searched_for_as_it_is_kept() -> None:
    (key,) = search_of({"subject": "x" * 5_000}).keys.values()
    assert len(key) <= 255
    assert search_of({"subject": "x" * 4_999}).keys["subject"] != key


@pytest.mark.parametrize(
    ("said", "since", "until"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
        (date(2026, 2, 28), datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00Z", NOON, NOON),
        ("2026-03-01t14:00:00.000000+02:00", NOON, NOON),
        ("2026-03-01 12:00Z", NOON, NOON),
        (NOON.astimezone(timezone(timedelta(hours=-5))), NOON, NOON),
    ],
)
def test_a_time_is_a_moment_or_a_day_that_is_included(said: object, since: datetime, until: datetime) -> None:
    assert search_of({}, since=said).since == since
    assert search_of({}, until=said).until == until


@pytest.mark.parametrize(
    "said",
    [
        "yesterday",
        "2026-13-01",
        "2026-02-30",
        "2026-03-01T12:00",
        "20260301",
        "2026-W09-1",
        "0001-01-01T00:00:00+23:59",
        "٢٠٢٦-03-01",
        "",
        7,
        NOON.replace(tzinfo=None),
        date(9999, 12, 31),
    ],
)
def test_what_is_no_time_is_refused(said: object) -> None:
    assert refused(until=said) == ["until"]


def test_a_range_has_to_have_room() -> None:
    assert refused(since="2026-03-02", until="2026-03-01") == ["until"]
    assert refused(since=NOON, until=NOON) == ["until"]
    assert search_of({}, since="2026-03-01", until="2026-03-01").until == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("limit", [0, -1, 1_001, True, 1.0, "7", None])
def test_what_is_no_size_of_a_page_is_refused(limit: object) -> None:
    with pytest.raises(Refused, match="limit: must be a whole number from 1 to 1000"):
        check_limit(limit)


def test_the_key_that_fewest_share_leads() -> None:
    assert Search({}).lead is None
    assert Search({"agent": "a", "decision": "d", "status": "failed"}).lead == "decision"
    assert Search({"agent": "a", "status": "failed"}).lead == "status"
    assert Search({"agent": "a", "status": "succeeded"}).lead == "agent"
    assert Search({"status": "succeeded"}).lead == "status"
    assert Search({"agent": "a", "status": "failed"}).others == {"agent": "a"}


def test_a_search_includes_what_all_of_it_is_true_of() -> None:
    row = view("act_1", 1, agent="renewals", status="failed", born=NOON)
    assert Search({"agent": "renewals", "status": "failed"}, NOON, NOON + timedelta(microseconds=1)).includes(row)
    assert not Search({"agent": "renewals", "status": "held"}).includes(row)
    assert not Search({}, NOON + timedelta(microseconds=1)).includes(row)
    assert not Search({}, None, NOON).includes(row)


# -- cursors --------------------------------------------------------------------------------------------------------


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.from_regex(r"act_[!-~]{1,200}", fullmatch=True),
)
def test_a_cursor_leads_back_to_its_place(born: datetime, action_id: str) -> None:
    cursor = cursor_of(Position(born, action_id), SEARCH, "ledger")
    assert place_in(cursor, SEARCH, "ledger") == Position(born, action_id)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("search", "ledger"),
    [
        (Search({"agent": "renewals"}), "ledger"),
        (Search({"agent": "renewals"}, None, NOON), "ledger"),
        (Search({"agent": "other"}, NOON), "ledger"),
        (Search({"decision": "renewals"}, NOON), "ledger"),
        (Search({"agent": "renewals", "status": "failed"}, NOON), "ledger"),
        (SEARCH, "another"),
    ],
)
def test_a_cursor_of_another_search_or_ledger_is_refused(search: Search, ledger: str) -> None:
    cursor = cursor_of(PLACE, SEARCH, "ledger")
    with pytest.raises(Refused, match="it belongs to other filters or another ledger, or is damaged"):
        place_in(cursor, search, ledger)


def test_every_change_of_a_cursor_is_noticed() -> None:
    cursor = cursor_of(PLACE, SEARCH, "ledger")
    damaged = [
        cursor[:place] + other + cursor[place + 1 :]
        for place in range(len(cursor))
        for other in "Aa-"
        if other != cursor[place]
    ]
    damaged += [cursor[:-1], cursor[1:], cursor + "A", cursor + "=", f" {cursor}", cursor * 2, cursor.swapcase()]
    for forged in damaged:
        with pytest.raises(Refused):
            place_in(forged, SEARCH, "ledger")


@pytest.mark.parametrize("said", ["", "abc", "====", "%%%", "ä", "A" * (LONGEST_CURSOR + 1), 7, None, b"abc", "\ud800"])
def test_what_is_no_cursor_is_refused(said: object) -> None:
    with pytest.raises(Refused) as refusal:
        place_in(said, SEARCH, "ledger")
    assert [detail.field for detail in refusal.value.details] == ["cursor"]


def test_keys_are_members_of_a_row() -> None:
    assert all(hasattr(view("act_1", 1), key) for key in KEYS)
