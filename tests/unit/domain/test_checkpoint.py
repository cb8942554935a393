"""What stands in a checkpoint's files, and what is refused there."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as some

from domain.checkpoint import (
    Header,
    Leaf,
    Signed,
    Unreadable,
    key_id_of,
    leaves_in,
    line_of,
    name_of,
    numbers_in,
)

HEADER = Header(
    number=2,
    at="2026-03-01T12:00:00.000000Z",
    complete_until="2026-03-01T11:00:00.000000Z",
    size=3,
    root=sha256(b"root").digest(),
    leaves=sha256(b"leaves").digest(),
    earliest="2026-03-01T10:00:00.000000Z",
    latest="2026-03-01T11:59:59.000000Z",
    late=0,
    previous=sha256(b"previous").digest(),
    key=key_id_of(bytes(32)),
)

ids = some.text(some.characters(exclude_categories=["Cs"]), max_size=12)
leaves = some.builds(Leaf, ids, some.integers(0, 2**40), some.binary(min_size=32, max_size=32), some.booleans())


def test_a_header_is_one_line_of_canonical_json_that_outlives_the_code() -> None:
    assert HEADER.text.decode() == (
        '{"at":"2026-03-01T12:00:00.000000Z","complete_until":"2026-03-01T11:00:00.000000Z",'
        '"earliest":"2026-03-01T10:00:00.000000Z","format":"execution-agent/checkpoint/1",'
        '"key":"ed25519:66687aadf862bd776c8fc18b8e9f8e20","late":0,"latest":"2026-03-01T11:59:59.000000Z",'
        f'"leaves":"{HEADER.leaves.hex()}","number":2,"previous":"{sha256(b"previous").hexdigest()}",'
        f'"root":"{HEADER.root.hex()}","size":3}}'
    )


@pytest.mark.parametrize(
    "header", [HEADER, replace(HEADER, number=1, previous=None, earliest=None, latest=None, size=0)]
)
def test_a_header_is_read_back(header: Header) -> None:
    assert Header.read(header.text) == header


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (b'"number":2', b'"number":0'),
        (b'"number":2', b'"number":true'),
        (b'"number":2', b'"number":2.0'),
        (b'"number":2', b'"number": 2'),
        (b'"number":2', b'"number":2,"number":2'),
        (b'"size":3', b'"size":-1'),
        (b'"late":0,', b""),
        (b'"late":0', b'"late":0,"more":1'),
        (b"checkpoint/1", b"checkpoint/2"),
        (b'"at":"2026', b'"at":"26'),
        (b'"at":"2026-03', b'"at":"2026-13'),
        (b'"at":"2026-03-01T12:00:00.000000Z"', b'"at":"2026-03-01T12:00:00Z"'),
        (b'"previous":"', b'"previous":"00'),
        (b'"previous":"', b'"previous":1,"x":"'),
        (b'"earliest":"2026-03-01T10:00:00.000000Z"', b'"earliest":7'),
        (b'{"at"', b'["at"'),
        (b"}", b"}\n"),
    ],
)
def test_whatever_else_is_no_header(was: bytes, is_now: bytes) -> None:
    assert was in HEADER.text
    with pytest.raises(Unreadable):
        Header.read(HEADER.text.replace(was, is_now, 1))


def test_a_file_is_a_header_and_its_signature() -> None:
    signed = Signed(HEADER.text, bytes(range(64)))
    assert Signed.read(signed.file) == signed


@pytest.mark.parametrize("change", [lambda file: file[:-1], lambda file: file + b"\n", lambda file: b"", bytes.upper])
def test_whatever_else_is_no_such_file(change: object) -> None:
    file = Signed(HEADER.text, bytes(range(64))).file
    with pytest.raises(Unreadable):
        Signed.read(change(file))  # type: ignore[operator]


@given(some.lists(leaves, max_size=20))
def test_a_leaf_list_is_read_back(some_leaves: list[Leaf]) -> None:
    ordered = sorted({(leaf.action_id, leaf.version): leaf for leaf in some_leaves}.items())
    listed = [leaf for _, leaf in ordered]
    assert list(leaves_in(map(line_of, listed))) == listed


@given(leaves)
def test_a_line_is_one_line(leaf: Leaf) -> None:
    assert line_of(leaf).count(b"\n") == 1
    assert line_of(leaf).endswith(b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"null\n",
        b'["act_1",1]\n',
        b'["act_1",true,"' + b"00" * 32 + b'"]\n',
        b'["act_1",1.0,"' + b"00" * 32 + b'"]\n',
        b'["act_1",1,"' + b"AB" * 32 + b'"]\n',
        b'["act_1",1,"' + b"00" * 32 + b'",true]\n',
        b'["act_1", 1,"' + b"00" * 32 + b'"]\n',
        b'["act_1",1,"' + b"00" * 32 + b'"]',
        b"[" * 100_000 + b"\n",
        b'["\xff",1,"' + b"00" * 32 + b'"]\n',
    ],
)
def test_whatever_else_is_no_leaf(line: bytes) -> None:
    with pytest.raises(Unreadable):
        list(leaves_in([line]))


def test_leaves_stand_in_the_order_of_a_tree_each_once() -> None:
    one, other = Leaf("act_1", 1, bytes(32)), Leaf("act_1", 4, bytes(32))
    for wrong in ([other, one], [one, one]):
        with pytest.raises(Unreadable, match="order"):
            list(leaves_in(map(line_of, wrong)))


def test_names_tell_headers_from_everything_else() -> None:
    assert numbers_in([name_of(12), name_of(3), HEADER.list_name, "12.checkpoint", ".unfinished-1", "x"]) == [3, 12]
