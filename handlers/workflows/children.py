"""A step becomes a run of its own: of the definition that is pinned in its parent's, with inputs made of what is known.

What happens to the parent happens to it: it is paused and resumed with it, cancelled with it, taken back with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.action import Order
from domain.errors import ActionNotFound
from domain.identity import child_run_id
from domain.instant import to_text
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, check_inputs
from domain.workflow_events import RunLife
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import MAY_STAND_AT, RunStatus
from domain.workflow_tidings import BY_ITSELF
from handlers.workflows.context import Contexts
from handlers.workflows.expressions import evaluate


class Children:
    """Makes the runs that steps become, each under the one id that it can have, and finds them."""

    def __init__(self, runs: RunLedger, contexts: Contexts, world: World) -> None:
        self._runs = runs
        self._contexts = contexts
        self._world = world

    def of(self, run: WorkflowRun, step: str) -> WorkflowRun | None:
        """The step's run as it stands, None where there is none (yet)."""
        try:
            return self._runs.load(child_run_id(run.id, step))
        except ActionNotFound:
            return None

    def new(self, run: WorkflowRun, step_id: str) -> WorkflowRun:
        """The step's run, not recorded yet. Raises Refused where its inputs are not what its definition asks for."""
        definition, now = self._runs.definition_of(run), self._world.clock.now()
        if run.is_schedule:
            return _started(run, step_id, definition, run.inputs, {}, now)
        step = next(step for step in definition.steps if step.id == step_id)
        pinned = definition.pinned(step)
        inputs = check_inputs(pinned, evaluate(step.parameters, self._contexts.of(run, definition, [step.parameters])))
        begun = run.open.get(step_id)
        until = {} if step.timeout is None or begun is None else {"until": to_text(begun.at + step.timeout)}
        child = _started(run, step_id, pinned, inputs, until, now)
        pass_on(run, child, at=now)
        return child


def _started(
    run: WorkflowRun,
    step: str,
    definition: Definition,
    inputs: Mapping[str, Any],
    until: Mapping[str, str],
    at: datetime,
) -> WorkflowRun:
    inherited = {name: run.cause[name] for name in _INHERITED if name in run.cause}
    return WorkflowRun.started(
        child_run_id(run.id, step),
        name=definition.name,
        definition=definition.document,
        definition_hash=definition.hash,
        inputs=inputs,
        cause={"run": run.id, "step": step, **until, **inherited},
        at=at,
    )


_INHERITED = ("correlation_id", "actor")


def pass_on(run: WorkflowRun, child: WorkflowRun, *, at: datetime) -> None:
    """What has become of the parent becomes of the child, where that still can be. Schedules only start their runs."""
    if run.is_schedule:
        return
    if run.rollback is not None:
        if child.rollback is None and child.status in MAY_STAND_AT[RunLife.ROLLBACK_BEGUN]:
            child.begin_rollback(run.rollback["by"], run.rollback["why"], at=at)
    elif run.cancelled is not None:
        if child.has_time_left:
            child.cancel(Order(run.cancelled["by"], run.cancelled["why"]), at=at)
    elif run.status is RunStatus.PAUSED:
        if child.status is RunStatus.RUNNING:
            child.pause(Order(BY_ITSELF, f"{run.id} is paused"), through=run.id, at=at)
    elif child.status is RunStatus.PAUSED and child.paused_through == run.id:
        child.resume(Order(BY_ITSELF, f"{run.id} goes on"), through=run.id, at=at)
