"""Slack and Microsoft Teams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from agents.execution_agent.conformance import Answer, Means, Request, http_meaning
from handlers.actions.delete_slack import DeleteSlack
from handlers.actions.send_slack import SendSlack
from handlers.actions.send_teams import SendTeams
from tests.contract.cases.doubled import DoubledCase
from tests.doubles.connections import LOCAL, connections
from tests.doubles.slack import BOT, RENEWALS, TOKEN, SlackDouble
from tests.doubles.teams import PATH, SIGNATURE, TeamsDouble

HOOK_PATH = "/services/T0TEAM/B0OURS/canary-hook-0cc175b9c0f1b6a8"

NOT_NOW = ("ratelimited", "rate_limited", "message_limit_exceeded", "team_added_to_org", "request_timeout")
TOKEN_IS_OVER = ("invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive")
NEVER = (
    "as_user_not_supported",
    "cannot_reply_to_message",
    "channel_not_found",
    "invalid_arguments",
    "invalid_blocks",
    "is_archived",
    "missing_scope",
    "msg_too_long",
    "no_permission",
    "no_text",
    "not_in_channel",
    "restricted_action",
    "too_many_attachments",
)
NOBODY_KNOWS = ("internal_error", "fatal_error", "service_unavailable", "an_error_of_next_year", "", 7, None)


def meaning_under_a_token(status: int) -> Means:
    """A 401 says that nothing was done; the next attempt asks for the secret anew."""
    return Means.RETRY if status == 401 else http_meaning(status)


class SlackCase(DoubledCase):
    """A workspace, by a bot's token."""

    secrets = (TOKEN,)
    refusal = Answer(400, b'{"ok": false, "error": "a_word"}', {"content-type": "application/json"})

    def __init__(self) -> None:
        super().__init__()
        self.double: SlackDouble = SlackDouble(self.clock.now)

    def world(self) -> Mapping[str, Any]:
        entry = {
            "kind": "slack",
            "token": "env:TOKEN",
            "channels": {"renewals": RENEWALS},
            "base_url": self.provider.url,
            **LOCAL,
        }
        return {"connections": connections({"TOKEN": TOKEN}, workspace=entry)}

    def is_read(self, request: Request) -> bool:
        return request.method == "GET" or request.path == "/api/auth.test"

    def meaning(self, status: int) -> Means:
        return meaning_under_a_token(status)

    def refusal_saying(self, text: str) -> Answer:
        return Answer(400, json.dumps({"ok": False, "error": text}).encode())

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        """Slack refuses with a 200, and an error."""
        meanings = {
            Means.RETRY: (*NOT_NOW, *TOKEN_IS_OVER),
            Means.PERMANENT: NEVER,
            Means.UNKNOWN: NOBODY_KNOWS,
        }
        told = {f"ok: false, {error!r}": (error, means) for means, errors in meanings.items() for error in errors}
        return {
            name: (Answer(200, json.dumps({"ok": False, "error": error}).encode()), means)
            for name, (error, means) in told.items()
        }

    def ours(self) -> Sequence[str]:
        """What we have posted and was not deleted."""
        return [post.ts for post in self.double.channels[RENEWALS] if post.says.get("bot_id") == BOT]


class SendSlackByToken(SlackCase):
    action = SendSlack
    others = (DeleteSlack,)
    absence_is_certain_after = timedelta(minutes=20)

    @property
    def name(self) -> str:
        return "send_slack, by a token"

    def parameters(self) -> Mapping[str, Any]:
        return {"channel": "renewals", "text": "*ACME-1* renews.", "connection": "workspace"}

    def key_of(self, request: Request) -> str | None:
        if request.path != "/api/chat.postMessage":
            return None
        key: str = json.loads(request.body)["metadata"]["event_payload"]["effect_key"]
        return key

    def effects(self) -> Sequence[object]:
        return self.ours()


class DeleteSlackByToken(SlackCase):
    action = DeleteSlack

    def __init__(self) -> None:
        super().__init__()
        self._posted: list[str] = []

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        gone = (Answer(200, b'{"ok": false, "error": "cant_delete_message"}'), Means.PERMANENT)
        return {**super().documented(), "ok: false, it is not ours": gone}

    def parameters(self) -> Mapping[str, Any]:
        """A message of ours that is there."""
        self._posted.append(self.double.somebody_says("Wrong.", bot_id=BOT))
        return {"channel": "renewals", "ts": self._posted[-1]}

    def key_of(self, request: Request) -> str | None:
        return None

    def effects(self) -> Sequence[object]:
        return [ts for ts in self._posted if ts not in self.ours()]


class SendSlackByWebhook(DoubledCase):
    """An incoming webhook: its URL is the secret, and its only answer `ok`."""

    action = SendSlack
    secrets = ("canary-hook-0cc175b9c0f1b6a8",)
    can_be_asked = False
    refusal = Answer(400, b"invalid_payload", {"content-type": "text/html"})

    def __init__(self) -> None:
        super().__init__()
        self._posted: list[str] = []

    @property
    def name(self) -> str:
        return "send_slack, by a webhook"

    def world(self) -> Mapping[str, Any]:
        entry = {"kind": "slack_webhook", "url": "env:HOOK", "channel": "renewals", **LOCAL}
        return {"connections": connections({"HOOK": self.provider.url + HOOK_PATH}, hook=entry)}

    def parameters(self) -> Mapping[str, Any]:
        return {"channel": "renewals", "text": "*ACME-1* renews."}

    def reply(self, request: Request) -> Answer:
        assert request.path == HOOK_PATH
        self._posted.append(json.loads(request.body)["text"])
        return Answer(200, b"ok")

    def key_of(self, request: Request) -> str | None:
        return None

    def effects(self) -> Sequence[object]:
        return tuple(self._posted)

    def meaning(self, status: int) -> Means:
        return meaning_under_a_token(status)

    def refusal_saying(self, text: str) -> Answer:
        return Answer(400, text.encode())


class SendTeamsByWorkflow(DoubledCase):
    """A workflow's webhook: its URL is the secret, and any 2xx says that the workflow has begun."""

    action = SendTeams
    secrets = (SIGNATURE,)
    says_nothing = Means.SUCCEEDED
    refusal = Answer(400, b'{"error": {"code": "TriggerInputSchemaMismatch", "message": "no"}}')

    def __init__(self) -> None:
        super().__init__()
        self.double: TeamsDouble = TeamsDouble()

    def world(self) -> Mapping[str, Any]:
        url = f"{self.provider.url}{PATH}?api-version=1&sig={SIGNATURE}"
        return {"connections": connections({"URL": url}, teams={"kind": "teams", "url": "env:URL", **LOCAL})}

    def parameters(self) -> Mapping[str, Any]:
        return {"title": "A renewal is due", "facts": [{"title": "Account", "value": "ACME-1"}]}

    def key_of(self, request: Request) -> str | None:
        return request.headers["x-ms-client-tracking-id"]

    def effects(self) -> Sequence[object]:
        return tuple(self.double.cards)

    def meaning(self, status: int) -> Means:
        return meaning_under_a_token(status)

    def refusal_saying(self, text: str) -> Answer:
        return Answer(400, json.dumps({"error": {"code": "no", "message": text}}).encode())


CASES = (SendSlackByToken, DeleteSlackByToken, SendSlackByWebhook, SendTeamsByWorkflow)
