"""A checkpoint: what was in the ledger at a time, in so few bytes that it can be kept out of its owner's reach.

    00000001.checkpoint   a header and its signature        00000002.checkpoint   names the header before it, by hash
    00000001-9f2c….gz     the leaves of its tree            00000002-07aa….gz

Its tree (`domain.merkle`) has a leaf for each commit that no earlier checkpoint holds, in the order of action id and
version; a leaf is the commit's hash. The **header** is canonical JSON, signed with Ed25519 as it stands; the **leaf
list** says which commit each leaf is of, so that what is missing can be named.

A checkpoint is complete for all that was committed before its `complete_until`: whatever says that it is older, and is
in no checkpoint, was put there later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO, Protocol

from domain.canonical import canonical
from domain.commit import HASH_SIZE
from domain.errors import MalformedRequest
from domain.instant import from_text, to_text
from domain.json_text import read_text

FORMAT = "execution-agent/checkpoint/1"
SUFFIX = ".checkpoint"
SIGNATURE_SIZE = 64
"""Bytes of an Ed25519 signature."""

_HASH = re.compile(r"[0-9a-f]{64}")
_PLAIN_LINE = re.compile(rb'\["([A-Za-z0-9_.~-]*)",(0|[1-9][0-9]{0,17}),"([0-9a-f]{64})"(,false)?\]\n')
_NAME = re.compile(r"([0-9]{8})\.checkpoint")


class Unreadable(ValueError):
    """It is no checkpoint, no leaf list or no key, and why."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A commit in a tree. `chained` is whether it bears the hash of the one before it."""

    action_id: str
    version: int
    hash: bytes
    chained: bool = True


@dataclass(frozen=True, slots=True)
class Header:
    """What is signed. Moments are text, as everywhere in the ledger.

    `earliest` and `latest` are the times that its commits say of themselves, None where there is none; `late` is how
    many of them the checkpoint before should have held. `leaves` is the SHA-256 of the leaf list's file, `previous`
    that of the header before, None for the first one. `key` is the id of the key that signs it.
    """

    number: int
    at: str
    complete_until: str
    size: int
    root: bytes
    leaves: bytes
    earliest: str | None
    latest: str | None
    late: int
    previous: bytes | None
    key: str

    @property
    def text(self) -> bytes:
        """The bytes that are signed."""
        return canonical(
            {
                "format": FORMAT,
                "number": self.number,
                "at": self.at,
                "complete_until": self.complete_until,
                "size": self.size,
                "root": self.root.hex(),
                "leaves": self.leaves.hex(),
                "earliest": self.earliest,
                "latest": self.latest,
                "late": self.late,
                "previous": None if self.previous is None else self.previous.hex(),
                "key": self.key,
            }
        )

    @property
    def hash(self) -> bytes:
        """What the next header names."""
        return sha256(self.text).digest()

    @property
    def list_name(self) -> str:
        """The name of its leaf list."""
        return f"{self.number:08}-{self.leaves.hex()[:32]}.gz"

    @classmethod
    def read(cls, text: bytes) -> Header:
        """Raises Unreadable."""
        try:
            said = read_text(text)
        except MalformedRequest as malformed:
            raise Unreadable(malformed.message) from None
        if said.pop("format", None) != FORMAT:
            raise Unreadable(f"its format is not {FORMAT}")
        header = _header(said)
        if header.text != text:
            raise Unreadable("it is not in canonical form")
        return header


@dataclass(frozen=True, slots=True)
class Signed:
    """A header as it is stored: its bytes, and the signature over them, in a line each."""

    text: bytes
    signature: bytes

    @property
    def file(self) -> bytes:
        return self.text + b"\n" + self.signature.hex().encode() + b"\n"

    @classmethod
    def read(cls, file: bytes) -> Signed:
        """Raises Unreadable."""
        text, _, rest = file.partition(b"\n")
        if not re.fullmatch(rb"[0-9a-f]{%d}\n" % (2 * SIGNATURE_SIZE), rest):
            raise Unreadable("it is not a header and a signature, in a line each")
        return cls(text, bytes.fromhex(rest[:-1].decode()))


def name_of(number: int) -> str:
    """The name of a checkpoint's header."""
    return f"{number:08}{SUFFIX}"


def numbers_in(names: Iterable[str]) -> list[int]:
    """The numbers of the checkpoints whose headers are among these names, in order."""
    found = (_NAME.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def line_of(leaf: Leaf) -> bytes:
    """A leaf in a leaf list: `["act_...",1,"9f2c..."]`, and `false` behind it where it is not chained."""
    mark = "" if leaf.chained else ",false"
    return f'[{json.dumps(leaf.action_id)},{leaf.version},"{leaf.hash.hex()}"{mark}]\n'.encode()


def leaves_in(lines: Iterable[bytes]) -> Iterator[Leaf]:
    """What `line_of` wrote. Raises Unreadable for anything else, and where the order is not that of a tree."""
    before: tuple[str, int] | None = None
    for line in lines:
        leaf = _leaf(line)
        place = (leaf.action_id, leaf.version)
        if before is not None and place <= before:
            raise Unreadable(f"{leaf.action_id} version {leaf.version} is out of order")
        before = place
        yield leaf


class CheckpointStore(Protocol):
    """Where checkpoints are kept: files that are written once."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def names(self) -> Sequence[str]:
        """Of all files. Raises LedgerUnavailable, as the others do."""
        ...

    def read(self, name: str) -> BinaryIO | None:
        """None where there is no such file. The reader closes it."""
        ...

    def put(self, name: str, file: BinaryIO) -> bool:
        """All of it, on disk, or nothing. False where there is another file of that name: it stays."""
        ...


class Signer(Protocol):
    """Who signs checkpoints."""

    @property
    def key(self) -> bytes:
        """The public key, 32 bytes. Raises ConfigurationError, LedgerUnavailable."""
        ...

    def sign(self, text: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes. Raises ConfigurationError, LedgerUnavailable."""
        ...


class Keys(Protocol):
    """Public keys that are trusted."""

    def know(self, key_id: str) -> bool: ...

    def have_signed(self, key_id: str, signature: bytes, text: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A leaf in the tree of checkpoint `number`. `place` counts all leaves of an index, from 0."""

    place: int
    number: int
    leaf: Leaf


class LeafIndex(Protocol):
    """Leaves by action, more of them than fit into memory. For one thread."""

    def add(self, number: int, leaves: Iterable[Leaf]) -> list[Leaf]:
        """All or, where iterating raises, none. Those are left out and returned that are in the index already."""
        ...

    def of(self, action_id: str) -> Sequence[Listed]:
        """In the order of versions."""
        ...

    def of_number(self, number: int) -> Iterator[Leaf]:
        """Those of a checkpoint, in the order of its tree."""
        ...

    def all(self) -> Iterator[Listed]:
        """In the order of action id and version."""
        ...

    def actions(self, above: int) -> Iterator[str]:
        """The ids of the actions that checkpoints above a number have leaves of, each once."""
        ...

    def note(self, action_id: str) -> bool:
        """Whether this id was not noted before."""
        ...


def key_id_of(public_key: bytes) -> str:
    """What a header calls the key: the first half of its SHA-256."""
    return f"ed25519:{sha256(public_key).hexdigest()[:32]}"


def _header(said: Mapping[str, Any]) -> Header:
    wanted = set(Header.__slots__)
    if set(said) != wanted:
        raise Unreadable(f"its members are not {', '.join(sorted(wanted))}")
    return Header(
        number=_whole(said, "number", least=1),
        at=_moment(said, "at"),
        complete_until=_moment(said, "complete_until"),
        size=_whole(said, "size"),
        root=_bytes(said, "root"),
        leaves=_bytes(said, "leaves"),
        earliest=_text(said, "earliest"),
        latest=_text(said, "latest"),
        late=_whole(said, "late"),
        previous=None if said["previous"] is None else _bytes(said, "previous"),
        key=_text(said, "key") or "",
    )


def _whole(said: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = said[name]
    if type(value) is not int or value < least:
        raise Unreadable(f"{name} is no whole number from {least} on")
    return value


def _moment(said: Mapping[str, Any], name: str) -> str:
    value = said[name]
    try:
        if type(value) is str and to_text(from_text(value)) == value:
            return value
    except (ValueError, OverflowError):
        pass
    raise Unreadable(f"{name} is no moment")


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said[name]
    if value is not None and type(value) is not str:
        raise Unreadable(f"{name} is no text")
    return value


def _bytes(said: Mapping[str, Any], name: str) -> bytes:
    value = said[name]
    if type(value) is not str or not _HASH.fullmatch(value):
        raise Unreadable(f"{name} is no SHA-256")
    return bytes.fromhex(value)


def _leaf(line: bytes) -> Leaf:
    if plain := _PLAIN_LINE.fullmatch(line):
        action_id, version, hexadecimal, mark = plain.groups()
        return Leaf(action_id.decode(), int(version), bytes.fromhex(hexadecimal.decode()), mark is None)
    return _unusual_leaf(line)


def _unusual_leaf(line: bytes) -> Leaf:
    """Ids of ours are plain, those of others may be anything."""
    try:
        action_id, version, hexadecimal, *mark = json.loads(line)
        leaf = Leaf(action_id, version, bytes.fromhex(hexadecimal), chained=not mark)
        if type(version) is int and len(leaf.hash) == HASH_SIZE and line_of(leaf) == line:
            return leaf
    except (ValueError, TypeError, RecursionError):
        pass
    raise Unreadable(f"a line is no leaf: {line[:60]!r}")
