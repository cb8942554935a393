"""Webhooks where none are configured: every name is refused, and nothing is loaded to do so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from domain.errors import Code, FieldError, Refused
from domain.outcome import Outcome, Permanent
from domain.ports import WebhookTarget


class NoWebhooks:
    """The port `domain.ports.Webhooks` without a target."""

    def target(self, name: str) -> WebhookTarget:
        _refuse("webhook", f"no webhook is called {name[:64]!a}: none are configured, set WEBHOOK_CONFIG_PATH")

    def direct(self, url: str) -> WebhookTarget:
        _refuse("url", "direct URLs are not allowed here: name a configured webhook")

    def check(self, target: WebhookTarget, headers: Mapping[str, str]) -> None:
        _refuse("webhook", "none are configured")

    def body(self, target: WebhookTarget, payload: Mapping[str, Any]) -> object:
        return payload

    def call(
        self,
        target: WebhookTarget,
        body: object,
        *,
        headers: Mapping[str, str],
        effect_key: str,
        at: datetime,
        timeout: float,
    ) -> Outcome:
        return Permanent(Code.INVALID_PARAMETERS, "no webhooks are configured")


def _refuse(field: str, message: str) -> NoReturn:
    detail = FieldError(f"parameters.{field}", Code.INVALID_PARAMETERS, message)
    raise Refused(f"{detail.field}: {message}", details=[detail])
