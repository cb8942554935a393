"""Start a workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.field_class import technical
from domain.outcome import CannotTell, Finding, Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.document import text_of
from domain.validators.start_workflow import StartWorkflowParameters
from domain.workflows import LARGEST_INPUT, Workflows


class StartWorkflow(BaseAction[StartWorkflowParameters]):
    """The execution is called as the effect key is: started again, it is the same one. Names are kept for 90 days after
    an execution's end. An express state machine knows no names, and starts an execution for every request."""

    action_type = "start_workflow"
    summary = "Start a workflow: an execution of a state machine that the configuration names."
    parameters = StartWorkflowParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    other_promises: ClassVar = {Delivery.AT_LEAST_ONCE: "the state machine is express"}
    key_window = timedelta(days=90)
    correction = "An express execution cannot be stopped."
    subject = "result.execution"
    tells = technical("reference", "connection", "state_machine", "execution", "execution_arn", "started_at")

    def prepare(
        self, parameters: StartWorkflowParameters, intent: Intent, world: World
    ) -> Prepared[StartWorkflowParameters]:
        workflows = world.connections.of(Workflows, parameters.connection)
        machine = workflows.machine(parameters.state_machine)
        return Prepared(
            parameters,
            work=(workflows, machine, _input(parameters)),
            facts={"connection": machine.connection, "state_machine": machine.name},
            delivery=Delivery.AT_LEAST_ONCE if machine.is_express else self.delivery,
            target=f"workflow:{machine.connection}:{machine.name}",
        )

    def execute(self, prepared: Prepared[StartWorkflowParameters], attempt: Attempt, world: World) -> Outcome:
        workflows, machine, document = prepared.work
        outcome: Outcome = workflows.start(machine, document, effect_key=attempt.effect_key, timeout=attempt.timeout)
        return outcome

    def probe(self, parameters: StartWorkflowParameters, inquiry: Inquiry, world: World) -> Finding:
        workflows = world.connections.of(Workflows, parameters.connection)
        machine = workflows.machine(parameters.state_machine)
        if machine.is_express:
            return CannotTell("an express state machine cannot be asked for an execution", again=False)
        age = world.clock.now() - inquiry.at
        return workflows.find(
            machine, _input(parameters), effect_key=inquiry.effect_key, age=age, timeout=inquiry.timeout
        )

    def compensation(self, done: Done) -> Compensation | None:
        """The execution is stopped. What its steps have done by then stays done."""
        if not done.undo:
            return None
        return Compensation("stop_workflow", {**done.undo, "cause": f"{done.action_id} is taken back"})


def _input(parameters: StartWorkflowParameters) -> str:
    return text_of(parameters.input, field="input", at_most=LARGEST_INPUT)
