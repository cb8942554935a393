"""Send a message to a channel of Slack."""

from __future__ import annotations

from domain.base_action import Attempt, BaseAction, Compensation, Done, Inquiry, Intent, Prepared
from domain.chat import Chat, ChatMessage, Sought
from domain.field_class import technical
from domain.gate import Limits
from domain.outcome import CannotTell, Finding, Outcome
from domain.policy import Delivery
from domain.ports import World
from domain.validators.send_slack import SendSlackParameters, refuse_images, refuse_mentions, slack_wording
from domain.wording import wording_of
from handlers.actions.delete_slack import DeleteSlack


class SendSlack(BaseAction[SendSlackParameters]):
    """At most once: Slack takes the same message twice. In doubt, the channel is searched for the effect key."""

    action_type = "send_slack"
    summary = "Send a message to a Slack channel that the configuration allows."
    parameters = SendSlackParameters
    delivery = Delivery.AT_MOST_ONCE
    limits = Limits(per_second=1.0)
    """Slack's own, for one channel (https://docs.slack.dev/apis/web-api/rate-limits)."""
    correction = "Nobody can delete what an incoming webhook has posted; post a correction, as a new action."
    subject = "parameters.channel"
    tells = technical("reference", "connection", "channel", "ts", "template", "template_sha256")

    def prepare(self, parameters: SendSlackParameters, intent: Intent, world: World) -> Prepared[SendSlackParameters]:
        chat = world.connections.of(Chat, parameters.connection)
        channel = chat.channel(parameters.channel)
        wording = wording_of(parameters, world.templates)
        if not chat.allows_mentions:
            refuse_mentions(wording, parameters.blocks)
        if not chat.allows_images:
            refuse_images(parameters.blocks)
        message = ChatMessage(channel, slack_wording(wording).text, parameters.blocks, parameters.thread_ts)
        return Prepared(
            parameters,
            work=(chat, message),
            facts={"connection": chat.name, "channel": channel, **wording.facts},
            target=f"slack:{chat.name}:{channel}",
        )

    def execute(self, prepared: Prepared[SendSlackParameters], attempt: Attempt, world: World) -> Outcome:
        chat, message = prepared.work
        outcome: Outcome = chat.post(
            message, effect_key=attempt.effect_key, action_id=attempt.action_id, timeout=attempt.timeout
        )
        return outcome

    def probe(self, parameters: SendSlackParameters, inquiry: Inquiry, world: World) -> Finding:
        """Looks where the attempt has posted, whatever the configuration says by now."""
        connection, channel = inquiry.facts.get("connection"), inquiry.facts.get("channel")
        if not isinstance(connection, str) or not isinstance(channel, str):
            return CannotTell("the attempt does not tell where it has posted", again=False)
        sought = Sought(channel, parameters.thread_ts, inquiry.effect_key, inquiry.at, world.clock.now())
        return world.connections.of(Chat, connection).find(sought, timeout=inquiry.timeout)

    def compensation(self, done: Done) -> Compensation | None:
        """The message is deleted, where Slack has told which it is."""
        if not done.undo or "ts" not in done.undo:
            return None
        return Compensation(
            DeleteSlack.action_type, {name: done.undo[name] for name in ("connection", "channel", "ts")}
        )
