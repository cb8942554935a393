"""What an export shows of a value, and what it puts in the place of the rest.

    "recipient": {"redacted": "personal", "digest": "9b3f5c0e4a7d21f88c6e90d1b2a3f4e5"}

The digest is an HMAC: equal values have equal digests, and nobody can test a guess without the key. (A plain hash of an
address is the address, to anybody who has a list of them.) A secret has no digest.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from domain.canonical import canonical
from domain.field_class import SHOWN, FieldClass

Shape: TypeAlias = "FieldClass | Mapping[str, Shape] | Sequence[Shape]"
"""The class of a value, or of each of its members."""

DIGEST_SIZE = 16
"""Bytes of the HMAC that are shown."""


class Redactor:
    """Shows what is technical and who acted, what is `revealed`, and of the rest that it is there."""

    def __init__(self, key: bytes, revealed: Iterable[FieldClass] = ()) -> None:
        self._key = key
        self._shown = SHOWN | frozenset(revealed)

    def shown(self, value: object, shape: Shape) -> Any:
        """The value as an export has it, in plain JSON values. None is shown as such."""
        if value is None:
            return None
        if isinstance(shape, FieldClass):
            return value if shape in self._shown else self._redacted(value, shape)
        if isinstance(shape, Mapping):
            return self._members(value, shape)
        if isinstance(value, list) and len(value) == len(shape):
            return [self.shown(member, one) for member, one in zip(value, shape, strict=True)]
        return self.shown(value, FieldClass.UNDECLARED)

    def _members(self, value: object, shapes: Mapping[str, Shape]) -> Any:
        if not isinstance(value, Mapping):
            return self.shown(value, FieldClass.UNDECLARED)
        shown = {name: self.shown(member, shapes[name]) for name, member in value.items() if name in shapes}
        others = {name: member for name, member in value.items() if name not in shapes}
        if FieldClass.UNDECLARED in self._shown:
            return shown | others
        # Whoever chose these names may have put anything into them.
        return shown | ({"undeclared": self._redacted(others, FieldClass.UNDECLARED)} if others else {})

    def _redacted(self, value: object, field_class: FieldClass) -> dict[str, str]:
        if field_class is FieldClass.SECRET:
            return {"redacted": str(field_class)}
        digest = hmac.digest(self._key, _bytes_of(value), "sha256")[:DIGEST_SIZE]
        return {"redacted": str(field_class), "digest": digest.hex()}


def _bytes_of(value: object) -> bytes:
    try:
        return canonical(value)
    except (ValueError, TypeError):  # such as an integer beyond 53 bits, which a provider may answer with
        return json.dumps(value, sort_keys=True, default=str).encode()


def exact(value: object) -> Any:
    """The value where it has a canonical form, else its JSON as a text: readers disagree about what has none."""
    try:
        canonical(value)
    except (ValueError, TypeError):
        return json.dumps(value, default=str)
    return value
