"""Records are read as what they are, and whatever cannot be understood is told, never dropped."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from adapters.streams import NAMELESS, knocks_in
from domain.errors import ConfigurationError
from domain.knock import Knock
from tests.bells import TABLE, message, named, record_of
from tests.given import NOON

ID = "act_01m87gb1k7e4sb6d1n6rvkge9g"


def commit(*words: str, first: int = 1) -> dict[str, Any]:
    """The record of these events."""
    events = [StoredEvent(ID, first + place, f"action.{word}", b"{}") for place, word in enumerate(words)]
    return record_of(events, number=7, at=NOON)


def knocks(*records: object, table: str | None = TABLE) -> list[Knock]:
    return knocks_in({"Records": list(records)}, table=table)


def the_knock(record: object) -> Knock:
    (knock,) = knocks(record, commit("requested", "validated"))[:-1]
    return knock


def changed(path: str, value: Any) -> dict[str, Any]:
    """The record of a commit with one member that is another one."""
    record = copy.deepcopy(commit("requested", "validated"))
    *parents, last = path.split(".")
    place: Any = record
    for name in parents:
        place = place[name]
    place[last] = value
    return record


def test_a_commit_knocks_for_its_action() -> None:
    record = commit("requested", "validated")
    assert knocks(record) == [Knock(named(record), record["eventID"], ID, newest=2)]


@pytest.mark.parametrize(
    ("words", "first", "told"),
    [
        (("requested", "rejected"), 1, (2,)),
        (("succeeded",), 4, (4,)),
        (("attempt_failed", "failed"), 4, (5,)),
        (("in_doubt",), 4, (4,)),
        (("resolved", "succeeded"), 5, (6,)),
        (("attempt_failed", "cancelled"), 4, (5,)),
        (("expired",), 3, (3,)),
        (("requested", "validated", "held"), 1, (3,)),
        (("denied",), 4, (4,)),
        (("compensated",), 6, (6,)),
        (("compensation_failed",), 6, (6,)),
        (("requested", "validated", "attempted"), 1, ()),
        (("attempt_failed",), 4, ()),
        (("deferred",), 3, ()),
        (("late_outcome",), 6, ()),
        (("redriven",), 6, ()),
        (("a_word_of_a_later_release",), 6, ()),
    ],
)
def test_ends_doubts_and_holds_are_what_others_hear_of(
    words: tuple[str, ...], first: int, told: tuple[int, ...]
) -> None:
    (knock,) = knocks(commit(*words, first=first))
    assert (knock.announce, knock.newest) == (told, first + len(words) - 1)


@pytest.mark.parametrize("what", ["MODIFY", "REMOVE"])
def test_what_is_changed_or_deleted_is_told_to_a_person(what: str) -> None:
    record = changed("eventName", what)
    problem = f"the ledger was tampered with: {what} of {ID}.1, says the record {record['eventID']}"
    assert the_knock(record) == Knock(named(record), record["eventID"], ID, problem=problem)
    record["dynamodb"] = None
    assert f"tampered with: {what} of an item without keys" in (the_knock(record).problem or "")


def test_another_table_is_passed_over() -> None:
    record = commit("requested", "validated")
    assert knocks(record, table="execution-agent-2") == []
    assert len(knocks(record, table=None)) == 1


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("dynamodb", None, "no keys"),
        ("dynamodb.Keys", {}, "no keys"),
        ("dynamodb.Keys.pk", {"N": "1"}, "no keys"),
        ("dynamodb.Keys.pk", {"S": ""}, "no keys"),
        ("dynamodb.Keys.sk", {"N": "one"}, "no keys"),
        ("dynamodb.Keys.sk", {"N": "-1"}, "no keys"),
        ("dynamodb.Keys.sk", {"N": "²"}, "no keys"),
        ("dynamodb.NewImage", None, "no commit"),
        ("dynamodb.NewImage.events", {"L": []}, "no commit"),
        ("dynamodb.NewImage.events", {"L": [{"M": {}}]}, "no commit"),
        ("dynamodb.NewImage.events", {"S": "x"}, "no commit"),
        ("eventName", "TRUNCATE", "what happened"),
        ("eventName", None, "what happened"),
    ],
)
def test_a_broken_record_is_told_under_its_own_name(path: str, value: Any, problem: str) -> None:
    record = changed(path, value)
    knock = the_knock(record)
    assert problem in (knock.problem or "")
    assert knock.event_id == record["eventID"]
    assert knock.name == (None if path == "dynamodb" else named(record))


@pytest.mark.parametrize("name", ["", None, 7, [], "9" * 256])
def test_what_cannot_be_a_name_is_none(name: Any) -> None:
    assert the_knock(changed("dynamodb.SequenceNumber", name)).name is None
    assert the_knock({**message({"action_id": ID}), "messageId": name}).name is None


@pytest.mark.parametrize("record", [None, 7, "INSERT", [], {}, {"eventSource": "aws:kinesis"}, {"eventSource": []}])
def test_what_is_no_record_is_told(record: object) -> None:
    knock = the_knock(record)
    assert (knock.name, knock.event_id, knock.action_id) == (None, NAMELESS, None)
    assert "no record" in (knock.problem or "")


def test_a_message_knocks_for_the_action_that_it_names() -> None:
    record = message({"action_id": ID})
    assert knocks(record) == [Knock(record["messageId"], record["messageId"], ID, is_message=True)]


@pytest.mark.parametrize(
    ("announce", "versions"),
    [([5], (5,)), ([3, 6], (3, 6)), ([], ()), (None, ()), ("5", ()), ([True, "5", 0, -1, 2.0, None, 4], (4,))],
)
def test_a_message_may_say_what_others_are_to_hear_of(announce: Any, versions: tuple[int, ...]) -> None:
    (knock,) = knocks(message({"action_id": ID, "announce": announce, "problem": "x", "event_id": "y"}))
    assert (knock.announce, knock.newest, knock.problem) == (versions, None, None)


@pytest.mark.parametrize("body", ["", "ding", "{", "[]", "{}", '{"action_id": 7}', '{"action_id": ""}', '{"id": "x"}'])
def test_a_message_that_names_no_action_is_told(body: str) -> None:
    record = message(body)
    knock = the_knock(record)
    assert (knock.name, knock.event_id, knock.action_id) == (record["messageId"], record["messageId"], None)
    assert knock.is_message
    assert "its body" in (knock.problem or "")


@pytest.mark.parametrize(
    "event",
    [
        None,
        7,
        "text",
        [],
        {},
        {"Records": None},
        {"Records": {}},
        {"action_type": "send_email", "parameters": {}},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{"EventSource": "aws:sns"}]},
        {"Records": [None]},
    ],
)
def test_a_trigger_that_is_none_of_ours_fails_loudly(event: object) -> None:
    with pytest.raises(ConfigurationError, match="mend its trigger"):
        knocks_in(event, table=TABLE)


def test_nothing_knocks_in_an_empty_batch() -> None:
    assert knocks() == []
