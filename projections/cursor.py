"""Cursors: where the next page begins, as text that means nothing to whoever carries it.

    base64url( 9 bytes of a hash over the search, the ledger and the place, then the place itself )

The hash is no secret. It lets a cursor be known that belongs to other filters or another ledger, or was damaged on its
way; whoever makes one of their own reaches no other rows than the search gives anyway.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from domain.errors import Code, FieldError, Refused
from domain.instant import from_text, to_text
from projections.search import Position, Search

LONGEST_CURSOR = 1_000
"""Characters; an id has 255 at most."""
_SEAL = 9


def cursor_of(place: Position, search: Search, ledger: str) -> str:
    """The cursor of the page of `search` that begins after `place`. `ledger` is the name of where it is searched."""
    said = f"{to_text(place.born)} {place.action_id}".encode()
    return urlsafe_b64encode(_seal(said, search, ledger) + said).decode().rstrip("=")


def place_in(cursor: object, search: Search, ledger: str) -> Position:
    """Where the page begins. Raises Refused (invalid_options) for what is no cursor of this search."""
    try:
        return _read(cursor, search, ledger)
    except ValueError:
        message = (
            "this is no cursor of this search: it belongs to other filters or another ledger, or is damaged;"
            " begin again without it"
        )
        detail = FieldError("cursor", Code.INVALID_OPTIONS, message)
        raise Refused(f"cursor: {message}", details=[detail], code=Code.INVALID_OPTIONS) from None


def _read(cursor: object, search: Search, ledger: str) -> Position:
    if not isinstance(cursor, str) or not cursor.isascii() or len(cursor) > LONGEST_CURSOR:
        raise ValueError("no text of ours")
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    seal, said = raw[:_SEAL], raw[_SEAL:]
    # What decodes to the same bytes may still be another text.
    if seal != _seal(said, search, ledger) or urlsafe_b64encode(raw).decode().rstrip("=") != cursor:
        raise ValueError("not sealed by us")
    born, _, action_id = said.decode().partition(" ")
    return Position(from_text(born), action_id)


def _seal(said: bytes, search: Search, ledger: str) -> bytes:
    since, until = (None if moment is None else to_text(moment) for moment in (search.since, search.until))
    about = json.dumps(["cursor/1", ledger, sorted(search.keys.items()), since, until]).encode()
    return sha256(about + b"\x00" + said).digest()[:_SEAL]
