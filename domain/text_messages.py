"""Text messages to phones."""

from __future__ import annotations

from typing import Protocol

from domain.outcome import Outcome


class TextMessages(Protocol):
    """A way to phones, as far as the configuration opens it."""

    @property
    def name(self) -> str:
        """The connection's own name."""
        ...

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What an allowed number begins with, such as +49."""
        ...

    def send(self, recipient: str, text: str, *, timeout: float) -> Outcome:
        """Sends once; `timeout` is the total deadline in seconds. Never raises for what the provider says."""
        ...
