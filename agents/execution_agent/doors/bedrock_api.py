"""Bedrock Agents Classic, an action group of an API schema.

    POST /actions/{action_type}        carries out; the body's properties are the action's parameters
    GET  /actions/{id}                 where it stands
    GET  /actions/{id}/history         what happened

Bedrock leaves a path as the schema has it, and sends what belongs between its braces as a parameter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from agents.execution_agent.doors.bedrock import carry_out, enveloped
from agents.execution_agent.doors.invocation import Invocation
from agents.execution_agent.doors.resources import (
    Answer,
    carried_out,
    history_of,
    refused,
    status_of,
    unavailable,
)
from domain.errors import Code, ConfigurationError, LedgerError

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

JSON = "application/json"
_BRACES = re.compile(r"\{([^{}/]+)\}")


def answer(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """The response of the contract as the body, with the status code that HTTP has for it."""
    return _reply(event, _answer(agent, event, invocation))


def broken(event: Mapping[str, Any], error: ConfigurationError | LedgerError) -> dict[str, Any]:
    """503."""
    return _reply(event, unavailable(error))


def _answer(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> Answer:
    method, path = event.get("httpMethod"), _path_of(event)
    match method, path.strip("/").split("/"):
        case "POST", ["actions", action_type]:
            return carried_out(carry_out(agent, event, action_type, _properties(event), invocation.wait()))
        case "GET", ["actions", action_id]:
            return status_of(agent, action_id)
        case "GET", ["actions", action_id, "history"]:
            return history_of(agent, action_id)
    there_are = "POST /actions/{action_type}, GET /actions/{id}, GET /actions/{id}/history"
    return refused(HTTPStatus.NOT_FOUND, Code.NOT_FOUND, f"no such operation; there are {there_are}")


def _path_of(event: Mapping[str, Any]) -> str:
    given = {
        parameter["name"]: parameter["value"]
        for parameter in _listed(event.get("parameters"))
        if isinstance(parameter.get("name"), str) and isinstance(parameter.get("value"), str)
    }
    path = event["apiPath"]
    return _BRACES.sub(lambda braces: given.get(braces[1], braces[0]), path) if isinstance(path, str) else ""


def _listed(parameters: object) -> list[dict[str, Any]]:
    return [entry for entry in parameters if isinstance(entry, dict)] if isinstance(parameters, list) else []


def _properties(event: Mapping[str, Any]) -> object:
    """The body's list of values. What is no body has none: the action type then says what is missing."""
    match event.get("requestBody"):
        case {"content": {"application/json": {"properties": properties}}}:
            return properties
    return None


def _reply(event: Mapping[str, Any], answered: Answer) -> dict[str, Any]:
    response = {
        "actionGroup": event["actionGroup"],
        "apiPath": event["apiPath"],
        "httpMethod": event.get("httpMethod", ""),
        "httpStatusCode": int(answered.status),
        "responseBody": {JSON: {"body": json.dumps(answered.body)}},
    }
    return enveloped(event, response)
