"""From a text of YAML or JSON to a definition that can be carried out, or to everything that is to repair in it.

    text -> located values -> shape -> references, needs, action types -> order -> the canonical document -> Definition

The canonical document says what the text leaves to a default, and names all that a step waits for. It is a definition
itself: read again, it is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel

from domain.canonical import canonical
from domain.errors import InvalidDefinition, Problem
from domain.json_value import MAX_BYTES
from domain.refusal import MAX_ECHO, MAX_PROBLEMS, dotted
from domain.workflow_definition import Definition, OnFailure, definition_of
from domain.workflow_sources import Sources, Unreadable
from handlers.workflows.checking import (
    Known,
    mark_flaws,
    need_flaws,
    output_flaws,
    reference_flaws,
    referred_to,
    timetable_flaws,
    use_flaws,
    used_by,
)
from handlers.workflows.expressions import condition_of
from handlers.workflows.located import Located, read_located
from handlers.workflows.order import Needs, in_order, never_run
from handlers.workflows.shape import Flaw, Path, object_in, objects_in, shape_problems
from handlers.workflows.sources import Texts, path_of

MOST_LEVELS = 5
"""Workflows within one another, the outermost included."""
MOST_FILES = 50
"""Definitions that one of them starts, at any depth."""
MOST_STEPS = 10_000
"""Steps of a workflow and of all that it starts, each time that it does: a few small files can mean very many."""


def read_definition(
    text: bytes, action_types: Mapping[str, type[BaseModel]], sources: Sources | None = None
) -> Definition:
    """The workflow that a text defines, with all that it starts. `action_types` are the parameters' models by name,
    `sources` the folder in which the text stands.

    Raises InvalidDefinition with every problem that there is, ConfigurationError where a library is not installed.
    """
    return _Reader(action_types, sources or Texts({})).read(text, ("",))


class _Reader:
    """Reads a definition, and each file that it needs once: what was read is pinned in what uses it."""

    def __init__(self, action_types: Mapping[str, type[BaseModel]], sources: Sources) -> None:
        self._action_types = action_types
        self._sources = sources
        self._read: dict[str, Definition | str] = {}

    def read(self, text: bytes, chain: tuple[str, ...]) -> Definition:
        """`chain` are the paths of the files that lead to this text, its own the last."""
        located = read_located(text)
        findings = _Findings(located)
        findings.tell(shape_problems(located.value))
        document = located.value if isinstance(located.value, dict) else {}
        pinned = {reference: self._pinned(reference, chain) for reference in _references_in(document)}
        needs = _check_names(document, findings, self._action_types, pinned)
        findings.refuse_if_any()
        there = {reference: found for reference, found in pinned.items() if isinstance(found, Definition)}
        stored = _canonical(document, needs, there, chain[-1])
        if len(canonical(stored)) > MAX_BYTES:
            raise InvalidDefinition([Problem(1, "", f"a definition has at most {MAX_BYTES} bytes as JSON")])
        if _steps_of(stored) > MOST_STEPS:
            raise InvalidDefinition([Problem(1, "", f"with all that it starts, it has at most {MOST_STEPS:,} steps")])
        return definition_of(stored)

    def _pinned(self, reference: str, chain: tuple[str, ...]) -> Definition | str:
        """What a reference leads to, or why it leads to nothing."""
        try:
            path = path_of(reference, chain[-1])
        except Unreadable as unreadable:
            return str(unreadable)
        if path in chain:
            circle = ", ".join([*chain[chain.index(path) :], path])
            return f"these workflows start each other, and would never end: {circle}"
        if path not in self._read:
            if len(chain) >= MOST_LEVELS:
                return _TOO_DEEP
            if len(self._read) >= MOST_FILES:
                return f"a workflow starts at most {MOST_FILES} others, all in all"
            self._read[path] = self._read_anew(path, chain)
        found = self._read[path]
        if isinstance(found, Definition) and len(chain) + _levels_of(found.document) > MOST_LEVELS:
            return _TOO_DEEP
        return found

    def _read_anew(self, path: str, chain: tuple[str, ...]) -> Definition | str:
        try:
            return self.read(self._sources.text_of(path), (*chain, path))
        except Unreadable as unreadable:
            return str(unreadable)
        except InvalidDefinition as invalid:
            more = f" (the first of {len(invalid.problems)} problems)" if len(invalid.problems) > 1 else ""
            return f"{path}, {invalid.problems[0]}{more}"


_TOO_DEEP = f"workflows start one another at most {MOST_LEVELS} levels deep, the first included"


def _levels_of(document: Mapping[str, Any]) -> int:
    return 1 + max(map(_levels_of, document.get("workflows", {}).values()), default=0)


def _steps_of(document: Mapping[str, Any]) -> int:
    """Of a canonical document, with those of the workflows that it starts."""
    starts = {pinned: _steps_of(started) for pinned, started in document.get("workflows", {}).items()}
    return sum(1 + starts.get(step.get("workflow"), 0) for step in document["steps"])


def _references_in(document: Mapping[str, Any]) -> list[str]:
    """Each file that a step starts, once, in the order of the text."""
    found = (step.get("workflow") for _, step in objects_in(document, "steps"))
    return [*dict.fromkeys(reference for reference in found if isinstance(reference, str))]


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
    workflows: Mapping[str, Definition | str],
) -> Needs:
    numbers = _numbers_by_id(document, findings)
    callbacks = [name for name, number in numbers.items() if "wait_for" in document["steps"][number]]
    decisive = [name for name, number in numbers.items() if not _is_gone_on_from(document, document["steps"][number])]
    known = Known([*object_in(document, "inputs")], [*numbers], callbacks, decisive, action_types, workflows)
    findings.tell(mark_flaws(document))
    for number, step in objects_in(document, "steps"):
        path: Path = ("steps", number)
        findings.tell(need_flaws(step, path, known))
        findings.tell(reference_flaws(step, path, known))
        findings.tell(use_flaws(step, path, known))
    findings.tell(output_flaws(object_in(document, "outputs"), known))
    findings.tell(timetable_flaws(object_in(document, "schedule")))
    needs = {name: _needs_of(document["steps"][number], numbers) for name, number in numbers.items()}
    for name, why in islice(never_run(needs), MAX_PROBLEMS):
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


def _canonical(
    document: Mapping[str, Any], needs: Needs, pinned: Mapping[str, Definition], own_path: str
) -> dict[str, Any]:
    by_id = {step["id"]: step for step in document["steps"]}
    default = document.get("on_failure", "stop")
    return {
        "name": document["name"],
        **_given(document, "description", "version"),
        "on_failure": default,
        "on_rollback_failure": document.get("on_rollback_failure", "continue"),
        "inputs": {name: _canonical_input(told) for name, told in document.get("inputs", {}).items()},
        "steps": [
            {
                **_canonical_step(by_id[name], needs[name], default),
                **_canonical_reference(by_id[name], pinned, own_path),
            }
            for name in in_order(needs)
        ],
        **_given(document, "outputs"),
        **({"schedule": _canonical_schedule(document["schedule"])} if document.get("schedule") else {}),
        **({"workflows": {found.hash: found.document for found in pinned.values()}} if pinned else {}),
    }


def _canonical_reference(step: Mapping[str, Any], pinned: Mapping[str, Definition], own_path: str) -> dict[str, Any]:
    """A file is told by the hash of what stood in it."""
    if "workflow" not in step:
        return {}
    return {"workflow": pinned[step["workflow"]].hash, "file": path_of(step["workflow"], own_path)}


def _canonical_schedule(told: Mapping[str, Any]) -> dict[str, Any]:
    crons = told["cron"]
    return {
        "cron": crons if isinstance(crons, list) else [crons],
        "timezone": told.get("timezone", "UTC"),
        "catch_up": told.get("catch_up", "latest"),
        "overlap": told.get("overlap", "skip"),
    }


def _canonical_input(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": told["type"], "required": told.get("required", False), **_given(told, "default", "description")}


def _is_gone_on_from(document: Mapping[str, Any], step: Mapping[str, Any]) -> bool:
    """Whether others begin where the step has failed."""
    return bool(step.get("on_failure", document.get("on_failure")) == OnFailure.CONTINUE)


def _canonical_step(step: Mapping[str, Any], needs: Sequence[str], on_failure: str) -> dict[str, Any]:
    return {
        "id": step["id"],
        **_canonical_route(step),
        **_given(step, "wait", "wait_for", "timeout", "options", "summary"),
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
