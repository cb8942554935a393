"""What may leave the ledger, and what must stay: age decides, and a legal hold beats it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from domain.action import Action
from domain.lifecycle import ENDED

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun

YOUNGER = "younger"
OPEN = "open"
LEGAL_HOLD = "legal hold"
OPEN_RUN = "its run is open"
"""Why a life stays. For people, and counted in reports."""


def why_it_stays(standing: Action | WorkflowRun, before: datetime) -> str | None:
    """None where it is over, nothing has happened to it since `before`, nothing is due, and no legal hold is on it."""
    if not _is_over(standing):
        return OPEN
    if isinstance(standing, Action) and standing.legal_holds:
        return LEGAL_HOLD
    return YOUNGER if standing.modified_on >= before else None


def _is_over(standing: Action | WorkflowRun) -> bool:
    is_over = standing.status in ENDED if isinstance(standing, Action) else standing.is_over
    return is_over and standing.due_at is None
