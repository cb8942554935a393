"""What is left of a run that is over: each step whose effect stands, and why."""

from __future__ import annotations

from typing import cast

from domain.workflow import WorkflowRun
from domain.workflow_events import StepUndone
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import StepStatus


class Remains:
    """Tells them, the last that succeeded first."""

    def __init__(self, runs: RunLedger) -> None:
        self._runs = runs

    def of(self, run: WorkflowRun) -> list[dict[str, str]]:
        """`{step, action_id, action_type, status, why}` of each. Raises LedgerUnavailable."""
        uses = {step.id: step.uses or "" for step in self._runs.definition_of(run).steps}
        return [
            {"step": step, "action_id": run.action_of(step) or "", "action_type": uses[step], **self._why(run, step)}
            for step in run.standing()
        ]

    def _why(self, run: WorkflowRun, step: str) -> dict[str, str]:
        undone = run.undone.get(step)
        if undone is None:
            return {"status": str(StepStatus.SUCCEEDED), "why": "it was done, and nobody has asked to take it back"}
        event = cast("StepUndone", self._runs.event(run, undone.version))
        return {"status": str(undone.status), "why": (event.error or {}).get("message", "")}
