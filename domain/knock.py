"""Somebody says "look at action X": a record of the ledger's stream, or a message of the doorbell queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Knock:
    """`name` is how whoever delivered it wants a failure of it named, `event_id` what it is called in quarantine."""

    name: str | None
    event_id: str
    action_id: str | None = None
    newest: int | None = None
    """The version of the last event of the commit that knocks; None where no commit does, but a message."""
    announce: tuple[int, ...] = ()
    """Versions that others are to hear of."""
    problem: str | None = None
    """Why it cannot be understood, where it cannot."""
    is_message: bool = False
    """It came out of the queue, which forgets it once it is done."""
