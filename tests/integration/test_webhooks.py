"""Webhooks over real sockets: one call is one delivery, signed, and its end is told truly."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from adapters.http import Client
from adapters.webhook_config import parse_config
from adapters.webhooks import Webhooks
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from handlers.actions.call_webhook import CallWebhook
from tests.fakes import fake_world
from tests.house import agent_with
from tests.receivers import Behaviour, Receiver, answer, answers, hangs, resets_after

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EFFECT_KEY = "act_01hx-r0"


def call(url: str, *, timeout: float = 30.0, **entry: Any) -> Outcome:
    entry = {"url": url, "secret": SECRET, "allow_http": True, "allow_private_network": True} | entry
    hooks = Webhooks(parse_config(json.dumps({"crm": entry}).encode(), {}), Client())
    return hooks.call(
        hooks.target("crm"),
        {"deal": "d-7", "amount": 12.5, "note": "für Ada"},
        headers={"x-trace": "t-1"},
        effect_key=EFFECT_KEY,
        at=datetime.now(UTC),
        timeout=timeout,
    )


def test_a_delivery_arrives_signed_and_its_answer_is_kept() -> None:
    with Receiver(answers(answer(body=b'{"id":"r-1"}'))) as receiver:
        outcome = call(receiver.url("/crm?tenant=7"), headers={"authorization": "Bearer t"})
    assert outcome == Succeeded({"status": 200, "body": {"id": "r-1"}})
    [delivery] = receiver.deliveries
    assert delivery.line == "POST /crm?tenant=7 HTTP/1.1"
    assert Webhook(SECRET).verify(delivery.body, dict(delivery.headers)) == {
        "deal": "d-7",
        "amount": 12.5,
        "note": "für Ada",
    }
    assert delivery.headers["authorization"] == "Bearer t"
    assert delivery.headers["x-trace"] == "t-1"
    assert delivery.headers["idempotency-key"] == delivery.headers["webhook-id"] == EFFECT_KEY


@pytest.mark.parametrize(
    ("behaviour", "kind", "code"),
    [
        (answers(answer(302, location="http://169.254.169.254/")), Permanent, "redirect_refused"),
        (answers(answer(400)), Permanent, "http_400"),
        (answers(answer(409)), Permanent, "http_409"),
        (answers(answer(429, retry_after="3")), Retry, "http_429"),
        (answers(answer(503, retry_after="3")), Unknown, "http_503"),
        (answers(answer(200, body=b"whole")[:-1]), Unknown, "protocol_error"),
        (answers(answer(200, body=b"x" * 1_100_000)), Unknown, "answer_too_large"),
        (answers(answer(200, body=b"x", content_encoding="zstd")), Unknown, "undecodable_answer"),
        (
            answers(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            Unknown,
            "protocol_error",
        ),
        (resets_after(), Unknown, "connection_lost"),
        (hangs, Unknown, "timeout"),
    ],
)
def test_whatever_becomes_of_a_delivery_it_is_made_once(behaviour: Behaviour, kind: type[Outcome], code: str) -> None:
    with Receiver(behaviour) as receiver:
        outcome = call(receiver.url(), timeout=1.0)
    assert isinstance(outcome, kind)
    assert getattr(outcome, "code", None) == code
    assert len(receiver.deliveries) == 1


def test_a_receiver_that_is_not_there_has_got_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    outcome = call(f"http://127.0.0.1:{port}/")
    assert outcome == Retry("connect_failed", "webhook crm: no connection to the receiver")


def test_an_inner_address_behind_a_public_name_is_out_of_reach() -> None:
    entry = {"url": "https://hooks.example.com/"}
    hooks = Webhooks(parse_config(json.dumps({"crm": entry}).encode(), {}), Client(resolve=lambda name: ["10.0.0.1"]))
    outcome = hooks.call(hooks.target("crm"), {}, headers={}, effect_key=EFFECT_KEY, at=datetime.now(UTC), timeout=5.0)
    assert isinstance(outcome, Permanent)
    assert outcome.code == "unsafe_target"


def test_a_zap_is_told_and_its_hook_stays_a_secret(tmp_path: Path) -> None:
    told = {"status": "success", "attempt": "018f-1", "id": "018f-2", "request_id": "018f-3"}
    hook = "1234567/abcdefg/"
    with Receiver(answers(answer(body=json.dumps(told).encode()))) as zapier:
        entry = json.loads((EXAMPLES / "webhooks.json").read_text("utf-8"))["zapier"]
        entry["url"] = entry["url"].replace("https://hooks.zapier.com", zapier.url(""))
        entry |= {"allow_http": True, "allow_private_network": True}
        (tmp_path / "webhooks.json").write_text(json.dumps({"zapier": entry}), "utf-8")
        hooks = Webhooks.from_file(tmp_path / "webhooks.json", {"ZAPIER_HOOK": hook}, required=True)
        agent = agent_with(world=fake_world(webhooks=hooks), actions=[CallWebhook])
        request = json.loads((EXAMPLES / "call_webhook.json").read_text("utf-8"))
        request["parameters"]["webhook"] = "zapier"
        response = agent.process(request)
    assert (response["status"], response["result"]) == ("succeeded", {"status": 200, "body": told})
    [delivery] = zapier.deliveries
    assert delivery.line == f"POST /hooks/catch/{hook} HTTP/1.1"
    assert json.loads(delivery.body) == request["parameters"]["payload"]
    history = agent.history(response["action_id"])
    attempted = next(entry for entry in history if entry["type"] == "attempted")
    assert attempted["data"]["delivery"] == "at_least_once"
    assert hook not in json.dumps([response, history])
