"""What can be told of an action, or of a run, of whose life this release cannot read all: where it stood before that.

Nobody decides on it, and nothing is left out: its row and its answer say that they are not the whole truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from domain.errors import Code, ErrorReport
from domain.identity import is_run_id
from domain.lifecycle import Status
from domain.unreadable import Told, UnknownEvent, known_of
from projections.status import Response, response_of

BEGUN, RUN_BEGUN = str(Status.REQUESTED), "running"
"""Where it stands, of which nothing can be read but that there is something."""

_WHY = {
    "newer_schema": "it was written by a later release",
    "unknown_topic": "this release does not know its kind: a later one may",
    "corrupt": "it is damaged",
    "out_of_place": "it does not follow what is before it",
}


def response_as_known(action_id: str, life: Sequence[Told], message: str = "") -> Response:
    """Where it stood before the first event that cannot be read, and which that is. `message` is for a life that can
    be read, where what it belongs to cannot."""
    known = known_of(life)
    error = ErrorReport(Code.UNREADABLE, message if known.unknown is None else why(known.unknown))
    if known.as_of is None:
        return Response(action_id, RUN_BEGUN if is_run_id(action_id) else BEGUN, error=error)
    return replace(response_of(known.as_of), error=error)


def why(unknown: UnknownEvent) -> str:
    """In a sentence for people."""
    schema = f", schema {unknown.schema}" if unknown.schema is not None else ""
    event = f"version {unknown.originator_version} ({unknown.topic[:80]!a}{schema})"
    return f"{event} cannot be read ({_WHY[unknown.problem]}); nothing is decided, and this is where it stood before"
