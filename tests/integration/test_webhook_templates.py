"""Calls whose body a template makes, over real sockets: what arrives, what the ledger tells, and what is said again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from adapters.http import Client
from adapters.webhook_config import parse_config
from adapters.webhooks import Webhooks
from agents.execution_agent.agent import ExecutionAgent
from domain.outcome import Outcome, Retry, Unknown
from handlers.actions.call_webhook import CallWebhook
from tests.fakes import FakeClock, fake_world
from tests.house import agent_with, words
from tests.receivers import Receiver, answer, answers

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOCAL = {"allow_http": True, "allow_private_network": True}


def hooks_of(**targets: Mapping[str, Any]) -> Webhooks:
    return Webhooks(parse_config(json.dumps(targets).encode(), {}), Client())


def agent_for(hooks: Webhooks, clock: FakeClock | None = None) -> ExecutionAgent:
    return agent_with(world=fake_world(webhooks=hooks, clock=clock or FakeClock()), actions=[CallWebhook])


def facts_of(agent: ExecutionAgent, response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of each attempt, in order."""
    history = agent.history(response["action_id"])
    return [entry["data"]["facts"] for entry in history if entry["type"] == "attempted"]


def test_the_example_is_carried_out_and_taken_back_in_the_words_of_its_receiver() -> None:
    targets = json.loads((EXAMPLES / "webhooks.json").read_text("utf-8"))
    request = json.loads((EXAMPLES / "call_webhook_with_template.json").read_text("utf-8"))
    with Receiver(answers(answer(body=b"{}"))) as deals:
        # At our own address, and without a token that is kept elsewhere.
        ours = {"url": deals.url(), "headers": {}, "secret": SECRET, **LOCAL}
        hooks = hooks_of(**{name: targets[name] | ours for name in ("deal-desk", "deal-desk-undo")})
        agent = agent_for(hooks)
        done = agent.process(request)
        undone = agent.undo(done["action_id"], actor="ada", reason="the wrong deal")
    assert (done["status"], undone["status"]) == ("succeeded", "compensated")
    told, taken_back = deals.deliveries
    body = {
        "note": {
            "title": "ACME-1 renews on 31 December 2026",
            "text": "EUR 1,200.50, by Ada, Grace",
            "properties": {"amount": 1200.5, "currency": "EUR", "contacts": ["Ada", "Grace"]},
        },
        "source": "execution-agent",
    }
    assert json.loads(told.body) == body
    assert json.loads(taken_back.body) == {"withdraw": told.headers["webhook-id"], "account": "ACME-1"}
    [facts] = facts_of(agent, done)
    assert (facts["body"], facts["template_sha256"]) == (body, hooks.target("deal-desk").template_sha256)


def test_what_is_made_is_what_is_signed() -> None:
    template = {"variables": {"name": "string"}, "body": ["{{ name }}"]}
    with Receiver(answers(answer())) as receiver:
        hooks = hooks_of(crm={"url": receiver.url(), "secret": SECRET, "template": template, **LOCAL})
        # A signature is fresh for some minutes of real time.
        call(agent_for(hooks, FakeClock(datetime.now(UTC))), name='"{{ name }}')
    [delivery] = receiver.deliveries
    assert Webhook(SECRET).verify(delivery.body, dict(delivery.headers)) == ['"{{ name }}']


# --- before the attempt, and again ----------------------------------------------------------------------------------


class Scripted(Webhooks):
    """Targets whose receivers answer from a script; `said` is what they were told, and under which key."""

    def __init__(self, template: Mapping[str, Any] | None, answers: Sequence[Outcome] = ()) -> None:
        self.answers = list(answers)
        self.said: list[tuple[object, str]] = []
        self.has_template(template)

    def has_template(self, template: Mapping[str, Any] | None) -> None:
        entry = {"url": "https://hooks.example.com/", "deduplicates": True, "template": template}
        super().__init__(parse_config(json.dumps({"crm": entry}).encode(), {}), Client())

    def call(self, target: Any, body: object, *, effect_key: str, **_: Any) -> Outcome:
        self.said.append((body, effect_key))
        return self.answers.pop(0)


NAMED = {"variables": {"name": {"type": "string", "required": True}}, "body": {"hello": "{{ name }}"}}
OTHERWISE = {**NAMED, "body": {"hi": "{{ name }}!"}}
LOST = Unknown("timeout", "no answer")
BUSY = Retry("http_429", "not now")


def call(agent: ExecutionAgent, **payload: Any) -> dict[str, Any]:
    request = {"action_type": "call_webhook", "parameters": {"webhook": "crm", "payload": payload}}
    response: dict[str, Any] = agent.process({**request, "options": {"max_retries": 1}}, wait=0.6)
    return response


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ({}, "missing_variable", "parameters.payload.name"),
        ({"name": 7}, "invalid_variable", "parameters.payload.name"),
        ({"name": "Ada", "plan": "gold"}, "invalid_variable", "parameters.payload.plan"),
    ],
)
def test_what_does_not_fit_the_template_is_refused_before_anything_is_attempted(
    payload: dict[str, Any], code: str, field: str
) -> None:
    hooks = Scripted(NAMED)
    agent = agent_for(hooks)
    refused = call(agent, **payload)
    assert (refused["status"], refused["error"]["code"]) == ("rejected", code)
    assert [detail["field"] for detail in refused["error"]["details"]] == [field]
    assert (words(agent, refused), hooks.said) == (["requested", "rejected"], [])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (NAMED, OTHERWISE, {"hello": "Ada"}),
        (NAMED, None, {"hello": "Ada"}),
        (None, NAMED, {"name": "Ada"}),
        (NAMED, {**NAMED, "variables": {"name": "number"}}, {"hello": "Ada"}),
    ],
)
def test_what_may_have_arrived_is_said_again_word_for_word_whatever_the_template_is_by_now(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, said: object
) -> None:
    clock, hooks = FakeClock(), Scripted(before, [LOST, LOST])
    agent = agent_for(hooks, clock)
    response = call(agent, name="Ada")
    hooks.has_template(after)
    clock.pass_time(3600)
    agent.advance(response["action_id"])
    [(first, key), again] = hooks.said
    assert (first, again) == (said, (said, key))
    earlier, later = facts_of(agent, response)
    assert earlier == later


def test_what_certainly_never_arrived_is_made_anew_and_the_facts_tell_of_which_template() -> None:
    clock, hooks = FakeClock(), Scripted(NAMED, [BUSY, BUSY])
    agent = agent_for(hooks, clock)
    response = call(agent, name="Ada")
    first = hooks.target("crm").template_sha256
    hooks.has_template(OTHERWISE)
    clock.pass_time(3600)
    agent.advance(response["action_id"])
    assert [body for body, _ in hooks.said] == [{"hello": "Ada"}, {"hi": "Ada!"}]
    assert [facts["template_sha256"] for facts in facts_of(agent, response)] == [
        first,
        hooks.target("crm").template_sha256,
    ]
    assert [facts["body"] for facts in facts_of(agent, response)] == [{"hello": "Ada"}, {"hi": "Ada!"}]


def test_a_call_without_a_template_has_no_body_among_its_facts() -> None:
    agent = agent_for(Scripted(None, [BUSY]))
    assert facts_of(agent, call(agent, name="Ada")) == [{"webhook": "crm", "method": "POST"}]
