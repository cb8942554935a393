"""A store of secrets that takes its time, on a clock that a test holds in its hand."""

from __future__ import annotations

from typing import Any

from adapters.aws import AwsService
from adapters.secrets import Secrets
from tests.fakes import FakeClock

REFERENCE = "secretsmanager:prod/hook"


class SlowStore(AwsService):
    """Tells `value` after `seconds`, and keeps how long it was given."""

    def __init__(self, clock: FakeClock, value: str, seconds: float) -> None:
        super().__init__("secretsmanager", title="a store")
        self._clock, self._value, self._seconds = clock, value, seconds
        self.timeouts: list[float] = []

    def call(self, operation: str, *, timeout: float, **parameters: Any) -> Any:
        self.timeouts.append(timeout)
        self._clock.pass_time(self._seconds)
        return {"SecretString": self._value}


def slow_secrets(clock: FakeClock, value: str, *, seconds: float) -> Secrets:
    """Secrets whose `REFERENCE` is told after so long."""
    store = SlowStore(clock, value, seconds)
    return Secrets({}, lambda name, title: store, monotonic=clock.monotonic)
