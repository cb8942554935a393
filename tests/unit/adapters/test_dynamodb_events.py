"""What the recorder refuses before it asks anybody, and the lines in which it says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import (
    InfrastructureFactory,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)

from adapters.dynamodb import TRIES, DynamoDB
from adapters.dynamodb_commit import (
    LARGEST_ITEM,
    LARGEST_STATE,
    Commit,
    next_version,
    size_of,
    stored_commit,
    version_in,
)
from adapters.dynamodb_events import DynamoDBFactory, DynamoDBRecorder, KnownTails
from domain.commit import Commit as StoredCommit
from domain.errors import ConfigurationError, CorruptEvent, EventTooLarge
from tests.engines import local_aws_environment

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEDGER = {"PERSISTENCE_MODULE": "adapters.dynamodb_events", "DYNAMODB_TABLE": "ledger"}
NOBODY = "http://127.0.0.1:1"
"""Where nobody listens."""


@pytest.fixture
def aws_environment() -> Iterator[None]:
    with local_aws_environment():
        yield


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def recorder(naps: list[float], aws_environment: None) -> Iterator[DynamoDBRecorder]:
    recorder = DynamoDBRecorder(DynamoDB("ledger", endpoint_url=NOBODY, sleep=naps.append))
    yield recorder
    recorder.dynamodb.close()


def event(version: int, state: bytes = b"{}", action_id: str = "act_1") -> StoredEvent:
    return StoredEvent(action_id, version, "action.requested", state)


# -- what is no commit ----------------------------------------------------------------------------------------------

NO_COMMITS = {
    "two actions": ([event(1), event(2, action_id="act_2")], ProgrammingError),
    "a version twice": ([event(2), event(2)], IntegrityError),
    "a gap": ([event(1), event(3)], IntegrityError),
    "backwards": ([event(2), event(1)], IntegrityError),
    "before the beginning": ([event(-1)], ProgrammingError),
    "more than one event from version 0": ([event(0), event(1)], ProgrammingError),
    "no id": ([event(1, action_id="")], ProgrammingError),
    "an id too long": ([event(1, action_id="ä" * 1_025)], ProgrammingError),
    "an id that is no text": ([event(1, action_id="\udcff")], ProgrammingError),
    "an event too large": ([event(1, b"x" * (LARGEST_STATE + 1))], EventTooLarge),
    "events too large together": ([event(1, b"x" * 200_000), event(2, b"x" * 200_000)], EventTooLarge),
}


@pytest.mark.parametrize("case", NO_COMMITS)
def test_what_is_no_commit_is_refused_and_nothing_is_sent(recorder: DynamoDBRecorder, case: str) -> None:
    events, error = NO_COMMITS[case]
    with pytest.raises(error):
        recorder.insert_events(events)
    assert recorder.dynamodb.requests == {}


def test_the_largest_event_fits() -> None:
    item = Commit.of([event(1, b"x" * LARGEST_STATE)]).as_item(NOON, due_at=NOON)
    assert LARGEST_STATE < size_of({"M": item}) <= LARGEST_ITEM


def test_a_size_is_that_of_names_and_values_and_their_frames() -> None:
    assert size_of({"S": "ä€"}) == 5
    assert size_of({"B": b"12345"}) == 5
    assert size_of({"L": [{"S": "ab"}, {"B": b"c"}]}) == 3 + (1 + 2) + (1 + 1)
    assert size_of({"M": {"name": {"S": "Ada"}}}) == 3 + 1 + 4 + 3


def test_every_call_has_a_token_of_its_own() -> None:
    commit = Commit.of([event(1)])
    assert commit.as_item(NOON, None)["token"] != commit.as_item(NOON, None)["token"]


def test_an_item_gives_back_its_events_under_the_id_that_was_asked_for() -> None:
    action_id = uuid4()
    written = [StoredEvent(action_id, version, "action.requested", b"%d" % version) for version in (4, 5)]
    read = Commit.from_item(Commit.of(written).as_item(NOON, None), action_id)
    assert list(read.events) == written
    assert (read.first, read.last) == (4, 5)


def test_a_topic_without_a_dot_is_its_own_type() -> None:
    commit = Commit.of([StoredEvent("act_1", 1, "requested", b"{}")])
    assert commit.as_item(NOON, None)["last"] == {"S": "requested"}


def test_an_item_that_is_no_commit_is_named() -> None:
    with pytest.raises(CorruptEvent, match="act_1: the item at version 3"):
        Commit.from_item({"pk": {"S": "act_1"}, "sk": {"N": "3"}, "events": {"L": [{"S": "forged"}]}}, "act_1")


@pytest.mark.parametrize("number", ["1.5", "-1", "1E+30", "9223372036854775808", "9" * 5_000, "\u0661.0"])
def test_a_key_that_says_no_version_is_named(number: str) -> None:
    item = {"pk": {"S": "act_1"}, "sk": {"N": number}, "count": {"N": "1"}, "events": {"L": []}}
    for read in (version_in, next_version, stored_commit, lambda item: Commit.from_item(item, "act_1")):
        with pytest.raises(CorruptEvent, match="is no version"):
            read(item)


@pytest.mark.parametrize("count", [{}, {"count": {"N": "0"}}, {"count": {"N": "1.5"}}, {"count": {"N": str(2**63)}}])
def test_what_follows_an_item_is_told_or_it_is_named(count: dict[str, Any]) -> None:
    item = {"pk": {"S": "act_1"}, "sk": {"N": "3"}}
    assert next_version(item | {"count": {"N": "2"}}) == 5
    with pytest.raises(CorruptEvent, match="act_1: "):
        next_version(item | count)


# -- what is remembered ---------------------------------------------------------------------------------------------


def test_the_latest_actions_are_remembered_and_the_others_forgotten() -> None:
    tails = KnownTails(2)
    for action_id in ("act_1", "act_2", "act_1", "act_3"):
        tails.learn(stored(action_id, 1))
    assert tails.of("act_1") == stored("act_1", 1)
    assert tails.of("act_2") is None
    assert tails.of("act_3") == stored("act_3", 1)


def test_a_reader_that_comes_late_takes_nothing_back() -> None:
    tails = KnownTails(2)
    tails.learn(stored("act_1", 4))
    tails.learn(stored("act_1", 3))
    assert tails.of("act_1") == stored("act_1", 4)


def stored(action_id: str, version: int) -> StoredCommit:
    return Commit.of([event(version, action_id=action_id)]).stored(NOON)


# -- what is said ---------------------------------------------------------------------------------------------------


def test_nobody_at_the_endpoint_is_said_after_a_few_tries(recorder: DynamoDBRecorder, naps: list[float]) -> None:
    with pytest.raises(
        OperationalError, match=r"^cannot connect to DynamoDB, table 'ledger' \(http://127\.0\.0\.1:1\)$"
    ):
        recorder.select_events("act_1")
    assert recorder.dynamodb.requests == {"Query": TRIES}
    assert len(naps) == TRIES - 1


WRONG_SETTINGS = {
    "no credentials": ("AWS_ACCESS_KEY_ID", None, "^no AWS credentials: set AWS_ACCESS_KEY_ID"),
    "half of the credentials": ("AWS_SECRET_ACCESS_KEY", None, "^no AWS credentials: set AWS_ACCESS_KEY_ID"),
    "no region": ("AWS_DEFAULT_REGION", None, "^no AWS region: set AWS_DEFAULT_REGION"),
    "no such region": ("AWS_DEFAULT_REGION", "the moon", "^DynamoDB cannot be asked, table .*the moon"),
    "no such profile": ("AWS_PROFILE", "nobody", "^DynamoDB cannot be asked, table .*nobody"),
}


def test_one_layer_retries_and_no_try_lasts_long(recorder: DynamoDBRecorder) -> None:
    config: Any = recorder.dynamodb.client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout <= config.read_timeout <= 5
    assert config.account_id_endpoint_mode == "disabled"


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_said_in_one_line(aws_environment: None, case: str) -> None:
    name, value, line = WRONG_SETTINGS[case]
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    dynamodb = DynamoDB("ledger", endpoint_url=NOBODY, sleep=lambda _: None)
    with pytest.raises(OperationalError, match=line) as caught:
        DynamoDBRecorder(dynamodb).select_events("act_1")
    assert "\n" not in str(caught.value)
    dynamodb.close()


def test_without_the_library_it_is_said_what_to_install() -> None:
    program = (
        "import sys; sys.modules['botocore'] = None\n"
        "from adapters.dynamodb_events import *\n"
        "recorder = DynamoDBFactory({'DYNAMODB_TABLE': 'ledger'}).aggregate_recorder()\n"
        "try: recorder.select_events('act_1')\n"
        "except ConfigurationError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert said.stdout == "a ledger in DynamoDB needs botocore: install execution-agent[aws]\n"


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys\n"
        "from adapters.dynamodb_events import DynamoDBFactory\n"
        "DynamoDBFactory({'DYNAMODB_TABLE': 'ledger'}).aggregate_recorder()\n"
        "print([name for name in ('botocore', 'boto3', 'urllib3') if name in sys.modules])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"


# -- the persistence module -----------------------------------------------------------------------------------------


def test_the_module_is_built_by_its_name() -> None:
    with InfrastructureFactory.construct(LEDGER) as factory:
        recorder = factory.aggregate_recorder(purpose="events")
    assert isinstance(recorder, DynamoDBRecorder)
    assert recorder.dynamodb.requests == {}


def test_a_ledger_without_a_table_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^set DYNAMODB_TABLE"):
        InfrastructureFactory.construct({"PERSISTENCE_MODULE": "adapters.dynamodb_events"})


def test_there_is_no_global_sequence_and_no_snapshot() -> None:
    factory = InfrastructureFactory.construct(LEDGER)
    for build in (factory.application_recorder, factory.tracking_recorder, factory.process_recorder):
        with pytest.raises(NotSupportedError, match="no global sequence"):
            build()
    with pytest.raises(NotSupportedError, match="no snapshots"):
        factory.aggregate_recorder(purpose="snapshots")


def test_the_region_may_be_said_to_us_alone(aws_environment: None) -> None:
    factory = DynamoDBFactory({**LEDGER, "DYNAMODB_REGION": "ap-south-1"})
    assert factory.dynamodb.client.meta.region_name == "ap-south-1"
    factory.close()
