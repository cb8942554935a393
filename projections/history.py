"""What happened? The life of an action, or of a workflow run, event by event, in plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.events import RecordedEvent
from domain.instant import to_text
from domain.unreadable import UNKNOWN, Told, UnknownEvent


def history_of(life: Iterable[Told]) -> list[dict[str, Any]]:
    """A list of `{version, type, at, data}`, oldest first.

    What this release cannot read has the type `unknown`, and `at` is None where that cannot be told either.
    """
    return [_unknown(event) if isinstance(event, UnknownEvent) else _known(event) for event in life]


def _known(event: RecordedEvent) -> dict[str, Any]:
    return {
        "version": event.originator_version,
        "type": event.life.value,
        "at": to_text(event.timestamp),
        "data": {name: getattr(event, name) for name in event.own_fields() if getattr(event, name) is not None},
    }


def _unknown(event: UnknownEvent) -> dict[str, Any]:
    told = {"topic": event.topic, "schema": event.schema, "problem": event.problem}
    return {
        "version": event.originator_version,
        "type": UNKNOWN,
        "at": None if event.timestamp is None else to_text(event.timestamp),
        "data": {name: value for name, value in told.items() if value is not None},
    }
