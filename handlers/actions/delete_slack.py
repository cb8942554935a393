"""Delete a message from a channel of Slack: what takes `send_slack` back."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Intent, Prepared
from domain.chat import ErasableChat
from domain.field_class import technical
from domain.outcome import Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.delete_slack import DeleteSlackParameters


class DeleteSlack(BaseAction[DeleteSlackParameters]):
    """Idempotent: the message is named by channel and ts, and what is gone cannot be deleted again."""

    action_type = "delete_slack"
    summary = "Delete a message that this app has posted to a Slack channel."
    parameters = DeleteSlackParameters
    delivery = Delivery.IDEMPOTENT_BY_KEY
    correction = "What is deleted stays deleted; post it again, as a new action."
    subject = "parameters.channel"
    tells = technical("reference", "connection", "channel", "ts", "already_gone")

    def prepare(
        self, parameters: DeleteSlackParameters, intent: Intent, world: World
    ) -> Prepared[DeleteSlackParameters]:
        chat = world.connections.of(ErasableChat, parameters.connection)
        channel = chat.channel(parameters.channel)
        return Prepared(
            parameters,
            work=(chat, channel),
            facts={"connection": chat.name, "channel": channel},
            target=f"slack:{chat.name}:delete",
        )

    def execute(self, prepared: Prepared[DeleteSlackParameters], attempt: Attempt, world: World) -> Outcome:
        chat, channel = prepared.work
        outcome: Outcome = chat.erase(channel, prepared.parameters.ts, timeout=attempt.timeout)
        return outcome
