"""What Bedrock Agents Classic sends as a list of `{"name", "type", "value"}`, as the parameters that are meant.

A value is always text, read as the type that is declared beside it. Function details know no objects: whatever is
declared a string but is none in the action type's own model comes as JSON text, and is read as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from domain.errors import Code, FieldError, MalformedRequest
from domain.json_text import read_text
from domain.refusal import MAX_PROBLEMS, dotted, kind_of, refusal, refusal_of_all

_WANTED: Mapping[str, tuple[tuple[type, ...], str]] = {
    "integer": ((int,), "an integer"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "array": ((list,), 'the JSON text of an array, such as ["a", "b"]'),
    "object": ((dict,), 'the JSON text of an object, such as {"name": "Ada"}'),
}
_SLOT = "value"


def read_values(listed: object, own_types: Mapping[str, str]) -> dict[str, Any]:
    """The values by name. `own_types` are the model's JSON types, where they are known.

    Raises MalformedRequest: each value that is not what it is declared to be, each name that is given twice.
    """
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise refusal_of_all(Code.MALFORMED, f"the parameters must be a list, this is {kind_of(listed)}")
    values: dict[str, Any] = {}
    problems: list[FieldError] = []
    for entry in listed:
        try:
            name, value = _read(entry, own_types)
        except MalformedRequest as malformed:
            problems += malformed.details
            continue
        if name in values:
            problems.append(FieldError(_field(name), Code.DUPLICATE_KEY, "this parameter is given twice"))
        values[name] = value
    if problems:
        raise refusal(problems[:MAX_PROBLEMS])
    return values


def _read(entry: object, own_types: Mapping[str, str]) -> tuple[str, Any]:
    match entry:
        case {"name": str(name), "value": str(text), "type": "integer" | "number" | "boolean" | "array" as declared}:
            return name, _value(text, declared, _field(name))
        case {"name": str(name), "value": str(text)}:
            return name, _value(text, own_types.get(name, "string"), _field(name))
        case {"name": str(name), "value": value}:
            return name, value
    raise refusal_of_all(Code.MALFORMED, "a parameter is an object with name, type and value")


def _field(name: str) -> str:
    return dotted(["parameters", name])


def _value(text: str, kind: str, field: str) -> Any:
    if kind not in _WANTED:
        return text
    types, wanted = _WANTED[kind]
    value = _parsed(text.lower() if kind == "boolean" else text, field, wanted)
    # To Python, true is an integer.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise _refused(field, f"must be {wanted}, this is {kind_of(value)}")
    return value


def _parsed(text: str, field: str, wanted: str) -> Any:
    """A JSON value, by the strict reader of requests, which only reads objects."""
    try:
        members = read_text(f'{{"{_SLOT}":{text}}}')
    except MalformedRequest as malformed:
        details = list(_moved(malformed, field))
        if not details:
            raise _refused(field, f"must be {wanted}") from None
        raise refusal(details) from None
    if members.keys() != {_SLOT}:
        raise _refused(field, f"must be {wanted}")
    return members[_SLOT]


def _moved(malformed: MalformedRequest, field: str) -> Iterator[FieldError]:
    """What is wrong within the value, under its own name; nothing where it is no JSON at all."""
    for detail in malformed.details:
        if detail.field.startswith(_SLOT):
            yield replace(detail, field=field + detail.field.removeprefix(_SLOT))
        elif detail.code != Code.MALFORMED:
            yield replace(detail, field=field)


def _refused(field: str, message: str) -> MalformedRequest:
    return refusal([FieldError(field, Code.INVALID_TYPE, message)])
