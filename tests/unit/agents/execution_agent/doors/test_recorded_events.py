"""The events under infra/events, and the replies that people were shown: they outlive the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.handler import answer
from domain.errors import ConfigurationError
from tests.house import settings
from tests.lambda_calls import Context

EVENTS = Path(__file__).parents[5] / "infra" / "events"
DOORS = (
    "direct",
    "plan",
    "undo",
    "bedrock_function",
    "bedrock_api",
    "agentcore",
    "http",
    "sqs",
    "eventbridge",
    "unknown",
)
NAMES = sorted(
    name for path in EVENTS.glob("*.reply.json") if (name := path.name.removesuffix(".reply.json")).startswith(DOORS)
)


def recorded(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


def context_of(name: str) -> Context:
    if not (EVENTS / f"{name}.context.json").exists():
        return Context()
    return Context(custom=recorded(f"{name}.context")["client_context"]["custom"])


def comparable(reply: Any, outbox: Path) -> Any:
    """As infra/events/README.md says."""
    text = json.dumps(reply).replace(str(outbox), "<outbox>")
    text = re.sub(r'"request_hash": "[0-9a-f]{64}"', '"request_hash": "<request_hash>"', text)
    return json.loads(re.sub(r"act_[0-9a-z]{26}", "<action_id>", text))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_event_is_answered_as_it_was_recorded(name: str, tmp_path: Path) -> None:
    with ExecutionAgent(settings({"EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}"})) as agent:
        reply = answer(agent, recorded(name), context_of(name))
    assert comparable(reply, tmp_path) == recorded(f"{name}.reply")


def test_a_recorded_event_that_nobody_reads_the_answer_of_fails_the_function() -> None:
    with ExecutionAgent(settings({})) as agent, pytest.raises(ConfigurationError) as raised:
        answer(agent, recorded("unknown_s3"), Context())
    told = {"errorType": type(raised.value).__name__, "errorMessage": str(raised.value)}
    assert told == recorded("unknown_s3.error")


def test_there_is_a_recorded_event_for_every_door() -> None:
    assert [door for door in DOORS if not any(name.startswith(door) for name in NAMES)] == []
