"""Replays that a function is asked for: as far as its time goes, and from where to go on.

    {"replay": {"projection": "counts", "since": "2026-11-01", "until": "2026-11-30", "cursor": null}}
    {"replay": {"projection": "views", "action_id": "act_..."}}

The projection `views` puts each row in its place, in the table that lists are read from. All members may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agents.execution_agent.assembly import opened_upkeep
from agents.execution_agent.config import Settings
from agents.execution_agent.replaying import (
    Made,
    Question,
    cursor_of,
    places_in,
    projection_called,
    question_in,
    slice_of_one,
    slices,
)
from domain.errors import Refused
from domain.journal import Journal, NoCursor
from domain.ledger import translated
from projections.rebuild import Upkeep, Views
from projections.replay import Place, Slice

TOGETHER = 200
"""Actions between two looks at the clock."""
LARGEST_RESULT = 4_000_000
"""Bytes, or some more: an answer may have six million."""
INTO_VIEWS = "views"


def answer_replay(
    settings: Settings, event: object, *, has_time: Callable[[], bool], together: int = TOGETHER
) -> dict[str, Any]:
    """`{projection, since, until, action_id, complete, actions, events, findings, result, cursor}`, or `{error}`.

    `cursor` is what to bring along to go on, None where this is all. `result` is of what was read this time. Raises
    LedgerUnavailable, ConfigurationError.
    """
    try:
        question, places = _asked(event)
        into_views = question.projection == INTO_VIEWS
        made: Made = Views if into_views else projection_called(question.projection)
        with translated(), opened_upkeep(settings) as (journal, upkeep):
            replay = _Replay(journal, upkeep if into_views else None, made, places)
            try:
                replay.run(question, has_time, together)
            except NoCursor as error:
                raise Refused(str(error), code="bad_place") from None
            return {**question.as_dict(), **replay.told()}
    except Refused as error:
        return {"error": {"code": str(error.code), "message": error.message, "details": []}}


def _asked(event: object) -> tuple[Question, dict[int, Place]]:
    asked = event.get("replay") if isinstance(event, Mapping) else None
    if not isinstance(asked, Mapping):
        raise Refused('a replay is asked for with {"replay": {...}}', code="malformed")
    said = dict(asked)
    cursor = said.pop("cursor", None)
    return question_in(said), places_in(cursor or {})


class _Replay:
    def __init__(self, journal: Journal, upkeep: Upkeep | None, made: Made, places: dict[int, Place]) -> None:
        """`upkeep` keeps what is made, where it is kept."""
        self._journal = journal
        self._upkeep = upkeep
        self._made = made
        self._places = places
        self._whole = made()
        self._actions = self._events = self._size = 0
        self._findings: list[dict[str, Any]] = []
        self._is_complete = False

    def run(self, question: Question, has_time: Callable[[], bool], together: int) -> None:
        """As far as there is time, and room in the answer."""
        if question.action_id is not None:
            self._take(slice_of_one(self._journal, self._made, question.action_id))
        else:
            for told in slices(self._journal, self._made, question.span, self._places, together):
                self._take(told)
                if not has_time() or self._size > LARGEST_RESULT:
                    return
        self._is_complete = True

    def _take(self, told: Slice) -> None:
        if self._upkeep is not None:
            self._upkeep.put(told.result)
        else:
            self._whole.add(told.result)
            self._size += len(json.dumps(told.result))
        self._places[told.part] = told.place
        self._actions += told.actions
        self._events += told.events
        self._findings += [finding.as_dict() for finding in told.findings]

    def told(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "complete": self._is_complete,
            "actions": self._actions,
            "events": self._events,
            "findings": self._findings,
            "result": None if self._upkeep is not None else self._whole.result(),
            "cursor": None if self._is_complete else cursor_of(self._places),
        }
