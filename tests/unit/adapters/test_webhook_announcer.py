"""A webhook hears of each end under the event's own id, signed as every call is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from standardwebhooks import Webhook

from adapters.http import Client
from adapters.no_webhooks import NoWebhooks
from adapters.system import SystemClock
from adapters.webhook_announcer import WebhookAnnouncer
from adapters.webhook_config import parse_config
from adapters.webhooks import Webhooks
from domain.errors import Refused
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from domain.ports import News, WebhookTarget
from tests.fakes import FakeClock
from tests.given import NOON
from tests.receivers import Receiver, answer, answers

RESPONSE = {
    "action_id": "act_1",
    "status": "failed",
    "result": None,
    "error": {"code": "http_404", "message": "no", "details": []},
    "duplicate": False,
    "attempts": 1,
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def news(version: int = 5, **changes: Any) -> News:
    return News("act_1", version, "Action Failed", NOON, RESPONSE | changes)


@dataclass
class ScriptedWebhooks(NoWebhooks):
    """A target that answers from a script, and takes its time."""

    clock: FakeClock
    answers: list[Outcome] = field(default_factory=list)
    takes: float = 0.0
    calls: list[tuple[str, float]] = field(default_factory=list)

    def target(self, name: str) -> WebhookTarget:
        return WebhookTarget(name, "POST", deduplicates=True, timeout=10.0)

    def call(self, target: WebhookTarget, payload: Any, *, effect_key: str, timeout: float, **_: Any) -> Outcome:
        self.calls.append((effect_key, timeout))
        self.clock.pass_time(self.takes)
        return self.answers.pop(0) if self.answers else Succeeded({"status": 204})


def announcer(webhooks: ScriptedWebhooks) -> WebhookAnnouncer:
    return WebhookAnnouncer("crm", webhooks, webhooks.clock)


def test_what_a_receiver_gets_is_a_standard_webhook_with_the_response() -> None:
    with Receiver(answers(answer(204))) as receiver:
        entry = {"url": receiver.url(), "secret": SECRET, "allow_http": True, "allow_private_network": True}
        webhooks = Webhooks(parse_config(json.dumps({"crm": entry}).encode(), {}), Client())
        # A signature is fresh for some minutes of real time.
        assert WebhookAnnouncer("crm", webhooks, SystemClock()).announce([news()], timeout=5.0) == {}
    (delivery,) = receiver.deliveries
    assert delivery.headers["webhook-id"] == "act_1:5"
    assert Webhook(SECRET).verify(delivery.body, dict(delivery.headers)) == {
        "type": "Action Failed",
        "timestamp": "2026-03-01T12:00:00.000000Z",
        "data": {**RESPONSE, "event_id": "act_1:5"},
    }


@pytest.mark.parametrize(
    "failure", [Permanent("http_410", "gone"), Retry("http_429", "not now"), Unknown("timeout", "no answer")]
)
def test_exactly_what_was_not_taken_is_told(failure: Any) -> None:
    webhooks = ScriptedWebhooks(FakeClock(), [Succeeded(), failure, Succeeded()])
    assert announcer(webhooks).announce([news(4), news(5), news(6)], timeout=60.0) == {"act_1:5": failure}
    assert [event_id for event_id, _ in webhooks.calls] == ["act_1:4", "act_1:5", "act_1:6"]


def test_all_calls_together_keep_the_deadline() -> None:
    webhooks = ScriptedWebhooks(FakeClock(), takes=7.0)
    refused = announcer(webhooks).announce([news(version) for version in range(1, 5)], timeout=14.2)
    assert webhooks.calls == [("act_1:1", 10.0), ("act_1:2", pytest.approx(7.2))]
    assert {event_id: failure.code for event_id, failure in refused.items()} == {
        "act_1:3": "out_of_time",
        "act_1:4": "out_of_time",
    }


@pytest.mark.parametrize("value", [2**53, 1e400, float("nan"), "\ud800", object()])
def test_a_result_that_not_every_reader_reads_alike_is_replaced_by_a_note(value: Any) -> None:
    sent: list[Any] = []

    class Listening(ScriptedWebhooks):
        def call(self, target: WebhookTarget, payload: Any, **said: Any) -> Outcome:
            sent.append(payload)
            return super().call(target, payload, **said)

    announcer(Listening(FakeClock())).announce([news(result={"id": value})], timeout=5.0)
    assert set(sent[0]["data"]["result"]) == {"not_sent"}


def test_a_webhook_that_is_not_configured_is_refused_at_once() -> None:
    with pytest.raises(Refused, match="no webhook is called 'crm'"):
        WebhookAnnouncer("crm", NoWebhooks(), FakeClock())


def test_a_target_with_a_template_hears_its_own_words() -> None:
    template = {"variables": {"type": "string", "timestamp": "string", "data": "any"}, "body": "{{ data.action_id }}"}
    heard, answer_to = announced(template)
    assert (heard, answer_to) == ([b'"act_1"'], {})


def test_a_template_that_makes_nothing_of_news_is_told_for_good() -> None:
    heard, answer_to = announced({"variables": {"data": "any"}, "body": "{{ data }}"})
    assert heard == []
    assert isinstance(answer_to["act_1:5"], Permanent)
    assert answer_to["act_1:5"].code == "invalid_variable"


def announced(template: dict[str, Any]) -> tuple[list[bytes], Any]:
    """What a receiver with this template was sent, and what the announcer answered."""
    with Receiver(answers(answer(204))) as receiver:
        entry = {"url": receiver.url(), "allow_http": True, "allow_private_network": True, "template": template}
        webhooks = Webhooks(parse_config(json.dumps({"crm": entry}).encode(), {}), Client())
        told = WebhookAnnouncer("crm", webhooks, SystemClock()).announce([news()], timeout=5.0)
    return [delivery.body for delivery in receiver.deliveries], told
