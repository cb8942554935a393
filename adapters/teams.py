"""Microsoft Teams, by the webhook of a workflow: it is handed an adaptive card, and posts it.

    the answer          the outcome
    2xx                 Succeeded    the workflow has begun (202); what became of it, its run history tells
    every other         as `adapters.secret_url` tells it

The effect key is the run's client tracking id, by which a person finds the run in that history. No interface of Teams
tells whether a card was posted, and none that a workflow offers takes one back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.http import PUBLIC, Client, Reach, Response
from adapters.secret_url import SecretUrl
from adapters.secrets import Secrets
from domain.chat import Card
from domain.outcome import Outcome, Succeeded
from domain.wording import unfit

LARGEST_MESSAGE = 28 * 1024
"""Bytes of JSON that Teams takes."""

_RUN = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Workflow:
    """What the configuration says. `url` refers to the secret."""

    name: str
    url: str
    reach: Reach = PUBLIC


class Teams:
    """The port `domain.chat.Cards`."""

    def __init__(self, workflow: Workflow, secrets: Secrets, client: Client | None = None) -> None:
        self._name = workflow.name
        self._url = SecretUrl("the Teams workflow", workflow.url, secrets, client or Client(), workflow.reach)

    @property
    def name(self) -> str:
        return self._name

    def check(self, card: Card) -> None:
        """Raises Refused for a card that is too large."""
        size = len(json.dumps(_message(card)).encode())
        if size > LARGEST_MESSAGE:
            raise unfit("text", f"the card takes {size} bytes; Teams takes at most {LARGEST_MESSAGE}")

    def post(self, card: Card, *, effect_key: str, timeout: float) -> Outcome:
        """`result` is `{"status"}`; the reference is the workflow's run, where the answer names it."""
        answer = self._url.post(_message(card), headers={"x-ms-client-tracking-id": effect_key}, timeout=timeout)
        if not isinstance(answer, Response):
            return answer
        run = answer.headers.get("x-ms-workflow-run-id", "")
        return Succeeded({"status": answer.status}, reference=run if _RUN.fullmatch(run) else None)


def _message(card: Card) -> Mapping[str, Any]:
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": _elements(card),
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": content,
    }
    return {"type": "message", "attachments": [attachment]}


def _elements(card: Card) -> list[Mapping[str, Any]]:
    elements: list[Mapping[str, Any]] = []
    if card.title is not None:
        elements.append({"type": "TextBlock", "text": card.title, "size": "Large", "weight": "Bolder", "wrap": True})
    if card.text is not None:
        elements.append({"type": "TextBlock", "text": card.text, "wrap": True})
    if card.facts:
        elements.append({"type": "FactSet", "facts": [{"title": title, "value": value} for title, value in card.facts]})
    return elements
