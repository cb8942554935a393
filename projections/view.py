"""One row an action: what lists and searches are made of.

The row is written with the events (SQLite) or after them, on the condition "older version" (DynamoDB),
so duplicates and reorder are harmless. `status(id)` and `history(id)` never need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.instant import to_text
from domain.priority import Priority


@dataclass(frozen=True, slots=True)
class ActionView:
    """`version` is that of the last event told here; `due_at` is when somebody must look at the action again.

    `holder` is the process that is attempting it, None when none is, or when that cannot be told.
    """

    action_id: str
    version: int
    status: str
    action_type: str
    due_at: datetime | None
    born: datetime
    updated: datetime
    holder: str | None = None
    priority: Priority = Priority.NORMAL


def row_of(view: ActionView) -> dict[str, Any]:
    """The row in plain JSON values, for people and programs."""
    return {
        "action_id": view.action_id,
        "status": view.status,
        "action_type": view.action_type,
        "priority": str(view.priority),
        "version": view.version,
        "due_at": None if view.due_at is None else to_text(view.due_at),
        "born": to_text(view.born),
        "updated": to_text(view.updated),
    }
