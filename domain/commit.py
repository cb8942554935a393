"""A commit as it is stored, and its hash: what makes an edited ledger tell on itself.

    commit 1             commit 2             commit 3
    previous: nothing ┌─ previous         ┌── previous
    body              │  body             │   body
    ▲─────────────────┘  ▲────────────────┘

A commit bears the hash of its action's previous one, so none can be edited, taken out, put in or moved without a break
at the next. Whoever rewrites a life up to its end leaves no break: that is what checkpoints notice, trees of the same
hashes that are kept elsewhere.

**The body** is the events as they are stored: their number in decimal, then `n` or `z`, then netstrings
(https://cr.yp.to/proto/netstrings.txt), topic and state in turn: as they are after `n`, a zlib stream after `z`.
**The record** is what is hashed: netstrings of `commit/1`, the action's id, the version of the first event in decimal,
the commit's time as text, the 32 bytes of the previous hash (none in a first commit), and the body. **The hash** is the
leaf hash of RFC 6962, section 2.1: SHA-256 of a zero byte and the record.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from eventsourcing.persistence import StoredEvent

from domain.errors import CorruptEvent

FORMAT = b"commit/1"
HASH_SIZE = 32
NOTHING = b""
"""What stands for the previous hash in a first commit."""

LEAF = b"\x00"

SMALLEST_DEFLATED = 256
"""Bytes. Below, deflating saves too little to be worth its time."""
LARGEST_BODY = 16_000_000
"""Bytes of netstrings, so that a small row cannot ask for all the memory there is. No store takes a tenth of that."""

Saying: TypeAlias = tuple[str, bytes]
"""Topic and state of an event."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Events decided together: consecutive versions of one action, from `version` on.

    `at` is the commit's time, as text. `previous` is the hash of the action's commit before this one: `NOTHING` where
    this is its first, None where it was written before commits were chained. `body` is what is stored of the events;
    where it is not given, they are stored as they are.
    """

    action_id: str
    version: int
    at: str
    previous: bytes | None
    events: tuple[Saying, ...]
    body: bytes = b""

    def __post_init__(self) -> None:
        if not self.body:
            object.__setattr__(self, "body", plain(self.events))

    @classmethod
    def read(cls, action_id: str, version: int, at: str, previous: bytes | None, body: bytes) -> Commit:
        """Raises CorruptEvent when its events cannot be read."""
        try:
            events = unpacked(body)
        except ValueError as error:
            raise CorruptEvent(f"{action_id}: the commit at version {version} cannot be read ({error})") from error
        return cls(action_id, version, at, previous, events, body)

    @property
    def last(self) -> int:
        """The version of its last event."""
        return self.version + len(self.events) - 1

    @property
    def record(self) -> bytes:
        """What is hashed."""
        return record_of(self.action_id, self.version, self.at, self.previous, self.body)

    @property
    def hash(self) -> bytes:
        """32 bytes."""
        return hash_of(self.record)

    def stored_events(self) -> list[StoredEvent]:
        """Its events, as the library speaks of them."""
        return [
            StoredEvent(self.action_id, version, topic, state)
            for version, (topic, state) in enumerate(self.events, self.version)
        ]


def record_of(action_id: str, version: int, at: str, previous: bytes | None, body: bytes) -> bytes:
    """What is hashed of a commit. Its events need not be read for that."""
    said = (FORMAT, action_id.encode(), b"%d" % version, at.encode(), previous or NOTHING, body)
    return b"".join([b"%d:%b," % (len(text), text) for text in said])


def hash_of(record: bytes) -> bytes:
    """32 bytes."""
    return sha256(LEAF + record).digest()


def sayings(events: Sequence[StoredEvent]) -> tuple[Saying, ...]:
    """Topic and state of each."""
    return tuple([(event.topic, event.state) for event in events])


def word_of(topic: str) -> str:
    """The type of an event: its topic without the aggregate's."""
    return topic.rpartition(".")[2]


# -- the body ---------------------------------------------------------------------------------------------------------

_HEADER = re.compile(rb"(0|[1-9]\d*)([nz])")
_LENGTH = re.compile(rb"(0|[1-9]\d*):")


def plain(events: Sequence[Saying]) -> bytes:
    """The body that stores events as they are."""
    return b"%dn%b" % (len(events), _netstrings_of(events))


def packed(events: Sequence[Saying]) -> bytes:
    """The body that takes the least room."""
    texts = _netstrings_of(events)
    if len(texts) < SMALLEST_DEFLATED:
        return b"%dn%b" % (len(events), texts)
    # A window of 8 KiB: for what an action says as small as the usual one, and four times as fast.
    deflate = zlib.compressobj(level=6, wbits=13, memLevel=6)
    deflated = deflate.compress(texts) + deflate.flush()
    return b"%d" % len(events) + (b"z" + deflated if len(deflated) < len(texts) else b"n" + texts)


def unpacked(body: bytes) -> tuple[Saying, ...]:
    """The events of a body. Raises ValueError when it is none."""
    header = _HEADER.match(body)
    if header is None:
        raise ValueError("an unknown format")
    texts = body[header.end() :]
    said = list(_netstrings_in(_inflated(texts) if header[2] == b"z" else texts))
    if len(said) != 2 * int(header[1]):
        raise ValueError("another number of events than it says")
    return tuple([(topic.decode(), state) for topic, state in zip(said[::2], said[1::2], strict=True)])


def _inflated(texts: bytes) -> bytes:
    inflate = zlib.decompressobj()
    try:
        inflated = inflate.decompress(texts, LARGEST_BODY)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof:
        raise ValueError("an incomplete zlib stream")
    if inflate.unused_data:
        raise ValueError("something behind its zlib stream")
    return inflated


def _netstrings_of(events: Sequence[Saying]) -> bytes:
    return b"".join([_netstring(topic.encode()) + _netstring(state) for topic, state in events])


def _netstring(text: bytes) -> bytes:
    return b"%d:%b," % (len(text), text)


def _netstrings_in(texts: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(texts):
        length = _LENGTH.match(texts, place)
        if length is None:
            raise ValueError("no netstring where one should begin")
        end = length.end() + int(length[1])
        if texts[end : end + 1] != b",":
            raise ValueError("a netstring of another length than it says")
        yield texts[length.end() : end]
        place = end + 1
