"""Each target bears what it says; the type speaks for those that say nothing."""

from __future__ import annotations

from typing import Any

from domain.gate import Limits
from domain.ports import WebhookTarget
from handlers.actions.call_webhook import CallWebhook
from tests.fakes import FakeClock, FakeWebhooks, fake_world
from tests.house import agent_with, words


def call(webhook: str) -> dict[str, Any]:
    return {"action_type": "call_webhook", "parameters": {"webhook": webhook, "payload": {}}}


def test_a_target_is_called_as_often_as_it_bears_and_others_as_often_as_they_are_asked() -> None:
    targets = [
        WebhookTarget("slow", "POST", deduplicates=False, timeout=5.0, limits=Limits(per_second=1)),
        WebhookTarget("quick", "POST", deduplicates=False, timeout=5.0),
    ]
    clock = FakeClock()
    agent = agent_with(world=fake_world(webhooks=FakeWebhooks(targets), clock=clock), actions=[CallWebhook])
    answers = [agent.process(call(name), wait=0.6) for name in ("slow", "slow", "quick", "quick")]
    assert [answer["status"] for answer in answers] == ["succeeded", "scheduled", "succeeded", "succeeded"]
    deferred = agent.history(answers[1]["action_id"])[-1]
    assert (deferred["type"], deferred["data"]["reason"]) == ("deferred", "rate_limited")
    assert deferred["data"]["target"] == "webhook:slow"
    clock.pass_time(1)
    assert agent.advance(answers[1]["action_id"])["status"] == "succeeded"
    assert words(agent, answers[1])[-2:] == ["attempted", "succeeded"]
