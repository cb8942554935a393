"""What is pushed holds the response and nothing of the configuration, whatever a receiver gave back."""

from __future__ import annotations

import json

from adapters.http import Client
from adapters.webhook_config import parse_config
from adapters.webhooks import Webhooks
from agents.execution_agent.config import ACTIONS
from tests.bells import Bells
from tests.receivers import Receiver, answer, answers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "Bearer 7c0d1f2e"


def test_no_secret_is_pushed() -> None:
    echo = json.dumps({"authorization": TOKEN, "secret": SECRET, "said": "thank you"}).encode()
    with Receiver(answers(answer(200, echo))) as receiver:
        entry = {
            "url": receiver.url("/hook/s3cr3t-path"),
            "secret": SECRET,
            "headers": {"authorization": TOKEN},
            "allow_http": True,
            "allow_private_network": True,
        }
        webhooks = Webhooks(parse_config(json.dumps({"crm": entry}).encode(), {}), Client())
        bells = Bells(world={"webhooks": webhooks}, actions=ACTIONS)
        bells.process({"action_type": "call_webhook", "parameters": {"webhook": "crm", "payload": {"a": 1}}})
    bells.hand_on(bells.stream)
    (news,) = bells.announcer.taken
    pushed = json.dumps(news.response)
    assert "thank you" in pushed
    assert [secret for secret in (SECRET, TOKEN, "s3cr3t-path", SECRET[6:]) if secret in pushed] == []
