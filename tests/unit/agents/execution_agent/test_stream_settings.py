"""What the stream's consumer is told by its settings: who rings, who keeps, and who hears."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.event_bus import EventBus
from adapters.queues import QueuedDoorbells, QueuedQuarantine
from adapters.webhook_announcer import WebhookAnnouncer
from agents.execution_agent.assembly import outside_world
from agents.execution_agent.config import DEFAULTS, PushTarget, Settings
from domain.errors import ConfigurationError

DYNAMODB = {"EXECUTION_AGENT_LEDGER": "dynamodb://execution-agent"}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/doorbells"
ARN = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"
NAMES = ("EXECUTION_AGENT_DOORBELLS", "EXECUTION_AGENT_QUARANTINE", "EXECUTION_AGENT_PUSH")


def settings(**environ: str) -> Settings:
    return Settings.from_environment(DYNAMODB | environ)


@pytest.mark.parametrize("name", NAMES)
def test_a_ledger_that_nobody_knows_is_told_before_what_needs_it(name: str) -> None:
    with pytest.raises(ConfigurationError, match="EXECUTION_AGENT_LEDGER must be"):
        settings(EXECUTION_AGENT_LEDGER="mysql://localhost/ledger", **{name: "anything"})


def test_the_silent_environment_has_none_of_it() -> None:
    assert {DEFAULTS[name] for name in NAMES} == {""}
    silent = Settings.from_environment({})
    assert (silent.doorbells, silent.quarantine, silent.push) == ("", "", ())
    world = outside_world(silent, {})
    assert (world.doorbells, world.quarantine, world.announcers) == (None, None, ())


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize(
    "url",
    [
        QUEUE,
        "https://sqs.us-gov-west-1.amazonaws.com/123456789012/doorbells",
        "https://vpce-0a.sqs.eu-central-1.vpce.amazonaws.com/123456789012/doorbells",
        "http://127.0.0.1:4566/000000000000/doorbells",
        "http://localhost:4566/000000000000/doorbells",
        "http://[::1]:4566/000000000000/doorbells",
    ],
)
def test_a_queue_is_named_by_its_url(name: str, url: str) -> None:
    found = settings(**{name: url})
    assert url in (found.doorbells, found.quarantine)


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize(
    "url",
    [
        "doorbells",
        "arn:aws:sqs:eu-central-1:123456789012:doorbells",
        "http://sqs.eu-central-1.amazonaws.com/123456789012/doorbells",
        "http://127.0.0.1.example.com/1/doorbells",
        "http://localhost@example.com/1/doorbells",
        "https://user:password@sqs.eu-central-1.amazonaws.com/1/doorbells",
        "https://sqs.eu-central-1.amazonaws.com",
        "https://sqs.eu-central-1.amazonaws.com/1/door bells",
        "ftp://127.0.0.1/1/doorbells",
    ],
)
def test_what_is_no_queue_is_refused_in_one_line(name: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be the https URL of an SQS queue, not "):
        settings(**{name: url})


@pytest.mark.parametrize(
    ("text", "push"),
    [
        ("eventbridge:default", (PushTarget("eventbridge", "default"),)),
        (f"eventbridge:{ARN}", (PushTarget("eventbridge", ARN),)),
        ("webhook:crm-sync", (PushTarget("webhook", "crm-sync"),)),
        ("webhook:a, eventbridge:b", (PushTarget("webhook", "a"), PushTarget("eventbridge", "b"))),
        ("webhook:a,webhook:a", (PushTarget("webhook", "a"),)),
    ],
)
def test_who_hears_is_named(text: str, push: tuple[PushTarget, ...]) -> None:
    assert settings(EXECUTION_AGENT_PUSH=text).push == push


@pytest.mark.parametrize(
    "text",
    [
        "crm",
        "webhook:",
        "webhook:CRM",
        "eventbridge:",
        "eventbridge:a b",
        "sns:topic",
        "webhook:a,",
        ",",
        "webhook:a;b",
    ],
)
def test_what_names_nobody_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^EXECUTION_AGENT_PUSH must be eventbridge:BUS and webhook:NAME"):
        settings(EXECUTION_AGENT_PUSH=text)


@pytest.mark.parametrize(("name", "value"), [*((name, QUEUE) for name in NAMES[:2]), (NAMES[2], "eventbridge:default")])
def test_without_a_stream_there_is_nobody_to_do_it(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} needs a ledger in DynamoDB"):
        Settings.from_environment({name: value})


def test_what_is_named_is_built(tmp_path: Path) -> None:
    config = tmp_path / "webhooks.json"
    config.write_text(json.dumps({"crm": {"url": "https://hooks.example.com/crm"}}))
    found = settings(
        EXECUTION_AGENT_DOORBELLS=QUEUE,
        EXECUTION_AGENT_QUARANTINE=QUEUE,
        EXECUTION_AGENT_PUSH="eventbridge:outcomes,webhook:crm",
        WEBHOOK_CONFIG_PATH=str(config),
    )
    world = outside_world(found, {})
    assert isinstance(world.doorbells, QueuedDoorbells)
    assert isinstance(world.quarantine, QueuedQuarantine)
    assert [type(announcer) for announcer in world.announcers] == [EventBus, WebhookAnnouncer]


def test_a_webhook_that_is_not_configured_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"^EXECUTION_AGENT_PUSH: no webhook is called 'crm'"):
        outside_world(settings(EXECUTION_AGENT_PUSH="webhook:crm"), {})
