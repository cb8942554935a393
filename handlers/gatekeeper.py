"""Before an attempt: the gate of its target. After it: what the answer says of the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from domain.action import Action
from domain.gate import Entry, Health, Pass, Wait, health_of
from domain.outcome import Outcome, Retry
from domain.ports import World
from handlers.validate import Ready


@dataclass(slots=True)
class Gate:
    """What the gate said, and, once there is one, the outcome that it will be told."""

    entry: Entry
    outcome: Outcome | None = None


class Gatekeeper:
    """Enters, and leaves whatever happens in between."""

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def entered(self, action: Action, ready: Ready, lease_until: datetime) -> Iterator[Gate]:
        """Yields what the gate said; the caller attempts only on a Pass."""
        gate = Gate(self._enter(action, ready, lease_until))
        try:
            yield gate
        finally:
            if not isinstance(gate.entry, Wait):
                self._leave(action, ready, gate.outcome)

    def _enter(self, action: Action, ready: Ready, lease_until: datetime) -> Entry:
        if action.is_brought_forward:
            # A person says that the target is well: this attempt is the probe.
            return Pass(action.id)
        turn = None if action.turn is None else action.turn.timestamp()
        return self._world.gates.enter(
            ready.target,
            ready.limits,
            action.id,
            now=self._now(),
            lease_until=lease_until.timestamp(),
            turn=turn,
        )

    def _leave(self, action: Action, ready: Ready, outcome: Outcome | None) -> None:
        self._world.gates.leave(
            ready.target,
            ready.limits,
            action.id,
            Health.NO_ANSWER if outcome is None else health_of(outcome),
            now=self._now(),
            retry_after=outcome.retry_after if isinstance(outcome, Retry) else None,
        )

    def _now(self) -> float:
        return self._world.clock.now().timestamp()
