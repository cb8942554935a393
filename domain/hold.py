"""What keeps an action until a person approves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from domain.canonical import canonical


@dataclass(frozen=True, slots=True)
class Hold:
    """`rule` is a word, `message` for people, `details` what there is to decide on, in plain JSON values."""

    rule: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def hash_with(self, fingerprint: str, effect_key: str) -> str:
        """SHA-256, in hex, of the request, its route and this: an approval is for exactly these, as they were shown."""
        shown = {
            "fingerprint": fingerprint,
            "effect_key": effect_key,
            "rule": self.rule,
            "message": self.message,
            "details": dict(self.details),
        }
        return sha256(canonical(shown)).hexdigest()
