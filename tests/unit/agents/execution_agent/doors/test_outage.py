"""An agent that cannot even be made: each door says so in its own words, and shows no setting to a caller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[5]
EVENTS = ROOT / "infra" / "events"

INVOKED = """
import json, sys
from pathlib import Path
from agents.execution_agent.handler import invoke
from domain.errors import ConfigurationError

def answered(name):
    try:
        return invoke(json.loads(Path(name).read_text()), None)
    except ConfigurationError as error:
        return f"raised {error}"

print(json.dumps([answered(name) for name in sys.argv[1:]]))
"""

NAMES = ("direct_invoke", "plan", "eventbridge", "http_post", "bedrock_function", "bedrock_api", "sqs")


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What a function answers whose settings are wrong, by event."""
    environ = os.environ | {"EXECUTION_AGENT_LEDGER": "postgres://secret", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", INVOKED, *[str(EVENTS / f"{name}.json") for name in NAMES]]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert "postgres://secret" in done.stderr, "operators find it in the log"
    return dict(zip(NAMES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", ["direct_invoke", "plan", "eventbridge"])
def test_where_a_failed_function_says_it_best_it_fails(answers: dict[str, Any], name: str) -> None:
    assert answers[name].startswith("raised EXECUTION_AGENT_LEDGER")


@pytest.mark.parametrize("name", ["http_post", "bedrock_function", "bedrock_api", "sqs"])
def test_callers_are_told_no_more_than_they_need(answers: dict[str, Any], name: str) -> None:
    assert "secret" not in json.dumps(answers[name])


def test_over_http_the_agent_is_unavailable(answers: dict[str, Any]) -> None:
    reply = answers["http_post"]
    assert set(reply) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert (reply["statusCode"], json.loads(reply["body"])["error"]["code"]) == (503, "configuration")
    assert answers["bedrock_api"]["response"]["httpStatusCode"] == 503


def test_a_turn_of_bedrock_ends(answers: dict[str, Any]) -> None:
    assert answers["bedrock_function"]["response"]["functionResponse"]["responseState"] == "FAILURE"


def test_every_message_comes_again(answers: dict[str, Any]) -> None:
    messages = json.loads((EVENTS / "sqs.json").read_text("utf-8"))["Records"]
    named = [failure["itemIdentifier"] for failure in answers["sqs"]["batchItemFailures"]]
    assert named == [message["messageId"] for message in messages]
