"""A commit's row: what goes in comes out, can be read by other tools, and does not pretend when it is damaged."""

from __future__ import annotations

import os
import re
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sqlite_commit import events_in, row_of
from domain.errors import CorruptEvent

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOLD = st.lists(st.tuples(st.text(), st.binary(max_size=2000)), min_size=1, max_size=30)


def events(*told: tuple[str, bytes], action_id: str | UUID = "act_1", first: int = 1) -> list[StoredEvent]:
    return [StoredEvent(action_id, first + place, topic, state) for place, (topic, state) in enumerate(told)]


def packed(*told: tuple[str, bytes]) -> bytes:
    return row_of(events(*told), NOON)[2]


@given(TOLD, st.integers(0, 2**40))
@settings(deadline=None)
def test_any_topic_and_any_state_come_back(told: list[tuple[str, bytes]], first: int) -> None:
    given_events = events(*told, first=first)
    row = row_of(given_events, NOON)
    assert row[:2] == ("act_1", first)
    assert events_in(row[2], "act_1", first) == given_events


def test_the_events_bear_the_id_that_was_asked_for() -> None:
    uuid = UUID("0198c5f0-0000-7000-8000-000000000001")
    row = row_of(events(("a.b", b"{}"), action_id=uuid), NOON)
    assert row[0] == str(uuid)
    assert events_in(row[2], uuid, 1)[0].originator_id is uuid
    assert events_in(row[2], str(uuid), 1)[0].originator_id == str(uuid)


def test_a_row_says_when_and_how_the_commit_ended() -> None:
    two_hours_east = timezone(timedelta(hours=2))
    row = row_of(
        events(("action.requested", b"{}"), ("action.attempted", b"{}")),
        datetime(2026, 3, 1, 14, 0, 0, 5, tzinfo=two_hours_east),
    )
    assert row[3:] == ("attempted", "2026-03-01T12:00:00.000005Z")
    assert row_of(events(("undotted", b"")), NOON)[3] == "undotted"


def test_few_bytes_are_kept_as_they_are() -> None:
    assert packed(("a.b", b"{}"), ("é", b"\x00")) == b"2n3:a.b,2:{},2:\xc3\xa9,1:\x00,"


def test_many_bytes_are_a_zlib_stream_of_the_same() -> None:
    state = b'{"customer_name":"Ana","customer_mail":"ana@example.com","customer_city":"Lisbon"}'
    row = packed(*[("action.noted", state)] * 12)
    assert row.startswith(b"12z")
    assert zlib.decompress(row[3:]) == b"12:action.noted,%d:%b," % (len(state), state) * 12
    assert len(row) < 200


def test_what_cannot_be_squeezed_is_not_made_longer() -> None:
    noise = os.urandom(5000)
    assert packed(("a.b", noise)) == b"1n3:a.b,5000:" + noise + b","


def test_a_commit_belongs_to_one_action() -> None:
    with pytest.raises(ProgrammingError, match="one action"):
        row_of([*events(("a.b", b"")), *events(("a.b", b""), action_id="act_2", first=2)], NOON)


@pytest.mark.parametrize("versions", [(1, 1), (1, 3), (2, 1)])
def test_the_versions_of_a_commit_follow_each_other(versions: tuple[int, int]) -> None:
    with pytest.raises(IntegrityError, match=re.escape(str(list(versions)))):
        row_of([StoredEvent("act_1", version, "a.b", b"") for version in versions], NOON)


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "unknown format"),
        (b"n3:a.b,2:{},", "unknown format"),
        (b"1q3:a.b,2:{},", "unknown format"),
        (b"2n3:a.b,2:{},", "another number of events"),
        (b"1n3:a.b,", "another number of events"),
        (b"1n3:a.b,2:{}", "another length"),
        (b"1n3:a.b,3:{},", "another length"),
        (b"1n3:a.b,-3:{},", "no netstring"),
        (b"1n3:a.b,2:{},x", "no netstring"),
        (b"1n1:\xff,2:{},", "codec"),
        (b"1z" + zlib.compress(b"3:a.b,2:{},")[:-1], "incomplete"),
        (b"1z" + zlib.compress(b"3:a.b,2:{},")[:-4] + b"\0\0\0\0", "incorrect data check"),
    ],
)
def test_damage_is_told_with_its_place(damaged: bytes, why: str) -> None:
    with pytest.raises(CorruptEvent, match=f"act_1: the commit at version 7 cannot be read .*{why}"):
        events_in(damaged, "act_1", 7)


@pytest.mark.parametrize(("body", "version"), [("1n3:a.b,2:{},", 7), (7, 7), (None, 7), (b"1n3:a.b,2:{},", 7.5)])
def test_a_column_of_another_type_is_told_with_its_place(body: Any, version: Any) -> None:
    with pytest.raises(CorruptEvent, match=f"act_1: the commit at version {version} cannot be read"):
        events_in(body, "act_1", version)


@given(
    st.one_of(st.binary(), st.binary().map(b"1n".__add__), st.binary().map(lambda body: b"1z" + zlib.compress(body)))
)
@settings(deadline=None)
def test_no_damage_is_anything_worse_than_told(anything: bytes) -> None:
    with suppress(CorruptEvent):
        events_in(anything, "act_1", 1)


@given(TOLD, st.data())
@settings(deadline=None)
def test_a_row_that_was_cut_short_is_never_read_as_a_shorter_life(
    told: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    whole = packed(*told)
    with pytest.raises(CorruptEvent):
        events_in(whole[: data.draw(st.integers(0, len(whole) - 1))], "act_1", 1)
