"""What came through no door: told what it looks like, in the log and to whoever reads the answer.

Nobody reads what a trigger or a destination is answered. There the function fails, so that whoever sent the event tries
again, and keeps in the end what nobody took.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from agents.execution_agent.doors.invocation import Invocation
from domain.errors import Code, ConfigurationError
from domain.refusal import dotted, kind_of, refusal_of_all
from projections.status import refusal

if TYPE_CHECKING:
    from agents.execution_agent.agent import ExecutionAgent

log = logging.getLogger("execution_agent.doors")

MOST_NAMES = 8
"""Members of an object that are told."""


def answer(agent: ExecutionAgent, event: Any, invocation: Invocation) -> dict[str, Any]:  # noqa: ARG001
    """A refusal, `malformed`: no action id, no ledger entry.

    Raises ConfigurationError where nobody would read it.
    """
    what = f"this looks like {look_of(event)}"
    if _is_answered_to_nobody(event):
        raise ConfigurationError(f"{what}, and nobody would read a refusal: mend what sends it here")
    log.warning("refused: %s", what)
    return no_request(what)


def no_request(what: str) -> dict[str, Any]:
    """The refusal of what is neither a request nor a plan; `what` says what it is instead."""
    message = f"{what}; a request has action_type and parameters, a plan has actions"
    return refusal(refusal_of_all(Code.MALFORMED, message)).as_dict()


def broken(event: Any, error: Exception) -> NoReturn:  # noqa: ARG001 - a door's shape
    """The function fails."""
    raise error


def _is_answered_to_nobody(event: object) -> bool:
    match event:
        case {"Records": _} | {"requestContext": {"condition": _}}:
            return True
    return False


def look_of(value: object) -> str:
    """What somebody may have meant to send elsewhere, in words. Never raises, and repeats no value."""
    if not isinstance(value, dict):
        return kind_of(value)
    return next(_looks(value))


def _looks(event: dict[Any, Any]) -> Iterator[str]:
    match event:
        case {"ResponseMetadata": _} | {"StatusCode": _, "Payload": _}:
            yield "the reply of a boto3 client, passed on by mistake"
        case {"action_id": _, "status": _}:
            yield "a response of the execution agent"
        case {"actions": actions}:
            yield f"a plan whose actions are {kind_of(actions)}"
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            yield "messages of SQS, of which one has no messageId or no body"
        case {"Records": [{"eventSource": str(source)}, *_] | [{"EventSource": str(source)}, *_]}:
            yield f"records of {dotted([source])}"
        case {"Records": _}:
            yield "records of an event source, without any that says which"
        case {"requestContext": {"condition": _}}:
            yield "the record of a Lambda destination; its request is in requestPayload"
        case {"requestContext": {"elb": _}}:
            yield "a request through a load balancer; come through a Function URL or an HTTP API"
        case {"httpMethod": _, "resource": _} | {"version": "1.0", "requestContext": _}:
            yield "an event of API Gateway in payload format 1.0; choose payload format 2.0"
    names = [dotted([name]) for name in islice(event, MOST_NAMES)]
    more = ", ..." if len(event) > MOST_NAMES else ""
    yield f"an object with the members {', '.join(names)}{more}" if names else "an empty object"
