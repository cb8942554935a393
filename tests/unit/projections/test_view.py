"""An action's row: what it says of the request, whatever was asked."""

from __future__ import annotations

from typing import Any

import pytest

from domain.priority import Priority
from tests.house import agent_with, greet


@pytest.mark.parametrize(
    ("options", "priority"),
    [({"priority": "high"}, "high"), ({"priority": "low"}, "low"), ({"mode": "accept"}, "normal"), ({}, "normal")],
)
def test_a_row_tells_the_priority_that_was_asked_for(options: dict[str, Any], priority: str) -> None:
    agent = agent_with()
    agent.process(greet(options=options))
    assert [row["priority"] for row in agent.list_actions()] == [priority]


@pytest.mark.parametrize("options", [None, 5, ["high"], "high", {"priority": "urgent"}, {"priority": ["high"]}])
def test_what_was_refused_may_have_asked_for_anything_and_is_listed_as_normal(options: Any) -> None:
    agent = agent_with()
    agent.process({"action_type": "greet", "parameters": {}, "options": options})
    (row,) = agent.list_actions()
    assert (row["status"], row["priority"]) == ("rejected", str(Priority.NORMAL))
