"""Definitions of workflows, and the few action types that they use."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from pydantic import Field

from domain.base_action import Parameters
from domain.errors import InvalidDefinition
from domain.workflow_definition import Definition
from handlers.workflows.reading import read_definition
from handlers.workflows.sources import Texts


class GreetParameters(Parameters):
    """Whom to greet, how often, and in which words."""

    name: str
    times: int = 1
    words: dict[str, str] = Field(default_factory=dict)


class ShoutParameters(Parameters):
    """What to shout."""

    text: str


ACTION_TYPES = {"greet": GreetParameters, "shout": ShoutParameters}
_STARTS = "name: {0}\nsteps:\n- id: a\n  workflow: {1}\n"
FILES: Mapping[str, str] = {
    "other.yaml": "name: other\ninputs: {who: {type: string, required: true}}\nsteps: [{id: a, wait: {for: 1d}}]\n",
    "broken.yaml": "name: broken\nsteps:\n- id: a\n  uses: sing\n",
    "itself.yaml": _STARTS.format("itself", "itself.yaml"),
    "ping.yaml": _STARTS.format("ping", "pong.yaml"),
    "pong.yaml": _STARTS.format("pong", "ping.yaml"),
    **{f"deep/{level}.yaml": _STARTS.format("deep", f"{level + 1}.yaml") for level in range(1, 5)},
    "deep/5.yaml": "name: deep\nsteps: [{id: a, wait: {for: 1d}}]\n",
}
"""What stands beside the definitions."""


def read(text: str | bytes) -> Definition:
    """The definition of an indented text."""
    data = dedent(text).encode() if isinstance(text, str) else text
    return read_definition(data, ACTION_TYPES, Texts(FILES))


def steps(text: str, *, head: str = "name: w") -> str:
    """A definition whose steps begin in line 3."""
    return f"{head}\nsteps:\n{dedent(text).strip()}\n"


def problems_of(text: str | bytes, files: Mapping[str, str] = FILES) -> list[str]:
    """Everything that is to repair in a text, a line each; none where it is a definition."""
    try:
        read_definition(text.encode() if isinstance(text, str) else text, ACTION_TYPES, Texts(files))
    except InvalidDefinition as invalid:
        return [str(problem) for problem in invalid.problems]
    return []
