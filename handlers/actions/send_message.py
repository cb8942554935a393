"""Send a message to a queue or a topic."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.field_class import technical
from domain.messaging import LARGEST_MESSAGE, Message, MessageChannel
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.document import text_of
from domain.validators.send_message import SendMessageParameters, check_group


class SendMessage(BaseAction[SendMessageParameters]):
    """A channel that keeps an order takes one effect key once within five minutes; others take a message twice, and
    its attribute `effect_key` lets a receiver know it again."""

    action_type = "send_message"
    summary = "Send a message to a queue or a topic that the configuration names."
    parameters = SendMessageParameters
    delivery = Delivery.AT_LEAST_ONCE
    other_promises: ClassVar = {Delivery.IDEMPOTENT_BY_KEY: "the queue or topic keeps an order"}
    key_window = timedelta(minutes=5)
    correction = "The message may have been acted on; send another one that corrects it."
    subject = "parameters.group"
    tells = technical("reference", "connection", "message_id", "sequence_number")

    def prepare(
        self, parameters: SendMessageParameters, intent: Intent, world: World
    ) -> Prepared[SendMessageParameters]:
        channel = world.connections.of(MessageChannel, parameters.connection)
        check_group(parameters.group, needed=channel.keeps_order)
        body = text_of(parameters.message, field="message", at_most=LARGEST_MESSAGE)
        return Prepared(
            parameters,
            work=(channel, Message(body, parameters.attributes, parameters.group)),
            facts={"connection": channel.connection},
            delivery=Delivery.IDEMPOTENT_BY_KEY if channel.keeps_order else self.delivery,
            target=f"messages:{channel.connection}",
        )

    def execute(self, prepared: Prepared[SendMessageParameters], attempt: Attempt, world: World) -> Outcome:
        channel, message = prepared.work
        outcome: Outcome = channel.send(message, effect_key=attempt.effect_key, timeout=attempt.timeout)
        return outcome
