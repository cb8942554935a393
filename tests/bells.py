"""A ledger with a stream, as a test holds it in its hand, and everything that rings, keeps and tells."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from typing import Any

from eventsourcing.persistence import StoredEvent

from adapters.dynamodb_commit import Commit
from adapters.memory_events import MemoryFactory, MemoryRecorder
from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.handler import answer_knocks
from domain.outcome import Failure, Outcome
from domain.ports import Case, News, World
from projections.view import ActionView
from tests.fakes import ScriptedProvider, fake_world
from tests.house import agent_with
from tests.lambda_calls import Context

STREAMED = {"PERSISTENCE_MODULE": "tests.bells:StreamedFactory"}
"""A memory ledger whose commits come out of a stream."""
TABLE = "execution-agent"

Record = dict[str, Any]


class StreamedRecorder(MemoryRecorder):
    """Keeps each commit as the record that DynamoDB would stream."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: list[Record] = []

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, view: ActionView | None = None, **said: Any
    ) -> Sequence[int] | None:
        super().insert_events(stored_events, view=view)
        self.stream.append(record_of(stored_events, number=len(self.stream) + 1, **said))
        return None


class StreamedFactory(MemoryFactory):
    """What `STREAMED` names."""

    def aggregate_recorder(self, purpose: str = "events") -> StreamedRecorder:
        return StreamedRecorder()


# -- what comes out of the stream, and out of the queue ----------------------------------------------------------------


def record_of(events: Sequence[StoredEvent], *, number: int, at: datetime, due_at: datetime | None = None) -> Record:
    """The record of a commit, in the shape in which a function gets it."""
    image = _as_text(Commit.of(events).as_item(at, due_at))
    sequence = f"{111_000_000_000_000_000_000_000 + number}"
    return {
        "eventID": md5(sequence.encode()).hexdigest(),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": int(at.timestamp()),
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": image,
            "SequenceNumber": sequence,
            "SizeBytes": len(json.dumps(image)),
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:123456789012:table/{TABLE}/stream/2026-03-01T00:00:00.000",
    }


def _as_text(attribute: Any) -> Any:
    """Bytes are base64 text in an event."""
    if isinstance(attribute, bytes):
        return base64.b64encode(attribute).decode()
    if isinstance(attribute, Mapping):
        return {name: _as_text(member) for name, member in attribute.items()}
    return [_as_text(member) for member in attribute] if isinstance(attribute, list) else attribute


def message(body: Any, number: int = 1) -> Record:
    """A message of the doorbell queue."""
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-{number:012d}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1772366400000"},
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:doorbells",
        "awsRegion": "eu-central-1",
    }


def named(record: Record) -> str:
    """How a failure of this record is named."""
    name: str = record["messageId"] if "messageId" in record else record["dynamodb"]["SequenceNumber"]
    return name


def failures(*records: Record) -> dict[str, Any]:
    """The answer by which these come again."""
    return {"batchItemFailures": [{"itemIdentifier": named(record)} for record in records]}


# -- everything that rings, keeps and tells ----------------------------------------------------------------------------


@dataclass
class FakeDoorbells:
    """Rings that were asked for, `(action_id, after)`, and what some of them announce, `(action_id, versions)`."""

    failure: Failure | None = None
    asked: list[tuple[str, float]] = field(default_factory=list)
    announced: list[tuple[str, list[int]]] = field(default_factory=list)

    def ring_later(self, action_id: str, *, after: float, announce: Sequence[int] = ()) -> Failure | None:
        self.asked.append((action_id, after))
        if announce:
            self.announced.append((action_id, list(announce)))
        return self.failure


@dataclass
class FakeQuarantine:
    """Cases that were kept; the answers of a script come first."""

    answers: list[Failure | None] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    def keep(self, case: Case) -> Failure | None:
        failure = self.answers.pop(0) if self.answers else None
        if failure is None:
            self.cases.append(case)
        return failure


@dataclass
class FakeAnnouncer:
    """News that were taken. `refusals` are by event id, and stand until a test takes them away."""

    refusals: dict[str, Failure] = field(default_factory=dict)
    taken: list[News] = field(default_factory=list)

    def announce(self, news: Sequence[News], *, timeout: float) -> Mapping[str, Failure]:
        assert timeout > 0
        self.taken.extend(piece for piece in news if piece.event_id not in self.refusals)
        return {piece.event_id: self.refusals[piece.event_id] for piece in news if piece.event_id in self.refusals}

    @property
    def told(self) -> list[tuple[str, str]]:
        """`(event id, title)`"""
        return [(piece.event_id, piece.title) for piece in self.taken]


class Bells:
    """An agent on a ledger with a stream, and what happens when the stream is handed on."""

    def __init__(
        self, *answers: Outcome | BaseException, world: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        self.provider = ScriptedProvider(*answers)
        self.doorbells, self.quarantine, self.announcer = FakeDoorbells(), FakeQuarantine(), FakeAnnouncer()
        parts = {
            "extras": {"provider": self.provider},
            "doorbells": self.doorbells,
            "quarantine": self.quarantine,
            "announcers": (self.announcer,),
        }
        self.world: World = fake_world(**(parts | dict(world or {})))
        self.agent: ExecutionAgent = agent_with(world=self.world, **({"ledger": STREAMED} | changes))

    @property
    def clock(self) -> Any:
        return self.world.clock

    @property
    def effects(self) -> list[str]:
        """The actions that were attempted, each time."""
        return [attempt.action_id for attempt in self.provider.attempts]

    @property
    def recorder(self) -> StreamedRecorder:
        recorder: Any = self.agent._parts.ledger.recorder
        assert isinstance(recorder, StreamedRecorder)
        return recorder

    @property
    def stream(self) -> list[Record]:
        """What has been committed so far."""
        return list(self.recorder.stream)

    def process(self, request: Mapping[str, Any]) -> str:
        """The id of what was asked for."""
        action_id: str = self.agent.process(dict(request))["action_id"]
        return action_id

    def hand_on(self, records: Iterable[Record], *, seconds: float = 300.0) -> dict[str, Any]:
        """What the function answers that is handed these."""
        return answer_knocks(self.agent, {"Records": list(records)}, Context(seconds, clock=self.clock))

    def status(self, action_id: str) -> str:
        status: str = self.agent.status(action_id)["status"]
        return status

    def poison(self, action_id: str) -> Record:
        """A commit that nobody can read any more, and its record."""
        version = len(self.recorder.select_events(action_id)) + 1
        unreadable = [StoredEvent(action_id, version, "os.system", b"{}")]
        self.recorder.insert_events(unreadable, at=self.clock.now())
        return self.stream[-1]
