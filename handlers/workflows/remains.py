"""What is left of a run that is over: each step whose effect stands, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from domain.errors import ActionNotFound
from domain.workflow import LONGEST_WHY, WorkflowRun
from domain.workflow_events import StepUndone
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import StepStatus


class Remains:
    """Tells them, the last that succeeded first."""

    def __init__(self, runs: RunLedger) -> None:
        self._runs = runs

    def of(self, run: WorkflowRun) -> list[dict[str, str]]:
        """`{step, action_id, action_type, status, why}` of each. Raises LedgerUnavailable.

        A step that is a run of its own is told as one, under the run's id; what exactly is left, that run tells.
        """
        uses = {step.id: step.uses or "" for step in self._runs.definition_of(run).steps}
        return [left for step in run.standing() for left in self._left_of(run, step, uses[step])]

    def _left_of(self, run: WorkflowRun, step: str, uses: str) -> Iterator[dict[str, str]]:
        if step not in run.nested:
            yield {"step": step, "action_id": run.action_of(step) or "", "action_type": uses, **self._why(run, step)}
            return
        child = self._child(run, step)
        left = [] if child is None else [one["step"] for one in self.of(child)]
        if child is not None and left:
            told = {"step": step, "action_id": child.id, "action_type": f"workflow:{child.name}"}
            yield {**told, "status": str(child.status), "why": f"this is left of it: {', '.join(left)}"[:LONGEST_WHY]}

    def _child(self, run: WorkflowRun, step: str) -> WorkflowRun | None:
        try:
            return self._runs.load(run.run_of(step) or "")
        except ActionNotFound:
            return None

    def _why(self, run: WorkflowRun, step: str) -> dict[str, str]:
        undone = run.undone.get(step)
        if undone is None:
            return {"status": str(StepStatus.SUCCEEDED), "why": "it was done, and nobody has asked to take it back"}
        event = cast("StepUndone", self._runs.event(run, undone.version))
        return {"status": str(undone.status), "why": (event.error or {}).get("message", "")}
