"""How many came to which status, hour by hour, by action type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

from domain.events import Archived, Requested
from domain.lifecycle import STATUS_AFTER
from domain.workflow_events import RunLife, Started
from domain.workflow_standing import RunStatus
from projections.replay import Story

_HOUR = len("2026-03-01T12")

_OF_RUNS = {
    RunLife.STARTED: RunStatus.RUNNING,
    RunLife.PAUSED: RunStatus.PAUSED,
    RunLife.RESUMED: RunStatus.RUNNING,
    RunLife.ROLLBACK_BEGUN: RunStatus.ROLLING_BACK,
    RunLife.COMPLETED: RunStatus.COMPLETED,
    RunLife.COMPENSATED: RunStatus.COMPENSATED,
    RunLife.PARTIALLY_COMPENSATED: RunStatus.PARTIALLY_COMPENSATED,
    RunLife.NEEDS_OPERATOR: RunStatus.NEEDS_OPERATOR,
}
_CAME_TO: Mapping[str, str] = {
    **{life.topic: str(status) for life, status in STATUS_AFTER.items()},
    **{life.topic: str(status) for life, status in _OF_RUNS.items()},
}
"""The status that an event of a topic leads to, where it leads to another one."""

Counted: TypeAlias = tuple[str, str, str]
"""Hour, action type, status."""


class Counts:
    """`projections.replay.Projection`: a list of `{hour, action_type, status, count}`, by hour, type and status.

    `hour` is the first 13 characters of the time, which is UTC's. An action that comes to a status again counts again.
    """

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()

    def apply(self, story: Story) -> None:
        story.require_beginning()
        story.require_known()
        kind = action_type_of(story)
        self._counts.update(
            [
                (commit.at[:_HOUR], kind, _CAME_TO[topic])
                for commit in story.commits
                for topic, _ in commit.events
                if topic in _CAME_TO
            ]
        )

    def result(self) -> list[dict[str, Any]]:
        return [
            {"hour": hour, "action_type": action_type, "status": status, "count": count}
            for (hour, action_type, status), count in sorted(self._counts.items())
        ]

    def add(self, result: list[dict[str, Any]]) -> None:
        for row in result:
            self._counts[row["hour"], row["action_type"], row["status"]] += row["count"]


def action_type_of(story: Story) -> str:
    """As lists have it: `workflow:NAME` for a run, "" for a request that named none."""
    first = story.first
    if isinstance(first, Archived):
        return first.action_type
    if isinstance(first, Requested):
        return str(first.request.get("action_type", ""))
    return f"workflow:{first.name}" if isinstance(first, Started) else ""
