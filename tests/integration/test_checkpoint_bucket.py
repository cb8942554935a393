"""Checkpoints in S3: put once, read whole, and what is not there or not allowed is told."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from botocore.session import Session

from adapters.aws import AwsService
from adapters.checkpoint_bucket import PIECE, TRIES, CheckpointBucket
from domain.errors import LedgerUnavailable
from domain.outcome import Failure, Unknown
from tests.engines import Engine
from tests.evidence_house import FakeJournal, House, life_of


class WatchedS3(AwsService):
    """S3 of an engine, whose answers can be lost."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("s3", title="S3", endpoint_url=engine.url)
        self.asked: list[str] = []
        self.losing = 0

    def call(self, operation: str, *, timeout: float, **parameters: Any) -> Mapping[str, Any] | Failure:
        self.asked.append(operation)
        answer = super().call(operation, timeout=timeout, **parameters)
        if self.losing:
            self.losing -= 1
            return Unknown("connection_closed", "no answer")
        return answer


@pytest.fixture
def s3(moto: Engine) -> WatchedS3:
    return WatchedS3(moto)


@pytest.fixture
def bucket(moto: Engine) -> str:
    name = f"evidence-{uuid4().hex}"
    client = Session().create_client("s3", endpoint_url=moto.url)
    where = {"LocationConstraint": "eu-central-1"}
    client.create_bucket(Bucket=name, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    locked = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=locked)
    return name


def content(store: CheckpointBucket, name: str) -> bytes | None:
    file = store.read(name)
    if file is None:
        return None
    with file:
        return file.read()


def test_what_was_put_is_there_and_nothing_is_written_over(s3: WatchedS3, bucket: str) -> None:
    store = CheckpointBucket(bucket, "ledger/evidence/", s3)
    assert (store.names(), store.read("one")) == ([], None)

    assert store.put("one", BytesIO(b"text"))
    assert not store.put("one", BytesIO(b"another"))
    assert store.put("one", BytesIO(b"text"))

    assert (store.names(), content(store, "one")) == (["one"], b"text")
    assert CheckpointBucket(bucket, "ledger", s3).names() == ["evidence/one"]
    assert store.where == f"s3://{bucket}/ledger/evidence/"


def test_a_put_whose_answer_was_lost_is_known_again(s3: WatchedS3, bucket: str) -> None:
    store = CheckpointBucket(bucket, "", s3)
    s3.losing = 1
    assert store.put("one", BytesIO(b"text"))
    s3.losing = TRIES
    assert store.put("two", BytesIO(b"text"))
    s3.losing = 1
    assert not store.put("two", BytesIO(b"another"))


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_what_is_read_from_a_byte_on_comes_in_pieces(s3: WatchedS3, bucket: str, size: int) -> None:
    store = CheckpointBucket(bucket, "ledger", s3)
    data = bytes(range(251)) * (size // 251 + 1)
    store.put("one", BytesIO(data[:size]))
    for offset in (0, 7, size - 1, size, size + 7):
        file = store.read_from("one", offset)
        assert file is not None
        with file:
            assert file.read() == data[offset:size]
    assert store.read_from("two", 0) is None


def test_of_what_follows_not_much_more_comes_than_is_read(s3: WatchedS3, bucket: str) -> None:
    store = CheckpointBucket(bucket, "", s3)
    store.put("one", BytesIO(bytes(4 * PIECE)))
    s3.asked.clear()
    file = store.read_from("one", 100)
    assert file is not None
    with file:
        assert file.read(PIECE // 2) == bytes(PIECE // 2)
    assert s3.asked == ["get_object"]


def test_what_cannot_be_asked_is_told(s3: WatchedS3) -> None:
    store = CheckpointBucket("no-such-bucket-of-ours", "", s3)
    read = lambda: store.read("one"), lambda: store.read_from("one", 0)
    for act in (store.names, *read, lambda: store.put("one", BytesIO(b""))):
        with pytest.raises(LedgerUnavailable, match="NoSuchBucket"):
            act()


class InSmallPages(WatchedS3):
    """Two names a page."""

    def call(self, operation: str, *, timeout: float, **parameters: Any) -> Mapping[str, Any] | Failure:
        pages = {"MaxKeys": 2} if operation == "list_objects_v2" else {}
        return super().call(operation, timeout=timeout, **parameters, **pages)


def test_names_come_page_after_page(moto: Engine, bucket: str) -> None:
    s3 = InSmallPages(moto)
    store = CheckpointBucket(bucket, "", s3)
    for name in "abcde":
        store.put(name, BytesIO(b"text"))
    assert sorted(store.names()) == list("abcde")
    assert s3.asked.count("list_objects_v2") == 3


def test_a_ledger_is_sealed_and_verified_there(s3: WatchedS3, bucket: str) -> None:
    house = House(FakeJournal(life_of("act_1", 3, 1)), store=CheckpointBucket(bucket, "evidence", s3))
    house.seal()
    house.journal.put(life_of("act_2", 1))
    house.seal()
    assert house.found() == []
    house.journal.rows["act_1"].pop()
    assert house.found() == [("truncated", "act_1", 4)]
