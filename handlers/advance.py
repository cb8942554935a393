"""The doorbell: somebody says "look at action X". Look, and do what is due.

    accepted, retrying  ── due ───────────────►  the next attempt, or its end
    attempted           ── lease over ────────►  in doubt, or the next attempt, as its delivery class says
                        ── holder dead ───────►  the same, without waiting for the lease
    in doubt            ── probe due ─────────►  the provider is asked
    compensating        ── look due ──────────►  its compensation is made, or what became of it is recorded
    a workflow run      ── due ───────────────►  a wait is over, a step that was lost is made
    anything else       ──────────────────────►  nothing

A ring is only a hint: rung twice, late, out of order or by two workers at once, the version of the action decides who
acts. The other one is told by a conflict, before anything has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from domain.action import Action
from domain.errors import LedgerConflict
from domain.identity import is_run_id
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.ports import World
from handlers.compensate import Compensate
from handlers.execute import Deadline, Execute
from handlers.probe import Probe
from handlers.report import Report

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun
    from handlers.workflows.workflows import Workflows

_MAY_BE_DUE = (Status.SCHEDULED, Status.RETRYING, Status.HELD, Status.IN_DOUBT, Status.COMPENSATING)

LONGEST_STEP = 900.0
"""Seconds. Nobody waits for a worker's attempt: its type's own deadline holds."""


class Advance:
    """Takes an action, or a workflow run, one step on, or as many as are due."""

    def __init__(
        self,
        ledger: ActionLedger,
        execute: Execute,
        probe: Probe,
        compensate: Compensate,
        report: Report,
        workflows: Callable[[], Workflows],
        world: World,
    ) -> None:
        self._ledger = ledger
        self._execute = execute
        self._probe = probe
        self._compensate = compensate
        self._report = report
        self._workflows = workflows
        self._world = world

    def __call__(self, any_id: str, *, within: float = LONGEST_STEP) -> Action | WorkflowRun:
        """The action or run as it stands afterwards. Raises LedgerUnavailable, ActionNotFound, what a row deserves."""
        return self.onwards(self.load(any_id), Deadline(self._world.clock, within))

    def load(self, any_id: str) -> Action | WorkflowRun:
        """The action or the workflow run of this id. Raises as a ledger does."""
        if isinstance(any_id, str) and is_run_id(any_id):
            return self._workflows().runs.load(any_id)
        return self._ledger.load(any_id)

    def onwards(self, found: Action | WorkflowRun, deadline: Deadline) -> Action | WorkflowRun:
        """The same for what was just read. Its object may have changed: go on with the one that is answered.

        Raises LedgerUnavailable and what a row deserves.
        """
        if isinstance(found, Action):
            return self._action_onwards(found, deadline)
        return self._workflows().conduct.look(found, deadline)

    def _action_onwards(self, action: Action, deadline: Deadline) -> Action:
        action = self.take_over(action)
        try:
            while self._is_due(action) and deadline.allows_an_attempt():
                action = self._step(action.status)(action, deadline)
        except LedgerConflict:
            # Another worker was first, and goes on with it.
            return self._ledger.load(action.id)
        self._report(action, deadline)
        return action

    def _step(self, status: Status) -> Callable[[Action, Deadline], Action]:
        if status is Status.IN_DOUBT:
            return self._probe
        if status is Status.COMPENSATING:
            return self._compensate.go_on
        return self._execute.next_step

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
