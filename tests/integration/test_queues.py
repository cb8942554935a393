"""Doorbells and quarantine on a queue: the messages are words between releases, and each failure is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.queues import LONGEST_PROBLEM, Queue, QueuedDoorbells, QueuedQuarantine
from domain.outcome import Failure, Permanent, Retry, Unknown
from domain.ports import Case
from tests.aws_endpoint import aws_endpoint

pytestmark = pytest.mark.usefixtures("aws")

SENT = (200, {"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274", "MD5OfMessageBody": "x"})
REFUSED = (400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"})
CASE = Case("act_1", "c81e728d9d4c2f636f067f89cc14862c", "it cannot be read", (4, 6), is_message=True)


def ring(url: str, after: float) -> Failure | None:
    return QueuedDoorbells(Queue(f"{url}/123456789012/doorbells")).ring_later("act_1", after=after)


@pytest.mark.parametrize(("after", "delay"), [(0.0, 0), (0.001, 1), (1.0, 1), (2.5, 3), (899.5, 900), (900.0, 900)])
def test_a_doorbell_rings_in_whole_seconds_and_never_too_early(after: float, delay: int) -> None:
    with aws_endpoint(SENT) as endpoint:
        assert ring(endpoint.url, after) is None
    (asked,) = endpoint.asked
    assert asked["QueueUrl"] == f"{endpoint.url}/123456789012/doorbells"
    assert asked["DelaySeconds"] == delay
    assert json.loads(asked["MessageBody"]) == {"action_id": "act_1"}


def test_a_doorbell_may_bring_news_that_are_to_be_told() -> None:
    with aws_endpoint(SENT) as endpoint:
        doorbells = QueuedDoorbells(Queue(f"{endpoint.url}/123456789012/doorbells"))
        assert doorbells.ring_later("act_1", after=60.0, announce=[4, 6]) is None
    (asked,) = endpoint.asked
    assert asked["DelaySeconds"] == 60
    assert json.loads(asked["MessageBody"]) == {"action_id": "act_1", "announce": [4, 6]}


def test_a_case_is_kept_in_the_words_of_a_doorbell() -> None:
    with aws_endpoint(SENT) as endpoint:
        assert QueuedQuarantine(Queue(f"{endpoint.url}/1/quarantine")).keep(CASE) is None
    (asked,) = endpoint.asked
    assert json.loads(asked["MessageBody"]) == {
        "action_id": "act_1",
        "event_id": "c81e728d9d4c2f636f067f89cc14862c",
        "problem": "it cannot be read",
        "announce": [4, 6],
    }


def test_whatever_a_stranger_wrote_can_be_kept() -> None:
    hostile = Case("act_\ud800\x00", "\udfff", "\x07" * 5_000, ())
    with aws_endpoint(SENT) as endpoint:
        assert QueuedQuarantine(Queue(f"{endpoint.url}/1/quarantine")).keep(hostile) is None
    said = json.loads(endpoint.asked[0]["MessageBody"])
    assert (said["action_id"], len(said["problem"])) == ("act_\ud800\x00", LONGEST_PROBLEM)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (REFUSED, Permanent),
        ((403, {"__type": "AccessDeniedException"}), Permanent),
        ((400, {"__type": "RequestThrottled"}), Retry),
        ((503, {}), Unknown),
        ((200, {}), Unknown),
    ],
)
def test_a_message_that_was_not_taken_is_told(answer: tuple[int, Any], expected: type[Any]) -> None:
    with aws_endpoint(answer) as endpoint:
        assert isinstance(ring(endpoint.url, 1.0), expected)
        assert len(endpoint.asked) == 1


def test_one_message_may_fail_and_the_next_one_not() -> None:
    with aws_endpoint(REFUSED, SENT) as endpoint:
        doorbells = QueuedDoorbells(Queue(f"{endpoint.url}/1/doorbells"))
        answers = [doorbells.ring_later(f"act_{number}", after=1.0) for number in range(3)]
    assert [type(answer) for answer in answers] == [Permanent, type(None), type(None)]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.us-west-2.amazonaws.com/123456789012/doorbells", "us-west-2"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/doorbells", "cn-north-1"),
        ("https://vpce-1.sqs.example.com/123456789012/doorbells", None),
        ("http://127.0.0.1:4566/000000000000/doorbells", None),
    ],
)
def test_a_queue_is_asked_in_its_own_region(url: str, region: str | None) -> None:
    assert Queue(url)._sqs._region == region
