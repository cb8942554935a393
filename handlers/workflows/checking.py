"""What a step says of others: the inputs and steps that it refers to, the action types and workflows that it uses.

Each check takes a definition as it was written, whatever its shape, and tells what is wrong as far as it can be seen:
so everything that is to repair is told at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from domain.errors import Code, ExpressionError, FieldError, Refused
from domain.refusal import MAX_ECHO
from domain.request import read_request
from domain.validators.parameters import read_parameters
from domain.workflow_definition import Definition
from domain.workflow_standing import StepStatus
from handlers.workflows.cron import cron_flaw, zone_flaw
from handlers.workflows.expressions import MARK, condition_of, read_expression, texts_of, trees_of
from handlers.workflows.shape import Flaw, Path, object_in, objects_in

if TYPE_CHECKING:
    from handlers.workflows.expression_tree import Place, Tree

_TOKEN = "callback_token"  # noqa: S105 - the name of one
"""What a step that waits for a callback has from the beginning: to name it is no reason to wait for that step."""
_OF_A_STEP = ("status", "result", "error", "action_id", _TOKEN)
_FAILURES = (StepStatus.FAILED, StepStatus.TIMED_OUT)
_OF_A_RUN = ("id", "started_at")


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a definition may use: those of its own, and those of what is installed."""

    inputs: Collection[str]
    steps: Collection[str]
    callbacks: Collection[str]
    """Those of the steps that wait for somebody to call back."""
    decisive: Collection[str]
    """Those of the steps whose failure is not gone on from."""
    action_types: Mapping[str, type[BaseModel]]
    workflows: Mapping[str, Definition | str]
    """By the reference in the text: what is there, or why nothing is."""


def reference_flaws(step: Mapping[str, Any], path: Path, known: Known) -> Iterator[Flaw]:
    """What is wrong with a step's expressions, and with what they refer to."""
    for where, tree in _trees_of(step):
        if isinstance(tree, ExpressionError):
            yield (*path, *where), tree.message
            continue
        for place in sorted(tree.places, key=str):
            if flaw := _flaw_of(place, step.get("id"), known):
                yield (*path, *where), flaw
        for place, literal in tree.compared:
            if place[0::2] == ("steps", "status") and literal not in [*StepStatus]:
                yield (*path, *where), f"the status of a step is one of {', '.join(StepStatus)}"
        if where == ("if",):
            yield from (((*path, "if"), flaw) for flaw in _condition_flaws(tree, known))


def output_flaws(outputs: Mapping[str, Any], known: Known) -> Iterator[Flaw]:
    """The same of what a run of the definition brings."""
    for where, flaw in reference_flaws({"with": outputs}, (), known):
        yield ("outputs", *where[1:]), flaw


def timetable_flaws(schedule: Mapping[str, Any]) -> Iterator[Flaw]:
    """What is wrong with the moments at which it is to be started. Raises ConfigurationError, as `cron_flaw` does."""
    crons, zone = schedule.get("cron"), schedule.get("timezone")
    for number, cron in enumerate(crons if isinstance(crons, list) else [crons]):
        if isinstance(cron, str) and (flaw := cron_flaw(cron)):
            yield ("schedule", "cron", *([number] if isinstance(crons, list) else [])), flaw
    if isinstance(zone, str) and (flaw := zone_flaw(zone)):
        yield ("schedule", "timezone"), flaw


def referred_to(step: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the steps that a step's expressions name, whether there are such steps or not."""
    trees = [tree for _, tree in _trees_of(step) if not isinstance(tree, ExpressionError)]
    places = sorted((place for tree in trees for place in tree.places if place[0] == "steps"), key=str)
    return tuple(dict.fromkeys(str(place[1]) for place in places if place[2:] != (_TOKEN,)))


def _trees_of(step: Mapping[str, Any]) -> Iterator[tuple[Path, Tree | ExpressionError]]:
    for where, text in _texts_of(step):
        try:
            for tree in trees_of(text):
                yield where, tree
        except ExpressionError as error:
            yield where, error
    if isinstance(step.get("if"), str):
        try:
            yield ("if",), read_expression(condition_of(step["if"]))
        except ExpressionError as error:
            yield ("if",), error


def _texts_of(step: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every text of a step that will be evaluated, but for its condition."""
    yield from texts_of(step.get("with"), ("with",))
    for number, route in objects_in(step, "fallback"):
        yield from texts_of(route.get("with"), ("fallback", number, "with"))
    yield from texts_of(object_in(step, "wait").get("until"), ("wait", "until"))


def _flaw_of(place: Place, own_id: object, known: Known) -> str | None:
    root, *members = place
    if not members:
        return None
    if root == "inputs":
        return None if members[0] in known.inputs else _there_is_no("input", members[0], known.inputs)
    if root == "run":
        return None if members[0] in _OF_A_RUN else f"a run has {' and '.join(_OF_A_RUN)}"
    return _flaw_of_step(members, own_id, known)


def _flaw_of_step(members: Sequence[str | int], own_id: object, known: Known) -> str | None:
    if members[0] == own_id:
        return "a step cannot refer to itself"
    if members[0] not in known.steps:
        return _there_is_no("step", members[0], known.steps)
    if members[1:2] == [_TOKEN] and members[0] not in known.callbacks:
        return f"{members[0]} waits for no callback: it has no {_TOKEN}"
    return None if len(members) == 1 or members[1] in _OF_A_STEP else f"a step has {', '.join(_OF_A_STEP)}"


def _condition_flaws(tree: Tree, known: Known) -> Iterator[str]:
    if not tree.places:
        yield "this condition never changes: it refers to no input, step or run"
    if not tree.may_be_boolean:
        yield "this is neither true nor false, whatever the run: set it against something"
    for place, status in tree.required:
        if place[0::2] == ("steps", "status") and place[1] in known.decisive and status in _FAILURES:
            yield f"never holds: where {place[1]} has {status}, no step begins (its on_failure is not continue)"


# Other names


def need_flaws(step: Mapping[str, Any], path: Path, known: Known) -> Iterator[Flaw]:
    """What is wrong with the steps that a step says it needs."""
    needs = step.get("needs")
    for number, need in enumerate(needs if isinstance(needs, list) else ()):
        if not isinstance(need, str):
            continue
        if need == step.get("id"):
            yield (*path, "needs", number), "a step cannot need itself"
        elif need not in known.steps:
            yield (*path, "needs", number), _there_is_no("step", need, known.steps)


def use_flaws(step: Mapping[str, Any], path: Path, known: Known) -> Iterator[Flaw]:
    """What is wrong with the action types and the workflow that a step uses, and with the parameters that it gives."""
    yield from _route_flaws(step, path, known)
    for number, route in objects_in(step, "fallback"):
        yield from _route_flaws(route, (*path, "fallback", number), known)
    workflow = step.get("workflow")
    found = known.workflows[workflow] if isinstance(workflow, str) else None
    if isinstance(found, str):
        yield (*path, "workflow"), found
    elif found is not None:
        yield from _input_flaws(step.get("with", {}), (*path, "with"), found)


def _input_flaws(given: object, path: Path, definition: Definition) -> Iterator[Flaw]:
    """What is wrong with the inputs of a workflow that a step starts, whatever the expressions give."""
    if not isinstance(given, dict):
        return
    specs = {spec.name: spec for spec in definition.inputs}
    for name, value in given.items():
        if name not in specs:
            yield (*path, name), _there_is_no("input", name, specs)
        elif value is not None and not any(texts_of(value)) and (flaw := specs[name].flaw_in(value)):
            yield (*path, name), flaw
    for name, spec in specs.items():
        if spec.required and given.get(name) is None:
            yield path, f"{definition.name} needs the input {name}"


def used_by(route: Mapping[str, Any]) -> Any:
    """The action type of a step or of a fallback, by either name of that member."""
    return route.get("uses", route.get("action_type"))


def _route_flaws(route: Mapping[str, Any], path: Path, known: Known) -> Iterator[Flaw]:
    uses, parameters = used_by(route), route.get("with", {})
    if not isinstance(uses, str):
        return
    if uses not in known.action_types:
        yield (
            (*path, "uses" if "uses" in route else "action_type"),
            _there_is_no("action type", uses, known.action_types),
        )
    elif isinstance(parameters, dict):
        for where, message in _parameter_flaws(known.action_types[uses], parameters):
            yield (*path, "with", *where), message


def _parameter_flaws(model: type[BaseModel], parameters: dict[str, Any]) -> Iterator[Flaw]:
    """What the front gate and the type's own model say, as far as it is so whatever the expressions give."""
    for detail in (*_gate_details(parameters), *_model_details(model, parameters)):
        if _is_certain(detail, parameters):
            yield tuple(detail.field.split(".")[1:]), detail.message


def _gate_details(parameters: dict[str, Any]) -> Sequence[FieldError]:
    try:
        read_request({"action_type": "any", "parameters": parameters})
    except Refused as refused:
        return refused.details
    return ()


def _model_details(model: type[BaseModel], parameters: dict[str, Any]) -> Sequence[FieldError]:
    try:
        read_parameters(model, parameters)
    except Refused as refused:
        return refused.details
    return ()


def _is_certain(detail: FieldError, parameters: dict[str, Any]) -> bool:
    value, missing = _down(parameters, detail.field.split(".")[1:])
    if not any(texts_of(value)):
        return True
    if missing:
        # A longer rest than one name are words of a model that has several shapes for this member.
        return detail.code == Code.MISSING_FIELD and len(missing) == 1
    is_of_another_kind = detail.code == Code.INVALID_TYPE and not isinstance(value, str)
    return is_of_another_kind or detail.code in (Code.UNKNOWN_FIELD, Code.TOO_DEEP)


def _down(value: Any, path: Sequence[str]) -> tuple[Any, Sequence[str]]:
    """The value as far down the path as there is one, and the rest of the path."""
    for number, part in enumerate(path):
        members = dict(enumerate(value)) if isinstance(value, list) else value
        key = int(part) if isinstance(value, list) and part.isdecimal() else part
        if not isinstance(members, dict) or key not in members:
            return value, path[number:]
        value = members[key]
    return value, ()


def _there_is_no(what: str, name: object, there: Iterable[str]) -> str:
    names = ", ".join(there)
    return f"there is no {what} {str(name)[:MAX_ECHO]!a}; there {f'are: {names}' if names else 'is none'}"


# Marks where nothing is evaluated


def mark_flaws(document: Mapping[str, Any]) -> Iterator[Flaw]:
    """Expressions where they would stay what they are: texts."""
    steps = {number for number, _ in objects_in(document, "steps")}
    for where, name, text in _everything(document, ()):
        if MARK in name:
            yield where, "the names of members are not evaluated"
        if MARK in text and not _is_evaluated(where, steps):
            yield where, "expressions are for with, if, wait.until and outputs; here they are not evaluated"


def _is_evaluated(where: Path, steps: Collection[str | int]) -> bool:
    if where[:1] == ("outputs",):
        return True
    if where[:1] != ("steps",) or where[1] not in steps:
        return False
    where = where[4:] if where[2:3] == ("fallback",) else where[2:]
    return where[:1] in (("with",), ("if",)) or where == ("wait", "until")


def _everything(value: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    """Every member by its path, with its name and its text, each empty where it has none."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield (*path, name), name, ""
            yield from _everything(member, (*path, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _everything(member, (*path, number))
    elif isinstance(value, str):
        yield path, "", value
