"""Moments as text: ISO 8601, UTC, microseconds, `Z`. One form everywhere, so that text sorts as time does."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """`2026-11-24T19:29:42.704559Z`. The moment must be aware."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote, aware, in UTC."""
    return datetime.fromisoformat(text)
