"""Workflow definitions as data: what is to be done, in which order, and what when something fails.

A definition is made of a plain JSON document, and holds it: whatever a run did years ago, its steps can be read again.
The document is written by the reader of YAML and JSON, which checks all that can be checked; here nothing is asked of
the action types and workflows that it names, for they may be called something else by now.

    {"name": "onboarding", "on_failure": "rollback", "on_rollback_failure": "continue",
     "inputs": {"account": {"type": "string", "required": true}},
     "steps": [{"id": "create", "uses": "crm_create", "with": {...}, "needs": [], "on_failure": "rollback"}]}

The steps of a document are in an order in which they can be carried out, and `needs` names all that a step waits for,
also what it only refers to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter

from domain.canonical import canonical
from domain.errors import Code, ExpressionError, FieldError, InvalidDefinition, Problem, Refused
from domain.json_value import read_value
from domain.refusal import MAX_ECHO, kind_of
from domain.request import Instant

LONGEST_DURATION = timedelta(days=366)

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class StepKind(StrEnum):
    """What a step does."""

    ACTION = "action"
    WAIT = "wait"
    CALLBACK = "callback"
    WORKFLOW = "workflow"


class OnFailure(StrEnum):
    """What becomes of the others when a step has failed."""

    STOP = "stop"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class InputType(StrEnum):
    """What an input may be."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    OBJECT = "object"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One thing that a run is given. `default` is None where there is none."""

    name: str
    type: InputType
    required: bool = False
    default: Any = None
    description: str = ""

    def flaw_in(self, value: object) -> str | None:
        """What is wrong with a JSON value for this input, or None."""
        if _fits(self.type, value):
            return None
        is_no_day = self.type is InputType.DATE and isinstance(value, str)
        return f"must be {_WANTED[self.type]}; {'this string is not' if is_no_day else f'it is {kind_of(value)}'}"

    def value_of(self, text: str) -> Any:
        """What somebody means who can write text alone: the text itself where one is declared, else the JSON that it
        is, as far as it is some."""
        if self.type in _TEXTS:
            return text
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text


_TEXTS = frozenset({InputType.STRING, InputType.DATE})


_WANTED: Mapping[InputType, str] = {
    InputType.STRING: "a string",
    InputType.NUMBER: "a number",
    InputType.INTEGER: "an integer",
    InputType.BOOLEAN: "true or false",
    InputType.DATE: "a real date in the form YYYY-MM-DD",
    InputType.OBJECT: "an object",
    InputType.ARRAY: "an array",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One way of doing a step."""

    uses: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `parameters` (also of the fallbacks) and `wait_until` may hold expressions, `${{ ... }}`; `condition`
    is one itself, without these marks."""

    id: str
    kind: StepKind
    uses: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    condition: str | None = None
    on_failure: OnFailure = OnFailure.STOP
    timeout: timedelta | None = None
    fallback: tuple[Route, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    wait_for: timedelta | None = None
    wait_until: str | None = None
    workflow: str | None = None
    """The hash of the definition that it starts, which is pinned beside the steps."""
    file: str | None = None
    """Where that was read."""
    summary: str = ""


class CatchUp(StrEnum):
    """What becomes of moments at which nobody looked."""

    LATEST = "latest"
    NONE = "none"


class Overlap(StrEnum):
    """What becomes of a moment that comes while the run before still goes on."""

    SKIP = "skip"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Timetable:
    """When runs are to be started: at each moment of any of the `cron` expressions, by the clocks of `timezone`."""

    cron: tuple[str, ...]
    timezone: str
    catch_up: CatchUp
    overlap: Overlap


@dataclass(frozen=True, slots=True)
class Definition:
    """A workflow. Its steps are in an order in which they can be carried out; `hash` is the SHA-256, in hex, of the
    canonical form of `document`. `stops_on_rollback_failure`: a step that could not be taken back has the others wait.
    """

    name: str
    inputs: tuple[InputSpec, ...]
    steps: tuple[Step, ...]
    document: Mapping[str, Any] = field(repr=False)
    hash: str
    stops_on_rollback_failure: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """What a run of it brings to the step that it is, by name: values with expressions."""
    schedule: Timetable | None = None
    """When it is to be started by itself, None where somebody starts it."""

    def pinned(self, step: Step) -> Definition:
        """The definition that a step starts: as its file was when this one was read. Raises InvalidDefinition."""
        pinned = definition_of(self.document["workflows"][step.workflow])
        if pinned.hash != step.workflow:
            raise InvalidDefinition([Problem(0, "workflows", f"{step.file} is not what was pinned")])
        return pinned

    def all_of_it(self) -> Iterator[Definition]:
        """This definition, and all that it starts, at any depth."""
        yield self
        for document in self.document.get("workflows", {}).values():
            yield from definition_of(document).all_of_it()


# From the document


def definition_of(document: Mapping[str, Any]) -> Definition:
    """The definition that a stored document tells. Raises InvalidDefinition for what no reader ever made."""
    try:
        form = canonical(document)
        stored: Mapping[str, Any] = json.loads(form)
        return Definition(
            name=stored["name"],
            inputs=tuple(_input(name, told) for name, told in stored["inputs"].items()),
            steps=tuple(_step(told) for told in stored["steps"]),
            document=stored,
            hash=sha256(form).hexdigest(),
            stops_on_rollback_failure=stored["on_rollback_failure"] == OnFailure.STOP,
            outputs=stored.get("outputs", {}),
            schedule=_timetable(stored["schedule"]) if "schedule" in stored else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"this is no stored definition of a workflow ({type(error).__name__}: {str(error)[:MAX_ECHO]})"
        raise InvalidDefinition([Problem(0, "", what)]) from None


def _input(name: str, told: Mapping[str, Any]) -> InputSpec:
    return InputSpec(name, InputType(told["type"]), told["required"], told.get("default"), told.get("description", ""))


def _timetable(told: Mapping[str, Any]) -> Timetable:
    return Timetable(tuple(told["cron"]), told["timezone"], CatchUp(told["catch_up"]), Overlap(told["overlap"]))


def _step(told: Mapping[str, Any]) -> Step:
    wait = told.get("wait", {})
    return Step(
        id=told["id"],
        kind=_kind(told),
        uses=told.get("uses"),
        parameters=told.get("with", {}),
        needs=tuple(told["needs"]),
        condition=told.get("if"),
        on_failure=OnFailure(told["on_failure"]),
        timeout=_optional_duration(told.get("timeout")),
        fallback=tuple(Route(route["uses"], route["with"]) for route in told.get("fallback", ())),
        options=told.get("options", {}),
        wait_for=_optional_duration(wait.get("for")),
        wait_until=wait.get("until"),
        workflow=told.get("workflow"),
        file=told.get("file"),
        summary=told.get("summary", ""),
    )


KINDS: Mapping[str, StepKind] = {
    "uses": StepKind.ACTION,
    "wait": StepKind.WAIT,
    "wait_for": StepKind.CALLBACK,
    "workflow": StepKind.WORKFLOW,
}
"""The member of a step that says what it does."""


def _kind(told: Mapping[str, Any]) -> StepKind:
    (kind,) = (kind for member, kind in KINDS.items() if member in told)
    return kind


def _optional_duration(text: str | None) -> timedelta | None:
    return None if text is None else duration_of(text)


# Times


def duration_of(text: str) -> timedelta:
    """`45s`, `30m`, `2h`, `3d` or `1w`. Raises ValueError, which says what it has to be."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("must be a duration such as 45s, 30m, 2h, 3d or 1w")
    try:
        duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        duration = timedelta.max
    if duration > LONGEST_DURATION:
        raise ValueError(f"must be {LONGEST_DURATION.days} days at most")
    return duration


def moment_of(value: object) -> datetime:
    """When a wait until `value` is over, aware, in UTC: a time of RFC 3339, or a day, which is over as it begins.

    Raises ExpressionError for anything else.
    """
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), time.min, UTC)
        return _instants().validate_python(value, strict=True)
    except ValueError:
        raise ExpressionError(
            "must be a time of RFC 3339, such as 2024-01-31T09:00:00Z, or a day, such as 2024-01-31"
        ) from None


@cache
def _instants() -> TypeAdapter[datetime]:
    return TypeAdapter(Instant)


# Inputs


def check_inputs(definition: Definition, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs of a run, all that are declared: as given, by default, or None.

    Null is as good as nothing. Raises Refused with a detail `inputs.NAME` for each that is unknown, missing or of
    another type, and MalformedRequest for what is no JSON.
    """
    plain = read_value({"inputs": given})["inputs"]
    if not isinstance(plain, dict):
        raise _refused([FieldError("inputs", Code.INVALID_TYPE, f"must be an object; it is {kind_of(given)}")])
    problems = [*_unknown(definition, plain), *_unfit(definition, plain)]
    if problems:
        raise _refused(problems)
    return {spec.name: spec.default if plain.get(spec.name) is None else plain[spec.name] for spec in definition.inputs}


def inputs_of(definition: Definition, texts: Mapping[str, str]) -> Mapping[str, Any]:
    """The inputs that are given as texts, in the types that are declared. Nothing is checked yet."""
    specs = {spec.name: spec for spec in definition.inputs}
    return {name: specs[name].value_of(text) if name in specs else text for name, text in texts.items()}


def _unknown(definition: Definition, given: Mapping[str, Any]) -> Iterator[FieldError]:
    names = [spec.name for spec in definition.inputs]
    there = f"there are {', '.join(names)}" if names else f"{definition.name} takes none"
    for name in given:
        if name not in names:
            yield FieldError(f"inputs.{name[:MAX_ECHO]}", Code.UNKNOWN_FIELD, f"unknown input; {there}")


def _unfit(definition: Definition, given: Mapping[str, Any]) -> Iterator[FieldError]:
    for spec in definition.inputs:
        value = given.get(spec.name)
        if value is None and spec.required:
            yield FieldError(f"inputs.{spec.name}", Code.MISSING_FIELD, f"is required: {_WANTED[spec.type]}")
        elif value is not None and (flaw := spec.flaw_in(value)):
            yield FieldError(f"inputs.{spec.name}", Code.INVALID_TYPE, flaw)


def _refused(problems: list[FieldError]) -> Refused:
    more = f" (the first of {len(problems)} problems)" if len(problems) > 1 else ""
    return Refused(f"{problems[0].field}: {problems[0].message}{more}", details=problems)


def _fits(kind: InputType, value: object) -> bool:
    return type(value) in _PLAIN[kind] and (kind is not InputType.DATE or _is_date(str(value)))


_PLAIN: Mapping[InputType, tuple[type, ...]] = {
    InputType.STRING: (str,),
    InputType.NUMBER: (int, float),
    InputType.INTEGER: (int,),
    InputType.BOOLEAN: (bool,),
    InputType.DATE: (str,),
    InputType.OBJECT: (dict,),
    InputType.ARRAY: (list,),
}


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None
