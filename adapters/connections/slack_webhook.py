"""A channel of Slack, by an incoming webhook. What goes there can neither be found again nor deleted.

    {"kind": "slack_webhook", "url": "env:SLACK_WEBHOOK_URL", "channel": "renewals"}

The URL is a secret. `channel` is what actions call the channel that it leads to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.connections import Entry
from adapters.connections.slack import ChannelName
from adapters.secrets import SecretReference, Secrets

if TYPE_CHECKING:
    from adapters.slack_webhook import SlackWebhook


class Model(Entry):
    """An entry of kind `slack_webhook`."""

    url: SecretReference
    channel: ChannelName
    allow_mentions: bool = False
    allow_images: bool = False
    allow_http: bool = False
    allow_private_network: bool = False


def connect(name: str, entry: Model, secrets: Secrets) -> SlackWebhook:
    from adapters.http import Reach
    from adapters.slack_webhook import IncomingWebhook, SlackWebhook

    reach = Reach(allow_http=entry.allow_http, allow_private_network=entry.allow_private_network)
    webhook = IncomingWebhook(name, entry.url, entry.channel, entry.allow_mentions, entry.allow_images, reach)
    return SlackWebhook(webhook, secrets)
