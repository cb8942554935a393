"""Time and chance of this machine."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemChance:
    """The machine's randomness. Jitter needs no secrecy; ids take their bytes from the system."""

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)  # noqa: S311 - jitter

    def entropy(self, size: int) -> bytes:
        return os.urandom(size)
