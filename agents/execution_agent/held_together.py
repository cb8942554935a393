"""Which actions a legal hold is for that names none: those that have something in common, all that is in their runs,
and what takes any of them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from agents.execution_agent.agent import ExecutionAgent
from domain.identity import compensating_action_id, is_run_id

PAGE = 100
"""Actions that are looked for together."""


def held_together(agent: ExecutionAgent, asked: Mapping[str, str]) -> Iterator[str]:
    """The ids of actions: of each thing that they may have in common all that have it, as there are now. Too much is
    held rather than too little; an id may come twice.

    Raises Refused for what is no filter.
    """
    waiting = list(asked.items())
    runs = {value for name, value in waiting if name == "workflow"}
    while waiting:
        for any_id in _found(agent, *waiting.pop()):
            if not is_run_id(any_id):
                yield any_id
                yield from _compensations(agent, any_id)
            elif any_id not in runs:
                runs.add(any_id)
                waiting.append(("workflow", any_id))


def _found(agent: ExecutionAgent, name: str, value: str) -> Iterator[str]:
    """What says so of itself: actions, and runs."""
    cursor: str | None = None
    while True:
        page = agent.find(**{name: value}, limit=PAGE, cursor=cursor)
        yield from (row["action_id"] for row in page["actions"])
        cursor = page["next"]
        if cursor is None:
            break


def _compensations(agent: ExecutionAgent, action_id: str) -> Iterator[str]:
    """Nothing that they say leads to them: their ids are made of the action's."""
    for number in count(1):
        compensation = compensating_action_id(action_id, number)
        error = agent.status(compensation)["error"]
        if error is not None and error["code"] == "not_found":
            break
        yield compensation
