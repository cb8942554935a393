"""What is asked of AWS is counted by what it is, and priced by what it costs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import prices
from bench.asked import Asked, Counting
from bench.cost import BILLED, dollars_of
from bench.metered import Usage

SCOPE = "AWS4-HMAC-SHA256 Credential=ASIA1/20261124/eu-central-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def count(counting: Counting, service: str, target: str, said: Any, answered: Any) -> None:
    headers = {"authorization": SCOPE.format(service), "x-amz-target": target}
    counting.count(headers, "/", json.dumps(said).encode(), json.dumps(answered).encode())


def put(counting: Counting, table: str, units: float) -> None:
    consumed = {"ConsumedCapacity": {"TableName": table, "CapacityUnits": units}}
    count(counting, "dynamodb", "DynamoDB_20120810.PutItem", {"TableName": table}, consumed)


def test_requests_are_counted_by_service_operation_and_table() -> None:
    counting = Counting()

    put(counting, "ledger", 2.0)
    put(counting, "ledger-views", 3.0)
    wanted = {"RequestItems": {"ledger": {"Keys": []}}}
    consumed = {"ConsumedCapacity": [{"TableName": "ledger", "CapacityUnits": 0.5}]}
    count(counting, "dynamodb", "DynamoDB_20120810.BatchGetItem", wanted, consumed)
    count(counting, "events", "AWSEvents.PutEvents", {"Entries": [{}, {}]}, {})
    count(counting, "sqs", "AmazonSQS.SendMessage", {"QueueUrl": "http://127.0.0.1/queue"}, {})

    asked = counting.end()
    assert asked.of("dynamodb") == 3
    assert asked.of("dynamodb", "PutItem") == 2
    assert asked.of("dynamodb", "PutItem", "BatchGetItem", table="ledger") == 2
    assert asked.of("sqs", "SendMessage") == 1
    assert (asked.write_units, asked.read_units) == ({"ledger": 2.0, "ledger-views": 3.0}, {"ledger": 0.5})
    assert asked.events == 2


def test_what_came_before_the_beginning_is_not_counted() -> None:
    counting = Counting()
    put(counting, "ledger", 1.0)

    counting.begin()
    assert counting.so_far == 0
    put(counting, "ledger", 1.0)

    assert counting.so_far == 1
    assert counting.end().of("dynamodb") == 1
    assert counting.end().of("dynamodb") == 0


def test_a_refused_request_is_counted_and_its_page_is_no_answer() -> None:
    counting = Counting()

    counting.count({"authorization": SCOPE.format("ses")}, "/v2/email/outbound-emails?x=1", b"{}", b"<html>")

    assert counting.end().of("ses", "/v2/email/outbound-emails") == 1


def test_two_counts_are_one() -> None:
    first, second = Counting(), Counting()
    put(first, "ledger", 2.0)
    put(second, "ledger", 1.5)

    both: Asked = first.end() + second.end()

    assert both.of("dynamodb", "PutItem", table="ledger") == 2
    assert both.write_units == {"ledger": 3.5}


def test_a_million_of_each_costs_what_the_price_list_says() -> None:
    asked = Asked(events=1_000_000)
    asked.requests["sqs", "SendMessage", ""] = 1_000_000
    asked.write_units["ledger"] = asked.read_units["ledger"] = 1_000_000
    usage = Usage(asked, Asked(), {"Invoke": 600_000, "Stream": 400_000}, logged=prices.GIBIBYTE)

    assert dollars_of(usage, memory=0.5) == pytest.approx(
        {
            "DynamoDB": 0.625 + 0.125,
            "Lambda": 0.20 + 1_000_000 * 0.5 * BILLED * 0.0000166667,
            "SQS": 3 * 0.40,
            "EventBridge": 1.00,
            "Logs": 0.50,
        }
    )
