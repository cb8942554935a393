"""Who goes first: the line of what is due.

A place in the line is the moment at which the action became due, and the patience that its priority asks of it on top.
Of what became due together, high goes before normal before low. Whoever has been patient for long enough stands before
all that became due since, whatever their priority, so nobody waits for ever:

    became due    12:00 low    12:08 normal    12:09 high    12:10 high    12:10 normal    12:10 low
    its place     12:10        12:09           12:09         12:10         12:11           12:20

A place is about order alone. Where there is room, nobody waits for it: what is due is done, low or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Priority(StrEnum):
    """The words of the contract."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @classmethod
    def of(cls, word: object) -> Priority:
        """The priority of this name; normal for whatever is none."""
        return next((priority for priority in cls if priority == word), cls.NORMAL)

    @property
    def patience(self) -> timedelta:
        """By how much later it may have become due, and still goes before what is high."""
        return _PATIENCE[self]


_PATIENCE: Mapping[Priority, timedelta] = {
    Priority.HIGH: timedelta(0),
    Priority.NORMAL: timedelta(minutes=1),
    Priority.LOW: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the line; an earlier one goes first."""

    at: datetime
    action_id: str

    @classmethod
    def of(cls, action_id: str, due_at: datetime, priority: Priority) -> Place:
        return cls(due_at + priority.patience, action_id)
