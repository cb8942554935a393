"""A Function URL or an HTTP API, payload format 2.0.

    POST /actions                  carries out the request in the body
    GET  /actions/{id}             where it stands
    GET  /actions/{id}/history     what happened, a list of events
    POST /actions/{id}/undo        takes it back, where EXECUTION_AGENT_UNDO allows it

An `idempotency-key` header is the key of a request that brings none.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from agents.execution_agent.doors.invocation import Invocation
from agents.execution_agent.doors.resources import (
    Answer,
    carried_out,
    history_of,
    refused,
    status_of,
    taken_back,
    unavailable,
)
from agents.execution_agent.doors.undo import undone
from domain.errors import Code, ConfigurationError, FieldError, LedgerError, MalformedRequest
from domain.json_text import read_text
from domain.refusal import refusal as refusal_with
from domain.refusal import refusal_of_all
from projections.status import refusal

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

KEY = "idempotency-key"


def answer(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """The response of the contract as the body, under its status code."""
    return _reply(_answer(agent, event, invocation))


def broken(event: Any, error: ConfigurationError | LedgerError) -> dict[str, Any]:  # noqa: ARG001 - a door's shape
    """503."""
    return _reply(unavailable(error))


def _answer(  # noqa: PLR0911 - one table
    agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation
) -> Answer:
    method, path = event["requestContext"]["http"].get("method"), _path_of(event)
    match method, path:
        case "POST", ["actions"]:
            return _carried_out(agent, event, invocation)
        case "GET", ["actions", action_id]:
            return status_of(agent, action_id)
        case "GET", ["actions", action_id, "history"]:
            return history_of(agent, action_id)
        case "POST", ["actions", action_id, "undo"]:
            return _taken_back(agent, action_id, event, invocation)
        case _, ["actions"] | ["actions", _, "undo"]:
            return _other_method("POST")
        case _, ["actions", _] | ["actions", _, "history"]:
            return _other_method("GET")
    there_are = "POST /actions, GET /actions/{id}, GET /actions/{id}/history, POST /actions/{id}/undo"
    return refused(HTTPStatus.NOT_FOUND, Code.NOT_FOUND, f"there is nothing at this path; there are {there_are}")


def _other_method(allow: str) -> Answer:
    message = f"this path is for {allow}"
    return refused(HTTPStatus.METHOD_NOT_ALLOWED, Code.MALFORMED, message, allow=allow)


def _path_of(event: Mapping[str, Any]) -> list[str]:
    """The path's parts, without the stage: a stage that has a name stands before them."""
    path, stage = event.get("rawPath"), event["requestContext"].get("stage")
    parts = [unquote(part) for part in path.strip("/").split("/")] if isinstance(path, str) else []
    return parts[1:] if stage != "$default" and parts[:1] == [stage] else parts


def _taken_back(agent: ExecutionAgent, action_id: str, event: Mapping[str, Any], invocation: Invocation) -> Answer:
    if not _is_json(_headers_of(event).get("content-type")):
        return _not_json()
    try:
        order = read_text(_body_of(event))
        if "action_id" in order:
            message = "the action stands in the path"
            raise refusal_with([FieldError("action_id", Code.UNKNOWN_FIELD, message)])
    except MalformedRequest as malformed:
        return carried_out(refusal(malformed).as_dict())
    return taken_back(undone(agent, {**order, "action_id": action_id}, invocation, door="http", path=""))


def _not_json() -> Answer:
    message = "the body must be application/json; say so in content-type"
    return refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Code.MALFORMED, message)


def _carried_out(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> Answer:
    headers = _headers_of(event)
    if not _is_json(headers.get("content-type")):
        return _not_json()
    try:
        body = _body_of(event)
        request = _keyed(read_text(body), headers[KEY]) if KEY in headers else None
    except MalformedRequest as malformed:
        return carried_out(refusal(malformed).as_dict())
    wait = invocation.wait()
    return carried_out(agent.process_json(body, wait=wait) if request is None else agent.process(request, wait=wait))


def _headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    headers = event.get("headers")
    if not isinstance(headers, dict):
        return {}
    return {str(name).lower(): value for name, value in headers.items() if isinstance(value, str)}


def _is_json(content_type: str | None) -> bool:
    """Whoever says nothing may mean JSON: the body is read strictly anyway."""
    media_type = (content_type or "application/json").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _body_of(event: Mapping[str, Any]) -> bytes | str:
    body = event.get("body")
    if not isinstance(body, str) or not body:
        raise refusal_of_all(Code.MALFORMED, "there is no body; send the request as JSON")
    if event.get("isBase64Encoded") is not True:
        return body
    try:
        return b64decode(body, validate=True)
    except ValueError:
        raise refusal_of_all(Code.MALFORMED, "the body is not the base64 that isBase64Encoded promises") from None


def _keyed(request: dict[str, Any], header: str) -> dict[str, Any]:
    """The request under the header's key, which is a quoted string of RFC 9651 or, as most send it, bare."""
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    own = request.get("idempotency_key")
    if own is not None and own != key:
        message = "the body brings another key than the idempotency-key header; send one of them"
        raise refusal_with([FieldError("idempotency_key", Code.INVALID_IDEMPOTENCY_KEY, message)])
    return {**request, "idempotency_key": key}


def _reply(answered: Answer) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    if answered.allow:
        headers["allow"] = answered.allow
    return {
        "statusCode": int(answered.status),
        "headers": headers,
        "body": json.dumps(answered.body),
        "isBase64Encoded": False,
    }
