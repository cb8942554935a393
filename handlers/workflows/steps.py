"""A step becomes an action: its request is made of the step, and of what is known when it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain import identity
from domain.action import Action, Order
from domain.errors import (
    ActionNotFound,
    Code,
    ErrorReport,
    EventTooLarge,
    IllegalTransition,
    LedgerConflict,
    NeedsApproval,
    Refused,
)
from domain.instant import to_text
from domain.ledger import ActionLedger
from domain.lifecycle import ENDED, Status
from domain.ports import World
from domain.request import fingerprint, read_request
from domain.workflow import WorkflowRun
from domain.workflow_definition import Step
from domain.workflow_ledger import RunLedger
from handlers.execute import Deadline, Execute
from handlers.validate import Validate
from handlers.workflows.context import Contexts
from handlers.workflows.expressions import evaluate


class Steps:
    """Makes the actions of a run, each under the one id that it can have."""

    def __init__(
        self,
        ledger: ActionLedger,
        runs: RunLedger,
        contexts: Contexts,
        validate: Validate,
        execute: Execute,
        world: World,
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._contexts = contexts
        self._validate = validate
        self._execute = execute
        self._world = world

    def action_of(self, run: WorkflowRun, step: str) -> Action | None:
        """The step's action as it stands, None where there is none (yet)."""
        try:
            return self._ledger.load(identity.step_action_id(run.id, step))
        except ActionNotFound:
            return None

    def carry_out(self, run: WorkflowRun, step: str, deadline: Deadline | None = None) -> Action:
        """The step's action: accepted, and attempted once where there is a deadline that allows it.

        If it is there already, as it stands. Of a run that was called off it is recorded as cancelled: nobody makes it
        later. Raises Refused where no request can be made of the step, so that there is nothing to record;
        LedgerUnavailable.
        """
        request = self._request_of(run, step)
        action_id = identity.step_action_id(run.id, step)
        action = Action.requested(
            action_id,
            request=request,
            fingerprint=fingerprint(request),
            effect_key=identity.effect_key(action_id),
            subject=self._validate.subject_of(request),
            at=self._world.clock.now(),
        )
        try:
            return self._accepted(action, deadline, _call_off(run))
        except LedgerConflict:
            return self._ledger.load(action_id)
        except EventTooLarge as large:
            raise Refused(f"what had to be recorded is too large: {large}", code=Code.TOO_LARGE) from None

    def call_off(self, run: WorkflowRun, step: str) -> Action:
        """The step's action, which is not to leave any more if it has not left. Raises as `carry_out` does.

        An attempt that runs is the last one. What may have taken effect goes on until that is known: it has to be taken
        back, or told.
        """
        action, order = self.action_of(run, step), _call_off(run)
        if action is None:
            action = self.carry_out(run, step)
        while order is not None and may_be_called_off(action):
            try:
                action.cancel(order, at=self._world.clock.now())
                self._ledger.record(action)
            except LedgerConflict:  # it went on: as often as it has attempts left, at most
                action = self._ledger.load(action.id)
            except IllegalTransition:
                break
        return action

    def _accepted(self, action: Action, deadline: Deadline | None, order: Order | None) -> Action:
        now = self._world.clock.now()
        options = read_request(_without_membership(action.request)).options
        ready = hold = None
        try:
            # What is only accepted is only checked: nobody else is asked for that.
            ready = self._validate.whole(action, 0.0 if deadline is None else deadline.remaining)
        except Refused as refused:
            action.reject(ErrorReport.of(refused), at=now)
            self._ledger.record(action)
            return action
        except NeedsApproval as needed:
            hold = needed.hold
        target = None if ready is None else ready.prepared.target
        action.validate(not_before=options.not_before, expires_at=options.expires_at, target=target, at=now)
        if hold is not None:
            action.put_on_hold(hold, at=now)
        if order is not None:
            action.cancel(order, at=now)
        elif ready is not None and deadline is not None and deadline.allows_an_attempt() and self._is_due(action):
            return self._execute.once(action, ready, deadline)
        self._ledger.record(action)
        return action

    def _is_due(self, action: Action) -> bool:
        now = self._world.clock.now()
        return not action.is_expired(now) and action.due_at is not None and action.due_at <= now

    def _request_of(self, run: WorkflowRun, step_id: str) -> Mapping[str, Any]:
        definition = self._runs.definition_of(run)
        step = next(step for step in definition.steps if step.id == step_id)
        context = self._contexts.of(run, definition, (step.parameters, *(route.parameters for route in step.fallback)))
        document = {
            "action_type": step.uses,
            "parameters": evaluate(step.parameters, context),
            "options": self._options_of(run, step, context),
            "correlation_id": run.cause.get("correlation_id"),
            "decision": {"agent": f"workflow:{run.name}", "reason": step.summary or f"the step {step.id} of {run.id}"},
        }
        return {**read_request(document).document, "workflow": {"run": run.id, "step": step.id}}

    def _options_of(self, run: WorkflowRun, step: Step, context: Mapping[str, Any]) -> dict[str, Any]:
        options = dict(step.options)
        begun = run.open.get(step.id)
        if step.timeout is not None and begun is not None:
            options["expires_at"] = to_text(begun.at + step.timeout)
        if step.fallback:
            options["fallback"] = [
                {"action_type": route.uses, "parameters": evaluate(route.parameters, context)}
                for route in step.fallback
            ]
        return options


def may_be_called_off(action: Action) -> bool:
    """Whether another attempt of it would be the first that takes effect, and nobody has forbidden that yet."""
    goes_on = action.status not in ENDED and action.status is not Status.IN_DOUBT
    return goes_on and not action.doubted and action.cancel_requested is None


def _call_off(run: WorkflowRun) -> Order | None:
    return None if run.called_off is None else Order(run.called_off["by"], run.called_off["why"])


def _without_membership(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in request.items() if name != "workflow"}
