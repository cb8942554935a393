"""What the function that answers doorbells is handed: records of the ledger's stream, and messages of the queue.

aws:dynamodb, INSERT           a commit: its action has to be looked at, and others may have to be told
aws:dynamodb, MODIFY, REMOVE   somebody tampered with the ledger, and a person has to know: will be set aside
aws:dynamodb, another table    passed over
aws:sqs                        `{"action_id": ..., "announce": [versions]}`; `announce` may be missing
anything else                  cannot be understood, and will be set aside
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.errors import ConfigurationError, MalformedRequest
from domain.json_text import read_text
from domain.knock import Knock
from domain.refusal import dotted, kind_of
from projections.news import is_told

log = logging.getLogger("execution_agent.streams")

STREAM, QUEUE = "aws:dynamodb", "aws:sqs"
LONGEST_NAME = 255
"""Characters of a record's own name that are kept."""
NAMELESS = "a record without an id"

_TABLE = re.compile(r"arn:[^:]*:dynamodb:[^:]*:[^:]*:table/([^/]+)(?:/.*)?")


def knocks_in(event: object, *, table: str | None) -> list[Knock]:
    """In the order of the batch. `table` is the ledger's, None for any.

    Raises ConfigurationError when no trigger of ours can have sent this: then nothing was looked at.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise _foreign(f"{kind_of(event)} without Records")
    if records and not any(_source(record) in (STREAM, QUEUE) for record in records):
        raise _foreign(f"a batch of {dotted([str(_source(records[0]))])}")
    return list(_knocks(records, table))


def _foreign(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"on_stream takes batches of DynamoDB Streams and of SQS, and this is {what}: mend its trigger"
    )


def _source(record: object) -> object:
    return record.get("eventSource") if isinstance(record, Mapping) else None


def _knocks(records: Sequence[object], table: str | None) -> Iterator[Knock]:
    for record in records:
        if isinstance(record, Mapping) and record.get("eventSource") == QUEUE:
            yield _message(record)
        elif not isinstance(record, Mapping) or record.get("eventSource") != STREAM:
            yield Knock(None, NAMELESS, problem=f"it is {kind_of(record)}, and no record of a stream or a queue")
        elif _is_of(record, table):
            yield from _commit(record)
        else:
            log.warning("a record of another table is passed over")


# -- a record of the stream -------------------------------------------------------------------------------------------


def _is_of(record: Mapping[Any, Any], table: str | None) -> bool:
    """Whether it may be of this table: a record that does not say is taken for ours."""
    found = _TABLE.fullmatch(str(record.get("eventSourceARN")))
    return table is None or found is None or found[1] == table


def _commit(record: Mapping[Any, Any]) -> Iterator[Knock]:
    body = record.get("dynamodb")
    name = _text(body.get("SequenceNumber")) if isinstance(body, Mapping) else None
    event_id = _text(record.get("eventID")) or name or NAMELESS
    match record:
        case {"eventName": "MODIFY" | "REMOVE" as what}:
            # The ledger's items are never changed or deleted: nobody of ours did that.
            problem = f"the ledger was tampered with: {what} of {_key(body)}, says the record {event_id}"
            yield Knock(name, event_id, _action_id(body), problem=problem)
        case {"eventName": "INSERT"}:
            yield _inserted(body, name, event_id)
        case _:
            yield Knock(name, event_id, problem="it does not say what happened to its item")


def _inserted(body: object, name: str | None, event_id: str) -> Knock:
    match body:
        case {"Keys": {"pk": {"S": str(action_id)}, "sk": {"N": str(first)}}} if action_id and first.isdecimal():
            words = _words(body)
        case _:
            return Knock(name, event_id, problem="it has no keys of an action's commit")
    if not words:
        return Knock(name, event_id, action_id, problem="its image is no commit")
    version = int(first[:19])
    told = tuple(version + place for place, word in enumerate(words) if is_told(word))
    return Knock(name, event_id, action_id, newest=version + len(words) - 1, announce=told)


def _words(body: object) -> list[str]:
    """The types of the commit's events; none when it is no commit."""
    match body:
        case {"NewImage": {"events": {"L": [*events]}}}:
            words = [event["M"]["type"]["S"] for event in events if _is_event(event)]
            return words if len(words) == len(events) else []
    return []


def _is_event(event: object) -> bool:
    match event:
        case {"M": {"type": {"S": str()}}}:
            return True
    return False


def _action_id(body: object) -> str | None:
    match body:
        case {"Keys": {"pk": {"S": str(action_id)}}} if action_id:
            return action_id
    return None


def _key(body: object) -> str:
    match body:
        case {"Keys": {"pk": {"S": str(action_id)}, "sk": {"N": str(first)}}}:
            return dotted([action_id, first])
    return "an item without keys"


# -- a message of the queue -------------------------------------------------------------------------------------------


def _message(record: Mapping[Any, Any]) -> Knock:
    name = _text(record.get("messageId"))
    event_id = name or NAMELESS
    try:
        body = read_text(record["body"] if isinstance(record.get("body"), str) else "")
    except MalformedRequest as malformed:
        return Knock(name, event_id, problem=f"its body is no doorbell: {malformed.message}", is_message=True)
    match body:
        case {"action_id": str(action_id)} if action_id:
            return Knock(name, event_id, action_id, announce=_versions(body.get("announce")), is_message=True)
    return Knock(name, event_id, problem="its body names no action_id", is_message=True)


def _versions(announce: object) -> tuple[int, ...]:
    return tuple(v for v in announce if type(v) is int and v > 0) if isinstance(announce, list) else ()


def _text(name: object) -> str | None:
    """The record's own name, None when it cannot be one."""
    return name if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME else None
