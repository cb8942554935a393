"""Call a configured webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from domain.base_action import Attempt, BaseAction, Compensation, Done, Intent, Prepared
from domain.errors import FieldError, Refused, UnsafeTarget
from domain.field_class import personal, technical
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import WebhookTarget, World
from domain.validators.call_webhook import CallWebhookParameters


class CallWebhook(BaseAction[CallWebhookParameters]):
    """At least once, under one webhook-id; a target that is declared deduplicating takes it once."""

    action_type = "call_webhook"
    summary = "POST a JSON payload to a webhook that the configuration names."
    parameters = CallWebhookParameters
    delivery = Delivery.AT_LEAST_ONCE
    other_promises: ClassVar = {Delivery.IDEMPOTENT_BY_KEY: "its target says `deduplicates`"}
    correction = "Its target declares no `undo` target."
    subject = "parameters.webhook"
    tells = technical("reference", "webhook", "method", "template_sha256", "status", "truncated") | personal("body")

    def prepare(
        self, parameters: CallWebhookParameters, intent: Intent, world: World
    ) -> Prepared[CallWebhookParameters]:
        target = self._target(parameters, world)
        world.webhooks.check(target, parameters.headers)
        body, made_by = _body(parameters, target, intent, world)
        return Prepared(
            parameters,
            work=(target, body),
            facts={"webhook": target.name, "method": target.method, **made_by},
            delivery=Delivery.IDEMPOTENT_BY_KEY if target.deduplicates else Delivery.AT_LEAST_ONCE,
            timeout=target.timeout,
            target=f"webhook:{target.name}",
            limits=target.limits,
        )

    def _target(self, parameters: CallWebhookParameters, world: World) -> WebhookTarget:
        if parameters.webhook is not None:
            return world.webhooks.target(parameters.webhook)
        try:
            return world.webhooks.direct(parameters.url or "")
        except UnsafeTarget as unsafe:
            detail = FieldError("parameters.url", unsafe.code, unsafe.message)
            raise Refused(f"parameters.url: {unsafe.message}", details=[detail]) from None

    def compensation(self, done: Done) -> Compensation | None:
        """The target's declared undo target is told which call to take back, and what was in it."""
        if not done.undo or "webhook" not in done.undo:
            return None
        payload = {"undo_of": done.effect_key, "payload": done.parameters.get("payload", {})}
        return Compensation(self.action_type, {"webhook": done.undo["webhook"], "payload": payload})

    def execute(self, prepared: Prepared[CallWebhookParameters], attempt: Attempt, world: World) -> Outcome:
        target, body = prepared.work
        return world.webhooks.call(
            target,
            body,
            headers=prepared.parameters.headers,
            effect_key=attempt.effect_key,
            at=attempt.at,
            timeout=attempt.timeout,
        )


def _body(
    parameters: CallWebhookParameters, target: WebhookTarget, intent: Intent, world: World
) -> tuple[object, Mapping[str, Any]]:
    """What the call says, and the facts on it where a template has made it.

    Where an earlier call may have arrived, it is said again word for word, whatever the template is by now: under one
    key a receiver expects one body.
    """
    if intent.earlier:
        made_by = {name: intent.earlier[name] for name in ("template_sha256", "body") if name in intent.earlier}
        return made_by.get("body", parameters.payload), made_by
    body = world.webhooks.body(target, parameters.payload)
    return body, {"template_sha256": target.template_sha256, "body": body} if target.template_sha256 else {}
