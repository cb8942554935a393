"""An action has changed: who must hear of it?

a compensation that is over      the action that it takes back, and through it that one's run
the step of a workflow run       its run, which then goes on
either of them, held or in       its run, which shows that a person is waited for
doubt
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from domain.action import Action
from domain.errors import ActionNotFound
from domain.ledger import ActionLedger
from handlers.compensate import Compensate
from handlers.execute import Deadline

if TYPE_CHECKING:
    from handlers.workflows.workflows import Workflows


class Report:
    """Tells them. What is told twice does no harm."""

    def __init__(self, ledger: ActionLedger, compensate: Compensate, workflows: Callable[[], Workflows]) -> None:
        self._ledger = ledger
        self._compensate = compensate
        self._workflows = workflows

    def __call__(self, action: Action, deadline: Deadline) -> None:
        """Runs that hear of it go on as far as the deadline allows. Raises LedgerUnavailable."""
        original = self._compensate.report_back(action)
        if original is not None:
            self._tell_run_of(original, deadline)
        elif action.compensates is not None and action.waits_for_a_person:
            self._show_in_run(action.compensates, deadline)
        self._tell_run_of(action, deadline)

    def _tell_run_of(self, action: Action, deadline: Deadline) -> None:
        if action.workflow is not None:
            self._workflows().conduct.hear(action, deadline)

    def _show_in_run(self, action_id: str, deadline: Deadline) -> None:
        with suppress(ActionNotFound):
            original = self._ledger.load(action_id)
            if original.workflow is not None:
                self._workflows().conduct.notice(original.workflow.run, deadline)
