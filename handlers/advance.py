"""The doorbell: somebody says "look at action X". Look, and do what is due.

    accepted, retrying  ── due ───────────────►  the next attempt, or its end
    attempted           ── lease over ────────►  in doubt, or the next attempt, as its delivery class says
                        ── holder dead ───────►  the same, without waiting for the lease
    in doubt            ── probe due ─────────►  the provider is asked
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
from handlers.probe import Probe

_MAY_BE_DUE = (Status.SCHEDULED, Status.RETRYING, Status.IN_DOUBT)

LONGEST_STEP = 900.0
"""Seconds. Nobody waits for a worker's attempt: its type's own deadline holds."""


class Advance:
    """Takes an action one step on, or as many as are due."""

    def __init__(self, ledger: ActionLedger, execute: Execute, probe: Probe, world: World) -> None:
        self._ledger = ledger
        self._execute = execute
        self._probe = probe
        self._world = world

    def __call__(self, action_id: str, *, within: float = LONGEST_STEP) -> Action:
        """The action as it stands afterwards. Raises LedgerUnavailable, ActionNotFound and what a row deserves."""
        action = self.take_over(self._ledger.load(action_id))
        deadline = Deadline(self._world.clock, within)
        try:
            while self._is_due(action) and deadline.allows_an_attempt():
                step = self._probe if action.status is Status.IN_DOUBT else self._execute.next_step
                action = step(action, deadline)
        except LedgerConflict:
            # Another worker was first, and goes on with it.
            return self._ledger.load(action_id)
        return action

    def take_over(self, action: Action) -> Action:
        """Ends an attempt that nobody will end: its lease is over, or its process is dead."""
        if action.status is not Status.ATTEMPTED:
            return action
        certainly_dead = self._world.holders.is_dead(action.holder)
        if not (certainly_dead or self._is_over(action)):
            return action
        try:
            return self._execute.lapse(action, certainly_dead=certainly_dead)
        except LedgerConflict:
            return self._ledger.load(action.id)

    def _is_due(self, action: Action) -> bool:
        return action.status in _MAY_BE_DUE and self._is_over(action)

    def _is_over(self, action: Action) -> bool:
        return action.due_at is not None and action.due_at <= self._world.clock.now()
