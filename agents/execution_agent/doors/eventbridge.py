"""EventBridge: the request is the event's `detail`, and the event's `id` its key where it brings none."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from agents.execution_agent.doors.invocation import Invocation
from agents.execution_agent.doors.keyed import under_key
from agents.execution_agent.doors.unknown import look_of, no_request
from domain.refusal import dotted

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

log = logging.getLogger("execution_agent.doors")


def answer(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """The response of the contract: nobody waits for it, but a destination may take it."""
    detail = event["detail"]
    if not (isinstance(detail, dict) and detail.keys() & {"action_type", "parameters"}):
        what = f"the EventBridge event {dotted([event['detail-type']])} of {dotted([event['source']])}"
        log.warning("refused: the detail of %s is no request", what)
        return no_request(f"this is {what}, whose detail looks like {look_of(detail)}")
    return agent.process(under_key(detail, event.get("id")), wait=invocation.wait())


def broken(event: Any, error: Exception) -> NoReturn:  # noqa: ARG001 - a door's shape
    """The function fails, and Lambda repeats the call: under the same id, so that nothing is done twice."""
    raise error
