"""Events that this release cannot read: shown in their place with what can be told, and decided on by nobody.

A later release may have written them, or somebody may have damaged them, or taken out what was before them. Whoever
decides loads the action, and is refused (`domain.errors.UnreadableEvent`). Whoever only looks reads its life here,
where nothing is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from eventsourcing.domain import EventSourcingError
from eventsourcing.persistence import Mapper, StoredEvent

from domain.errors import CorruptEvent, NewerSchema, UnknownTopic, UnreadableEvent
from domain.events import RecordedEvent
from domain.instant import from_text

if TYPE_CHECKING:
    from domain.action import Action
    from domain.workflow import WorkflowRun

UNKNOWN = "unknown"
"""The type under which such an event is shown."""


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """What can be told of it; None is for what cannot be told.

    `problem` is unknown_topic, newer_schema, corrupt or, of one that does not follow what is before it, out_of_place.
    """

    originator_id: str
    originator_version: int
    timestamp: datetime | None
    topic: str
    schema: int | None
    problem: str


Told: TypeAlias = RecordedEvent | UnknownEvent
"""An event as it is shown."""


def life_in(stored: Iterable[StoredEvent], mapper: Mapper[str]) -> list[Told]:
    """Each event, in order: as it is, or as an UnknownEvent. Raises nothing for what a row says."""
    return [_read(event, mapper) for event in stored]


NOT_FOLLOWING = (
    EventSourcingError,  # it has another version than the next, or another id
    AssertionError,  # it begins a life that has begun, or goes on with one that has not
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What applying an event raises that was not written to stand where it stands."""


def replayed(standing: Any, life: Iterable[RecordedEvent]) -> Any:
    """What the events make of an action, or of a run; where it is None, they begin it.

    Raises CorruptEvent for one that does not follow what is before it: another is missing, or this one is too many.
    """
    for event in life:
        try:
            standing = event.mutate(standing)
        except NOT_FOLLOWING as error:
            raise out_of_place(event) from error
    return standing


def out_of_place(event: RecordedEvent) -> CorruptEvent:
    """The error about an event that does not follow what is before it."""
    return CorruptEvent(f"{event.originator_id}: version {event.originator_version} does not follow what is before it")


@dataclass(frozen=True, slots=True)
class Known:
    """What an action, or a run, was before the first event that cannot be read; None where that is the first of all."""

    as_of: Action | WorkflowRun | None
    unknown: UnknownEvent | None


def known_of(life: Iterable[Told]) -> Known:
    """As far as it is known."""
    found: Any = None
    before: list[RecordedEvent] = []
    for event in life:
        if isinstance(event, UnknownEvent):
            return Known(found, event)
        try:
            found = replayed(found, (event,))
        except CorruptEvent:
            # The half of it may have been applied.
            return Known(replayed(None, before), _out_of_place(event))
        before.append(event)
    return Known(found, None)


def _out_of_place(event: RecordedEvent) -> UnknownEvent:
    return UnknownEvent(
        event.originator_id, event.originator_version, event.timestamp, event.TOPIC, event.schema, "out_of_place"
    )


def _read(stored: StoredEvent, mapper: Mapper[str]) -> Told:
    try:
        event: Any = mapper.to_domain_event(stored)
    except UnreadableEvent as error:
        return _unknown(stored, error)
    recorded: RecordedEvent = event
    return recorded


def _unknown(stored: StoredEvent, error: UnreadableEvent) -> UnknownEvent:
    said = _said(stored.state)
    schema = said.get("schema", 1)
    return UnknownEvent(
        str(stored.originator_id),
        stored.originator_version,
        _time(said.get("at")),
        stored.topic,
        schema if type(schema) is int and said else None,
        _problem(error),
    )


def _problem(error: UnreadableEvent) -> str:
    if isinstance(error, NewerSchema):
        return "newer_schema"
    return "unknown_topic" if isinstance(error, UnknownTopic) else "corrupt"


def _said(state: bytes) -> dict[str, Any]:
    try:
        said = json.loads(state)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _time(at: object) -> datetime | None:
    """Only what is a moment: aware, as all that is stored."""
    try:
        moment = from_text(at) if isinstance(at, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
