"""How a malformed request is refused: each problem with its path, in words short and safe enough to send back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from domain.errors import Code, FieldError, InvalidRequest, MalformedRequest

MAX_PROBLEMS = 100
"""Told of one request."""
MAX_ECHO = 80
"""Characters of the input that are sent back in one place."""

Path: TypeAlias = tuple[str | int, ...]


def refusal(problems: Iterable[FieldError]) -> MalformedRequest:
    """All problems in one, in the order of the contract's codes: the first gives code and message."""
    details, message = _ranked(problems)
    return MalformedRequest(message, details=details, code=details[0].code)


def invalid_request(document: Mapping[str, Any], problems: Iterable[FieldError]) -> InvalidRequest:
    """The same for a document that is sound, but not a request."""
    details, message = _ranked(problems)
    return InvalidRequest(message, document=document, details=details, code=details[0].code)


def _ranked(problems: Iterable[FieldError]) -> tuple[list[FieldError], str]:
    details = sorted(problems, key=lambda problem: _RANK[problem.code])[:MAX_PROBLEMS]
    first = details[0]
    message = f"{first.field}: {first.message}" if first.field else first.message
    if len(details) > 1:
        message += f" (the first of {len(details)} problems)"
    return details, message


_RANK: dict[str, int] = {code: rank for rank, code in enumerate(Code)}


def refusal_of_all(code: Code, message: str) -> MalformedRequest:
    """What is wrong with the request as a whole, and not with one of its fields."""
    return refusal([FieldError("", code, message)])


def dotted(path: Sequence[str | int]) -> str:
    """A path for people and programs: printable, and short even where its names are not."""
    return _echoed(".".join([str(name)[: MAX_ECHO + 1] for name in path]))


def kind_of(value: object) -> str:
    """What a value is, asked of nothing that a foreign class could have redefined."""
    for kind, name in _KINDS:
        if type(value) is kind:
            return name
    return "a Python " + _echoed(type.__repr__(type(value)).removeprefix("<class '").removesuffix("'>"))


_KINDS = (
    (dict, "an object"),
    (list, "an array"),
    (str, "a string"),
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (type(None), "null"),
)


def _echoed(text: str) -> str:
    if len(text) > MAX_ECHO:
        text = f"{text[: MAX_ECHO // 2]}…{text[1 - MAX_ECHO // 2 :]}"
    return text if text.isprintable() else ascii(text)[1:-1]
