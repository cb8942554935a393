"""A configured webhook hears what becomes of actions: one signed call each, whose `webhook-id` is the event's id.

The body is that of Standard Webhooks: `{"type": "Action Succeeded", "timestamp": ..., "data": {...}}`, and the data are
the response and `event_id`. A target with a template gets what that makes of `type`, `timestamp` and `data`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.canonical import canonical
from domain.errors import Refused
from domain.instant import to_text
from domain.outcome import Failure, Permanent, Retry, Succeeded
from domain.ports import Clock, News, Webhooks

LEAST_TIME = 0.5
"""Seconds. With less than this left, no call begins."""


class WebhookAnnouncer:
    """The port `domain.ports.Announcer`. Raises Refused at once when no target has this name."""

    def __init__(self, name: str, webhooks: Webhooks, clock: Clock) -> None:
        self._target = webhooks.target(name)
        self._webhooks = webhooks
        self._clock = clock

    def announce(self, news: Sequence[News], *, timeout: float) -> Mapping[str, Failure]:
        end = self._clock.monotonic() + timeout
        failures = {piece.event_id: self._call(piece, end - self._clock.monotonic()) for piece in news}
        return {event_id: failure for event_id, failure in failures.items() if failure is not None}

    def _call(self, news: News, time_left: float) -> Failure | None:
        if time_left < LEAST_TIME:
            return Retry("out_of_time", f"webhook {self._target.name}: there was no time left to call it")
        try:
            body = self._webhooks.body(self._target, _payload(news))
        except Refused as refusal:
            return Permanent(str(refusal.code), f"webhook {self._target.name}: {refusal.message}")
        outcome = self._webhooks.call(
            self._target,
            body,
            headers={},
            effect_key=news.event_id,
            at=self._clock.now(),
            timeout=min(self._target.timeout, time_left),
        )
        return None if isinstance(outcome, Succeeded) else outcome


def _payload(news: News) -> Mapping[str, Any]:
    data = {**news.response, "result": _sendable(news.response["result"]), "event_id": news.event_id}
    return {"type": news.title, "timestamp": to_text(news.at), "data": data}


def _sendable(result: object) -> object:
    """A result may hold numbers that not every reader of JSON reads alike, and those are not sent."""
    try:
        canonical(result)
    except (TypeError, ValueError):
        return {"not_sent": "it holds a value that has no exact form in JSON; ask for the action's status"}
    return result
