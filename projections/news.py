"""What others are told of an action: that it ended, is in doubt, or is held until a person approves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.action import Action
from domain.events import ActionEvent
from domain.lifecycle import ENDED, STATUS_AFTER, Status
from domain.ports import News
from projections.status import response_of

TOLD = ENDED | {Status.IN_DOUBT, Status.HELD}
"""Where an action stands when others hear of it."""

_TOLD_WORDS = {life.value for life, status in STATUS_AFTER.items() if status in TOLD}


def is_told(word: str) -> bool:
    """Whether an event of this word is news to others."""
    return word in _TOLD_WORDS


def title_of(status: str) -> str:
    """`Action In Doubt`. Receivers choose by these words: they outlive the code."""
    return f"Action {status.replace('_', ' ').title()}"


def news_of(action: Action) -> News:
    """The news that the action's last event brings."""
    response = response_of(action).as_dict()
    return News(action.id, action.version, title_of(response["status"]), action.modified_on, response)


def news_as_of(life: Iterable[ActionEvent], version: int) -> News | None:
    """The news that the event `version` brought, whatever came after it; None where it brought none."""
    action: Any = None
    for event in life:
        action = event.mutate(action)
        if event.originator_version == version:
            return news_of(action) if is_told(event.life.value) else None
    return None
