"""Where does a workflow run stand? The answer to whoever asks, from a run and its definition alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from domain.errors import Code, ErrorReport
from domain.instant import to_text
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, Step
from domain.workflow_standing import UndoStatus
from domain.workflow_tidings import BY_ITSELF
from projections.status import error_as_dict

NOT_TAKEN_BACK = (
    "its compensation failed: redrive that when the cause is mended, or undo the action anew where it was denied"
)


@dataclass(frozen=True, slots=True)
class RunResponse:
    """Where a run stands; `run` is None where there is none."""

    run: WorkflowRun | None
    definition: Definition | None = None
    errors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What went wrong at which step: `{code, message}`."""
    error: ErrorReport | None = None
    duplicate: bool = False

    def as_duplicate(self) -> RunResponse:
        return replace(self, duplicate=True)

    def with_error(self, error: ErrorReport) -> RunResponse:
        return replace(self, error=error)

    def as_dict(self) -> dict[str, Any]:
        """Always these members, in plain JSON values. `status` is rejected where nothing was started."""
        run = self.run
        return {
            "run_id": None if run is None else run.id,
            "name": None if run is None else run.name,
            "status": "rejected" if run is None else str(run.status),
            "steps": [] if run is None or self.definition is None else steps_of(run, self.definition, self.errors),
            "schedule": None if run is None or not run.is_schedule else _schedule_of(run),
            "remaining": [] if run is None else [dict(one) for one in run.remaining or ()],
            "needs_operator": None if run is None else _needs_of(run),
            "error": None if self.error is None else error_as_dict(self.error),
            "duplicate": self.duplicate,
        }


def unknown_run(run_id: object) -> RunResponse:
    """The answer about a run that nobody has heard of."""
    return RunResponse(None, error=ErrorReport(Code.NOT_FOUND, f"no workflow run has the id {str(run_id)[:80]!a}"))


def _needs_of(run: WorkflowRun) -> dict[str, Any] | None:
    """`{steps, why, owner}`: what a person has to see to. The owner, where one is known, is whoever wanted the run
    taken back, else whoever started it. A compensation that failed needs somebody also where the others went on."""
    failed = [left["step"] for left in run.remaining or () if left["status"] == UndoStatus.COMPENSATION_FAILED]
    needs = run.needs or ({"steps": failed, "why": NOT_TAKEN_BACK} if failed else None)
    if needs is None:
        return None
    by = None if run.rollback is None or run.rollback["by"] == BY_ITSELF else run.rollback["by"]
    return {**needs, "owner": by or run.cause.get("actor")}


def _schedule_of(run: WorkflowRun) -> dict[str, Any]:
    """`{next, queued, run_id}`: its next moment, one that waits, and the run that goes on; each null where none is."""
    return {
        "next": None if run.next_moment is None or run.is_over else to_text(run.next_moment),
        "queued": run.queued,
        "run_id": next((one.run for one in run.open.values()), None),
    }


def steps_of(run: WorkflowRun, definition: Definition, errors: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """A list of `{id, kind, uses, needs, status, action_id, run_id, error}`, in the order of the definition.

    `status` is pending, running, waiting, succeeded, failed, skipped or timed_out; and for what is taken back, undoing,
    compensated, irreversible or compensation_failed. A schedule carries out none itself.
    """
    return [
        {
            "id": step.id,
            "kind": str(step.kind),
            "uses": step.uses or step.file,
            "needs": list(step.needs),
            "status": _status_of(run, step),
            "action_id": run.action_of(step.id),
            "run_id": run.run_of(step.id),
            "error": dict(errors[step.id]) if step.id in errors else None,
        }
        for step in (() if run.is_schedule else definition.steps)
    ]


def _status_of(run: WorkflowRun, step: Step) -> str:
    if step.id == run.undoing:
        return "undoing"
    if step.id in run.undone:
        return str(run.undone[step.id].status)
    if step.id in run.ended:
        return str(run.end_of(step.id))
    if step.id in run.open:
        return "waiting" if run.open[step.id].only_waits else "running"
    return "pending"
