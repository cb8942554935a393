"""What is logged comes out of a function as JSON, one object a line, whose members can be searched for.

The functions ask Lambda for that (`LogFormat: JSON`): then its own runtime client writes the lines, and no library is
loaded to do so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from domain.outcome import Permanent
from tests.bells import Bells
from tests.house import greet


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What Lambda's runtime client would write."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    handler.terminator = ""
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def logged(lines: StringIO, logger: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in found if line["logger"] == f"execution_agent.{logger}"]


def test_each_end_has_a_line_with_its_status_and_its_code(lines: StringIO) -> None:
    bells = Bells(Permanent("http_404", "no such account"))
    action_id = bells.process(greet())
    refused = bells.process({"action_type": "greet", "parameters": {}})
    cancelled = bells.process(greet(options={"mode": "accept"}))
    bells.agent.cancel(cancelled, actor="ada", reason="no longer wanted")
    bells.hand_on(bells.stream)
    told = {(line["action_id"], line["status"], line["code"]) for line in logged(lines, "announce")}
    assert told == {
        (action_id, "failed", "http_404"),
        (refused, "rejected", "invalid_parameters"),
        (cancelled, "cancelled", "cancelled"),
    }
    assert {line["event_id"] for line in logged(lines, "announce")} >= {f"{action_id}:5"}


def test_what_is_set_aside_is_an_error_with_its_action(lines: StringIO) -> None:
    bells = Bells()
    action_id = bells.process(greet())
    bells.hand_on([bells.poison(action_id)])
    (line,) = logged(lines, "quarantine")
    assert (line["level"], line["action_id"]) == ("ERROR", action_id)
