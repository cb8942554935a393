"""A commit and its hash: the same for the same, another for anything else."""

from __future__ import annotations

import zlib
from dataclasses import replace
from hashlib import sha256

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from domain.commit import FORMAT, LARGEST_BODY, NOTHING, Commit, packed, plain, sayings, unpacked
from domain.errors import CorruptEvent

AT = "2026-03-01T12:00:00.000000Z"
SAID = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=600)), max_size=5).map(tuple)
COMMITS = st.builds(
    Commit, st.text(min_size=1, max_size=30), st.integers(0, 2**40), st.just(AT), st.binary(max_size=32), SAID
)


def test_the_record_is_netstrings_and_its_hash_the_leaf_hash_of_rfc_6962() -> None:
    commit = Commit("act_1", 3, AT, b"\x01" * 32, (("action.noted", b"{}"),))
    record = b"8:commit/1,5:act_1,1:3,27:%b,32:%b,23:1n12:action.noted,2:{},," % (AT.encode(), b"\x01" * 32)
    assert FORMAT == b"commit/1"
    assert commit.record == record
    assert commit.hash == sha256(b"\x00" + record).digest()


@given(COMMITS, COMMITS)
def test_two_commits_have_one_record_only_where_they_are_the_same(one: Commit, other: Commit) -> None:
    assert (one.record == other.record) == (one == other)


@given(COMMITS, st.data())
def test_nothing_of_a_commit_can_be_changed_without_its_hash(commit: Commit, data: st.DataObject) -> None:
    changed = data.draw(
        st.sampled_from(
            [
                replace(commit, action_id=commit.action_id + "x"),
                replace(commit, version=commit.version + 1),
                replace(commit, at=AT.replace("12", "13")),
                replace(commit, previous=(commit.previous or NOTHING) + b"\0"),
                replace(commit, events=(*commit.events, ("a.b", b"")), body=b""),
            ]
        )
    )
    assert changed.hash != commit.hash


@given(SAID)
def test_a_body_gives_back_its_events(said: tuple[tuple[str, bytes], ...]) -> None:
    assert unpacked(packed(said)) == said
    assert unpacked(plain(said)) == said


@given(SAID)
def test_what_was_read_has_the_record_of_what_was_written(said: tuple[tuple[str, bytes], ...]) -> None:
    written = Commit("act_1", 1, AT, NOTHING, said, packed(said))
    read = Commit.read("act_1", 1, AT, NOTHING, written.body)
    assert read == written
    assert read.record == written.record


def test_its_versions_follow_each_other() -> None:
    commit = Commit("act_1", 3, AT, NOTHING, (("a.b", b"1"), ("a.c", b"2")))
    assert commit.last == 4
    assert commit.stored_events() == [StoredEvent("act_1", 3, "a.b", b"1"), StoredEvent("act_1", 4, "a.c", b"2")]
    assert sayings(commit.stored_events()) == commit.events


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"01n1:a,1:b,", "unknown format"),
        (b"1n01:a,1:b,", "no netstring"),
        (b"1z" + zlib.compress(b"1:a,1:b,") + b"x", "something behind"),
        (b"1z" + zlib.compress(b"0" * (LARGEST_BODY + 10)), "incomplete"),
    ],
)
def test_a_body_that_no_store_of_ours_wrote_is_none(body: bytes, why: str) -> None:
    with pytest.raises(CorruptEvent, match=f"act_1: the commit at version 7 .*{why}"):
        Commit.read("act_1", 7, AT, NOTHING, body)
