"""What others are told of an action: that it ended, is in doubt, or is held until a person approves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from domain.action import Action
from domain.events import RecordedEvent
from domain.identity import is_run_id
from domain.lifecycle import ENDED, STATUS_AFTER, Status
from domain.ports import News
from domain.unreadable import replayed
from projections.status import response_of

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun

TOLD = ENDED | {Status.IN_DOUBT, Status.HELD}
"""Where an action stands when others hear of it."""

_TOLD_OF_RUNS = frozenset({"completed", "compensated", "partially_compensated", "needs_operator"})
_TOLD_WORDS = {life.value for life, status in STATUS_AFTER.items() if status in TOLD} | _TOLD_OF_RUNS


def is_told(word: str) -> bool:
    """Whether an event of this word is news to others."""
    return word in _TOLD_WORDS


def title_of(status: str, kind: str = "Action") -> str:
    """`Action In Doubt`, `Workflow Completed`. Receivers choose by these words: they outlive the code."""
    return f"{kind} {status.replace('_', ' ').title()}"


def news_of(action: Action | WorkflowRun) -> News:
    """The news that the last event brings of an action, or of a workflow run."""
    response = response_of(action).as_dict()
    title = title_of(response["status"], "Workflow" if is_run_id(action.id) else "Action")
    return News(action.id, action.version, title, action.modified_on, response)


def news_as_of(life: Iterable[RecordedEvent], version: int) -> News | None:
    """The news that the event `version` brought, whatever came after it; None where it brought none."""
    action: Any = None
    for event in life:
        action = replayed(action, (event,))
        if event.originator_version == version:
            return news_of(action) if is_told(event.life.value) else None
    return None
