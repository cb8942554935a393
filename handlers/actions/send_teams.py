"""Send a card to Microsoft Teams."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.chat import Card, Cards
from domain.field_class import technical
from domain.gate import Limits
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.send_teams import SendTeamsParameters
from domain.wording import wording_of


class SendTeams(BaseAction[SendTeamsParameters]):
    """At most once: a workflow posts the same card twice, and nobody can be asked whether it did."""

    action_type = "send_teams"
    summary = "Send a card to a channel or chat of Microsoft Teams."
    parameters = SendTeamsParameters
    delivery = Delivery.AT_MOST_ONCE
    limits = Limits(per_second=4.0)
    """What Teams takes from one webhook before it throttles."""
    correction = "A card that is posted stays posted; post a correction, as a new action."
    tells = technical("reference", "connection", "template", "template_sha256", "status")

    def prepare(self, parameters: SendTeamsParameters, intent: Intent, world: World) -> Prepared[SendTeamsParameters]:
        cards = world.connections.of(Cards, parameters.connection)
        wording = wording_of(parameters, world.templates)
        card = Card(parameters.title, wording.text, [(fact.title, fact.value) for fact in parameters.facts])
        cards.check(card)
        return Prepared(
            parameters,
            work=(cards, card),
            facts={"connection": cards.name, **wording.facts},
            target=f"teams:{cards.name}",
        )

    def execute(self, prepared: Prepared[SendTeamsParameters], attempt: Attempt, world: World) -> Outcome:
        cards, card = prepared.work
        outcome: Outcome = cards.post(card, effect_key=attempt.effect_key, timeout=attempt.timeout)
        return outcome
