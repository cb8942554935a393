"""Stop a workflow."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.errors import FieldError, Refused
from domain.field_class import technical
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.stop_workflow import StopWorkflowParameters
from domain.workflows import StateMachine, Workflows


class StopWorkflow(BaseAction[StopWorkflowParameters]):
    """An execution that is stopped is stopped, however often it is told to."""

    action_type = "stop_workflow"
    summary = "Stop a workflow that is running; what its steps have done by then stays done."
    parameters = StopWorkflowParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = "An execution that was stopped stays stopped; start the workflow again, as a new action."
    subject = "parameters.execution"
    tells = technical("reference", "connection", "state_machine", "execution", "status")

    def prepare(
        self, parameters: StopWorkflowParameters, intent: Intent, world: World
    ) -> Prepared[StopWorkflowParameters]:
        workflows = world.connections.of(Workflows, parameters.connection)
        machine = workflows.machine(parameters.state_machine)
        _check_can_be_stopped(machine)
        return Prepared(
            parameters,
            work=(workflows, machine),
            facts={"connection": machine.connection, "state_machine": machine.name},
            target=f"workflow:{machine.connection}:{machine.name}",
        )

    def execute(self, prepared: Prepared[StopWorkflowParameters], attempt: Attempt, world: World) -> Outcome:
        workflows, machine = prepared.work
        outcome: Outcome = workflows.stop(
            machine,
            prepared.parameters.execution,
            cause=prepared.parameters.cause,
            effect_key=attempt.effect_key,
            timeout=attempt.timeout,
        )
        return outcome


def _check_can_be_stopped(machine: StateMachine) -> None:
    if machine.is_express:
        detail = FieldError("parameters.state_machine", Refused.code, "an express execution cannot be stopped")
        raise Refused(f"{detail.field}: {detail.message}", details=[detail])
