"""Was it posted? A probe looks for the effect key in the metadata of the messages of the time of the attempt.

    a message carries it                                              Executed
    none, all were read, 20 minutes to a day after the attempt        NotExecuted
        but a message of this very app has no metadata                CannotTell   Slack may have dropped it
        but a message was deleted, and left a trace                   CannotTell
    earlier, later, or not all could be read                          CannotTell

Slack drops metadata whose type it does not know from the app's manifest, and says so only in a warning. A message that
somebody deleted within these minutes may leave no trace, and is then not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from adapters.http import Deadline
from adapters.slack_api import SlackApi
from domain.chat import Sought
from domain.outcome import CannotTell, NotExecuted

EVENT_TYPE = "execution_agent"
"""Of the metadata."""

SETTLED = timedelta(minutes=20)
"""After that nothing can bring about a message any more. Slack posts within seconds or not at all, but the machine's
own network goes on sending what it was given for up to 16 minutes after the connection was given up."""
KEPT = timedelta(days=1)
"""The shortest time for which a workspace can be set to keep its messages."""
SKEW = timedelta(minutes=5)
"""By which Slack's clock and ours may differ."""
PAGE = 100
"""Messages of one answer."""
MOST_PAGES = 20

Message: TypeAlias = Mapping[str, Any]


def look_for(sought: Sought, api: SlackApi, deadline: Deadline) -> str | NotExecuted | CannotTell:
    """The ts of the message, where it was posted. Reads, and changes nothing."""
    read: list[Message] = []
    try:
        for page in _pages(sought, api, deadline):
            for message in page:
                if _carries(message, sought.effect_key):
                    return _ts_of(message)
            read += page
        return _absence(sought, read, api, deadline)
    except _NotRead as not_read:
        return CannotTell(f"the channel's history could not be read: {not_read}")
    except TimeoutError:
        return CannotTell("the channel's history could not be read in time")


class _NotRead(Exception):
    """The history could not be read to its end."""


def _absence(
    sought: Sought, messages: Sequence[Message], api: SlackApi, deadline: Deadline
) -> NotExecuted | CannotTell:
    age = sought.now - sought.began
    if age < SETTLED:
        return CannotTell("it is not in the channel, and may still come")
    if age > KEPT:
        return CannotTell("it is not in the channel, which may not have kept it", again=False)
    if any(message.get("subtype") == "tombstone" for message in messages):
        return CannotTell("it is not in the channel, where a message was deleted", again=False)
    author = _author(api, deadline)
    if any(author.wrote(message) and "metadata" not in message for message in messages):
        return CannotTell("the app has posted a message without metadata, which may be this one", again=False)
    return NotExecuted({"channel": sought.channel, "messages_read": len(messages)})


# --- reading --------------------------------------------------------------------------------------------------------


def _pages(sought: Sought, api: SlackApi, deadline: Deadline) -> Iterator[Sequence[Message]]:
    """The messages of the time in which the attempt may have posted, page by page, to their end."""
    method, query = _question(sought)
    for _ in range(MOST_PAGES):
        answer = api.read(method, query, timeout=deadline.left())
        if not isinstance(answer, Mapping):
            raise _NotRead(answer.message)
        page, cursor = _page(answer)
        yield page
        if cursor is None:
            return
        query = {**query, "cursor": cursor}
    raise _NotRead(f"it has more than {MOST_PAGES} pages")


def _question(sought: Sought) -> tuple[str, Mapping[str, str]]:
    query = {
        "channel": sought.channel,
        "oldest": f"{(sought.began - SKEW).timestamp():.6f}",
        "latest": f"{(sought.began + SETTLED + SKEW).timestamp():.6f}",
        "inclusive": "true",
        "include_all_metadata": "true",
        "limit": str(PAGE),
    }
    if sought.thread is None:
        return "conversations.history", query
    return "conversations.replies", {**query, "ts": sought.thread}


def _page(answer: Mapping[str, Any]) -> tuple[Sequence[Message], str | None]:
    """The messages of an answer, and where the next ones begin."""
    messages, more = answer.get("messages"), answer.get("response_metadata")
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise _NotRead("an answer has no messages")
    if answer.get("is_limited"):
        raise _NotRead("the workspace shows no older messages")
    cursor = more.get("next_cursor") if isinstance(more, Mapping) else None
    if isinstance(cursor, str) and cursor:
        return messages, cursor
    if answer.get("has_more"):
        raise _NotRead("there are more messages, and no way to them")
    return messages, None


def _carries(message: Message, effect_key: str) -> bool:
    metadata = message.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT_TYPE:
        return False
    payload = metadata.get("event_payload")
    return isinstance(payload, Mapping) and payload.get("effect_key") == effect_key


def _ts_of(message: Message) -> str:
    ts = message.get("ts")
    if not isinstance(ts, str) or not re.fullmatch(r"[0-9]{1,12}\.[0-9]{6}", ts):
        raise _NotRead("the message has no ts")
    return ts


# --- whose messages -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Author:
    """Who posts under the token: `names` are its ids, by the member of a message in which each stands."""

    names: Mapping[str, str]

    def wrote(self, message: Message) -> bool:
        """Whether the message may be of this author."""
        return any(message.get(member) == name for member, name in self.names.items())


def _author(api: SlackApi, deadline: Deadline) -> _Author:
    answer = api.call("auth.test", {}, timeout=deadline.left())
    if not isinstance(answer, Mapping):
        raise _NotRead(answer.message)
    told = {"bot_id": answer.get("bot_id"), "user": answer.get("user_id")}
    names = {member: name for member, name in told.items() if isinstance(name, str) and name}
    if not names:
        raise _NotRead("Slack does not say who posts under the token")
    return _Author(names)
