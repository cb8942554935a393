"""The files of an archive: written the same each time, read back byte for byte, and nothing else taken for one."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.archive import (
    Filed,
    Illegible,
    Kept,
    Manifest,
    break_in,
    file_of,
    is_file_name,
    line_of,
    lives_in,
    name_of,
    numbers_in,
)
from domain.commit import NOTHING, Commit, packed, plain

AT = "2026-03-01T12:00:00.000000Z"
EVENTS = (("action.requested", b'{"at":"2026-03-01T12:00:00.000000Z","text":"' + b"x" * 300 + b'"}'),)


def life_of(action_id: str, commits: int = 3) -> list[Commit]:
    life: list[Commit] = []
    for number in range(1, commits + 1):
        previous = life[-1].hash if life else NOTHING
        body = packed(EVENTS) if number % 2 else plain(EVENTS)
        life.append(Commit.read(action_id, number, AT, previous, body))
    return life


LIVES = [life_of("act_1"), life_of("act_2", 1), life_of("run_3", 2)]
FILED, DATA = file_of("2026-03", LIVES)
MANIFEST = Manifest(
    number=2,
    at=AT,
    before=AT,
    commits=6,
    root=b"r" * 32,
    previous=b"p" * 32,
    checkpoint="3:abc",
    files=(FILED,),
)


def test_what_is_read_is_what_was_put_byte_for_byte() -> None:
    assert list(lives_in(BytesIO(DATA))) == LIVES
    assert [commit.body for life in lives_in(BytesIO(DATA)) for commit in life] == [
        c.body for life in LIVES for c in life
    ]


def test_a_file_is_the_same_each_time_and_has_its_hash_in_its_name() -> None:
    assert file_of("2026-03", LIVES) == (FILED, DATA)
    assert FILED.name == f"2026-03-{FILED.sha256.hex()[:32]}.jsonl.gz"
    assert is_file_name(FILED.name)


def test_each_life_is_found_at_its_place() -> None:
    for kept, life in zip(FILED.lives, LIVES, strict=True):
        file = BytesIO(DATA)
        file.seek(kept.offset)
        assert next(lives_in(file)) == life
        assert kept.is_of(life)
        assert not kept.is_of(life[:-1] or life_of("act_9"))


def test_people_can_read_it_with_gzip_alone() -> None:
    lines = gzip.decompress(DATA).splitlines()
    assert [json.loads(line)["version"] for line in lines] == [1, 2, 3, 1, 1, 2]
    assert set(json.loads(lines[0])) == {"action_id", "version", "at", "previous", "body"}


def test_a_commit_from_before_commits_were_chained_stays_one() -> None:
    old = Commit("act_1", 1, AT, None, EVENTS)
    _, data = file_of("2026-03", [[old]])
    ((read,),) = lives_in(BytesIO(data))
    assert read.previous is None
    assert break_in([read, Commit("act_1", 2, AT, None, EVENTS)]) is None


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"nothing",
        b"\xff",
        line_of(LIVES[0][0]).replace(b'"version":1', b'"version":"1"'),
        line_of(LIVES[0][0]).replace(b'"version":1', b'"version": 1'),
        line_of(LIVES[0][0]).replace(b'"body":"', b'"body":"!'),
        line_of(LIVES[0][0]).replace(b'"body":"', b'"body":"AA'),
        line_of(LIVES[0][0]).replace(b'"previous":""', b'"previous":"xyz"'),
        line_of(LIVES[0][0])[:-1],
    ],
)
def test_a_line_that_is_no_commit_is_named(line: bytes) -> None:
    with pytest.raises(Illegible, match="line 2 is no commit"):
        list(lives_in(BytesIO(gzip.compress(line_of(LIVES[0][0]) + line))))


@pytest.mark.parametrize("data", [b"no gzip", DATA[:-5], DATA[: FILED.lives[1].offset] + b"\x1f\x8b\x08\x00"])
def test_what_cannot_be_decompressed_is_named(data: bytes) -> None:
    with pytest.raises(Illegible, match="cannot be decompressed"):
        list(lives_in(BytesIO(data)))


@for_all(place=st.integers(0, 8 * len(DATA) - 1))
def test_whatever_bit_is_flipped_the_file_has_another_hash_or_reads_the_same(place: int) -> None:
    data = bytearray(DATA)
    data[place // 8] ^= 1 << place % 8
    with suppress(Illegible):
        # A bit of a header that says nothing.
        assert list(lives_in(BytesIO(bytes(data)))) == LIVES


@pytest.mark.parametrize(
    ("commits", "problem"),
    [
        (LIVES[0], None),
        (LIVES[0][1:], "version 2 does not follow"),
        ([LIVES[0][0], LIVES[0][2]], "version 3 does not follow"),
        ([LIVES[0][0], LIVES[0][0]], "version 1 does not follow"),
        ([LIVES[0][0], Commit("act_1", 2, AT, b"x" * 32, EVENTS)], "version 2 does not bear the hash"),
        ([Commit("act_1", 1, AT, b"x" * 32, EVENTS)], "version 1 does not bear the hash"),
        ([Commit("act_1", 0, AT, NOTHING, EVENTS)], None),
    ],
)
def test_a_life_with_a_break_is_none(commits: list[Commit], problem: str | None) -> None:
    found = break_in(commits)
    assert found is None if problem is None else problem in str(found)


# -- manifests --------------------------------------------------------------------------------------------------------


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.read(MANIFEST.text) == MANIFEST
    first = Manifest(1, AT, AT, 0, b"r" * 32, None, None, ())
    assert Manifest.read(first.text) == first
    assert numbers_in(["00000002.manifest", first.name, "x.manifest", FILED.name]) == [1, 2]
    assert name_of(1) == first.name == "00000001.manifest"


HOSTILE = {
    "nothing": b"",
    "no object": b"[1]",
    "another format": MANIFEST.text.replace(b"archive/1", b"archive/2"),
    "not canonical": MANIFEST.text + b"\n",
    "a path for a name": MANIFEST.text.replace(FILED.name.encode(), b"../../etc/passwd"),
    "no number": MANIFEST.text.replace(b'"number":2', b'"number":0'),
    "a word for a number": MANIFEST.text.replace(b'"number":2', b'"number":true'),
    "no root": MANIFEST.text.replace(b"r".hex().encode() * 32, b"zz"),
    "a life too short": MANIFEST.text.replace(b'["act_2",1,1,', b'["act_2",1,'),
    "a life without commits": MANIFEST.text.replace(b'["act_2",1,1,', b'["act_2",1,0,'),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_anything_else_is_no_manifest(what: str) -> None:
    assert HOSTILE[what] != MANIFEST.text
    with pytest.raises(Illegible):
        Manifest.read(HOSTILE[what])


@pytest.mark.parametrize("name", ["../x", "2026-03.jsonl.gz", "/etc/passwd", "", None, 7, f"{FILED.name}\n"])
def test_no_other_name_is_that_of_a_file(name: object) -> None:
    assert not is_file_name(name)


def test_what_a_manifest_names_is_what_it_is() -> None:
    assert Filed(FILED.name, FILED.sha256, len(DATA), FILED.lives) == FILED
    assert FILED.lives[0] == Kept("act_1", 3, 3, LIVES[0][-1].hash, 0)
