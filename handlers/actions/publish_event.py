"""Publish an event."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.field_class import technical
from domain.messaging import LARGEST_MESSAGE, Event, EventBus
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.document import EFFECT_KEY, text_of
from domain.validators.publish_event import PublishEventParameters


class PublishEvent(BaseAction[PublishEventParameters]):
    """A bus takes an event twice and hands it on twice; its `effect_key` lets a receiver know it again."""

    action_type = "publish_event"
    summary = "Publish an event on a bus that the configuration names."
    parameters = PublishEventParameters
    delivery = Delivery.AT_LEAST_ONCE
    correction = "Others may have acted on the event; publish another one that corrects it."
    subject = "parameters.detail_type"
    tells = technical("reference", "connection", "event_id")

    def prepare(
        self, parameters: PublishEventParameters, intent: Intent, world: World
    ) -> Prepared[PublishEventParameters]:
        bus = world.connections.of(EventBus, parameters.connection)
        detail = {**parameters.detail, EFFECT_KEY: intent.effect_key}
        return Prepared(
            parameters,
            work=(bus, text_of(detail, field="detail", at_most=LARGEST_MESSAGE)),
            facts={"connection": bus.connection},
            target=f"event_bus:{bus.connection}",
        )

    def execute(self, prepared: Prepared[PublishEventParameters], attempt: Attempt, world: World) -> Outcome:
        bus, detail = prepared.work
        event = Event(prepared.parameters.detail_type, detail, attempt.at)
        outcome: Outcome = bus.publish(event, timeout=attempt.timeout)
        return outcome
