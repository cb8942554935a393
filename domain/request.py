"""The front gate: what a decision agent asks for, read once into ActionRequest, or refused with all that is to repair.

    text -> json_text -> json_value -> nulls dropped -> schema and nesting -> ActionRequest

Whether the action type is registered, and whether its parameters make sense to it, is judged later.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from domain.canonical import canonical
from domain.errors import Code, FieldError
from domain.json_text import read_text
from domain.json_value import read_value
from domain.refusal import Path, dotted, invalid_request, refusal_of_all

MAX_LEVELS = 5
"""Containers within one another that a member of `decision`, or of an object in `parameters`, may have."""


# The schema


def _instant(value: object) -> object:
    """From RFC 3339 into UTC. A leap second is refused, and so is a year too near to the end of the calendar."""
    if not isinstance(value, str):
        return value
    if not _RFC_3339.fullmatch(value):
        raise ValueError(_RFC_3339_WANTED)
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such day, or no such time of day") from None
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise ValueError(f"must be in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return instant


_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-6]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_RFC_3339_WANTED = "must be a time of RFC 3339 with seconds and offset, such as 2024-01-31T09:00:00Z"
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable, on one line")
    return text


ActionType: TypeAlias = str
"""Whether there is one of this name is for the registry to say."""
IdempotencyKey: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:~-]{1,255}$")]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]
Instant: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_instant)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Fallback(_Strict):
    """Another action, to be tried when the first can never succeed."""

    action_type: ActionType
    parameters: dict[str, Any] = Field(repr=False)


class ActionOptions(_Strict):
    """How an action is to be carried out. Times are in UTC. None means that the request does not say."""

    priority: Literal["low", "normal", "high"] = "normal"
    retry_policy: Literal["none", "fixed", "exponential"] | None = None
    max_retries: Annotated[int, Field(ge=0, le=100)] | None = None
    mode: Literal["wait", "accept"] = "wait"
    not_before: Instant | None = None
    expires_at: Instant | None = None
    fallback: Annotated[tuple[Fallback, ...], Field(strict=False, max_length=10)] = ()

    @field_validator("expires_at")
    @classmethod
    def _after_not_before(cls, expires_at: datetime | None, fields: ValidationInfo) -> datetime | None:
        not_before = fields.data.get("not_before")
        if expires_at and not_before and expires_at <= not_before:
            raise ValueError("must be later than not_before")
        return expires_at


class _Decision(_Strict):
    """Open: an agent may tell more about its decision than has a name here."""

    model_config = ConfigDict(extra="allow")

    id: Label | None = None
    agent: str | None = None
    reason: str | None = None


class _Schema(_Strict):
    action_type: ActionType
    parameters: dict[str, Any]
    options: ActionOptions = ActionOptions()
    idempotency_key: IdempotencyKey | None = None
    correlation_id: Label | None = None
    decision: _Decision | None = None


# The gate


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """A well-formed request. `document` is all of it as it was given, but for optional fields that were null."""

    action_type: str
    parameters: dict[str, Any] = field(repr=False)
    options: ActionOptions
    idempotency_key: str | None
    correlation_id: str | None
    decision: dict[str, Any] | None = field(repr=False)
    document: dict[str, Any] = field(repr=False)

    @property
    def decision_id(self) -> str | None:
        return self.decision.get("id") if self.decision else None


def parse_request(data: bytes | bytearray | str) -> ActionRequest:
    """Reads the text of a request. Raises MalformedRequest, or InvalidRequest where it is sound JSON."""
    return _accepted(read_text(data))


def read_request(value: object) -> ActionRequest:
    """Reads a request that is a dict already, which is neither changed nor kept. Raises as `parse_request` does."""
    return _accepted(read_value(value))


def fingerprint(document: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the canonical document of a request without its idempotency key."""
    wish = {name: member for name, member in document.items() if name != "idempotency_key"}
    return hashlib.sha256(canonical(wish)).hexdigest()


def _accepted(document: dict[str, Any]) -> ActionRequest:
    if not document.keys() & {"action_type", "parameters"}:
        raise refusal_of_all(Code.MALFORMED, "this is no request: it has neither action_type nor parameters")
    _drop_nulls(document, _Schema)
    _drop_nulls(document.get("options"), ActionOptions)
    _drop_nulls(document.get("decision"), _Decision)
    problems = list(_nesting_problems(document))
    try:
        options = _Schema.model_validate(document).options
    except ValidationError as error:
        raise invalid_request(document, [*problems, *_schema_problems(error)]) from None
    if problems:
        raise invalid_request(document, problems)
    return ActionRequest(
        action_type=document["action_type"],
        parameters=document["parameters"],
        options=options,
        idempotency_key=document.get("idempotency_key"),
        correlation_id=document.get("correlation_id"),
        decision=document.get("decision"),
        document=document,
    )


def _drop_nulls(members: object, model: type[BaseModel]) -> None:
    """Null for an optional field means that it is absent. Any other null stays, to be judged."""
    if isinstance(members, dict):
        for name in _OPTIONAL[model] & members.keys():
            if members[name] is None:
                del members[name]


_OPTIONAL: dict[type[BaseModel], set[str]] = {
    model: {name for name, info in model.model_fields.items() if not info.is_required()}
    for model in (_Schema, ActionOptions, _Decision)
}


# What is wrong


def _schema_problems(error: ValidationError) -> Iterator[FieldError]:
    for told in error.errors(include_url=False, include_context=False, include_input=False):
        kind, path = told["type"], told["loc"]
        if kind == "extra_forbidden":
            message = f"unknown field; there are {', '.join(_MODEL_AT[len(path)].model_fields)}"
        else:
            message = _WORDS.get(kind, told["msg"].removeprefix("Value error, "))
        yield FieldError(dotted(path), _code(kind, path), message)


def _code(kind: str, path: Path) -> Code:
    if kind == "extra_forbidden":
        return Code.UNKNOWN_FIELD
    if path[0] == "options" and len(path) > 1:
        return Code.INVALID_OPTIONS
    if path[0] == "idempotency_key":
        return Code.INVALID_IDEMPOTENCY_KEY
    return _CODES.get(kind, Code.INVALID_TYPE)


_CODES = {
    "missing": Code.MISSING_FIELD,
    "string_too_long": Code.TOO_LARGE,
    "value_error": Code.INVALID_CHARACTERS,
}
_WORDS = {
    "missing": "this field is required",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be an array",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "datetime_type": _RFC_3339_WANTED,
}
# By the length of an unknown field's path: only three models are closed, each at a depth of its own.
_MODEL_AT: dict[int, type[BaseModel]] = {1: _Schema, 2: ActionOptions, 4: Fallback}


def _nesting_problems(document: dict[str, Any]) -> Iterator[FieldError]:
    for path, value in _bounded(document):
        if not _nests_within(MAX_LEVELS, value):
            yield FieldError(dotted(path), Code.TOO_DEEP, f"nests more than {MAX_LEVELS} objects and arrays")


def _bounded(document: dict[str, Any]) -> Iterator[tuple[Path, object]]:
    """What may not nest further than MAX_LEVELS: members of the decision, and members of members of parameters."""
    yield from _members(("decision",), document.get("decision"))
    for path, parameters in _every_parameters(document):
        for inner_path, inner in _members(path, parameters):
            yield from _members(inner_path, inner)


def _every_parameters(document: dict[str, Any]) -> Iterator[tuple[Path, object]]:
    yield ("parameters",), document.get("parameters")
    for path, fallback in _members(("options", "fallback"), _member(document.get("options"), "fallback")):
        yield (*path, "parameters"), _member(fallback, "parameters")


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _members(path: Path, value: object) -> Iterable[tuple[Path, object]]:
    if isinstance(value, dict):
        return [((*path, name), member) for name, member in value.items()]
    if isinstance(value, list):
        return [((*path, position), member) for position, member in enumerate(value)]
    return ()


def _nests_within(levels: int, value: object) -> bool:
    if not isinstance(value, dict | list):
        return True
    members = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_nests_within(levels - 1, member) for member in members)
