"""The action types as other agents' tools: one document for each framework, made of the same models.

    bedrock-function   the functionSchema of an action group of Bedrock Agents Classic
    openapi            the API schema of one: OpenAPI 3.0.0, without what Bedrock does not read
    agentcore          the tool definitions of a Lambda target of AgentCore Gateway
    mcp                what an MCP server answers to tools/list

Where a framework cannot say what a model says (objects, allowed values, null), a description does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from agents.execution_agent.model_schemas import DoesNotFit, Schema, plain_schema, whole_schema
from domain.base_action import BaseAction
from domain.errors import Code, Refused
from domain.lifecycle import Status

ActionTypes: TypeAlias = Sequence[BaseAction[Any]]

MOST_OPERATIONS = 11
"""Of one action group of Bedrock Agents Classic."""
MOST_PARAMETERS = 5
"""Of one function there, unless a quota was raised."""
LONGEST_DESCRIPTION = 500
"""Characters of a parameter's description there."""

_NAME = re.compile(r"([0-9a-zA-Z][_-]?){1,100}")


class Format(StrEnum):
    """The documents that there are."""

    BEDROCK_FUNCTION = "bedrock-function"
    OPENAPI = "openapi"
    AGENTCORE = "agentcore"
    MCP = "mcp"


def document_of(wanted: Format, action_types: ActionTypes) -> Any:
    """The document, in plain JSON values. Raises DoesNotFit."""
    try:
        return _MAKERS[wanted](action_types)
    except DoesNotFit as reason:
        raise DoesNotFit(f"{wanted}: {reason}") from None


def chosen(action_types: ActionTypes, names: Sequence[str] | None) -> ActionTypes:
    """Those of these names, in their order, or all where none is named. Raises Refused (unknown_action_type)."""
    known = {kind.action_type: kind for kind in action_types}
    for name in names or ():
        if name not in known:
            message = f"no action type is called {name[:80]!r}; there are: {', '.join(sorted(known))}"
            raise Refused(message, code=Code.UNKNOWN_ACTION_TYPE)
    return [known[name] for name in dict.fromkeys(names)] if names else action_types


def _summary(kind: BaseAction[Any]) -> str:
    promise = str(kind.delivery).replace("_", " ")
    return f"{kind.summary or kind.action_type} Promise: {promise}. {_WHEN_IN_DOUBT}"


_WHEN_IN_DOUBT = "A status of in_doubt means that it may have happened: do not ask for it again, tell your user."


def _plain(kind: BaseAction[Any]) -> Schema:
    try:
        return plain_schema(kind.parameters)
    except DoesNotFit as reason:
        raise DoesNotFit(f"{kind.action_type}: {reason}") from None


# -- Bedrock Agents Classic, function details -----------------------------------------------------------------------


def _bedrock_functions(action_types: ActionTypes) -> Schema:
    if len(action_types) > MOST_OPERATIONS:
        raise DoesNotFit(
            f"an action group holds at most {MOST_OPERATIONS} functions, there are {len(action_types)} action types;"
            " choose some of them (--type), or use agentcore"
        )
    return {"functions": [_bedrock_function(kind) for kind in action_types]}


def _bedrock_function(kind: BaseAction[Any]) -> Schema:
    parameters = _plain(kind)
    if len(parameters["properties"]) > MOST_PARAMETERS:
        raise DoesNotFit(
            f"a function has at most {MOST_PARAMETERS} parameters, {kind.action_type} has"
            f" {len(parameters['properties'])}; use openapi or agentcore"
        )
    for name in (kind.action_type, *parameters["properties"]):
        if not _NAME.fullmatch(name):
            raise DoesNotFit(f"{name!r} is no name there: single _ or - between letters and digits; use agentcore")
    return {
        "name": kind.action_type,
        "description": _summary(kind),
        "parameters": {
            name: _bedrock_parameter(schema, required=name in parameters.get("required", ()))
            for name, schema in parameters["properties"].items()
        },
    }


def _bedrock_parameter(schema: Schema, *, required: bool) -> Schema:
    is_object = schema["type"] == "object"
    description = f"An object, as JSON text. {schema['description']}" if is_object else schema["description"]
    return {
        "type": "string" if is_object else schema["type"],
        "description": description[:LONGEST_DESCRIPTION],
        "required": required,
    }


# -- Bedrock Agents Classic, API schema -----------------------------------------------------------------------------


def _openapi(action_types: ActionTypes) -> Schema:
    paths = {f"/actions/{kind.action_type}": {"post": _carrying_out(kind)} for kind in action_types}
    paths["/actions/{id}"] = {"get": _look_up("getAction", "Where an action stands.", _response())}
    paths["/actions/{id}/history"] = {
        "get": _look_up(
            "getActionHistory",
            "What happened to an action, and why: its events, oldest first.",
            {"type": "array", "items": {"type": "object"}},
        )
    }
    if len(paths) > MOST_OPERATIONS:
        raise DoesNotFit(
            f"an action group holds at most {MOST_OPERATIONS} operations, there are {len(action_types)} action types"
            f" and {len(paths) - len(action_types)} ways to look them up; choose some (--type), or use agentcore"
        )
    # Imported here: the command line reads this module for the names of the formats.
    from importlib.metadata import version

    return {
        "openapi": "3.0.0",
        "info": {
            "title": "Execution agent",
            "version": version("execution-agent"),
            "description": "Carries out the decisions of an AI agent, once, and can prove it.",
        },
        "paths": paths,
    }


def _carrying_out(kind: BaseAction[Any]) -> Schema:
    return {
        "operationId": kind.action_type,
        "description": _summary(kind),
        "requestBody": {"required": True, "content": _json(_plain(kind))},
        "responses": {
            "200": _answer("It has come to an end, or into doubt: status says to which.", _response()),
            "202": _answer("It is accepted, and not at its end yet.", _response()),
            "400": _answer("It was refused; error.details say what to repair.", _response()),
        },
    }


def _look_up(name: str, description: str, found: Schema) -> Schema:
    return {
        "operationId": name,
        "description": description,
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The action_id of a response.",
                "schema": {"type": "string"},
            }
        ],
        "responses": {
            "200": _answer(description, found),
            "404": _answer("Nobody has heard of this action.", _response()),
        },
    }


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": _json(schema)}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


# -- AgentCore Gateway, and MCP -------------------------------------------------------------------------------------


def _agentcore(action_types: ActionTypes) -> list[Schema]:
    return [_tool(kind, {"required": [], **_plain(kind)}, _plain_response()) for kind in action_types]


def _mcp(action_types: ActionTypes) -> Schema:
    return {"tools": [_tool(kind, whole_schema(kind.parameters), _whole_response()) for kind in action_types]}


def _tool(kind: BaseAction[Any], given: Schema, answered: Schema) -> Schema:
    return {
        "name": kind.action_type,
        "description": _summary(kind),
        "inputSchema": given,
        "outputSchema": answered,
    }


# -- the response of the contract -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Member:
    kind: str
    description: str
    may_be_null: bool = False

    def as_schema(self, **words: Any) -> Schema:
        return {"type": self.kind, "description": self.description, **words}


_RESPONSE: Mapping[str, _Member] = {
    "action_id": _Member("string", "the action's id, to ask about it later", may_be_null=True),
    "status": _Member("string", f"one of {', '.join(Status)}"),
    "result": _Member("object", "what a success brought", may_be_null=True),
    "error": _Member(
        "object", "what is wrong: code, message, and details with field, code and message", may_be_null=True
    ),
    "duplicate": _Member("boolean", "whether it was asked before, and this is the answer of then"),
    "attempts": _Member("integer", "how often it was attempted"),
}


def _response() -> Schema:
    """As OpenAPI 3.0 says it."""
    members = {
        name: member.as_schema(nullable=True) if member.may_be_null else member.as_schema()
        for name, member in _RESPONSE.items()
    }
    return {"type": "object", "properties": members}


def _whole_response() -> Schema:
    members = {
        name: member.as_schema(type=[member.kind, "null"]) if member.may_be_null else member.as_schema()
        for name, member in _RESPONSE.items()
    }
    return {"type": "object", "properties": members, "required": list(members)}


def _plain_response() -> Schema:
    """AgentCore has no word for null, and whoever calls may check an answer: what can be null is only described."""
    described = "; ".join(f"{name}: {member.description}" for name, member in _RESPONSE.items() if member.may_be_null)
    members = {name: member.as_schema() for name, member in _RESPONSE.items() if not member.may_be_null}
    return {
        "type": "object",
        "description": f"Beside these there are, null where there is nothing to say: {described}.",
        "properties": members,
    }


_MAKERS: Mapping[Format, Callable[[ActionTypes], Any]] = {
    Format.BEDROCK_FUNCTION: _bedrock_functions,
    Format.OPENAPI: _openapi,
    Format.AGENTCORE: _agentcore,
    Format.MCP: _mcp,
}
