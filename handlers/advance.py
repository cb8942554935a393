"""The doorbell: somebody says "look at action X". Look, and do what is due.

    accepted, retrying  ── due ───────────────►  the next attempt, or its end
    attempted           ── lease over ────────►  in doubt, or the next attempt, as its delivery class says
                        ── holder dead ───────►  the same, without waiting for the lease
    anything else       ──────────────────────►  nothing

A ring is only a hint: rung twice, late, out of order or by two workers at once, the version of the action decides who
acts. The other one is told by a conflict, before anything has left.
"""

from __future__ import annotations

from domain.action import Action
from domain.errors import LedgerConflict
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.ports import World
from handlers.execute import Deadline, Execute

LONGEST_STEP = 900.0
"""Seconds. Nobody waits for a worker's attempt: its type's own deadline holds."""


class Advance:
    """Takes an action one step on, or as many as are due."""

    def __init__(self, ledger: ActionLedger, execute: Execute, world: World) -> None:
        self._ledger = ledger
        self._execute = execute
        self._world = world

    def __call__(self, action_id: str, *, within: float = LONGEST_STEP) -> Action:
        """The action as it stands afterwards. Raises LedgerUnavailable, ActionNotFound and what a row deserves."""
        action = self.take_over(self._ledger.load(action_id))
        deadline = Deadline(self._world.clock, within)
        try:
            while self._is_due(action) and deadline.allows_an_attempt():
                action = self._execute.next_step(action, deadline)
        except LedgerConflict:
            # Another worker was first, and goes on with it.
            return self._ledger.load(action_id)
        return action

    def take_over(self, action: Action) -> Action:
        """Ends an attempt that nobody will end: its lease is over, or its process is dead."""
        if not self._is_abandoned(action):
            return action
        try:
            return self._execute.lapse(action)
        except LedgerConflict:
            return self._ledger.load(action.id)

    def _is_abandoned(self, action: Action) -> bool:
        if action.status is not Status.ATTEMPTED:
            return False
        return self._is_over(action) or self._world.holders.is_dead(action.holder)

    def _is_due(self, action: Action) -> bool:
        return action.status in (Status.SCHEDULED, Status.RETRYING) and self._is_over(action)

    def _is_over(self, action: Action) -> bool:
        return action.due_at is not None and action.due_at <= self._world.clock.now()
