"""Where no webhooks are configured, every call is refused at the door."""

from __future__ import annotations

import pytest

from adapters.no_webhooks import NoWebhooks
from agents.execution_agent.assembly import outside_world
from agents.execution_agent.config import Settings
from domain.errors import Refused


def test_an_agent_without_configuration_knows_no_webhook() -> None:
    webhooks = outside_world(Settings.from_environment({}), {}).webhooks
    assert isinstance(webhooks, NoWebhooks)
    with pytest.raises(Refused, match="WEBHOOK_CONFIG_PATH") as refused:
        webhooks.target("crm")
    assert refused.value.details[0].field == "parameters.webhook"
    with pytest.raises(Refused) as refused:
        webhooks.direct("https://example.com/")
    assert refused.value.details[0].field == "parameters.url"
