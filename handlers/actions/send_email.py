"""Send an e-mail made of a template."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Inquiry, Intent, Prepared
from domain.outcome import Finding, Outcome
from domain.policy import Delivery
from domain.ports import Email, World
from domain.validators.recipient import check_recipient
from domain.validators.send_email import SendEmailParameters


class SendEmail(BaseAction[SendEmailParameters]):
    """At most once: no mail protocol can say whether a message that got no answer was taken."""

    action_type = "send_email"
    summary = "Send an e-mail to one recipient, from a template and its variables."
    parameters = SendEmailParameters
    delivery = Delivery.AT_MOST_ONCE
    correction = "A mail that is sent stays sent; write to the recipient again, as a new action."

    def prepare(self, parameters: SendEmailParameters, intent: Intent, world: World) -> Prepared[SendEmailParameters]:
        """Renders and composes the whole message, so that nothing can fail between intent and sending."""
        recipient = check_recipient(parameters.recipient)
        rendered = world.templates.render(parameters.template, parameters.variables)
        email = Email(recipient, rendered.subject, rendered.text, rendered.html)
        message = world.email.compose(email, effect_key=intent.effect_key, at=intent.at)
        facts = {"template": parameters.template, "template_sha256": rendered.sha256}
        return Prepared(parameters, work=(recipient, message), facts=facts)

    def execute(self, prepared: Prepared[SendEmailParameters], attempt: Attempt, world: World) -> Outcome:
        recipient, message = prepared.work
        return world.email.send(message, recipient=recipient, effect_key=attempt.effect_key, timeout=attempt.timeout)

    def can_probe(self, world: World) -> bool:
        return world.email.can_probe

    def probe(self, parameters: SendEmailParameters, inquiry: Inquiry, world: World) -> Finding:
        return world.email.probe(inquiry.effect_key, timeout=inquiry.timeout)
