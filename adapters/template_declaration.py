"""What a template asks for: its `template.json`, and the check of variables against it.

    {
      "description": "Reminds a customer of a renewal.",
      "variables": {
        "customer_name": {"type": "string", "required": true, "description": "How to address the customer"},
        "plan": {"type": "string"},
        "seats": "number"
      },
      "required": ["seats"],
      "email": {"cc": {"domains": ["example.com"]}}
    }

A variable is declared by its type alone or by an object; it is required if either place says so. The types are
string, date (`YYYY-MM-DD`, a real day), number (not a boolean), boolean and any. `email` is told in
`domain.mail_policy`. Other keys at the top are notes for people.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from domain.errors import Code, FieldError, InvalidTemplate, InvalidVariable, MissingVariable

if TYPE_CHECKING:
    from domain.mail_policy import MailPolicy

VARIABLES_FIELD = "parameters.variables"
TEMPLATE_FIELD = "parameters.template"

MOST_VALUES = 10_000
MOST_CHARACTERS = 256 * 1024
DEEPEST = 16
MOST_DETAILS = 20

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_RESERVED = frozenset({"self", "loop", "constructor"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Control characters but tab and line feed, and halves of surrogate pairs.
_FORBIDDEN_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LARGEST_INTEGER_BITS = 64


class VariableType(StrEnum):
    """What a template may ask a variable to be."""

    STRING = "string"
    DATE = "date"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ANY = "any"


_EXPECTED = {
    VariableType.STRING: "a string",
    VariableType.DATE: "a real date in the form YYYY-MM-DD, such as 2026-03-31",
    VariableType.NUMBER: "a number, without quotes",
    VariableType.BOOLEAN: "true or false, without quotes",
    VariableType.ANY: "any JSON value",
}


def is_variable_name(name: str) -> bool:
    """Whether a variable, or an attribute of one, may have this name."""
    return _NAME.fullmatch(name) is not None and name not in _RESERVED


def calendar_date(value: object) -> date | None:
    """The day that a `YYYY-MM-DD` string names, or None."""
    if type(value) is not str or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def kind_of(value: object) -> str:
    """What people call this JSON value: `a list`, `null`."""
    kinds = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else kinds.get(type(value), "not a JSON value")


def unusable_template(reason: str) -> InvalidTemplate:
    """The refusal of a template, with its one detail."""
    return InvalidTemplate(reason, details=[FieldError(TEMPLATE_FIELD, Code.INVALID_TEMPLATE, reason)])


def unfit_variable(field: str, reason: str) -> InvalidVariable:
    """The refusal of one variable, with its one detail."""
    return InvalidVariable(f"{field} {reason}", details=[FieldError(field, Code.INVALID_VARIABLE, reason)])


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared variable."""

    type: VariableType
    required: bool

    def accepts(self, value: object) -> bool:
        """Whether the value, which is JSON, is of the declared type."""
        match self.type:
            case VariableType.STRING:
                return isinstance(value, str)
            case VariableType.DATE:
                return calendar_date(value) is not None
            case VariableType.NUMBER:
                return isinstance(value, int | float) and not isinstance(value, bool)
            case VariableType.BOOLEAN:
                return isinstance(value, bool)
            case VariableType.ANY:
                return True


@dataclass(frozen=True, slots=True)
class Declaration:
    """The variables that a template declares, by name, and what its mails may have besides their words."""

    variables: Mapping[str, Variable]
    policy: MailPolicy | None = None

    @classmethod
    def parse(cls, text: str) -> Declaration:
        """Reads a `template.json`. Raises InvalidTemplate."""
        document = _object(_json(text), "the whole")
        declared = _object(document.get("variables", {}), "variables")
        required = _required(document.get("required", []), declared)
        variables = {name: _variable(name, entry, required=name in required) for name, entry in declared.items()}
        return cls(variables, _policy(document["email"], variables) if "email" in document else None)

    def check(self, variables: Mapping[str, Any], *, field: str = VARIABLES_FIELD) -> None:
        """Raises MissingVariable or InvalidVariable; the details name everything that is wrong, up to a few.

        `field` is where the variables stand in the request.
        """
        if not isinstance(variables, Mapping):
            raise unfit_variable(field, f"must be an object; it is {kind_of(variables)}")
        lacking = (name for name in self.variables if self._lacks(variables, name))
        missing = [self._missing(name, field) for name in lacking]
        invalid = [*islice(_faults(variables, field), MOST_DETAILS)] or [*self._mismatches(variables, field)]
        details = (missing + invalid)[:MOST_DETAILS]
        summary = "; ".join(f"{detail.field} {detail.message}" for detail in details[:3])
        if missing:
            raise MissingVariable(summary, details=details)
        if invalid:
            raise InvalidVariable(summary, details=details)

    def _lacks(self, variables: Mapping[str, Any], name: str) -> bool:
        return self.variables[name].required and name not in variables

    def _missing(self, name: str, field: str) -> FieldError:
        expected = _EXPECTED[self.variables[name].type]
        return FieldError(f"{field}.{name}", Code.MISSING_VARIABLE, f"is required: {expected}")

    def _mismatches(self, variables: Mapping[str, Any], field: str) -> Iterator[FieldError]:
        for name, variable in self.variables.items():
            if name in variables and not variable.accepts(variables[name]):
                reason = f"must be {_EXPECTED[variable.type]}; {_found(variables[name])}"
                yield FieldError(f"{field}.{name}", Code.INVALID_VARIABLE, reason)


def _found(value: object) -> str:
    return "this string is not" if isinstance(value, str) else f"it is {kind_of(value)}"


def _json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise unusable_template(f"template.json cannot be read: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unusable_template(f"template.json: {what} must be an object; it is {kind_of(value)}")
    return value


def _required(names: object, declared: Mapping[str, Any]) -> frozenset[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise unusable_template("template.json: required must be a list of variable names")
    undeclared = sorted(set(names) - set(declared))
    if undeclared:
        raise unusable_template(f"template.json: required names {undeclared[0]!a}, which variables does not declare")
    return frozenset(names)


def _variable(name: str, entry: object, *, required: bool) -> Variable:
    if not is_variable_name(name):
        raise unusable_template(f"template.json: a variable may not be called {name[:64]!a}")
    fields = {"type": entry} if isinstance(entry, str) else _object(entry, name)
    unknown = sorted(set(fields) - {"type", "required", "description"})
    if unknown:
        raise unusable_template(f"template.json: {name} has the unknown key {unknown[0][:64]!a}")
    required_here = fields.get("required", False)
    if not isinstance(required_here, bool):
        raise unusable_template(f"template.json: {name}.required must be true or false")
    if fields.get("type") not in [*VariableType]:
        raise unusable_template(f"template.json: {name}.type must be one of {', '.join(VariableType)}")
    return Variable(VariableType(fields["type"]), required or required_here)


def _policy(value: object, variables: Mapping[str, Variable]) -> MailPolicy:
    # Imported here: most templates are words and nothing else.
    from domain.mail_policy import InvalidPolicy, MailPolicy

    try:
        policy = MailPolicy.read(value)
    except InvalidPolicy as invalid:
        raise unusable_template(f"template.json: {invalid}") from None
    for name in sorted(policy.unsubscribe.variables()) if policy.unsubscribe else ():
        if name not in variables or not variables[name].required or variables[name].type not in _ONE_WORD:
            wanted = "is no required variable of type string, date or number"
            raise unusable_template(f"template.json: email.unsubscribe: {name} {wanted}")
    return policy


_ONE_WORD = (VariableType.STRING, VariableType.DATE, VariableType.NUMBER)
"""What can stand in a URI."""


def _faults(variables: Mapping[str, Any], whole: str) -> Iterator[FieldError]:
    """What no template accepts: bad names, what is not JSON, and more than a message can hold."""
    for name in variables:
        if not isinstance(name, str) or not is_variable_name(name):
            reason = f"has the name {ascii(name)[:70]}; names are a letter, then letters, digits and _, but none of "
            yield FieldError(whole, Code.INVALID_VARIABLE, reason + ", ".join(sorted(_RESERVED)))
            return
    characters = 0
    for count, (field, value) in enumerate(_values(dict(variables), whole, DEEPEST)):
        characters += len(value) if isinstance(value, str) else 0
        if count > MOST_VALUES or characters > MOST_CHARACTERS:
            reason = f"may hold {MOST_VALUES} values and {MOST_CHARACTERS} characters, and holds more"
            yield FieldError(whole, Code.TOO_LARGE, reason)
            return
        if fault := _fault(value):
            yield FieldError(field, Code.INVALID_VARIABLE, fault)


class _Fault(Enum):
    """What stands in the place of a value that cannot be told."""

    TOO_DEEP = f"is nested more than {DEEPEST} levels deep"
    UNCLEAN_KEY = "has a key that is not text without control characters"


def _values(value: object, field: str, depth: int) -> Iterator[tuple[str, object]]:
    """Every key and leaf below a value, each with its dotted path."""
    if not isinstance(value, dict | list):
        yield field, value
    elif not depth:
        yield field, _Fault.TOO_DEEP
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str) and not _FORBIDDEN_CHARACTER.search(key):
                yield field, key
                yield from _values(item, f"{field}.{key[:64]}", depth - 1)
            else:
                yield field, _Fault.UNCLEAN_KEY
    else:
        for index, item in enumerate(value):
            yield from _values(item, f"{field}.{index}", depth - 1)


def _fault(value: object) -> str | None:
    match value:
        case str() if _FORBIDDEN_CHARACTER.search(value):
            return "has a control character; tab and line feed are the only ones allowed"
        case float() if not math.isfinite(value):
            return "must be a finite number"
        case int() if value.bit_length() > _LARGEST_INTEGER_BITS:
            return f"is an integer of more than {_LARGEST_INTEGER_BITS} bits; give it as a string"
        case None | str() | bool() | int() | float():
            return None
        case _Fault():
            return value.value
        case _:
            return "is not a JSON value"
