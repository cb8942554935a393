"""Whether a commit and its events say the same time: a commit is of the time of its last event, as all are written."""

from __future__ import annotations

import json
from datetime import timedelta

from domain.commit import Commit
from domain.instant import from_text, to_text

SET_BACK = timedelta(hours=1)
"""How far a clock may be set back while a commit is made: what was decided before that is then of a later time."""


def disagreement(commit: Commit) -> str | None:
    """Why its times cannot all be true, as a sentence; None where they can, or where an event tells no time."""
    times = [_time_in(state, commit.at) for _, state in commit.events]
    last = times[-1] if times else None
    if last is not None and last != commit.at:
        return f"it is of {commit.at}, and its last event says {last[:40]!a}"
    later = next((at for at in times if at is not None and at > commit.at), None)
    return (
        None
        if later is None or _may_be_of(later, commit.at)
        else f"it is of {commit.at}, and an event in it says {later[:40]!a}"
    )


def _may_be_of(later: str, at: str) -> bool:
    try:
        return later <= to_text(from_text(at) + SET_BACK)
    except (ValueError, OverflowError):
        return False


def _time_in(state: bytes, expected: str) -> str | None:
    """What the event says as its time. Nearly all say what is expected, first and once: those need not be parsed."""
    if state.startswith(b'{"at":"%b"' % expected.encode()) and state.count(b'"at"') == 1 and b"\\" not in state:
        return expected
    try:
        said = json.loads(state)
    except (ValueError, RecursionError):
        return None
    at = said.get("at") if isinstance(said, dict) else None
    return at if isinstance(at, str) else None
