"""The models of parameters as JSON Schema: whole, plain enough for every framework, or no more than their types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel

from domain.errors import ExecutionAgentError

Schema: TypeAlias = dict[str, Any]

MOST_LEVELS = 16
"""Objects and arrays within one another: a request nests no further either."""


class DoesNotFit(ExecutionAgentError):
    """A format cannot hold these action types. The message is one line that says why."""


def types_of(model: type[BaseModel]) -> dict[str, str]:
    """The JSON type of each parameter that has just one."""
    whole = model.model_json_schema()
    members = _resolved(whole, whole).get("properties", {})
    found = {name: _type_of(_resolved(schema, whole)) for name, schema in members.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def plain_schema(model: type[BaseModel]) -> Schema:
    """In the words that all frameworks know: type, properties, required, items, description. Raises DoesNotFit.

    Every property has a description, which says as well what JSON Schema has other words for. Where nothing is
    required, there is no `required`: OpenAPI has no empty one.
    """
    whole = model.model_json_schema()
    plain = _plain(whole, whole, "", 0)
    return {"properties": {}, **{name: word for name, word in plain.items() if name != "description"}}


def whole_schema(model: type[BaseModel]) -> Schema:
    """All that the model says, but for the titles that pydantic makes of names."""
    schema: Schema = _untitled(model.model_json_schema())
    return schema


def _plain(given: Schema, whole: Schema, where: str, level: int) -> Schema:
    schema = _resolved(given, whole)
    kind = _type_of(schema)
    if kind is None:
        raise DoesNotFit(f"the parameter {where} may be of several types, which only mcp can say")
    if level > MOST_LEVELS:
        raise DoesNotFit(f"the parameter {where[:80]} nests without end, which only mcp can say")
    plain: Schema = {"type": kind}
    if description := " ".join(_described(schema)):
        plain["description"] = description
    if "properties" in schema:
        plain["properties"] = {
            name: {"description": name, **_plain(member, whole, f"{where}.{name}".lstrip("."), level + 1)}
            for name, member in schema["properties"].items()
        }
    if schema.get("required"):
        plain["required"] = list(schema["required"])
    if schema.get("items"):
        plain["items"] = _plain(schema["items"], whole, where, level + 1)
    return plain


def _resolved(schema: Schema, whole: Schema) -> Schema:
    """What is meant where a schema only refers to another, or is one beside null; its own words come first."""
    own = {name: member for name, member in schema.items() if name not in ("$ref", "anyOf")}
    if "$ref" in schema:
        return _resolved(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole) | own
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolved(choices[0], whole) | own if len(choices) == 1 else schema


def _type_of(schema: Schema) -> str | None:
    kind = schema.get("type")
    return kind if isinstance(kind, str) else None


def _described(schema: Schema) -> Iterator[str]:
    if "description" in schema:
        yield schema["description"]
    if "enum" in schema:
        yield f"One of {', '.join(map(str, schema['enum']))}."
    for member, words in _IN_WORDS.items():
        if member in schema:
            yield words.format(schema[member])
    if "examples" in schema:
        yield f"For example {json.dumps(schema['examples'][0], ensure_ascii=False)}."


_IN_WORDS: Mapping[str, str] = {
    "const": "Always {}.",
    "pattern": "Matches {} .",
    "format": "A {}.",
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "minimum": "At least {}.",
    "maximum": "At most {}.",
    "exclusiveMinimum": "More than {}.",
    "exclusiveMaximum": "Less than {}.",
    "minItems": "At least {} of them.",
    "maxItems": "At most {} of them.",
}

_NAMED = ("properties", "$defs")
"""Members whose names are the model's own: one may be called `title`."""
_VALUES = ("default", "const", "enum", "examples")


def _untitled(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_untitled(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _untitled_member(name, member) for name, member in schema.items() if name != "title"}


def _untitled_member(name: str, member: Any) -> Any:
    if name in _VALUES:
        return member
    if name in _NAMED:
        return {inner: _untitled(schema) for inner, schema in member.items()}
    return _untitled(member)
