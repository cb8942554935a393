"""An outcome as the ledger can hold it: whatever an action type answers, the answer must not get lost.

The effect has happened by now. A result that is no JSON, or too long, costs the result, never the fact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.outcome import (
    CannotTell,
    Executed,
    Finding,
    NotExecuted,
    Outcome,
    Permanent,
    Retry,
    Succeeded,
    Unknown,
)

LONGEST_MESSAGE = 1_000
"""Characters of a code's message that are kept."""
LARGEST_VALUE = 128 * 1024
"""Bytes of a result, and of undo data."""


def recordable(answer: object) -> Outcome:
    """The answer itself in the common case; else as much of it as can be stored."""
    if isinstance(answer, Succeeded):
        return _success(answer)
    if isinstance(answer, Permanent):
        return Permanent(_text(answer.code), _text(answer.message))
    if isinstance(answer, Retry | Unknown):
        return replace(
            answer,
            code=_text(answer.code),
            message=_text(answer.message),
            retry_after=_seconds(answer.retry_after),
        )
    return Unknown("no_outcome", f"the action type answered {type(answer).__name__}, which is no outcome")


def recordable_finding(found: object) -> Finding:
    """The same for what a probe found; what is no finding tells nothing."""
    if isinstance(found, Executed):
        said = _success(Succeeded(found.result, found.reference, found.undo))
        return Executed(plain(found.evidence), said.result, said.reference, said.undo)
    if isinstance(found, NotExecuted):
        return NotExecuted(plain(found.evidence))
    if isinstance(found, CannotTell):
        return CannotTell(_text(found.message), plain(found.evidence), again=bool(found.again))
    return CannotTell(f"the probe answered {type(found).__name__}, which is no finding")


def _success(success: Succeeded) -> Succeeded:
    undo, reference = success.undo, success.reference
    return Succeeded(
        result=plain(success.result),
        reference=None if reference is None else _text(reference),
        undo=None if undo is None else plain(undo),
    )


def plain(value: object) -> Mapping[str, Any]:
    """The object as it will be read back: JSON and nothing else, or a word on why it is not recorded."""
    if value == {}:
        return {}
    if not isinstance(value, Mapping):
        return {"not_recorded": f"it is no JSON object but {type(value).__name__}"}
    try:
        text = _encode(dict(value))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        return {"not_recorded": f"it is no JSON ({type(error).__name__})"}
    if size > LARGEST_VALUE:
        return {"not_recorded": f"it takes {size} bytes"}
    read_back: Mapping[str, Any] = json.loads(text)
    return read_back


def name(said: object) -> str | None:
    """What somebody is called, as it can be stored; None where nothing is said."""
    return None if said is None else _text(said)


def _seconds(asked: object) -> float | None:
    return float(asked) if isinstance(asked, int | float) and math.isfinite(asked) else None


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _text(text: object) -> str:
    return str(text)[:LONGEST_MESSAGE].encode("utf-8", "replace").decode()
