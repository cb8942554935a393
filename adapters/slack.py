"""Slack: messages posted by chat.postMessage, deleted by chat.delete, and found again by their metadata.

Every message carries the effect key in its metadata. The token needs the scope `chat:write`, and for a probe
`channels:history`, or `groups:history` for private channels.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.http import PUBLIC, Client, Deadline, Reach
from adapters.secrets import Secrets
from adapters.slack_api import SlackApi
from adapters.slack_history import EVENT_TYPE, look_for
from domain.chat import ChatMessage, Sought
from domain.outcome import Executed, Finding, Outcome, Permanent, Succeeded
from domain.wording import unfit


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the configuration says. `token` refers to the secret; `channels` are the ids of those that are allowed."""

    name: str
    token: str
    channels: Mapping[str, str]
    allows_mentions: bool = False
    allows_images: bool = False
    base_url: str = "https://slack.com"
    reach: Reach = PUBLIC


class Slack:
    """The ports `domain.chat.Chat` and `domain.chat.ErasableChat`."""

    def __init__(
        self,
        workspace: Workspace,
        secrets: Secrets,
        client: Client | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = workspace
        self._api = SlackApi(workspace.base_url, workspace.token, secrets, client or Client(), workspace.reach)
        self._monotonic = monotonic

    @property
    def name(self) -> str:
        return self._workspace.name

    @property
    def allows_mentions(self) -> bool:
        return self._workspace.allows_mentions

    @property
    def allows_images(self) -> bool:
        return self._workspace.allows_images

    def channel(self, asked: str) -> str:
        """The id of an allowed channel, asked for by name or id. Raises Refused."""
        channels = self._workspace.channels
        if asked in channels:
            return channels[asked]
        if asked in channels.values():
            return asked
        there = ", ".join(sorted(channels))
        raise unfit("channel", f"no channel {asked[:64]!a} is allowed on connection {self.name}; there are: {there}")

    def post(self, message: ChatMessage, *, effect_key: str, action_id: str, timeout: float) -> Outcome:
        """`result` is `{"channel", "ts"}`, which is also the reference, and `undo` with the connection's name."""
        identity = {"effect_key": effect_key, "action_id": action_id}
        metadata = {"event_type": EVENT_TYPE, "event_payload": identity}
        body = {"channel": message.channel, **content_of(message), "metadata": metadata}
        answer = self._api.call("chat.postMessage", body, timeout=timeout)
        if not isinstance(answer, Mapping):
            return answer
        channel, ts = str(answer.get("channel")), str(answer.get("ts"))
        if _CHANNEL.fullmatch(channel) and _TS.fullmatch(ts):
            return self._posted(channel, ts)
        return self._api.unreadable("does not name the message that it has posted")

    def erase(self, channel: str, message: str, *, timeout: float) -> Outcome:
        """`result` is `{"channel", "ts"}`, with `"already_gone": true` where there was nothing to delete."""
        gone = {"channel": channel, "ts": message}
        answer = self._api.call("chat.delete", gone, timeout=timeout)
        if isinstance(answer, Mapping):
            return Succeeded(gone, _reference(channel, message))
        if isinstance(answer, Permanent) and answer.code == "message_not_found":
            return Succeeded({**gone, "already_gone": True}, _reference(channel, message))
        return answer

    def find(self, sought: Sought, *, timeout: float) -> Finding:
        """As `adapters.slack_history` tells it; what is found is told as `post` would have."""
        found = look_for(sought, self._api, Deadline(timeout, self._monotonic))
        if not isinstance(found, str):
            return found
        posted = self._posted(sought.channel, found)
        return Executed(posted.result, posted.result, posted.reference, posted.undo)

    def _posted(self, channel: str, ts: str) -> Succeeded:
        posted = {"channel": channel, "ts": ts}
        return Succeeded(posted, _reference(channel, ts), {"connection": self.name, **posted})


def content_of(message: ChatMessage) -> Mapping[str, Any]:
    """What a message says. Slack fetches no link in it: a URL that an agent was made to write could carry anything."""
    said = {"text": message.text, "blocks": list(message.blocks), "thread_ts": message.thread}
    given = {name: value for name, value in said.items() if value}
    return {**given, "unfurl_links": False, "unfurl_media": False}


_CHANNEL = re.compile(r"[A-Z0-9]{2,64}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{6}")


def _reference(channel: str, ts: str) -> str:
    return f"{channel}/{ts}"
