"""What becomes of an action that a deployed agent has taken on, as an operator sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.deployment import Deployment


def words_of(deployment: Deployment, action_id: str) -> list[str]:
    """The events of its life."""
    return [entry["type"] for entry in deployment.operator.history(action_id)]


def row_of(deployment: Deployment, action_id: str) -> dict[str, Any]:
    """Its row in the list, empty as long as it has none."""
    return next((row for row in deployment.operator.list_actions() if row["action_id"] == action_id), {})


def listed_as(deployment: Deployment, action_id: str, status: str) -> Callable[[], dict[str, Any]]:
    """Looks for its row in the list of this status."""

    def look() -> dict[str, Any]:
        row = row_of(deployment, action_id)
        return row if row.get("status") == status else {}

    return look


def swept_to(deployment: Deployment, action_id: str, status: str) -> Callable[[], bool]:
    """Looks whether it stands so after one more sweep."""

    def look() -> bool:
        deployment.invoke({}, function="Sweep")
        return bool(deployment.operator.status(action_id)["status"] == status)

    return look
