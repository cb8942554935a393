"""The template of a webhook target: it makes the body of a call out of an action's payload.

    {"variables": {"account": {"type": "string", "required": true}, "seats": "number", "tags": "any"},
     "body": {"title": "{{ account | upper }} renews", "seats": "{{ seats | default(none) }}", "labels": "{{ tags }}"}}

The members of the payload are the variables, declared as in a `template.json`; what is not declared is refused. Each
string of `body` is a text of `adapters.template_language`. One that is a placeholder alone becomes the value itself, be
it a number, a list or an object; in a longer one values are text. Names of members stand as they are. A value is data
wherever it goes: it is never read as a template, and the body has the structure that is written here.

The body is kept in the ledger. So it holds no `${...}`: variables of the environment and secrets are for headers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from adapters.template_declaration import (
    MOST_DETAILS,
    Declaration,
    Variable,
    VariableType,
    is_variable_name,
    unfit_variable,
)
from adapters.template_filters import Rendering
from adapters.template_language import CompiledString, compile_string
from adapters.webhook_receiver import Entry, has_place_for_a_value, read_entry, wrong
from domain.canonical import canonical
from domain.errors import Code, ConfigurationError, FieldError, InvalidTemplate, InvalidVariable

LARGEST_BODY = 64 * 1024
"""Bytes of a body as JSON. It stands in the ledger beside the request, and both have to fit into one commit."""
PAYLOAD_FIELD = "parameters.payload"

_TAGS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class WebhookTemplate:
    """A template, ready for any number of calls, by any number of threads.

    `sha256` is of its canonical JSON (RFC 8785), in hex.
    """

    sha256: str
    declaration: Declaration
    parts: object
    """The body with a CompiledString wherever a string has placeholders."""

    def body(self, payload: Mapping[str, Any]) -> object:
        """The JSON value that the target is sent; equal payloads make equal bodies.

        Raises MissingVariable or InvalidVariable, whose fields are dotted paths such as `parameters.payload.account`.
        """
        self._refuse_undeclared(payload)
        self.declaration.check(payload, field=PAYLOAD_FIELD)
        body = _filled(self.parts, payload, Rendering(one_line=False, field=PAYLOAD_FIELD))
        if len(_encode(body).encode()) > LARGEST_BODY:
            raise unfit_variable(PAYLOAD_FIELD, f"makes a body of more than {LARGEST_BODY} bytes")
        return body

    def _refuse_undeclared(self, payload: Mapping[str, Any]) -> None:
        declared = self.declaration.variables
        reason = f"is not declared by the target's template; declared: {', '.join(sorted(declared)[:20]) or 'none'}"
        unknown = [name for name in payload if name not in declared][:MOST_DETAILS]
        details = [FieldError(f"{PAYLOAD_FIELD}.{name[:64]}", Code.UNKNOWN_FIELD, reason) for name in unknown]
        if details:
            raise InvalidVariable(f"{details[0].field} {reason}", details=details)


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _filled(part: object, variables: Mapping[str, Any], rendering: Rendering) -> object:
    if isinstance(part, CompiledString):
        return part.render(variables, rendering)
    if isinstance(part, dict):
        return {name: _filled(member, variables, rendering) for name, member in part.items()}
    if isinstance(part, list):
        return [_filled(member, variables, rendering) for member in part]
    return part


# --- reading --------------------------------------------------------------------------------------------------------


def _as_object(variable: object) -> object:
    return {"type": variable} if isinstance(variable, str) else variable


class _VariableEntry(Entry):
    type: Literal["string", "date", "number", "boolean", "any"]
    required: bool = False
    description: str = ""


class _TemplateEntry(Entry):
    variables: dict[str, Annotated[_VariableEntry, BeforeValidator(_as_object)]] = Field(default_factory=dict)
    body: Any


class _TargetEntry(Entry):
    template: _TemplateEntry


def read_template(target: str, entry: Mapping[str, Any]) -> WebhookTemplate:
    """The template that the member `template` of a target's entry tells.

    Raises ConfigurationError, one line that names the target, the place and what is wrong there.
    """
    given = read_entry(_TargetEntry, target, {"template": entry}).template
    for name in given.variables:
        if not is_variable_name(name):
            raise wrong(target, "template.variables", f"a variable may not be called {name[:64]!a}")
    variables = {name: Variable(VariableType(said.type), said.required) for name, said in given.variables.items()}
    parts = _Body(target, variables).compiled(given.body, "template.body")
    return WebhookTemplate(sha256(canonical(entry)).hexdigest(), Declaration(variables), parts)


class _Body:
    """Compiles the strings of one body."""

    def __init__(self, target: str, declared: Collection[str]) -> None:
        self._target = target
        self._declared = declared

    def compiled(self, value: object, place: str) -> object:
        """`place` is the dotted path of the value."""
        if isinstance(value, str):
            return self._string(value, place)
        if isinstance(value, dict):
            return {
                self._name(name, place): self.compiled(part, f"{place}.{name[:64]}") for name, part in value.items()
            }
        if isinstance(value, list):
            return [self.compiled(part, f"{place}.{position}") for position, part in enumerate(value)]
        return value

    def _name(self, name: str, place: str) -> str:
        if any(tag in name for tag in _TAGS) or has_place_for_a_value(name):
            raise self._wrong(f"{place}: the name of a member stands as it is, without placeholders")
        return name

    def _string(self, text: str, place: str) -> object:
        if has_place_for_a_value(text):
            raise self._wrong(f"{place}: a body is kept in the ledger and takes no ${{...}}; put secrets into headers")
        if not any(tag in text for tag in _TAGS):
            return text
        try:
            return compile_string(place, text, self._declared)
        except InvalidTemplate as invalid:
            raise self._wrong(invalid.message) from None

    def _wrong(self, problem: str) -> ConfigurationError:
        """One line, whatever a parser has to say."""
        return ConfigurationError(f"webhook {self._target}: {' '.join(problem.split())}")
