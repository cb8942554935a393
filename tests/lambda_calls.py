"""Calls of the Lambda function, in the hands of a test: its context, and a ledger that breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from agents.execution_agent.agent import ExecutionAgent
from domain.action import Action
from domain.errors import LedgerUnavailable
from tests.fakes import FakeClock

RESPONSE = {"action_id", "status", "result", "error", "duplicate", "attempts"}
"""The members of a response: always all."""


class Context:
    """What Lambda hands in. With a clock the time that is left runs out; `custom` is what a gateway adds."""

    def __init__(
        self,
        seconds: float = 30.0,
        *,
        clock: FakeClock | None = None,
        request_id: str = "8a1c0c52-6a6b-4c65-8f0e-8b3f4a7d2c11",
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        self._clock = clock or FakeClock()
        self._end = self._clock.monotonic() + seconds
        self.aws_request_id = request_id
        self.client_context = None if custom is None else SimpleNamespace(custom=dict(custom))

    def get_remaining_time_in_millis(self) -> int:
        return max(int(1000 * (self._end - self._clock.monotonic())), 0)


@contextmanager
def failing_ledger(agent: ExecutionAgent, *, after: int = 0, times: int = 1_000_000) -> Iterator[None]:
    """While this lasts, the agent's ledger records `after` commits, cannot be used `times` times, and works again."""
    ledger, recorded, failed = agent._parts.ledger, 0, 0

    def checked(use: Callable[..., Any]) -> Callable[[Any], Any]:
        def used(asked: Any) -> Any:
            nonlocal recorded, failed
            if recorded >= after and failed < times:
                failed += 1
                raise LedgerUnavailable("the disk is full: /var/secret/ledger.db")
            recorded += isinstance(asked, Action)
            return use(asked)

        return used

    for name in ("record", "load", "events_of"):
        setattr(ledger, name, checked(getattr(ledger, name)))
    try:
        yield
    finally:
        for name in ("record", "load", "events_of"):
            delattr(ledger, name)
