"""The library's own expectations of an aggregate recorder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import UUID, uuid4

from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory
from eventsourcing.tests.persistence import AggregateRecorderTestCase


class TestWithUUIDs(AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        directory = self.enterContext(tempfile.TemporaryDirectory())
        environment = {
            "PERSISTENCE_MODULE": "adapters.sqlite_events",
            "SQLITE_DBNAME": str(Path(directory) / "ledger.db"),
        }
        factory = InfrastructureFactory.construct(environment)
        self.addCleanup(factory.close)
        return factory.aggregate_recorder()


class TestWithText(TestWithUUIDs):
    def new_originator_id(self) -> UUID | str:
        return f"act_{uuid4().hex}"


class TestInMemory(AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        environment = {"PERSISTENCE_MODULE": "adapters.sqlite_events", "SQLITE_DBNAME": ":memory:"}
        factory = InfrastructureFactory.construct(environment)
        self.addCleanup(factory.close)
        return factory.aggregate_recorder()


del AggregateRecorderTestCase  # it is abstract: only what derives from it here is a test
