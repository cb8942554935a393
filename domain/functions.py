"""Functions, as the action types see them: each a piece of somebody's program that a configuration names."""

from __future__ import annotations

from typing import Protocol

from domain.outcome import Outcome

LARGEST_PAYLOAD = 1_048_576
"""Bytes of what a function is called with: what can be queued for one."""


class Function(Protocol):
    """One function, and the way in which it is called."""

    @property
    def connection(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether it runs once under one name, however often it is called."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        ...

    def invoke(self, payload: str, *, effect_key: str, timeout: float) -> Outcome:
        """Calls it once. `payload` is JSON; `timeout` is the total deadline in seconds.

        Never raises for what becomes of the call. A function that raised is Unknown: it may have done half of its work.
        """
        ...
