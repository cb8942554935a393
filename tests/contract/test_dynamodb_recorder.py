"""The library's own contract of a recorder, against ours, on two engines, with both kinds of ids."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory
from eventsourcing.tests import persistence as library

from tests.engines import Engine


class RecorderContract(library.AggregateRecorderTestCase):
    __test__ = False
    factory: InfrastructureFactory

    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder()


class TextIds(RecorderContract):
    __test__ = False

    def new_originator_id(self) -> UUID | str:
        return f"act_{uuid4().hex}"


class TestOnMoto(RecorderContract):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _new_ledger(self, moto: Engine) -> Iterator[None]:
        with InfrastructureFactory.construct(moto.new_ledger()) as self.factory:
            yield


class TestOnMinistack(RecorderContract):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _new_ledger(self, ministack: Engine) -> Iterator[None]:
        with InfrastructureFactory.construct(ministack.new_ledger()) as self.factory:
            yield


class TestTextIdsOnMoto(TextIds, TestOnMoto):
    __test__ = True


class TestTextIdsOnMinistack(TextIds, TestOnMinistack):
    __test__ = True
