"""Definitions of workflows, and the few action types that they use."""

from __future__ import annotations

from collections.abc import Collection
from textwrap import dedent

from pydantic import Field

from domain.base_action import Parameters
from domain.errors import InvalidDefinition
from domain.workflow_definition import Definition
from handlers.workflows.reading import read_definition


class GreetParameters(Parameters):
    """Whom to greet, how often, and in which words."""

    name: str
    times: int = 1
    words: dict[str, str] = Field(default_factory=dict)


class ShoutParameters(Parameters):
    """What to shout."""

    text: str


ACTION_TYPES = {"greet": GreetParameters, "shout": ShoutParameters}
WORKFLOWS = ("other",)


def read(text: str | bytes) -> Definition:
    """The definition of an indented text."""
    data = dedent(text).encode() if isinstance(text, str) else text
    return read_definition(data, ACTION_TYPES, WORKFLOWS)


def steps(text: str, *, head: str = "name: w") -> str:
    """A definition whose steps begin in line 3."""
    return f"{head}\nsteps:\n{dedent(text).strip()}\n"


def problems_of(text: str | bytes, workflows: Collection[str] = WORKFLOWS) -> list[str]:
    """Everything that is to repair in a text, a line each; none where it is a definition."""
    try:
        read_definition(text.encode() if isinstance(text, str) else text, ACTION_TYPES, workflows)
    except InvalidDefinition as invalid:
        return [str(problem) for problem in invalid.problems]
    return []
