"""Slack as its documentation tells it: messages, metadata, threads, histories in pages, deletion, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.doubles.server import Asked, Double, Reply

TOKEN = "xoxb-canary-4b825dc642cb6eb9a060e54bf8d69288"
RENEWALS = "C0RENEWALS"
BOT, USER = "B0OURS", "U0OURS"
SCOPES = frozenset({"chat:write", "channels:history"})


class Refuses(Exception):
    """`ok: false`, with this error."""


@dataclass
class Post:
    """A message in a channel. `says` is what Slack shows of it."""

    ts: str
    thread: str | None
    says: dict[str, Any] = field(default_factory=dict)


class SlackDouble(Double):
    """One workspace. `keeps_metadata`: whether the app's manifest declares the type of ours."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.now = now
        self.token = TOKEN
        self.scopes = set(SCOPES)
        self.channels: dict[str, list[Post]] = {RENEWALS: []}
        self.archived: set[str] = set()
        self.keeps_metadata = True
        self.largest_page = 1000
        self._last = 0.0

    # -- what a test sees and does ----------------------------------------------------------------------------------

    def texts(self, channel: str = RENEWALS) -> list[str]:
        return [post.says.get("text", "") for post in self.channels[channel]]

    def calls(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == f"/api/{method}"]

    def somebody_says(self, text: str, *, channel: str = RENEWALS, thread: str | None = None, **says: Any) -> str:
        """A message of somebody else."""
        author = {"user": "U0SOMEBODY"} if "bot_id" not in says else {}
        return self._add(channel, thread, {"text": text, **author, **says}).ts

    def delete(self, ts: str, channel: str = RENEWALS) -> None:
        """Somebody deletes a message. One that was answered leaves a tombstone."""
        posts = self.channels[channel]
        (gone,) = [post for post in posts if post.ts == ts]
        if any(post.thread == ts for post in posts):
            gone.says = {"subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT"}
        else:
            posts.remove(gone)

    # -- the Web API ------------------------------------------------------------------------------------------------

    def reply(self, asked: Asked) -> Reply:
        method = asked.path.removeprefix("/api/")
        try:
            self._authorize(asked)
            said = self._methods()[method](_arguments(asked))
        except Refuses as refused:
            return _json({"ok": False, "error": str(refused)})
        return _json({"ok": True, **said})

    def _methods(self) -> Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]:
        return {
            "auth.test": lambda _: {"bot_id": BOT, "user_id": USER, "team_id": "T0TEAM"},
            "chat.postMessage": self._post_message,
            "chat.delete": self._delete,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }

    def _authorize(self, asked: Asked) -> None:
        given = asked.headers.get("authorization")
        if given is None:
            raise Refuses("not_authed")
        if given != f"Bearer {self.token}":
            raise Refuses("invalid_auth")

    def _post_message(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self._need("chat:write")
        posts = self._channel(given)
        if given["channel"] in self.archived:
            raise Refuses("is_archived")
        if not given.get("text") and not given.get("blocks"):
            raise Refuses("no_text")
        if len(given.get("blocks", ())) > 50:
            raise Refuses("invalid_blocks")
        if "thread_ts" in given and all(post.ts != given["thread_ts"] for post in posts):
            raise Refuses("cannot_reply_to_message")
        says = {name: given[name] for name in ("text", "blocks") if name in given}
        kept = {"metadata": given["metadata"]} if self.keeps_metadata and "metadata" in given else {}
        post = self._add(given["channel"], given.get("thread_ts"), {**says, "bot_id": BOT, "user": USER, **kept})
        return {"channel": given["channel"], "ts": post.ts, "message": _shown(post)}

    def _delete(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self._need("chat:write")
        for post in self._channel(given):
            if post.ts == given.get("ts"):
                if post.says.get("bot_id") != BOT:
                    raise Refuses("cant_delete_message")
                self.delete(post.ts, given["channel"])
                return {"channel": given["channel"], "ts": post.ts}
        raise Refuses("message_not_found")

    def _history(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self._need("channels:history")
        top = [post for post in self._channel(given) if post.thread is None or post.thread == post.ts]
        return self._page([post for post in reversed(top) if _is_within(post, given)], given)

    def _replies(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self._need("channels:history")
        posts = self._channel(given)
        parents = [post for post in posts if post.ts == given.get("ts")]
        if not parents:
            raise Refuses("thread_not_found")
        answers = [post for post in posts if post.thread == given["ts"] and _is_within(post, given)]
        return self._page(parents + answers, given)

    def _page(self, posts: list[Post], given: Mapping[str, Any]) -> Mapping[str, Any]:
        limit = min(int(given.get("limit", 100)), self.largest_page)
        start = int(given.get("cursor", "0").removeprefix("dXNlcj"))
        shown = [_shown(post, whole=given.get("include_all_metadata") == "true") for post in posts]
        more = start + limit < len(posts)
        following = {"next_cursor": f"dXNlcj{start + limit}" if more else ""}
        return {"messages": shown[start : start + limit], "has_more": more, "response_metadata": following}

    # -- its inside -------------------------------------------------------------------------------------------------

    def _need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Refuses("missing_scope")

    def _channel(self, given: Mapping[str, Any]) -> list[Post]:
        try:
            return self.channels[given["channel"]]
        except KeyError:
            raise Refuses("channel_not_found") from None

    def _add(self, channel: str, thread: str | None, says: dict[str, Any]) -> Post:
        # The ts of a message is the time, and no two of a channel have the same.
        self._last = max(self._last + 0.000_1, self.now().timestamp())
        post = Post(f"{self._last:.6f}", thread, says)
        self.channels[channel].append(post)
        return post


def _arguments(asked: Asked) -> Mapping[str, Any]:
    if asked.verb == "GET":
        return asked.query
    assert asked.headers["content-type"] == "application/json; charset=utf-8"
    arguments: Mapping[str, Any] = json.loads(asked.body)
    return arguments


def _shown(post: Post, *, whole: bool = True) -> Mapping[str, Any]:
    threaded = {"thread_ts": post.thread} if post.thread else {}
    shown = {"type": "message", "ts": post.ts, **threaded, **post.says}
    if not whole and "metadata" in shown:
        shown["metadata"] = {"event_type": shown["metadata"]["event_type"]}
    return shown


def _is_within(post: Post, given: Mapping[str, Any]) -> bool:
    oldest, latest = float(given.get("oldest", 0)), float(given.get("latest", 1e12))
    if given.get("inclusive") == "true":
        return oldest <= float(post.ts) <= latest
    return oldest < float(post.ts) < latest


def _json(said: Mapping[str, Any]) -> Reply:
    return Reply(200, json.dumps(said).encode(), {"Content-Type": "application/json; charset=utf-8"})
