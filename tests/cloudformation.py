"""The template as CloudFormation gets to see it, and questions to ask of it.

Names of other resources stand in it as `${Name}` and `${Name.Attribute}`, whichever way the template said them.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "infra" / "template.yaml"
CODE = "../dist/execution-agent.zip"
"""Where the template says that the package is; `sam deploy` puts a place in S3 there."""

Template = Mapping[str, Any]

_TRANSLATE = """
import json, sys
from types import SimpleNamespace
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
print(json.dumps(transform(yaml_parse(sys.stdin.read()), {}, SimpleNamespace(load=dict))))
"""


@cache
def translated_text() -> str:
    """What SAM's own translator makes of the template, as JSON."""
    template = TEMPLATE.read_text("utf-8")
    assert template.count(CODE) == 1
    done = subprocess.run(
        [ROOT / ".venv-engine" / "bin" / "python", "-c", _TRANSLATE],
        input=template.replace(CODE, "s3://packages/execution-agent.zip"),
        env={**os.environ, "AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def translated() -> dict[str, Any]:
    """The template without SAM and without intrinsic functions. A choice by condition is what holds where it does."""
    template: dict[str, Any] = _plain(json.loads(translated_text()))
    return template


def resources(template: Template, kind: str) -> dict[str, Any]:
    """The properties of all resources of a type, by logical name."""
    found = {name: it for name, it in template["Resources"].items() if it["Type"] == kind}
    return {name: it.get("Properties", {}) for name, it in found.items()}


def attribute(name: str, of: str = "Arn") -> str:
    """How the attribute of a resource is said here."""
    return f"${{{name}.{of}}}"


def in_list(value: Any) -> list[Any]:
    """CloudFormation takes one for a list of one."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, and what the policy is part of."""

    place: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    said: Mapping[str, Any]

    @property
    def grants(self) -> set[tuple[str, str]]:
        return {(action, resource) for action in self.actions for resource in self.resources}


def statements(template: Template) -> Iterator[Statement]:
    """Every statement of every policy in the template, those on who may take a role aside."""
    for name, resource in template["Resources"].items():
        for document in _policy_documents(resource.get("Properties", {})):
            yield from (_statement(name, said) for said in in_list(document["Statement"]))


def statements_of(template: Template, role: str) -> Iterator[Statement]:
    """What the policies of a role say, its own and those that it shares. What a person attaches, nobody knows here."""
    brought = ("ActionsPolicy", "CheckpointsPolicy")
    known = {f"${{{name}}}" for name in (*resources(template, "AWS::IAM::ManagedPolicy"), *brought)}
    attached = in_list(template["Resources"][role]["Properties"].get("ManagedPolicyArns", []))
    assert set(attached) <= known, f"{role} has a policy that is not ours: {attached}"
    places = {role, *(policy[2:-1] for policy in attached)}
    return (statement for statement in statements(template) if statement.place in places)


def _policy_documents(properties: Any) -> Iterator[Mapping[str, Any]]:
    match properties:
        case dict():
            for name, value in properties.items():
                if name == "PolicyDocument":
                    yield value
                elif name != "AssumeRolePolicyDocument":
                    yield from _policy_documents(value)
        case list():
            for value in properties:
                yield from _policy_documents(value)


def _statement(place: str, said: Mapping[str, Any]) -> Statement:
    actions, targets = in_list(said.get("Action", [])), in_list(said.get("Resource", []))
    return Statement(place, said["Effect"], tuple(actions), tuple(targets), said)


def _plain(value: Any) -> Any:
    match value:
        case dict() if len(value) == 1 and (function := _FUNCTIONS.get(next(iter(value)))):
            return function(next(iter(value.values())))
        case dict():
            return {name: plain for name, part in value.items() if (plain := _plain(part)) is not None}
        case list():
            return [plain for part in value if (plain := _plain(part)) is not None]
    return value


def _ref(name: str) -> str | None:
    return None if name == "AWS::NoValue" else f"${{{name}}}"


def _sub(said: Any) -> str:
    text, names = said if isinstance(said, list) else (said, {})
    for name, meant in names.items():
        text = text.replace(f"${{{name}}}", _plain(meant))
    return str(text)


def _select(said: Any) -> str:
    index, options = said
    return f"part {index} of {_plain(options)}"


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": lambda said: attribute(*said),
    "Fn::Sub": _sub,
    "Fn::Join": lambda said: said[0].join(_plain(said[1])),
    "Fn::Select": _select,
    "Fn::Split": lambda said: f"{_plain(said[1])} at {said[0]}",
    "Fn::If": lambda said: _plain(said[1]),
}
