"""From a text of YAML or JSON to a definition that can be carried out, or to everything that is to repair in it.

    text -> located values -> shape -> references, needs, action types -> order -> the canonical document -> Definition

The canonical document says what the text leaves to a default, and names all that a step waits for. It is a definition
itself: read again, it is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from domain.canonical import canonical
from domain.errors import InvalidDefinition, Problem
from domain.json_value import MAX_BYTES
from domain.refusal import MAX_ECHO, MAX_PROBLEMS, dotted
from domain.workflow_definition import Definition, definition_of
from handlers.workflows.checking import (
    Known,
    mark_flaws,
    need_flaws,
    reference_flaws,
    referred_to,
    use_flaws,
    used_by,
)
from handlers.workflows.expressions import condition_of
from handlers.workflows.located import Located, read_located
from handlers.workflows.order import Needs, in_order, never_run
from handlers.workflows.shape import Flaw, Path, object_in, objects_in, shape_problems


def read_definition(
    text: bytes, action_types: Mapping[str, type[BaseModel]], workflows: Collection[str] = ()
) -> Definition:
    """The workflow that a text defines. `action_types` are the parameters' models by name, `workflows` the names of
    those that a step may start.

    Raises InvalidDefinition with every problem that there is, ConfigurationError where a library is not installed.
    """
    located = read_located(text)
    findings = _Findings(located)
    findings.tell(shape_problems(located.value))
    document = located.value if isinstance(located.value, dict) else {}
    needs = _check_names(document, findings, action_types, workflows)
    findings.refuse_if_any()
    stored = _canonical(document, needs)
    if len(canonical(stored)) > MAX_BYTES:
        raise InvalidDefinition([Problem(1, "", f"a definition has at most {MAX_BYTES} bytes as JSON")])
    return definition_of(stored)


class _Findings:
    """What was found, with lines."""

    def __init__(self, located: Located) -> None:
        self._located = located
        self._problems = [*located.problems]

    def tell(self, flaws: Iterable[Flaw]) -> None:
        for path, message in flaws:
            where = ".".join(map(str, path))
            if where not in self._located.doubtful:
                self._problems.append(Problem(self._located.line_of(where), dotted(path), message))

    def refuse_if_any(self) -> None:
        if self._problems:
            problems = sorted(dict.fromkeys(self._problems), key=lambda problem: problem.line)
            raise InvalidDefinition(problems[:MAX_PROBLEMS])


# Names


def _check_names(
    document: Mapping[str, Any],
    findings: _Findings,
    action_types: Mapping[str, type[BaseModel]],
    workflows: Collection[str],
) -> Needs:
    numbers = _numbers_by_id(document, findings)
    callbacks = [name for name, number in numbers.items() if "wait_for" in document["steps"][number]]
    known = Known([*object_in(document, "inputs")], [*numbers], callbacks, action_types, workflows)
    findings.tell(mark_flaws(document))
    for number, step in objects_in(document, "steps"):
        path: Path = ("steps", number)
        findings.tell(need_flaws(step, path, known))
        findings.tell(reference_flaws(step, path, known))
        findings.tell(use_flaws(step, path, known, document.get("name")))
    needs = {name: _needs_of(document["steps"][number], numbers) for name, number in numbers.items()}
    for name, why in never_run(needs):
        member = ("needs",) if "needs" in document["steps"][numbers[name]] else ()
        findings.tell([(("steps", numbers[name], *member), why)])
    return needs


def _numbers_by_id(document: Mapping[str, Any], findings: _Findings) -> Mapping[str, int]:
    numbers: dict[str, int] = {}
    for number, step in objects_in(document, "steps"):
        name = step.get("id")
        if not isinstance(name, str):
            continue
        if name in numbers:
            findings.tell([(("steps", number, "id"), f"steps.{numbers[name]} is called {name[:MAX_ECHO]!a}, too")])
        numbers.setdefault(name, number)
    return numbers


def _needs_of(step: Mapping[str, Any], there: Collection[str]) -> list[str]:
    """The steps that a step says it needs, and those that it refers to."""
    said = step.get("needs")
    names = [*(said if isinstance(said, list) else ()), *referred_to(step)]
    return [*dict.fromkeys(name for name in names if isinstance(name, str) and name in there and name != step["id"])]


# The canonical document


def _canonical(document: Mapping[str, Any], needs: Needs) -> dict[str, Any]:
    by_id = {step["id"]: step for step in document["steps"]}
    default = document.get("on_failure", "stop")
    return {
        "name": document["name"],
        **_given(document, "description", "version"),
        "on_failure": default,
        "on_rollback_failure": document.get("on_rollback_failure", "continue"),
        "inputs": {name: _canonical_input(told) for name, told in document.get("inputs", {}).items()},
        "steps": [_canonical_step(by_id[name], needs[name], default) for name in in_order(needs)],
    }


def _canonical_input(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": told["type"], "required": told.get("required", False), **_given(told, "default", "description")}


def _canonical_step(step: Mapping[str, Any], needs: Sequence[str], on_failure: str) -> dict[str, Any]:
    return {
        "id": step["id"],
        **_canonical_route(step),
        **_given(step, "wait", "wait_for", "workflow", "timeout", "options", "summary"),
        "needs": [*needs],
        "on_failure": step.get("on_failure", on_failure),
        **({"with": step.get("with", {})} if "workflow" in step else {}),
        **({"if": condition_of(step["if"])} if "if" in step else {}),
        **({"fallback": [_canonical_route(route) for route in step["fallback"]]} if step.get("fallback") else {}),
    }


def _canonical_route(route: Mapping[str, Any]) -> dict[str, Any]:
    uses = used_by(route)
    return {} if uses is None else {"uses": uses, "with": route.get("with", {})}


def _given(told: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: told[name] for name in names if told.get(name) is not None}
