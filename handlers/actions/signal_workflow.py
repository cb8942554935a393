"""Tell a waiting workflow what it waits for."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.field_class import technical
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.document import text_of
from domain.validators.signal_workflow import SignalWorkflowParameters
from domain.workflows import LARGEST_INPUT, Signal, TaskFailed, TaskSucceeded, Waiting, Workflows


class SignalWorkflow(BaseAction[SignalWorkflowParameters]):
    """A task ends once, and its token is used up with it: a signal that is sent again does nothing more. Whether the
    earlier one did it, or the task had timed out, nobody can tell then: it is in doubt."""

    action_type = "signal_workflow"
    summary = "Tell a workflow that waits for it how its task ended, by the token that the task gave away."
    parameters = SignalWorkflowParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = "The workflow has gone on with what it was told."
    tells = technical("reference", "connection", "signal")

    def prepare(
        self, parameters: SignalWorkflowParameters, intent: Intent, world: World
    ) -> Prepared[SignalWorkflowParameters]:
        workflows = world.connections.of(Workflows, parameters.connection)
        signal = _signal(parameters)
        return Prepared(
            parameters,
            work=(workflows, signal),
            facts={"connection": workflows.connection, "signal": type(signal).__name__},
            target=f"workflow:{workflows.connection}",
        )

    def execute(self, prepared: Prepared[SignalWorkflowParameters], attempt: Attempt, world: World) -> Outcome:
        workflows, signal = prepared.work
        waiting = Waiting(prepared.parameters.task_token)
        outcome: Outcome = workflows.signal(waiting, signal, timeout=attempt.timeout)
        return outcome


def _signal(parameters: SignalWorkflowParameters) -> Signal:
    if parameters.output is None:
        return TaskFailed(parameters.error or "", parameters.cause)
    return TaskSucceeded(text_of(parameters.output, field="output", at_most=LARGEST_INPUT))
