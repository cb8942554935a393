"""The marks of a step's state, wherever a run is shown."""

from __future__ import annotations

from collections.abc import Mapping

MARKS: Mapping[str, str] = {
    "pending": "·",
    "running": "▶",
    "waiting": "⏳",
    "succeeded": "✓",
    "skipped": "–",
    "failed": "✗",
    "timed_out": "✗",
    "undoing": "↶",
    "compensated": "↩",
    "irreversible": "!",
    "compensation_failed": "!",
}
"""Before a step's name."""
