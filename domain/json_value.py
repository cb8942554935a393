"""JSON values from strangers, inspected in one walk: a plain deep copy, or every problem with its path.

Every rule that a value can break is here, and not in the parser of texts: a text and the value
that it stands for are always judged alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONEncoder
from math import isfinite
from typing import Any, TypeAlias

from domain.canonical import MAX_INTEGER
from domain.errors import Code, FieldError, MalformedRequest
from domain.refusal import MAX_PROBLEMS, Path, dotted, kind_of, refusal, refusal_of_all

MAX_BYTES = 256 * 1024
"""Of a text, and of the compact text of a value."""
MAX_DEPTH = 16
"""Containers within containers, the outermost included."""
MAX_STRING_BYTES = 32 * 1024
"""Of one string or name, in UTF-8."""


@dataclass(frozen=True, slots=True)
class RepeatedNames:
    """What a parser makes of an object that gives a name twice: only the inspection knows where it stands."""

    members: dict[str, object]
    names: tuple[str, ...]


def read_value(value: object) -> dict[str, Any]:
    """A plain deep copy of a JSON object, which is neither changed nor kept. Raises MalformedRequest."""
    if type(value) is not dict and type(value) is not RepeatedNames:
        raise refusal_of_all(Code.MALFORMED, f"must be a JSON object, this is {kind_of(value)}")
    inspection = _Inspection()
    copy: dict[str, Any] = inspection.copy(value, ())
    if len(_COMPACT.encode(copy).encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large()
    if inspection.problems:
        raise refusal(inspection.problems)
    return copy


_COMPACT = JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def too_large() -> MalformedRequest:
    return refusal_of_all(Code.TOO_LARGE, f"a request has at most {MAX_BYTES} bytes of JSON")


def too_deep() -> MalformedRequest:
    return refusal_of_all(Code.TOO_DEEP, f"a request nests at most {MAX_DEPTH} objects and arrays")


class _Inspection:
    """One walk over a value: what is unfit is told, and is null in the copy.

    It calls no method of a foreign object. It counts the bytes that a text would have at least, so that
    objects shared a thousandfold end at the limit of size, as cycles end at the limit of depth.
    """

    def __init__(self) -> None:
        self.problems: list[FieldError] = []
        self._room = MAX_BYTES

    def copy(self, value: Any, path: Path) -> Any:
        kind = type(value)
        if kind is dict:
            return self._object(value, path)
        if kind is list:
            return self._array(value, path)
        if kind is RepeatedNames:
            return self._repeated(value, path)
        return self._scalar(value, path)

    def _object(self, members: dict[Any, Any], path: Path) -> dict[str, Any]:
        self._enter(path, len(members) * len('"":0,'))
        copy = {}
        for name, member in list(members.items()):
            if type(name) is not str:
                self._tell(path, Code.INVALID_TYPE, f"the names of an object are strings, not {kind_of(name)}")
                continue
            member_path = (*path, name)
            self._take(len(name))
            if flaw := _flaw_of_text(name, _UNFIT_IN_NAMES):
                self._tell(member_path, *flaw)
            copy[name] = self.copy(member, member_path)
        return copy

    def _repeated(self, value: RepeatedNames, path: Path) -> dict[str, Any]:
        for name in value.names:
            self._tell((*path, name), Code.DUPLICATE_KEY, "this name is given more than once in the same object")
        return self._object(value.members, path)

    def _array(self, members: list[Any], path: Path) -> list[Any]:
        self._enter(path, len(members) * len("0,"))
        return [self.copy(member, (*path, position)) for position, member in enumerate(list(members))]

    def _scalar(self, value: Any, path: Path) -> Any:
        if type(value) is str:
            self._take(len(value))
        if flaw := _flaw(value):
            self._tell(path, *flaw)
            return None
        return value

    def _enter(self, path: Path, least_bytes: int) -> None:
        if len(path) >= MAX_DEPTH:
            raise too_deep()
        self._take(least_bytes)

    def _take(self, least_bytes: int) -> None:
        self._room -= least_bytes
        if self._room < 0:
            raise too_large()

    def _tell(self, path: Path, code: Code, message: str) -> None:
        self.problems.append(FieldError(dotted(path), code, message))
        if len(self.problems) == MAX_PROBLEMS:
            raise refusal(self.problems)


def _flaw(value: Any) -> _Flaw | None:
    kind = type(value)
    if kind is str:
        return _flaw_of_text(value, _UNFIT_IN_STRINGS)
    if value is None or kind is bool:
        return None
    if kind is int:
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else _BEYOND_53_BITS
    if kind is float:
        return None if isfinite(value) else _NOT_FINITE
    return Code.INVALID_TYPE, f"not a JSON value, but {kind_of(value)}"


def _flaw_of_text(text: str, unfit: re.Pattern[str]) -> _Flaw | None:
    if len(text) * 4 > MAX_STRING_BYTES and len(text.encode("utf-8", "surrogatepass")) > MAX_STRING_BYTES:
        return Code.TOO_LARGE, f"a string has at most {MAX_STRING_BYTES} bytes of UTF-8"
    if not text.isprintable() and (found := unfit.search(text)):
        return Code.INVALID_CHARACTERS, _complaint(found, unfit)
    return None


def _complaint(found: re.Match[str], unfit: re.Pattern[str]) -> str:
    where = f"U+{ord(found[0]):04X} at character {found.start()}"
    if "\ud800" <= found[0] <= "\udfff":
        return f"{where} is half of a surrogate pair"
    allowed = "only tab and line feed are allowed" if unfit is _UNFIT_IN_STRINGS else "a name has none"
    return f"{where} is a control character: {allowed}"


_Flaw: TypeAlias = tuple[Code, str]

_UNFIT_IN_STRINGS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_UNFIT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BEYOND_53_BITS = (Code.INVALID_TYPE, "an integer beyond 53 bits loses digits: send it as a string")
_NOT_FINITE = (Code.MALFORMED, "JSON has finite numbers only: no NaN, no Infinity, none that overflows")
