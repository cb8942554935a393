"""The webhook of a Teams workflow: it takes a message with a card, and says no more than that it has begun."""

from __future__ import annotations

import json
from typing import Any

from tests.doubles.server import Asked, Double, Reply

PATH = "/workflows/0123456789abcdef/triggers/manual/paths/invoke"
SIGNATURE = "canary-EjcQJ4PvN5vUm3Ta"


class TeamsDouble(Double):
    """One workflow. `cards` are those that it has posted."""

    def __init__(self) -> None:
        super().__init__()
        self.signature = SIGNATURE
        self.is_on = True
        self.cards: list[dict[str, Any]] = []

    @property
    def webhook(self) -> str:
        """The URL that whoever made the workflow was given."""
        return f"{self.url}{PATH}?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIGNATURE}"

    def reply(self, asked: Asked) -> Reply:
        if asked.path != PATH or not self.is_on:
            return Reply(404, b'{"error":{"code":"WorkflowNotFound"}}')
        if asked.query.get("sig") != self.signature:
            return Reply(401, b'{"error":{"code":"DirectApiAuthorizationRequired"}}')
        if len(asked.body) > 28 * 1024:
            return Reply(413, b"")
        message = json.loads(asked.body)
        if message.get("type") != "message" or len(message["attachments"]) != 1:
            return Reply(400, b'{"error":{"code":"TriggerInputSchemaMismatch"}}')
        (attachment,) = message["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        self.cards.append(attachment["content"])
        return Reply(202, b"", {"x-ms-workflow-run-id": f"08584{len(self.cards):06}CU17"})
