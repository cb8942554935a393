"""A queue of requests: each message's body is one, and the message's id its key where it brings none.

A message is done once its request is recorded or refused: what there is no time to attempt is accepted, and carried out
later. It fails, and comes again, only when nothing could be recorded. Of a FIFO queue, what follows a failed message in
its group fails with it, so that requests are recorded in their order.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.execution_agent.doors.invocation import TIME_TO_ACCEPT, Invocation
from agents.execution_agent.doors.keyed import under_key
from domain.errors import ConfigurationError, LedgerError, MalformedRequest
from domain.json_text import read_text

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch import BatchProcessor
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from agents.execution_agent.agent import ExecutionAgent

log = logging.getLogger("execution_agent.doors")


class NoTimeLeft(Exception):
    """Lambda ends the function before a request could be recorded. Nothing was begun."""


def answer(agent: ExecutionAgent, event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """`{"batchItemFailures": [{"itemIdentifier"}]}`: the messages that come again."""

    later = len(event["Records"])

    def carry_out(record: SQSRecord) -> None:
        nonlocal later
        later -= 1
        _carry_out(agent, record, invocation, later)

    processor = _processor(event)
    with processor(records=event["Records"], handler=carry_out):
        processor.process()
    return dict(processor.response())


def broken(event: Mapping[str, Any], error: ConfigurationError | LedgerError) -> dict[str, Any]:  # noqa: ARG001
    """All of them come again."""
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]}


def _processor(event: Mapping[str, Any]) -> BatchProcessor:
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, SqsFifoPartialProcessor

    is_fifo = all(map(_is_in_order, event["Records"]))
    processor = SqsFifoPartialProcessor(skip_group_on_error=True) if is_fifo else BatchProcessor(EventType.SQS)
    # It would rather raise than name all of a batch.
    processor.raise_on_entire_batch_failure = False
    return processor


def _is_in_order(record: Mapping[str, Any]) -> bool:
    """Of a FIFO queue. A standard queue may have groups as well, but promises them no order."""
    match record:
        case {"eventSourceARN": str(queue), "attributes": {"MessageGroupId": str()}}:
            return queue.endswith(".fifo")
    return False


def _carry_out(agent: ExecutionAgent, record: SQSRecord, invocation: Invocation, later: int) -> None:
    """`later` messages are still to be recorded after this one. Raises whatever shall bring the message again."""
    if not invocation.allows_to_accept:
        raise NoTimeLeft
    try:
        request = under_key(read_text(record.body), record.message_id)
    except MalformedRequest as malformed:
        log.warning("the message %s is no request and is dropped: %s", record.message_id, malformed.message)
        return
    try:
        response = agent.process(request, wait=invocation.wait(kept=later * TIME_TO_ACCEPT))
    except LedgerError as error:
        log.error("the message %s comes again: %s", record.message_id, error)
        raise
    if response["error"] is not None:
        log.warning("the message %s: %s %s", record.message_id, response["status"], response["error"]["code"])
