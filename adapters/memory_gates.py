"""Gates in memory: shared by the threads of a process."""

from __future__ import annotations

from threading import Lock

from domain.gate import OPEN_ROAD, Entry, GateState, Health, Limits, enter, leave


class MemoryGates:
    """The port `domain.ports.Gates`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._states: dict[str, GateState] = {}

    def enter(
        self, target: str, limits: Limits, token: str, *, now: float, lease_until: float, turn: float | None
    ) -> Entry:
        with self._lock:
            state, entry = enter(
                self._states.get(target, OPEN_ROAD), limits, token, now=now, lease_until=lease_until, turn=turn
            )
            self._states[target] = state
        return entry

    def leave(
        self, target: str, limits: Limits, token: str, health: Health, *, now: float, retry_after: float | None
    ) -> None:
        with self._lock:
            state = self._states.get(target, OPEN_ROAD)
            self._states[target] = leave(state, limits, token, health, now=now, retry_after=retry_after)
