"""Which libraries a process has loaded that its work has no use for."""

from __future__ import annotations

import sys

NEVER = ("aiosmtpd", "asyncio", "moto", "pytest", "rich", "smtplib", "sqlite3", "tenacity", "typer", "werkzeug")
"""A provider, a web server, a command line, a test: none has a place in the happy path of an action."""


def loaded_needlessly(*beside: str) -> list[str]:
    """Of NEVER and `beside`."""
    return sorted(name for name in (*NEVER, *beside) if name in sys.modules)
