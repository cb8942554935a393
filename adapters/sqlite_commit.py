"""A commit, and the row of SQLite that holds it.

    action_id   the action's id
    version     version of the commit's first event
    events      how many in decimal, then `n` or `z`, then netstrings (https://cr.yp.to/proto/netstrings.txt), topic
                and state in turn: as they are after `n`, a zlib stream after `z`
    last        type of the last event
    at          "2026-11-24T19:29:42.704559Z"

The events can be read without this program, for instance in the sqlite3 shell:
SELECT version, sqlar_uncompress(substr(events, 3), 1000000) FROM commits WHERE substr(events, 2, 1) = x'7a'
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent

from domain.errors import CorruptEvent
from domain.instant import to_text

CommitRow: TypeAlias = tuple[str, int, bytes, str, str]

SMALLEST_DEFLATED = 256
"""Bytes. Below, deflating saves too little to be worth its time."""

_HEADER = re.compile(rb"(\d+)([nz])")
_LENGTH = re.compile(rb"(\d+):")


def row_of(events: Sequence[StoredEvent], at: datetime) -> CommitRow:
    """Raises ProgrammingError for events of several actions, IntegrityError for versions that are not consecutive."""
    action_id, first = str(events[0].originator_id), events[0].originator_version
    if any(str(event.originator_id) != action_id for event in events):
        raise ProgrammingError("a commit belongs to one action")
    versions = [event.originator_version for event in events]
    if versions != list(range(first, first + len(versions))):
        raise IntegrityError(f"{action_id}: the versions {versions} are not consecutive")
    last = events[-1].topic.rpartition(".")[2]
    return action_id, first, _packed(events), last, to_text(at)


def events_in(packed: bytes, originator_id: UUID | str, first: int) -> list[StoredEvent]:
    """The events bear the id that was asked for. Raises CorruptEvent when they cannot be read."""
    try:
        count, texts = _unpacked(packed)
        if len(texts) != 2 * count:
            raise ValueError("another number of events than it says")
        return [
            StoredEvent(originator_id, first + place, topic.decode(), state)
            for place, (topic, state) in enumerate(zip(texts[::2], texts[1::2], strict=True))
        ]
    except (ValueError, zlib.error) as error:
        raise CorruptEvent(f"{originator_id}: the commit at version {first} cannot be read ({error})") from error


def _packed(events: Sequence[StoredEvent]) -> bytes:
    texts = b"".join(_netstring(event.topic.encode()) + _netstring(event.state) for event in events)
    if len(texts) < SMALLEST_DEFLATED:
        return b"%dn" % len(events) + texts
    # A window of 8 KiB: for what an action says as small as the usual one, and four times as fast.
    deflate = zlib.compressobj(level=6, wbits=13, memLevel=6)
    deflated = deflate.compress(texts) + deflate.flush()
    return b"%d" % len(events) + (b"z" + deflated if len(deflated) < len(texts) else b"n" + texts)


def _unpacked(packed: bytes) -> tuple[int, list[bytes]]:
    header = _HEADER.match(packed)
    if header is None:
        raise ValueError("an unknown format")
    body = packed[header.end() :]
    texts = zlib.decompress(body) if header[2] == b"z" else body
    return int(header[1]), list(_netstrings(texts))


def _netstring(text: bytes) -> bytes:
    return b"%d:%b," % (len(text), text)


def _netstrings(texts: bytes) -> Iterator[bytes]:
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
