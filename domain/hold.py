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

    def hash_with(self, fingerprint: str) -> str:
        """SHA-256, in hex, of the request and of this: an approval is for exactly these, and nothing that changed."""
        approved = {"fingerprint": fingerprint, "rule": self.rule, "details": dict(self.details)}
        return sha256(canonical(approved)).hexdigest()
