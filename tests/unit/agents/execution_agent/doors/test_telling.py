"""Which door an event came through; what is not needed for it is not loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from agents.execution_agent.doors.telling import door_of
from tests.lambda_calls import Context

MESSAGE = {"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}
GATEWAY = {"bedrockAgentCoreToolName": "revops___greet"}

EVENTS: list[tuple[str, Any]] = [
    ("direct", {"action_type": "greet", "parameters": {}}),
    ("direct", {"action_type": "greet", "actions": [], "Records": []}),
    ("direct", {"parameters": {}}),
    ("plan", {"actions": [1]}),
    ("plan", {"actions": []}),
    ("undo", {"undo": {}}),
    ("undo", {"undo": None, "parameters": {}}),
    ("direct", {"undo": {}, "action_type": "greet"}),
    ("bedrock_function", {"messageVersion": "1.0", "actionGroup": "g", "function": "greet", "parameters": []}),
    ("bedrock_api", {"messageVersion": "1.0", "actionGroup": "g", "apiPath": "/actions/greet", "parameters": []}),
    ("http_api", {"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}}}),
    ("sqs", {"Records": [MESSAGE, MESSAGE]}),
    ("eventbridge", {"version": "0", "id": "1", "detail-type": "d", "source": "s", "detail": {}}),
    ("unknown", {}),
    ("unknown", None),
    ("unknown", [{"action_type": "greet"}]),
    ("unknown", {"actions": "greet"}),
    ("unknown", {"version": "1.0", "requestContext": {"http": {}}}),
    ("unknown", {"Records": []}),
    ("unknown", {"Records": [MESSAGE, {**MESSAGE, "messageId": ""}]}),
    ("unknown", {"Records": [MESSAGE, {**MESSAGE, "messageId": None}]}),
    ("unknown", {"Records": [MESSAGE, {**MESSAGE, "eventSource": "aws:s3"}]}),
]


@pytest.mark.parametrize(("door", "event"), EVENTS)
def test_an_event_is_told_by_its_outermost_members(door: str, event: Any) -> None:
    assert door_of(event, Context()).__name__ == f"agents.execution_agent.doors.{door}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("event", [event for _, event in EVENTS])
def test_whatever_a_tool_is_given_it_is_a_tool_that_was_called(event: Any) -> None:
    door = door_of(event, Context(custom=GATEWAY))
    assert door.__name__ == "agents.execution_agent.doors.agentcore"  # type: ignore[attr-defined]


@pytest.mark.parametrize("context", [None, Context(), Context(custom={}), object()])
def test_without_a_tool_in_the_context_it_is_the_event_that_tells(context: Any) -> None:
    assert door_of({"action_type": "greet"}, context).__name__.endswith(".direct")  # type: ignore[attr-defined]


LOADED = """
import json, sys
from agents.execution_agent import handler
from agents.execution_agent.agent import ExecutionAgent
from tests.house import agent_with, greet
before = set(sys.modules)
assert handler.answer(agent_with(), greet(), None)["status"] == "succeeded"
doors = [name for name in sys.modules if name.startswith("agents.execution_agent.doors.")]
heavy = [name for name in ("aws_lambda_powertools", "boto3", "agents.execution_agent.model_schemas", "http")
         if name in set(sys.modules) - before]
print(json.dumps([sorted(name.rpartition(".")[2] for name in doors), heavy]))
"""


def test_a_request_loads_no_door_but_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [["direct", "invocation", "telling"], []]
