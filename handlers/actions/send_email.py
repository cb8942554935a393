"""Send an e-mail made of a template."""

from __future__ import annotations

from collections.abc import Sequence

from domain.base_action import Attempt, BaseAction, Inquiry, Intent, Prepared
from domain.field_class import personal, technical
from domain.outcome import Finding, Outcome, Retry
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
    subject = "parameters.recipient"
    tells = technical("reference", "template", "template_sha256", "message_id", "outbox") | personal(
        "reply", "cc", "bcc", "reply_to", "attachments"
    )

    def prepare(self, parameters: SendEmailParameters, intent: Intent, world: World) -> Prepared[SendEmailParameters]:
        """Renders and composes the whole message, so that nothing can fail between intent and sending."""
        recipient = check_recipient(parameters.recipient)
        rendered = world.templates.render(parameters.template, parameters.variables)
        words = Email(recipient, rendered.subject, rendered.text, rendered.html)
        email: Email | Retry = words
        copies: Sequence[str] = ()
        facts = {"template": parameters.template, "template_sha256": rendered.sha256}
        if rendered.policy or parameters.addresses or parameters.attachments:
            # Imported here: most mails have nothing but their words.
            from handlers.actions.mail_additions import added

            additions = added(words, rendered.policy, parameters, intent, world)
            email, copies, facts = additions.email, additions.copies, {**facts, **additions.facts}
        message: bytes | Retry
        if isinstance(email, Email):
            message = world.email.compose(email, effect_key=intent.effect_key, at=intent.at)
        else:
            message = email
        return Prepared(parameters, work=(recipient, copies, message), facts=facts)

    def execute(self, prepared: Prepared[SendEmailParameters], attempt: Attempt, world: World) -> Outcome:
        recipient, copies, message = prepared.work
        if isinstance(message, Retry):
            return message
        return world.email.send(
            message, recipient=recipient, copies=copies, effect_key=attempt.effect_key, timeout=attempt.timeout
        )

    def can_probe(self, world: World) -> bool:
        return world.email.can_probe

    def probe(self, parameters: SendEmailParameters, inquiry: Inquiry, world: World) -> Finding:
        return world.email.probe(inquiry.effect_key, timeout=inquiry.timeout)
