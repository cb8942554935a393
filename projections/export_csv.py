"""An export as CSV (RFC 4180), whose cells no spreadsheet takes for a formula.

Every cell is quoted, so that no separator within begins another one. What a spreadsheet would calculate, also behind
white space and in the wide forms of Asian keyboards, has an apostrophe in front of it
(https://owasp.org/www-community/attacks/CSV_Injection); so has what begins with one itself, so that taking away one
apostrophe gives what was there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from projections.export_records import COLUMNS, SAYS, Record

FORMULA = frozenset("=+-@|%\t\r\n\0\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212")
"""With these a cell begins that is calculated, or taken for a command; in their wide and small forms as well."""

_MARK = "'"
_BEGINNING = re.compile("[\\s'\"\ufeff\u200b-\u200f\u2060\u00ad]*(.)", re.DOTALL)
"""Quotes, white space and what has no width: behind them a formula can hide."""


def csv(lives: Iterable[Iterable[Record]]) -> Iterator[str]:
    """Lines, each with its end: a header, then a record a line."""
    yield _line(COLUMNS)
    for life in lives:
        for record in life:
            yield _line(_text_of(value) for value in record.as_dict().values())


def schema() -> dict[str, Any]:
    """What the columns say, in their order."""
    return {"title": "Columns of an audit export", "columns": [{"name": name, "says": SAYS[name]} for name in COLUMNS]}


def cell(text: str) -> str:
    """The text so that it is no formula. Taking away one leading apostrophe gives the text."""
    begins = _BEGINNING.match(text)
    is_formula = text[:1] in FORMULA or (begins is not None and begins[1] in FORMULA)
    return _MARK + text if is_formula or text[:1] == _MARK else text


def _line(values: Iterable[str]) -> str:
    return ",".join(f'"{cell(value).replace(chr(34), chr(34) * 2)}"' for value in values) + "\r\n"


def _text_of(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
