"""The shape of a definition as people write it: which members there are, and what each may be.

What a step says about others (needs, references, action types) is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from domain.errors import ExpressionError
from domain.workflow_definition import InputSpec, InputType, duration_of, moment_of
from handlers.workflows.expressions import MARK

MOST_STEPS = 1_000
MOST_OUTPUTS = 100
MOST_CRONS = 10
MOST_FALLBACKS = 10
"""As many as a request may have."""
ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
"""Of steps and inputs: what an expression can name without quotes."""

Path: TypeAlias = tuple[str | int, ...]
Flaw: TypeAlias = tuple[Path, str]
"""Where, and what."""


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError(_ID_WANTED)
    return text


_ID_WANTED = "must be a letter, and up to 63 letters, digits and _ after it"


def _workflow_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", text):
        raise ValueError("must be 1 to 64 of a-z 0-9 _ -, and begin with a letter or digit")
    return text


def _version(value: object) -> object:
    if type(value) not in (int, str):
        raise ValueError("must be a string or an integer: quote what has a dot")
    return value


def _duration(value: object) -> object:
    duration_of(value if isinstance(value, str) else "")
    return value


def _moment(text: str) -> str:
    if MARK not in text:
        try:
            moment_of(text)
        except ExpressionError as error:
            raise ValueError(f"{error.message}, or an expression") from None
    return text


def _crons(value: object) -> object:
    crons = value if isinstance(value, list) else [value]
    if not 0 < len(crons) <= MOST_CRONS or not all(isinstance(cron, str) for cron in crons):
        raise ValueError(f"must be a cron expression, or a list of 1 to {MOST_CRONS} of them")
    return value


Duration: TypeAlias = Annotated[str, BeforeValidator(_duration)]
OnFailureWord: TypeAlias = Literal["stop", "continue", "rollback"]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class _Workflow(_Shape):
    """The whole. `inputs` and `steps` are looked at one by one."""

    name: Annotated[str, AfterValidator(_workflow_name)]
    description: str = ""
    version: Annotated[Any, AfterValidator(_version)] = ""
    inputs: dict[str, Any] = {}
    steps: Annotated[list[Any], Field(min_length=1, max_length=MOST_STEPS)]
    on_failure: OnFailureWord = "stop"
    on_rollback_failure: Literal["stop", "continue"] = "continue"
    outputs: Annotated[dict[str, Any], Field(max_length=MOST_OUTPUTS)] = {}
    schedule: Any = None


class _Schedule(_Shape):
    """`cron` is one expression, or a list of them."""

    cron: Annotated[Any, BeforeValidator(_crons)]
    timezone: str = "UTC"
    catch_up: Literal["latest", "none"] = "latest"
    overlap: Literal["skip", "queue"] = "skip"


class _Input(_Shape):
    type: Literal["string", "number", "integer", "boolean", "date", "object", "array"]
    required: bool = False
    default: Any = None
    description: str = ""


class _Route(_Shape):
    uses: str = ""
    action_type: str = ""
    parameters: dict[str, Any] = Field(default={}, alias="with")


class _Options(_Shape):
    """In the words of a request."""

    retry_policy: Literal["none", "fixed", "exponential"] = "exponential"
    max_retries: Annotated[int, Field(ge=0, le=100)] = 0


class _Wait(_Shape):
    duration: Duration = Field(default="", alias="for")
    until: Annotated[str, AfterValidator(_moment)] = ""


class _Step(_Shape):
    id: Annotated[str, AfterValidator(_id)]
    uses: str = ""
    action_type: str = ""
    wait: _Wait = Field(default_factory=_Wait)
    wait_for: Literal["callback"] = "callback"
    workflow: str = ""
    parameters: dict[str, Any] = Field(default={}, alias="with")
    needs: list[str] = []
    condition: str = Field(default="", alias="if")
    on_failure: OnFailureWord = "stop"
    timeout: Duration = ""
    fallback: Annotated[list[_Route], Field(max_length=MOST_FALLBACKS)] = []
    options: _Options = Field(default_factory=_Options)
    summary: str = ""


# What is wrong


def shape_problems(document: object) -> Iterator[Flaw]:
    """Everything that is wrong with the members of a definition, each by its path."""
    yield from _flaws(_Workflow, document, ())
    for name, told in object_in(document, "inputs").items():
        yield from _input_flaws(name, told, ("inputs", name))
    for name in object_in(document, "outputs"):
        if not ID.fullmatch(name):
            yield ("outputs", name), f"the name of an output {_ID_WANTED}"
    if isinstance(document, dict) and "schedule" in document:
        yield from _flaws(_Schedule, document["schedule"], ("schedule",))
    steps = document.get("steps") if isinstance(document, dict) else None
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        yield from _flaws(_Step, step, ("steps", number))
    for number, step in objects_in(document, "steps"):
        yield from _step_flaws(step, ("steps", number))


def objects_in(value: object, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in the list that is the member `name`, as far as there are any, and their places in it."""
    found = value.get(name) if isinstance(value, dict) else None
    for number, one in enumerate(found if isinstance(found, list) else ()):
        if isinstance(one, dict):
            yield number, one


def object_in(value: object, name: str) -> dict[str, Any]:
    """The object that is the member `name`; an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _flaws(model: type[BaseModel], value: object, path: Path) -> Iterator[Flaw]:
    try:
        model.model_validate(value)
    except ValidationError as invalid:
        for problem in invalid.errors(include_url=False, include_input=False):
            yield (*path, *problem["loc"]), _words_of(problem, model)


def _words_of(problem: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown member; there are {_names_of(_closed_model_at(problem['loc'], model))}"
    if kind in _WORDS:
        return _WORDS[kind].format_map(context)
    return problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


_WORDS: Mapping[str, str] = {
    "missing": "this member is required",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "too_short": "must not be empty",
    "too_long": "must have {max_length} members at most",
}


def _closed_model_at(path: Path, model: type[BaseModel]) -> type[BaseModel]:
    return model if len(path) == 1 else _WITHIN_A_STEP[str(path[0])]


_WITHIN_A_STEP: Mapping[str, type[BaseModel]] = {"wait": _Wait, "fallback": _Route, "options": _Options}


def _names_of(model: type[BaseModel]) -> str:
    return ", ".join(info.alias or name for name, info in model.model_fields.items())


def _input_flaws(name: str, told: object, path: Path) -> Iterator[Flaw]:
    if not ID.fullmatch(name):
        yield path, f"the name of an input {_ID_WANTED}"
    flaws = [*_flaws(_Input, told, path)]
    yield from flaws
    if flaws or not isinstance(told, dict) or told.get("default") is None:
        return
    if told.get("required"):
        yield (*path, "default"), "what is required has no default"
    elif flaw := InputSpec(name, InputType(told["type"])).flaw_in(told["default"]):
        yield (*path, "default"), flaw


_DOES = ("uses", "action_type", "wait", "wait_for", "workflow")
_GOES_WITH: Mapping[str, tuple[str, ...]] = {
    "with": ("uses", "action_type", "workflow"),
    "fallback": ("uses", "action_type"),
    "options": ("uses", "action_type"),
    "timeout": ("uses", "action_type", "wait_for", "workflow"),
}


def _step_flaws(step: Mapping[str, Any], path: Path) -> Iterator[Flaw]:
    does = [member for member in _DOES if member in step]
    if len(does) != 1:
        yield path, f"a step has one of uses, wait, wait_for and workflow; this one has {' and '.join(does) or 'none'}"
        return
    for member, partners in _GOES_WITH.items():
        if member in step and does[0] not in partners:
            yield (*path, member), f"{member} does not go with {does[0]}"
    if does == ["wait_for"] and "timeout" not in step:
        yield path, "a callback may never come: give it a timeout"
    if does == ["wait"] and isinstance(step["wait"], dict) and len(step["wait"]) != 1:
        yield (*path, "wait"), "give either for or until"
    for number, route in objects_in(step, "fallback"):
        if ("uses" in route) == ("action_type" in route):
            yield (*path, "fallback", number), "give either uses or action_type"
