"""Text messages by SNS: on two local engines of AWS, and against an endpoint that says what a test has written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from agents.execution_agent.agent import ExecutionAgent
from handlers.actions.send_sms import SendSms
from tests.doubles.connections import connections
from tests.engines import Engine
from tests.fakes import fake_world
from tests.house import agent_with, words

ADA = {"actor": "ada", "reason": "the wrong number"}


def agent_at(url: str, **entry: Any) -> ExecutionAgent:
    phones = {"kind": "sms", "region": "eu-central-1", "prefixes": ["+49"], "endpoint_url": url}
    there = connections(phones=phones | entry)
    return agent_with(world=fake_world(connections=there), actions=(SendSms,), max_retries=0)


def text(**parameters: Any) -> dict[str, Any]:
    given = {"recipient": "+4915112345678", "text": "ACME-1 renews."}
    return {"action_type": "send_sms", "parameters": given | parameters}


@pytest.mark.parametrize("name", ["moto", "ministack"])
def test_a_text_message_is_taken_by_sns(name: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(name)
    agent = agent_at(engine.url, sender_id="ACME")
    response = agent.process(text())
    assert (response["status"], response["error"]) == ("succeeded", None)
    message_id = response["result"]["message_id"]
    assert agent.history(response["action_id"])[-1]["data"]["reference"] == message_id
    another = agent.process(
        text(
            template="renewal_reminder",
            text=None,
            variables={"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
        )
    )
    assert another["result"]["message_id"] != message_id


@contextmanager
def sns(status: int, body: str) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """An SNS that answers alike whatever it is asked; and what it was asked."""
    asked: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            serving.join()


def published(message_id: str) -> str:
    inner = f"<PublishResult>{message_id}</PublishResult>"
    return f'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{inner}</PublishResponse>'


def refused(code: str) -> str:
    return f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>No.</Message></Error></ErrorResponse>"


def test_what_is_sent_is_one_publish_to_one_number(aws: None) -> None:
    with sns(200, published("<MessageId>m-1</MessageId>")) as (url, asked):
        agent = agent_at(url, sender_id="ACME")
        assert agent.process(text())["result"] == {"message_id": "m-1"}
    [given] = asked
    assert {name: value[0] for name, value in given.items() if name not in ("Version",)} == {
        "Action": "Publish",
        "PhoneNumber": "+4915112345678",
        "Message": "ACME-1 renews.",
        "MessageAttributes.entry.1.Name": "AWS.SNS.SMS.SenderID",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "ACME",
    }


@pytest.mark.parametrize(
    ("status", "body", "end", "code"),
    [
        (400, refused("InvalidParameter"), "failed", "invalid_parameter"),
        (400, refused("InvalidParameterValue"), "failed", "invalid_parameter_value"),
        (400, refused("OptedOut"), "failed", "opted_out"),
        (400, refused("EndpointDisabled"), "failed", "endpoint_disabled"),
        (403, refused("AuthorizationError"), "failed", "authorization"),
        (404, refused("NotFound"), "failed", "not_found"),
        (500, refused("InternalError"), "in_doubt", "internal"),
        (503, "", "in_doubt", "sns_503"),
        (200, published(""), "in_doubt", "sns_unreadable_reply"),
    ],
)
def test_what_sns_says_is_classed_by_what_it_says_of_the_effect(
    aws: None, status: int, body: str, end: str, code: str
) -> None:
    with sns(status, body) as (url, asked):
        response = agent_at(url).process(text())
    assert (response["status"], response["error"]["code"], len(asked)) == (end, code, 1)


@pytest.mark.parametrize("body", ["", "{}", "<html>Please sign in</html>", "no XML"])
def test_a_yes_that_makes_no_sense_leaves_a_doubt(aws: None, body: str) -> None:
    with sns(200, body) as (url, _):
        assert agent_at(url).process(text())["status"] == "in_doubt"


@pytest.mark.parametrize(("status", "code"), [(429, "Throttled"), (400, "Throttled"), (400, "Throttling")])
def test_an_sns_that_is_busy_did_nothing(aws: None, status: int, code: str) -> None:
    with sns(status, refused(code)) as (url, _):
        agent = agent_at(url)
        response = agent.process(text())
    assert response["status"] == "failed"
    assert agent.history(response["action_id"])[-2]["data"]["failure"] == "retry"


def test_a_text_message_stays_sent(aws: None) -> None:
    with sns(200, published("<MessageId>m-1</MessageId>")) as (url, _):
        agent = agent_at(url)
        done = agent.process(text())
        assert agent.undo(done["action_id"], **ADA)["error"]["code"] == "irreversible"


@pytest.mark.parametrize(
    ("parameters", "code", "field"),
    [
        ({"recipient": "+43123456789"}, "invalid_recipient", "parameters.recipient"),
        ({"recipient": "015112345678"}, "invalid_recipient", "parameters.recipient"),
        ({"recipient": "+4915112345678\n"}, "invalid_recipient", "parameters.recipient"),
        ({"recipient": "https://example.com"}, "invalid_recipient", "parameters.recipient"),
        ({"recipient": "+49\r\n"}, "invalid_characters", "parameters.recipient"),
        ({"text": "one\r\ntwo"}, "invalid_characters", "parameters.text"),
        ({"text": "x" * 1_601}, "invalid_parameters", "parameters.text"),
        ({"text": ""}, "invalid_parameters", "parameters.text"),
        ({"text": None}, "invalid_parameters", "parameters"),
        ({"connection": "another"}, "invalid_parameters", "parameters.connection"),
        ({"sender_id": "BANK"}, "invalid_parameters", "parameters.sender_id"),
    ],
)
def test_what_is_refused_is_refused_before_the_attempt(parameters: dict[str, Any], code: str, field: str) -> None:
    agent = agent_at("http://127.0.0.1:9")
    response = agent.process(text(**parameters))
    assert (response["status"], response["error"]["code"]) == ("rejected", code)
    assert response["error"]["details"][0]["field"] == field
    if response["action_id"]:
        assert words(agent, response) == ["requested", "rejected"]
