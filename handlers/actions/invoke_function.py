"""Call a function."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.field_class import personal, technical
from domain.functions import LARGEST_PAYLOAD, Function
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.document import EFFECT_KEY, text_of
from domain.validators.invoke_function import InvokeFunctionParameters


class InvokeFunction(BaseAction[InvokeFunctionParameters]):
    """A function may run twice; the `effect_key` of its payload lets it know that. A durable one runs once under one
    name, which is kept for at least a day after its end."""

    action_type = "invoke_function"
    summary = "Call a function that the configuration names."
    parameters = InvokeFunctionParameters
    delivery = Delivery.AT_LEAST_ONCE
    other_promises: ClassVar = {Delivery.IDEMPOTENT_BY_KEY: "the function is durable"}
    key_window = timedelta(days=1)
    correction = "What the function did is for another function to take back, as a new action."
    tells = technical("reference", "connection", "truncated") | personal("answer")

    def prepare(
        self, parameters: InvokeFunctionParameters, intent: Intent, world: World
    ) -> Prepared[InvokeFunctionParameters]:
        function = world.connections.of(Function, parameters.connection)
        payload = {**parameters.payload, EFFECT_KEY: intent.effect_key}
        return Prepared(
            parameters,
            work=(function, text_of(payload, field="payload", at_most=LARGEST_PAYLOAD)),
            facts={"connection": function.connection},
            delivery=Delivery.IDEMPOTENT_BY_KEY if function.is_durable else self.delivery,
            timeout=function.timeout,
            target=f"function:{function.connection}",
        )

    def execute(self, prepared: Prepared[InvokeFunctionParameters], attempt: Attempt, world: World) -> Outcome:
        function, payload = prepared.work
        outcome: Outcome = function.invoke(payload, effect_key=attempt.effect_key, timeout=attempt.timeout)
        return outcome
