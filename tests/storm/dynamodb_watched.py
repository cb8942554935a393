"""A persistence module: the ledger in DynamoDB as it is, with points around and within every put."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent

from adapters import dynamodb_events
from adapters.dynamodb_events import DynamoDBRecorder
from tests.storm.watch import Watch


class WatchedDynamoDBRecorder(DynamoDBRecorder):
    """Unwatched, it is the recorder itself."""

    _watch: Watch | None = None

    def be_watched(self, watch: Watch) -> None:
        """Passes points from now on."""
        self._watch = watch

    def connect(self) -> None:
        """Builds the client, and sends nothing: a process that is forked from here has it at once."""
        hooks = self.dynamodb.client.meta.events
        hooks.register("before-send.dynamodb.PutItem", self._before_send)
        hooks.register("response-received.dynamodb.PutItem", self._response_received)

    def insert_events(self, stored_events: Sequence[StoredEvent], **about: Any) -> None:
        if self._watch is None:
            super().insert_events(stored_events, **about)
        else:
            append = super().insert_events
            self._watch.append(stored_events, lambda: append(stored_events, **about))

    def _before_send(self, **_: Any) -> None:
        self._reach("inside")

    def _response_received(self, **_: Any) -> None:
        self._reach("committed")

    def _reach(self, phase: str) -> None:
        if self._watch is not None:
            self._watch.points.reach_phase(phase)


class WatchedDynamoDBFactory(dynamodb_events.DynamoDBFactory):
    """Makes watched recorders."""

    def aggregate_recorder(self, purpose: str = "events") -> DynamoDBRecorder:
        return WatchedDynamoDBRecorder(self.dynamodb)
