"""The recorder on a real engine: what a commit costs, and what it survives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from eventsourcing.persistence import InfrastructureFactory, IntegrityError, OperationalError, StoredEvent

from adapters.dynamodb import TRIES, DynamoDB
from adapters.dynamodb_commit import SHARDS
from adapters.dynamodb_events import AGENDA_PAGE, DynamoDBRecorder
from tests import wire
from tests.engines import Engine
from tests.wire import on_the_wire

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def dynamodb(ministack: Engine, naps: list[float]) -> Iterator[DynamoDB]:
    """A new table, and nothing asked of it yet."""
    table = ministack.new_ledger()["DYNAMODB_TABLE"]
    dynamodb = DynamoDB(table, endpoint_url=ministack.url, sleep=naps.append)
    DynamoDBRecorder(dynamodb).create_table()
    dynamodb.requests.clear()
    yield dynamodb
    dynamodb.close()


@pytest.fixture
def recorder(dynamodb: DynamoDB) -> DynamoDBRecorder:
    return DynamoDBRecorder(dynamodb, now=lambda: NOON)


def stranger(recorder: DynamoDBRecorder) -> DynamoDBRecorder:
    """Another process at the same table, as far as the table can tell. The counting starts again."""
    recorder.dynamodb.requests.clear()
    return DynamoDBRecorder(recorder.dynamodb)


def events(action_id: str, first: int, *states: bytes) -> list[StoredEvent]:
    """Consecutive events, one for each state."""
    return [StoredEvent(action_id, first + place, "action.noted", state) for place, state in enumerate(states)]


def items(recorder: DynamoDBRecorder, action_id: str) -> list[Any]:
    """What is stored, as it is stored."""
    answer = recorder.dynamodb.client.query(
        TableName=recorder.dynamodb.table,
        KeyConditionExpression="pk = :id",
        ExpressionAttributeValues={":id": {"S": action_id}},
        ConsistentRead=True,
    )
    return list(answer["Items"])


# -- what it costs, and what is stored ------------------------------------------------------------------------------


def test_an_action_of_two_commits_is_two_puts_and_nothing_else(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"requested", b"validated", b"attempted"), at=NOON)
    recorder.insert_events(events("act_1", 4, b"succeeded"), at=NOON)
    assert dict(recorder.dynamodb.requests) == {"PutItem": 2}
    assert recorder.dynamodb.read_units == 0
    assert recorder.dynamodb.write_units >= 2


def test_an_action_of_two_commits_is_read_with_one_request(recorder: DynamoDBRecorder) -> None:
    written = events("act_1", 1, b"requested", b"validated", b"attempted", b"succeeded")
    recorder.insert_events(written[:3])
    recorder.insert_events(written[3:])
    reader = stranger(recorder)
    assert reader.select_events("act_1") == written
    assert dict(reader.dynamodb.requests) == {"Query": 1}
    assert reader.dynamodb.read_units == 1


def test_whoever_read_the_action_writes_without_another_look(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"requested"))
    other = stranger(recorder)
    other.select_events("act_1")
    other.insert_events(events("act_1", 2, b"cancelled"))
    assert dict(other.dynamodb.requests) == {"Query": 1, "PutItem": 1}


def test_a_commit_is_one_item(recorder: DynamoDBRecorder) -> None:
    requested = StoredEvent("act_1", 1, "action.requested", b"{1}")
    attempted = StoredEvent("act_1", 2, "action.attempted", b"{2}")
    recorder.insert_events([requested, attempted], at=NOON, due_at=NOON + timedelta(seconds=90, microseconds=5))
    [item] = items(recorder, "act_1")
    token, shard = item.pop("token")["S"], item["due_shard"]["S"]
    assert len(token) >= 16
    assert shard in {str(number) for number in range(SHARDS)}
    at = {"S": "2026-03-01T12:00:00.000000Z"}
    assert item == {
        "pk": {"S": "act_1"},
        "sk": {"N": "1"},
        "events": {
            "L": [
                {
                    "M": {
                        "type": {"S": "requested"},
                        "topic": {"S": "action.requested"},
                        "at": at,
                        "state": {"B": b"{1}"},
                    }
                },
                {
                    "M": {
                        "type": {"S": "attempted"},
                        "topic": {"S": "action.attempted"},
                        "at": at,
                        "state": {"B": b"{2}"},
                    }
                },
            ]
        },
        "last": {"S": "attempted"},
        "previous": {"B": b""},
        "at": at,
        "written": {"S": f"2026-03-01#{shard}"},
        "count": {"N": "2"},
        "due_shard": {"S": shard},
        "due_at": {"S": "2026-03-01T12:01:30.000005Z"},
        "born": {"S": f"2026-03-01#{shard}"},
    }


def test_an_action_is_born_once_and_due_only_where_it_is_said(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"requested"), due_at=NOON)
    recorder.insert_events(events("act_1", 2, b"succeeded"))
    first, second = items(recorder, "act_1")
    assert {"born", "due_at", "due_shard"} <= set(first)
    assert not {"born", "due_at", "due_shard"} & set(second)


def test_what_else_the_library_hands_over_is_let_pass(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"requested"), tracking=None, view=None)
    recorder.insert_events([])
    assert dict(recorder.dynamodb.requests) == {"PutItem": 1}


def test_an_id_that_cannot_be_stored_has_no_events(recorder: DynamoDBRecorder) -> None:
    for hostile in ("", "x" * 1_025, "\ud800"):
        assert recorder.select_events(hostile) == []
    assert recorder.select_events("x" * 1_024) == []
    assert dict(recorder.dynamodb.requests) == {"Query": 1}


# -- nobody forks a history -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [2, 3, 4, 6, 9], ids=lambda first: f"at {first}")
def test_a_version_made_up_by_hand_is_refused(recorder: DynamoDBRecorder, first: int) -> None:
    recorder.insert_events(events("act_1", 1, b"1"))
    recorder.insert_events(events("act_1", 2, b"2", b"3", b"4"))
    forger = stranger(recorder)
    with pytest.raises(IntegrityError, match="act_1 version"):
        forger.insert_events(events("act_1", first, b"forged"))
    assert dict(recorder.dynamodb.requests) == {"Query": 1}
    assert [event.state for event in recorder.select_events("act_1")] == [b"1", b"2", b"3", b"4"]


def test_nothing_comes_before_the_beginning(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"1"))
    with pytest.raises(IntegrityError):
        stranger(recorder).insert_events(events("act_1", 0, b"forged"))
    with pytest.raises(IntegrityError):
        stranger(recorder).insert_events(events("act_2", 2, b"forged"))


def test_a_stranger_that_continues_the_history_looks_first(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"1", b"2"))
    stranger(recorder).insert_events(events("act_1", 3, b"3"))
    assert dict(recorder.dynamodb.requests) == {"Query": 1, "PutItem": 1}


def test_a_stale_memory_is_refused_by_the_condition(recorder: DynamoDBRecorder) -> None:
    one, other = recorder, stranger(recorder)
    one.insert_events(events("act_1", 1, b"1"))
    other.select_events("act_1")
    one.insert_events(events("act_1", 2, b"2", b"3", b"4"))
    with pytest.raises(IntegrityError, match="another writer was first"):
        other.insert_events(events("act_1", 2, b"other"))
    with pytest.raises(IntegrityError):
        other.insert_events(events("act_1", 3, b"other"))
    assert len(other.select_events("act_1")) == 4


def test_the_end_of_a_commit_is_remembered_not_the_end_of_what_was_asked_for(
    recorder: DynamoDBRecorder,
) -> None:
    recorder.insert_events(events("act_1", 1, b"1", b"2", b"3"))
    reader = stranger(recorder)
    assert len(reader.select_events("act_1", lte=2)) == 2
    with pytest.raises(IntegrityError):
        reader.insert_events(events("act_1", 3, b"forged"))


def test_whoever_decides_by_what_it_reads_reads_consistently(recorder: DynamoDBRecorder) -> None:
    asked: list[dict[str, Any]] = []

    def overheard(request: AWSPreparedRequest) -> None:
        asked.append(wire.said(request))

    on_the_wire(recorder.dynamodb.client, "Query", *[overheard] * 3)
    recorder.insert_events(events("act_1", 1, b"1", b"2"))
    stranger(recorder).insert_events(events("act_1", 3, b"3"))
    assert recorder.select_events("act_1", gt=1) == events("act_1", 2, b"2", b"3")
    assert [question["ConsistentRead"] for question in asked] == [True] * 3


# -- answers that are lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [wire.lost, wire.answer_lost, wire.reset_after, wire.failed_after, wire.a_page_of_the_proxy],
    ids=lambda fault: fault.__name__,
)
def test_a_commit_whose_answer_is_lost_is_recognised(
    recorder: DynamoDBRecorder, naps: list[float], fault: wire.Fault
) -> None:
    on_the_wire(recorder.dynamodb.client, "PutItem", fault, fault)
    recorder.insert_events(events("act_1", 1, b"1"))
    recorder.insert_events(events("act_1", 2, b"2"))
    assert dict(recorder.dynamodb.requests) == {"PutItem": 4}
    assert len(naps) == 2
    assert [event.state for event in recorder.select_events("act_1")] == [b"1", b"2"]
    assert len(items(recorder, "act_1")) == 2


def test_an_engine_that_does_not_say_what_is_there_is_asked(recorder: DynamoDBRecorder) -> None:
    mute = wire.refused("ConditionalCheckFailedException")
    on_the_wire(recorder.dynamodb.client, "PutItem", wire.answer_lost, mute, wire.passes, mute)
    recorder.insert_events(events("act_1", 1, b"1"))
    assert dict(recorder.dynamodb.requests) == {"PutItem": 2, "GetItem": 1}
    recorder.insert_events(events("act_1", 2, b"2"))
    with pytest.raises(IntegrityError):
        recorder.insert_events(events("act_1", 1, b"forged"))
    assert recorder.dynamodb.requests["GetItem"] == 2


def test_somebody_elses_commit_is_not_taken_for_ours(recorder: DynamoDBRecorder) -> None:
    ours, theirs = recorder, stranger(recorder)
    they_write = wire.after(lambda: theirs.insert_events(events("act_1", 1, b"same")), wire.lost)
    on_the_wire(ours.dynamodb.client, "PutItem", they_write)
    with pytest.raises(IntegrityError, match="another writer was first"):
        ours.insert_events(events("act_1", 1, b"same"))
    assert len(items(ours, "act_1")) == 1


def test_when_every_answer_is_lost_nobody_claims_to_know(recorder: DynamoDBRecorder, naps: list[float]) -> None:
    on_the_wire(recorder.dynamodb.client, "PutItem", wire.answer_lost, *[wire.lost] * (TRIES - 1))
    with pytest.raises(OperationalError, match="no certain answer to PutItem"):
        recorder.insert_events(events("act_1", 1, b"1"))
    assert recorder.dynamodb.requests["PutItem"] == TRIES
    assert len(naps) == TRIES - 1
    assert sum(naps) <= 2 * TRIES
    assert len(stranger(recorder).select_events("act_1")) == 1


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "TransactionConflictException"]
)
def test_not_now_is_asked_again(recorder: DynamoDBRecorder, naps: list[float], code: str) -> None:
    not_now = wire.refused(code)
    on_the_wire(recorder.dynamodb.client, "PutItem", not_now, not_now)
    on_the_wire(recorder.dynamodb.client, "Query", not_now)
    recorder.insert_events(events("act_1", 1, b"1"))
    assert len(recorder.select_events("act_1")) == 1
    assert dict(recorder.dynamodb.requests) == {"PutItem": 3, "Query": 2}
    assert len(naps) == 3


def test_a_no_is_not_asked_again(recorder: DynamoDBRecorder, naps: list[float]) -> None:
    on_the_wire(recorder.dynamodb.client, "PutItem", wire.refused("AccessDeniedException", "not yours\nsecret"))
    with pytest.raises(OperationalError, match=r"^access denied, PutItem on table .*: not yours$"):
        recorder.insert_events(events("act_1", 1, b"1"))
    assert recorder.dynamodb.requests["PutItem"] == 1
    assert naps == []


# -- reading in pages -----------------------------------------------------------------------------------------------


def test_a_history_of_several_pages_is_read_whole(recorder: DynamoDBRecorder) -> None:
    written = [event for first in range(1, 16, 2) for event in events("act_1", first, b"a" * 170_000, b"b" * 170_000)]
    for first in range(0, len(written), 2):
        recorder.insert_events(written[first : first + 2])
    assert recorder.select_events("act_1") == written
    assert recorder.dynamodb.requests["Query"] >= 3
    assert recorder.select_events("act_1", desc=True) == written[::-1]
    recorder.dynamodb.requests.clear()
    assert recorder.select_events("act_1", desc=True, limit=1) == written[-1:]
    assert recorder.dynamodb.requests["Query"] == 1


# -- the table ------------------------------------------------------------------------------------------------------


def test_the_table_is_made_once_with_its_indexes_and_its_stream(recorder: DynamoDBRecorder) -> None:
    recorder.create_table()
    table = recorder.dynamodb.client.describe_table(TableName=recorder.dynamodb.table)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    keys = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in table["GlobalSecondaryIndexes"]
    }
    assert keys == {"due": ["due_shard", "due_at"], "born": ["born", "pk"], "written": ["written", "at"]}


def test_the_table_is_waited_for(recorder: DynamoDBRecorder, naps: list[float]) -> None:
    def described(status: str, index: str) -> wire.Fault:
        table = {"TableStatus": status, "GlobalSecondaryIndexes": [{"IndexName": "due", "IndexStatus": index}]}
        return lambda request: wire.answer(request, 200, {"Table": table})

    script = [
        wire.refused("ResourceNotFoundException"),
        described("CREATING", "CREATING"),
        described("ACTIVE", "CREATING"),
    ]
    on_the_wire(recorder.dynamodb.client, "DescribeTable", *script)
    recorder.create_table()
    assert recorder.dynamodb.requests["DescribeTable"] == 4
    assert naps == [1, 1, 1]


def test_a_table_that_is_missing_is_said_in_one_line(ministack: Engine) -> None:
    ledger = {**ministack.new_ledger(), "CREATE_TABLE": "n"}
    with InfrastructureFactory.construct(ledger) as factory:
        recorder = factory.aggregate_recorder()
        for ask in (
            lambda: recorder.select_events("act_1"),
            lambda: recorder.insert_events(events("act_1", 1, b"1")),
        ):
            with pytest.raises(OperationalError, match=f"{ledger['DYNAMODB_TABLE']}.*run `execution-agent init`$"):
                ask()
    factory.close()


# -- the agenda -----------------------------------------------------------------------------------------------------


def begin(recorder: DynamoDBRecorder, action_ids: Sequence[str], *, due_at: datetime) -> None:
    for place, action_id in enumerate(action_ids):
        recorder.insert_events(events(action_id, 1, b"attempted"), due_at=due_at + timedelta(seconds=place))


def in_line(recorder: DynamoDBRecorder, now: datetime, limit: int) -> list[str]:
    return [place.action_id for place in recorder.line(now, limit)]


def in_stretch(recorder: DynamoDBRecorder, since: datetime, until: datetime) -> list[str]:
    return [place.action_id for place in recorder.waiting(list(recorder.entries(since, until)))]


@pytest.mark.parametrize("damage", [{"sk": {"N": "1.5"}}, {"count": {"N": "0"}}, {"due_at": {"S": "2026-01-02 x"}}])
def test_a_damaged_entry_hides_no_other(recorder: DynamoDBRecorder, damage: dict[str, Any]) -> None:
    first, second = (f"act_{uuid4().hex}" for _ in range(2))
    begin(recorder, [first, second], due_at=NOON)
    key = {"pk": {"S": first}, "sk": {"N": "1"}}
    item = recorder.dynamodb.call("GetItem", TableName=recorder.dynamodb.table, Key=key)["Item"]
    recorder.dynamodb.call(
        "PutItem", TableName=recorder.dynamodb.table, Item=item | {"pk": {"S": "act_forged"}} | damage
    )
    assert set(in_line(recorder, NOON + timedelta(days=9), 1_000)) >= {first, second}
    assert "act_forged" not in in_line(recorder, NOON + timedelta(days=9), 1_000)


def test_what_is_due_comes_in_the_order_it_became_due(recorder: DynamoDBRecorder) -> None:
    waiting = [f"act_{uuid4().hex}" for _ in range(3 * SHARDS)]
    begin(recorder, waiting, due_at=NOON)
    soon = NOON + timedelta(seconds=len(waiting))
    assert in_line(recorder, soon, 100) == in_stretch(recorder, NOON, soon) == waiting
    assert in_line(recorder, soon, 5) == waiting[:5]
    assert in_stretch(recorder, NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)) == waiting[1:3]
    assert in_line(recorder, soon, 0) == []


def test_what_is_done_is_no_longer_due(recorder: DynamoDBRecorder) -> None:
    done = [f"act_{uuid4().hex}" for _ in range(AGENDA_PAGE + 20)]
    begin(recorder, done, due_at=NOON)
    for action_id in done:
        recorder.insert_events(events(action_id, 2, b"succeeded"))
    late = NOON + timedelta(hours=1)
    begin(recorder, ["act_waiting"], due_at=NOON + timedelta(minutes=30))
    assert in_line(recorder, late, 1) == in_stretch(recorder, NOON, late) == ["act_waiting"]


def test_what_an_engine_leaves_over_is_asked_again(recorder: DynamoDBRecorder) -> None:
    begin(recorder, ["act_done"], due_at=NOON)
    recorder.insert_events(events("act_done", 2, b"succeeded"))

    def left_over(request: AWSPreparedRequest) -> AWSResponse:
        asked = wire.said(request)["RequestItems"]
        return wire.answer(request, 200, {"Responses": {}, "UnprocessedKeys": asked})

    on_the_wire(recorder.dynamodb.client, "BatchGetItem", left_over)
    assert in_line(recorder, NOON, 10) == []
    assert recorder.dynamodb.requests["BatchGetItem"] == 2


def test_an_action_that_is_due_again_is_named_once(recorder: DynamoDBRecorder) -> None:
    recorder.insert_events(events("act_1", 1, b"attempted", b"attempt_failed"), due_at=NOON)
    recorder.insert_events(events("act_1", 3, b"attempted"), due_at=NOON + timedelta(minutes=2))
    assert in_line(recorder, NOON + timedelta(minutes=1), 10) == []
    assert in_line(recorder, NOON + timedelta(minutes=3), 10) == ["act_1"]
    assert in_stretch(recorder, NOON, NOON + timedelta(minutes=3)) == ["act_1"]
