"""A Function URL and an HTTP API: one resource, status codes that mean something, and a key in a header."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from agents.execution_agent.handler import answer
from domain.outcome import Permanent, Unknown
from tests.fakes import ScriptedProvider
from tests.house import agent_with, greet
from tests.lambda_calls import RESPONSE, Context, failing_ledger


def http(
    method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **members: Any
) -> dict[str, Any]:
    """A call; `body` is text, or what becomes JSON."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event | members


def told(reply: Mapping[str, Any]) -> Any:
    return json.loads(reply["body"])


def test_the_reply_has_the_members_of_payload_format_two() -> None:
    reply = answer(agent_with(), http("POST", "/actions", greet()), Context())
    assert set(reply) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert (reply["statusCode"], reply["headers"]) == (200, {"content-type": "application/json"})
    assert reply["isBase64Encoded"] is False
    assert set(told(reply)) == RESPONSE
    assert told(reply)["status"] == "succeeded"


@pytest.mark.parametrize("stage", ["$default", "live", "actions"])
def test_an_action_is_found_under_its_path_whatever_the_stage(stage: str) -> None:
    agent = agent_with()
    before = "" if stage == "$default" else f"/{stage}"

    def call(method: str, path: str, body: Any = None) -> dict[str, Any]:
        event = http(method, before + path, body)
        event["requestContext"]["stage"] = stage
        return answer(agent, event, Context())

    done = told(call("POST", "/actions", greet()))
    found = call("GET", f"/actions/{done['action_id']}")
    assert (found["statusCode"], told(found)) == (200, done)
    history = call("GET", f"/actions/{done['action_id']}/history")
    assert history["statusCode"] == 200
    assert [entry["type"] for entry in told(history)] == ["requested", "validated", "attempted", "succeeded"]


def test_a_function_url_may_end_in_a_slash_and_escape_what_it_likes() -> None:
    agent = agent_with()
    done = told(answer(agent, http("POST", "/actions/", greet()), Context()))
    path = f"/actions/{done['action_id'].replace('_', '%5F')}/"
    assert told(answer(agent, http("GET", path), Context())) == done


def test_a_rejected_action_is_found_as_well() -> None:
    agent = agent_with()
    refused = told(answer(agent, http("POST", "/actions", greet("fly")), Context()))
    found = answer(agent, http("GET", f"/actions/{refused['action_id']}"), Context())
    assert (found["statusCode"], told(found)) == (200, refused)


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    (http("POST", "/actions", greet("fly")), 400, "unknown_action_type"),
    (http("POST", "/actions", greet(surprise=1)), 400, "unknown_field"),
    (http("POST", "/actions", {"actions": []}), 400, "malformed"),
    (http("POST", "/actions", "{"), 400, "malformed"),
    (http("POST", "/actions", '{"action_type": "greet", "action_type": "greet"}'), 400, "duplicate_key"),
    (http("POST", "/actions", ""), 400, "malformed"),
    (http("POST", "/actions"), 400, "malformed"),
    (http("POST", "/actions", body=None, isBase64Encoded=True), 400, "malformed"),
    (http("POST", "/actions", "not base64!", isBase64Encoded=True), 400, "malformed"),
    (http("POST", "/actions", b64encode(b"\xff").decode(), isBase64Encoded=True), 400, "malformed"),
    (http("POST", "/actions", "x" * 300_000), 413, "too_large"),
    (http("POST", "/actions", "A" * 6_000_000, isBase64Encoded=True), 413, "too_large"),
    (http("POST", "/actions", greet(), headers={"Content-Type": "text/plain"}), 415, "malformed"),
    (http("POST", "/actions", "a=b", headers={"content-type": "application/x-www-form-urlencoded"}), 415, "malformed"),
    (http("GET", "/actions/act_nobody"), 404, "not_found"),
    (http("GET", "/actions/act_nobody/history"), 404, "not_found"),
    (http("GET", "/actions/%00%ff"), 404, "not_found"),
    (http("GET", "/"), 404, "not_found"),
    (http("GET", "/live/actions/act_1"), 404, "not_found"),
    (http("POST", "/actions/act_1/history/more"), 404, "not_found"),
    (http("GET", "/actions"), 405, "malformed"),
    (http("DELETE", "/actions/act_1"), 405, "malformed"),
    (http("POST", "/actions/act_1/history"), 405, "malformed"),
    (http(None, "/actions"), 405, "malformed"),  # type: ignore[arg-type]
    (http("GET", None), 404, "not_found"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("event", "status", "code"), REFUSED)
def test_what_is_refused_says_so_in_status_and_body(event: dict[str, Any], status: int, code: str) -> None:
    reply = answer(agent_with(), event, Context())
    assert (reply["statusCode"], told(reply)["error"]["code"]) == (status, code)
    assert set(told(reply)) == RESPONSE


@pytest.mark.parametrize(("path", "allow"), [("/actions", "POST"), ("/actions/act_1", "GET")])
def test_another_method_is_told_which_one_there_is(path: str, allow: str) -> None:
    assert answer(agent_with(), http("PUT", path), Context())["headers"]["allow"] == allow


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"])
def test_json_has_many_names(content_type: str) -> None:
    event = http("POST", "/actions", greet(), headers={"content-type": content_type})
    assert answer(agent_with(), event, Context())["statusCode"] == 200
    del event["headers"]
    assert answer(agent_with(), event, Context())["statusCode"] == 200


def test_a_body_may_be_base64() -> None:
    body = b64encode(json.dumps(greet()).encode()).decode()
    reply = answer(agent_with(), http("POST", "/actions", body, isBase64Encoded=True), Context())
    assert told(reply)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("outcome", "status"), [(Permanent("gone", "never"), "failed"), (Unknown("reset", "it broke"), "in_doubt")]
)
def test_what_has_come_to_an_end_is_answered(outcome: Any, status: str) -> None:
    """A 5xx would be sent again by many a client: of what is in doubt, that may be once too often."""
    reply = answer(agent_with(ScriptedProvider(outcome)), http("POST", "/actions", greet()), Context())
    assert (reply["statusCode"], told(reply)["status"]) == (200, status)


def test_what_is_for_later_is_accepted() -> None:
    for event, seconds in [
        (http("POST", "/actions", greet(options={"mode": "accept"})), 30.0),
        (http("POST", "/actions", greet()), 4.9),
    ]:
        reply = answer(agent_with(), event, Context(seconds))
        assert (reply["statusCode"], told(reply)["status"]) == (202, "scheduled")


# -- once -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["k-1", '"k-1"'])
def test_the_key_may_stand_in_a_header(header: str) -> None:
    agent = agent_with(provider := ScriptedProvider())
    event = http("POST", "/actions", greet(), headers={"Idempotency-Key": header})
    assert [told(answer(agent, event, Context()))["duplicate"] for _ in range(2)] == [False, True]
    in_the_body = told(answer(agent, http("POST", "/actions", greet(idempotency_key="k-1")), Context()))
    assert in_the_body["duplicate"] is True
    assert len(provider.attempts) == 1


def test_one_key_for_two_requests_is_a_conflict() -> None:
    agent = agent_with()
    headers = {"idempotency-key": "k-1"}
    answer(agent, http("POST", "/actions", greet(), headers=headers), Context())
    other = http("POST", "/actions", greet("greet_again"), headers=headers)
    reply = answer(agent, other, Context())
    assert (reply["statusCode"], told(reply)["error"]["code"]) == (409, "idempotency_mismatch")


@pytest.mark.parametrize(("own", "status"), [("k-1", 200), ("k-2", 400)])
def test_header_and_body_must_not_contradict_each_other(own: str, status: int) -> None:
    provider = ScriptedProvider()
    event = http("POST", "/actions", greet(idempotency_key=own), headers={"idempotency-key": "k-1"})
    reply = answer(agent_with(provider), event, Context())
    assert reply["statusCode"] == status
    if status == 400:
        assert (told(reply)["error"]["code"], provider.attempts) == ("invalid_idempotency_key", [])


@pytest.mark.parametrize("header", ["", '"', '""', "a b", "ü"])
def test_a_header_that_is_no_key_is_refused(header: str) -> None:
    event = http("POST", "/actions", greet(), headers={"idempotency-key": header})
    reply = answer(agent_with(), event, Context())
    assert (reply["statusCode"], told(reply)["error"]["code"]) == (400, "invalid_idempotency_key")


def test_a_ledger_that_cannot_be_used_is_unavailable() -> None:
    agent = agent_with()
    for event in (http("POST", "/actions", greet()), http("GET", "/actions/act_1"), http("GET", "/actions/a/history")):
        with failing_ledger(agent):
            reply = answer(agent, event, Context())
        assert (reply["statusCode"], set(told(reply)), told(reply)["error"]["code"]) == (503, {"error"}, "ledger")
        assert "/var/secret" not in json.dumps(reply)
