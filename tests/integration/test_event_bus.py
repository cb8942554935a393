"""The event bus: as many entries in a call as it takes, and each of them is asked after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.event_bus import MOST_BYTES, SOURCE, EventBus
from domain.outcome import Failure, Permanent, Retry, Unknown
from domain.ports import News
from tests.aws_endpoint import aws_endpoint
from tests.given import NOON

pytestmark = pytest.mark.usefixtures("aws")

TAKEN = {"EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860"}


def news(version: int = 4, **changes: Any) -> News:
    response = {
        "action_id": "act_1",
        "status": "succeeded",
        "result": {"n": 1},
        "error": None,
        "duplicate": False,
        "attempts": 1,
    }
    return News("act_1", version, "Action Succeeded", NOON, response | changes)


def announce(url: str, *pieces: News) -> Mapping[str, Failure]:
    return EventBus("outcomes", endpoint_url=url).announce(pieces, timeout=5.0)


def all_taken(count: int) -> tuple[int, Any]:
    return 200, {"FailedEntryCount": 0, "Entries": [TAKEN] * count}


def test_an_event_says_what_the_response_says_and_how_to_know_it_again() -> None:
    with aws_endpoint(all_taken(1)) as endpoint:
        assert announce(endpoint.url, news()) == {}
    ((entry,),) = [asked["Entries"] for asked in endpoint.asked]
    detail = json.loads(entry.pop("Detail"))
    assert detail == {**news().response, "event_id": "act_1:4"}
    assert entry == {
        "Time": NOON.timestamp(),
        "Source": "revops.execution-agent",
        "DetailType": "Action Succeeded",
        "EventBusName": "outcomes",
    }


def test_nobody_is_asked_to_take_nothing() -> None:
    with aws_endpoint(all_taken(0)) as endpoint:
        assert announce(endpoint.url) == {}
    assert endpoint.asked == []


def test_ten_entries_go_in_a_call() -> None:
    with aws_endpoint(all_taken(10), all_taken(10), all_taken(3)) as endpoint:
        assert announce(endpoint.url, *[news(version) for version in range(1, 24)]) == {}
    assert [len(asked["Entries"]) for asked in endpoint.asked] == [10, 10, 3]
    ids = [json.loads(entry["Detail"])["event_id"] for asked in endpoint.asked for entry in asked["Entries"]]
    assert ids == [f"act_1:{version}" for version in range(1, 24)]


def test_no_call_is_larger_than_the_bus_takes() -> None:
    large = [news(version, result={"text": "ü" * 45_000}) for version in range(1, 6)]
    with aws_endpoint(all_taken(2), all_taken(2), all_taken(1)) as endpoint:
        assert announce(endpoint.url, *large) == {}
    sizes = [sum(size_of(entry) for entry in asked["Entries"]) for asked in endpoint.asked]
    assert len(sizes) == 3
    assert max(sizes) <= MOST_BYTES == 262_144


def size_of(entry: Mapping[str, Any]) -> int:
    """The size of an entry, by the documentation of PutEvents."""
    return 14 + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


@pytest.mark.parametrize(("spare", "whole"), [(0, True), (-1, False)])
def test_a_result_that_makes_an_event_too_large_is_replaced_by_a_note(spare: int, whole: bool) -> None:
    empty = size_of({"Source": SOURCE, "DetailType": "Action Succeeded", "Detail": detail_of(news(result={"t": ""}))})
    result = {"t": "x" * (MOST_BYTES - empty - spare)}
    with aws_endpoint(all_taken(1)) as endpoint:
        assert announce(endpoint.url, news(result=result)) == {}
    ((entry,),) = [asked["Entries"] for asked in endpoint.asked]
    sent = json.loads(entry["Detail"])["result"]
    assert sent == (result if whole else {"not_sent": "it is too large for an event; ask for the status of act_1"})


def detail_of(piece: News) -> str:
    return json.dumps({**piece.response, "event_id": piece.event_id})


def test_exactly_the_entries_that_failed_are_told() -> None:
    throttled = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
    answer = {"FailedEntryCount": 2, "Entries": [TAKEN, throttled, TAKEN, {"ErrorCode": "InternalFailure"}]}
    with aws_endpoint((200, answer)) as endpoint:
        refused = announce(endpoint.url, *[news(version) for version in (4, 5, 6, 7)])
    assert {event_id: type(failure) for event_id, failure in refused.items()} == {"act_1:5": Retry, "act_1:7": Retry}
    assert refused["act_1:5"].message == "EventBridge did not take an event: ThrottlingException"


def test_one_call_may_fail_and_the_next_one_not() -> None:
    with aws_endpoint((500, {}), all_taken(2)) as endpoint:
        refused = announce(endpoint.url, *[news(version) for version in range(1, 13)])
    assert set(refused) == {f"act_1:{version}" for version in range(1, 11)}


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, {"__type": "ThrottlingException"}, Retry),
        (400, {"__type": "AccessDeniedException"}, Permanent),
        (500, {"__type": "InternalException"}, Unknown),
        (200, {}, Unknown),
        (200, {"FailedEntryCount": 1}, Unknown),
        (200, {"FailedEntryCount": 1, "Entries": [TAKEN]}, Unknown),
    ],
)
def test_an_answer_about_all_of_them_is_about_each(status: int, answer: Any, expected: type[Any]) -> None:
    with aws_endpoint((status, answer)) as endpoint:
        refused = announce(endpoint.url, news(4), news(5))
    assert {event_id: type(failure) for event_id, failure in refused.items()} == dict.fromkeys(
        ["act_1:4", "act_1:5"], expected
    )
    assert len(endpoint.asked) == 1
