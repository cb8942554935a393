"""What a CRM tells of a record's fields, as it can be kept: plain values that read back as they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

from domain.canonical import MAX_INTEGER
from domain.crm import Value

LARGEST_NUMBER = 10**300
"""What is larger is no number of a CRM, and fits into no float."""


def plain_fields(told: Mapping[str, Any], fields: Collection[str], default: Any = ...) -> dict[str, Value] | str:
    """The values of these fields; `default` for one that is not told. The name of a field that has no plain value."""
    plain: dict[str, Value] = {}
    for name in fields:
        value = told.get(name, default)
        if not _is_plain(value):
            return name
        # Beyond 53 bits there are no integers in JSON that every reader reads alike.
        plain[name] = float(value) if type(value) is int and abs(value) > MAX_INTEGER else value
    return plain


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return _is_whole(value)
    if isinstance(value, int):
        return abs(value) < LARGEST_NUMBER
    return value is None or (isinstance(value, float) and isfinite(value))


def _is_whole(text: str) -> bool:
    """Whether no half of a surrogate pair is in it: such a text cannot be stored."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
