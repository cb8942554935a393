"""Webhooks: a receiver that takes every call, one that takes each once, one with words of its own, and one that takes
back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.webhooks import Webhooks
from agents.execution_agent.conformance import Answer, HttpCase, Means, Request, http_meaning
from handlers.actions.call_webhook import CallWebhook
from tests.doubles.connections import LOCAL

SIGNING = "whsec_" + base64.b64encode(b"canary-eccbc87e4b5ce2fe2").decode()
TOKEN = "canary-a87ff679a2f3e71d9181a67b7542122c"
PATH = "canary-e4da3b7fbbce2345d7772b0674a318d5"


class WebhookCase(HttpCase):
    """A receiver. Any 2xx is a yes, whatever else it says."""

    action = CallWebhook
    says_nothing = Means.SUCCEEDED
    secrets: Sequence[str] = (SIGNING, TOKEN, PATH)
    target: Mapping[str, Any]
    environ: Mapping[str, str] = {"HOOK_TOKEN": TOKEN, "HOOK_PATH": PATH, "HOOK_SECRET": SIGNING}

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def world(self) -> Mapping[str, Any]:
        targets = {
            "crm": {"url": f"{self.provider.url}/${{HOOK_PATH}}", "timeout_s": 30, **LOCAL, **self.target},
            "crm-undo": {"url": f"{self.provider.url}/undo", "secret": "${HOOK_SECRET}", **LOCAL},
        }
        with TemporaryDirectory() as folder:
            file = Path(folder, "webhooks.json")
            file.write_text(json.dumps(targets), "utf-8")
            return {"webhooks": Webhooks.from_file(file, self.environ)}

    def parameters(self) -> Mapping[str, Any]:
        return {"webhook": "crm", "payload": {"account": "ACME-1"}, "headers": {"x-campaign": "renewals"}}

    def reply(self, request: Request) -> Answer:
        key = request.headers["webhook-id"]
        if request.path == "/undo":
            self.calls.remove(json.loads(request.body)["undo_of"])
        elif not self.target.get("deduplicates") or key not in self.calls:
            self.calls.append(key)
        return Answer(200, b'{"ok": true}', {"content-type": "application/json"})

    def key_of(self, request: Request) -> str | None:
        return None if request.path == "/undo" else request.headers["webhook-id"]

    def effects(self) -> Sequence[object]:
        return tuple(self.calls)

    def refusal_saying(self, text: str) -> Answer:
        return Answer(400, text.encode())


class CallsReceiver(WebhookCase):
    """It takes a call as often as it comes. Its secrets are variables, read once: a 401 is for good."""

    target: Mapping[str, Any] = {
        "secret": "${HOOK_SECRET}",
        "headers": {"authorization": "Bearer ${HOOK_TOKEN}"},
    }

    @property
    def name(self) -> str:
        return "call_webhook"


class CallsReceiverThatDeduplicates(WebhookCase):
    """It takes a call once, and takes it back. Its secrets are references: after a 401 they are read anew."""

    target: Mapping[str, Any] = {
        "secret": ["env:HOOK_SECRET"],
        "headers": {"authorization": "Bearer ${env:HOOK_TOKEN}"},
        "deduplicates": True,
        "undo": "crm-undo",
    }

    @property
    def name(self) -> str:
        return "call_webhook, deduplicating"

    def meaning(self, status: int) -> Means:
        return Means.RETRY if status == 401 else http_meaning(status)


class CallsReceiverWithWordsOfItsOwn(WebhookCase):
    """It takes what its template makes of a payload, and nothing else."""

    target: Mapping[str, Any] = {
        "secret": "${HOOK_SECRET}",
        "template": {
            "variables": {"account": {"type": "string", "required": True}, "seats": "number"},
            "body": {"note": {"title": "Renewal of {{ account }}", "seats": "{{ seats | default(none) }}"}},
        },
    }

    @property
    def name(self) -> str:
        return "call_webhook, with a template"

    def reply(self, request: Request) -> Answer:
        if json.loads(request.body) != {"note": {"title": "Renewal of ACME-1", "seats": None}}:
            return Answer(422)
        return super().reply(request)


CASES = (CallsReceiver, CallsReceiverThatDeduplicates, CallsReceiverWithWordsOfItsOwn)
