"""An archive in S3 of a ledger in DynamoDB: copied, verified and found there, and the ledger keeps all that it has."""

from __future__ import annotations

from typing import Any, cast
from uuid import uuid4

import pytest
from botocore.session import Session

from adapters.aws import AwsService
from adapters.checkpoint_bucket import CheckpointBucket
from domain.errors import ConfigurationError
from domain.journal import JournaledRecorder
from handlers.archive.candidates import Candidates
from handlers.archive.copy import Copy
from handlers.archive.prune import Prune
from projections.archived import Archive, verify
from tests.archive_house import ADA, RETENTION
from tests.engines import Engine
from tests.fakes import FakeClock, ScriptedProvider, fake_world
from tests.house import agent_with, greet


@pytest.fixture
def archive(moto: Engine) -> Archive:
    name = f"archive-{uuid4().hex}"
    client: Any = Session().create_client("s3", endpoint_url=moto.url)
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3 = AwsService("s3", title="S3", endpoint_url=moto.url)
    return Archive(CheckpointBucket(name, "ledger/2026", s3, kept="archive"))


def test_what_is_over_is_copied_to_s3_and_stays_in_dynamodb(moto: Engine, archive: Archive) -> None:
    clock = FakeClock()
    world = fake_world(clock=clock, extras={"provider": ScriptedProvider()})
    agent = agent_with(world=world, ledger=moto.new_ledger())
    over, held = (agent.process(greet(idempotency_key=f"ada-{number}"))["action_id"] for number in (1, 2))
    agent.place_legal_hold(held, matter="case-7", **ADA)
    ledger = agent._parts.ledger
    journal = cast("JournaledRecorder", ledger.recorder).journal()
    candidates = Candidates(journal, ledger.mapper)
    clock.pass_time(86_400)

    report = Copy(journal, candidates, archive, clock)(clock.now())

    assert (report.lives, report.stay) == (1, {"legal hold": 1})
    assert verify(archive).findings == ()
    (place,) = archive.places_of(over)
    life = journal.life(over)
    assert life is not None
    assert archive.life(place.file.name, place.kept.offset, over) == list(life.rows)
    with pytest.raises(ConfigurationError, match="SQLite"):
        Prune(ledger, journal, candidates, archive, clock)(RETENTION)
    assert agent.process(greet(idempotency_key="ada-1"))["duplicate"]
    agent.close()
