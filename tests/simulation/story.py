"""What happened in a run, in order: to be compared by its hash, and to be read when something is wrong."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple


class Line(NamedTuple):
    """`at` in seconds since the beginning."""

    at: float
    who: str
    what: str
    action_id: str
    detail: str

    def __str__(self) -> str:
        return f"{self.at:10.3f}  {self.who:<24} {self.what:<22} {self.detail}"


class Story:
    """The lines of a run."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def tell(self, at: float, who: str, what: str, action_id: str = "", detail: str = "") -> None:
        self.lines.append(Line(at, who, what, action_id, detail))

    def about(self, action_id: str) -> list[Line]:
        """What those did who had to do with an action, as far as it concerns this one; and every crash."""
        concerned = {line.who for line in self.lines if line.action_id == action_id}
        return [
            line
            for line in self.lines
            if line.action_id == action_id or (not line.action_id and (line.who in concerned or line.what == "crashes"))
        ]

    def digest(self) -> str:
        """The same only for a run in which the same happened, to the last byte."""
        return blake2b(repr(self.lines).encode(), digest_size=16).hexdigest()
