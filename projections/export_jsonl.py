"""An export as JSON Lines: a record a line, all of its members in each. In ASCII, so that no line moves a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from projections.export_records import SAYS, Record

_encode = json.JSONEncoder(separators=(",", ":")).encode

_NUMBERS = frozenset({"version", "attempt", "route", "commit_version"})


def jsonl(lives: Iterable[Iterable[Record]]) -> Iterator[str]:
    """Lines, each with its end."""
    for life in lives:
        for record in life:
            yield f"{_encode(record.as_dict())}\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of an audit export",
        "type": "object",
        "properties": {name: {"type": _types(name), "description": says} for name, says in SAYS.items()},
        "required": list(SAYS),
        "additionalProperties": False,
    }


def _types(name: str) -> list[str]:
    if name in ("action_id", "version"):
        return ["integer" if name in _NUMBERS else "string"]
    if name == "data":
        return ["object", "null"]
    return ["integer" if name in _NUMBERS else "string", "null"]
