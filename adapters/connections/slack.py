"""A Slack workspace, by an app's bot token.

    {"kind": "slack", "token": "env:SLACK_BOT_TOKEN", "channels": {"renewals": "C0123ABCD"}}

`channels` are those that actions may post to: what they call each, and its id, by which Slack finds private channels,
too. `allow_mentions` lets a message call a whole channel, `allow_images` show what Slack fetches from any URL.
`base_url` is another Slack, such as https://slack-gov.com.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from adapters.connections import Entry
from adapters.secrets import SecretReference, Secrets

if TYPE_CHECKING:
    from adapters.slack import Slack

ChannelName = Annotated[str, Field(pattern=r"^[^\s#@<>]{1,80}$")]
ChannelId = Annotated[str, Field(pattern=r"^[CDG][A-Z0-9]{2,31}$")]


class Model(Entry):
    """An entry of kind `slack`."""

    token: SecretReference
    channels: dict[ChannelName, ChannelId] = Field(min_length=1)
    allow_mentions: bool = False
    allow_images: bool = False
    base_url: str = "https://slack.com"
    allow_http: bool = False
    allow_private_network: bool = False

    @model_validator(mode="after")
    def _base_url_is_one(self) -> Self:
        from adapters.guard import locate
        from domain.errors import UnsafeTarget

        try:
            place = locate(self.base_url, allow_http=self.allow_http, allow_private_network=self.allow_private_network)
        except UnsafeTarget as unsafe:
            raise ValueError(f"base_url: {unsafe.message}") from None
        if place.path != "/":
            raise ValueError("base_url: it has neither path nor query")
        return self


def connect(name: str, entry: Model, secrets: Secrets) -> Slack:
    from adapters.http import Reach
    from adapters.slack import Slack, Workspace

    reach = Reach(allow_http=entry.allow_http, allow_private_network=entry.allow_private_network)
    workspace = Workspace(
        name, entry.token, entry.channels, entry.allow_mentions, entry.allow_images, entry.base_url, reach
    )
    return Slack(workspace, secrets)
