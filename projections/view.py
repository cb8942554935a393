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

    # By what it is found (`projections.search_keys`): texts of bounded length, None where there is none.
    subject: str | None = None
    """Whom or what it is about, as its type declares: a recipient, a record, a channel."""
    target: str | None = None
    """Who bears the effect, as breakers and limits know him; None where that is the action type itself."""
    agent: str | None = None
    decision: str | None = None
    correlation: str | None = None
    workflow: str | None = None
    """The id of the run that it is a step of."""
    actor: str | None = None
    """The person who acted on it last."""
    error: str | None = None
    """The code of what is wrong with it."""


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
        "subject": view.subject,
        "target": view.target,
        "agent": view.agent,
        "decision": view.decision,
        "correlation": view.correlation,
        "workflow": view.workflow,
        "actor": view.actor,
        "error": view.error,
    }
