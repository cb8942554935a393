"""What happened? The life of an action, or of a workflow run, event by event, in plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.events import RecordedEvent
from domain.instant import to_text


def history_of(life: Iterable[RecordedEvent]) -> list[dict[str, Any]]:
    """A list of `{version, type, at, data}`, oldest first."""
    return [
        {
            "version": event.originator_version,
            "type": event.life.value,
            "at": to_text(event.timestamp),
            "data": {name: getattr(event, name) for name in event.own_fields() if getattr(event, name) is not None},
        }
        for event in life
    ]
