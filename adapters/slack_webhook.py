"""Slack, by an incoming webhook: one URL, one channel, no way back.

    the answer                          the outcome
    2xx, `ok`                           Succeeded
    2xx, anything else                  Unknown
    every other                         as `adapters.secret_url` tells it

A webhook takes no metadata and tells no ts: such a message can neither be found nor deleted.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.http import PUBLIC, Client, Reach, Response
from adapters.secret_url import SecretUrl
from adapters.secrets import Secrets
from adapters.slack import content_of
from domain.chat import ChatMessage, Sought
from domain.outcome import CannotTell, Finding, Outcome, Succeeded, Unknown
from domain.wording import unfit


@dataclass(frozen=True, slots=True)
class IncomingWebhook:
    """What the configuration says. `url` refers to the secret; `channel` is what people call the channel behind it."""

    name: str
    url: str
    channel: str
    allows_mentions: bool = False
    allows_images: bool = False
    reach: Reach = PUBLIC


class SlackWebhook:
    """The port `domain.chat.Chat`."""

    def __init__(self, webhook: IncomingWebhook, secrets: Secrets, client: Client | None = None) -> None:
        self._webhook = webhook
        self._url = SecretUrl("the Slack webhook", webhook.url, secrets, client or Client(), webhook.reach)

    @property
    def name(self) -> str:
        return self._webhook.name

    @property
    def allows_mentions(self) -> bool:
        return self._webhook.allows_mentions

    @property
    def allows_images(self) -> bool:
        return self._webhook.allows_images

    def channel(self, asked: str) -> str:
        """The one channel, if it is meant. Raises Refused."""
        if asked != self._webhook.channel:
            raise unfit("channel", f"connection {self.name} leads to the channel {self._webhook.channel} only")
        return asked

    def post(self, message: ChatMessage, *, effect_key: str, action_id: str, timeout: float) -> Outcome:  # noqa: ARG002
        """`result` is `{"channel"}`, the configured name of it."""
        answer = self._url.post(content_of(message), timeout=timeout)
        if not isinstance(answer, Response):
            return answer
        if answer.body.strip() != b"ok":
            return Unknown("slack_unreadable_reply", "the Slack webhook answered, and not with its ok")
        return Succeeded({"channel": self._webhook.channel})

    def find(self, sought: Sought, *, timeout: float) -> Finding:  # noqa: ARG002
        """Nobody can be asked."""
        return CannotTell("an incoming webhook tells nothing of what it has posted", again=False)
