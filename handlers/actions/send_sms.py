"""Send a text message to a phone."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.field_class import technical
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.text_messages import TextMessages
from domain.validators.send_sms import LONGEST_TEXT, SendSmsParameters, check_number
from domain.wording import refuse_longer, wording_of


class SendSms(BaseAction[SendSmsParameters]):
    """At most once: SNS takes the same message twice, and cannot be asked for one by its effect key."""

    action_type = "send_sms"
    summary = "Send a text message to one phone."
    parameters = SendSmsParameters
    delivery = Delivery.AT_MOST_ONCE
    correction = "A text message that is sent stays sent; send a correction, as a new action."
    subject = "parameters.recipient"
    tells = technical("reference", "connection", "template", "template_sha256", "message_id")

    def prepare(self, parameters: SendSmsParameters, intent: Intent, world: World) -> Prepared[SendSmsParameters]:
        phones = world.connections.of(TextMessages, parameters.connection)
        recipient = check_number(parameters.recipient, phones.prefixes)
        wording = wording_of(parameters, world.templates)
        refuse_longer(wording, LONGEST_TEXT)
        return Prepared(
            parameters,
            work=(phones, recipient, wording.text),
            facts={"connection": phones.name, **wording.facts},
            target=f"sms:{phones.name}",
        )

    def execute(self, prepared: Prepared[SendSmsParameters], attempt: Attempt, world: World) -> Outcome:
        phones, recipient, text = prepared.work
        outcome: Outcome = phones.send(recipient, text, timeout=attempt.timeout)
        return outcome
