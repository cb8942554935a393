"""What expressions of a run may look at: its inputs, and of the steps that they name how these ended.

    {"inputs": {...}, "run": {"id", "started_at"},
     "steps": {ID: {"status", "result", "error", "action_id", "callback_token"}}}

Results are read from the actions themselves when they are asked for. That of a step which is a run of its own is
`{"run_id", "status", "outputs"}`. `callback_token` is there for steps that wait for
somebody to call back; to name it is no reason to wait for the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from domain.action import Action
from domain.errors import ActionNotFound
from domain.instant import to_text
from domain.ledger import ActionLedger
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, StepKind
from domain.workflow_events import StepEnded
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import RunStatus
from handlers.workflows.expressions import evaluate, read_expression, references
from handlers.workflows.tokens import Tokens
from projections.status import response_of


class Contexts:
    """Makes contexts, each with no more in it than is asked for."""

    def __init__(self, ledger: ActionLedger, runs: RunLedger, tokens: Tokens) -> None:
        self._ledger = ledger
        self._runs = runs
        self._tokens = tokens

    def of_condition(self, run: WorkflowRun, definition: Definition, condition: str) -> Mapping[str, Any]:
        """For one expression without marks. Raises ExpressionError, LedgerUnavailable."""
        return self._with(run, definition, read_expression(condition).places)

    def of(self, run: WorkflowRun, definition: Definition, values: Iterable[Any]) -> Mapping[str, Any]:
        """For values with expressions. Raises ExpressionError, LedgerUnavailable."""
        return self._with(run, definition, references([*values]))

    def _with(
        self, run: WorkflowRun, definition: Definition, places: Iterable[tuple[str | int, ...]]
    ) -> Mapping[str, Any]:
        roots = {place[:2] for place in places if place and place[0] == "steps"}
        everything = any(len(root) < 2 for root in roots)
        wanted = [step for step in definition.steps if everything or ("steps", step.id) in roots]
        steps = {step.id: told for step in wanted if (told := self._told(run, step.id, step.kind)) is not None}
        return {"inputs": run.inputs, "run": {"id": run.id, "started_at": to_text(run.created_on)}, "steps": steps}

    def _told(self, run: WorkflowRun, step: str, kind: StepKind) -> dict[str, Any] | None:
        """None for a step of which there is nothing to tell yet."""
        token = {"callback_token": self._tokens.token(run.id, step)} if kind is StepKind.CALLBACK else {}
        if step not in run.ended:
            return token or None
        told: dict[str, Any] = {"status": str(run.end_of(step)), "result": None, "error": None, "action_id": None}
        action = self._action_of(run, step)
        if action is not None:
            response = response_of(action).as_dict()
            told |= {name: response[name] for name in ("result", "error", "action_id")}
        else:
            event = cast("StepEnded", self._runs.event(run, run.ended[step]))
            told |= {"result": event.result, "error": event.error}
        return {**told, **token, **self._told_of_run(run, step)}

    def _told_of_run(self, run: WorkflowRun, step: str) -> dict[str, Any]:
        """Of a step that is a run of its own, what that has to say; nothing of one that never began."""
        try:
            child = self._runs.load(run.run_of(step) or "")
        except ActionNotFound:
            return {}
        return {"result": {"run_id": child.id, "status": str(child.status), "outputs": self._outputs_of(child)}}

    def _outputs_of(self, run: WorkflowRun) -> dict[str, Any]:
        """What the definition says that a run brings; of one that was not completed, nothing."""
        definition = self._runs.definition_of(run)
        if run.status is not RunStatus.COMPLETED or not definition.outputs:
            return {}
        outputs: dict[str, Any] = evaluate(definition.outputs, self.of(run, definition, [definition.outputs]))
        return outputs

    def _action_of(self, run: WorkflowRun, step: str) -> Action | None:
        """None where the step is no action, or no request could be made of it."""
        action_id = run.action_of(step)
        try:
            return None if action_id is None else self._ledger.load(action_id)
        except ActionNotFound:
            return None
