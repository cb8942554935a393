"""What people do to a run: undo, pause, resume, cancel. Each act records an actor and a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from domain.action import Order
from domain.errors import ActionNotFound, Code, ErrorReport, IllegalTransition, Refused
from domain.workflow import WorkflowRun
from domain.workflow_ledger import RunLedger
from handlers.execute import Deadline
from handlers.operate import order_of
from handlers.workflows.answers import answer_of
from handlers.workflows.conduct import Conduct
from projections.workflow_status import RunResponse, unknown_run

Act = Callable[[WorkflowRun, Order, datetime], None]


class OperateRuns:
    """Acts of people, decided on the run as it stands. Not allowed: the error says why, and nothing is changed."""

    def __init__(self, runs: RunLedger, conduct: Conduct) -> None:
        self._runs = runs
        self._conduct = conduct

    def undo(self, run_id: str, deadline: Deadline, *, actor: str, reason: str) -> RunResponse:
        """What the run did is taken back, the last first, as far as the caller can wait."""
        return self._act(
            run_id, deadline, actor, reason, lambda run, order, at: run.begin_rollback(order.by, order.why, at=at)
        )

    def pause(self, run_id: str, deadline: Deadline, *, actor: str, reason: str) -> RunResponse:
        """No step begins until it is resumed; what runs ends."""
        return self._act(run_id, deadline, actor, reason, lambda run, order, at: run.pause(order, at=at))

    def resume(self, run_id: str, deadline: Deadline, *, actor: str, reason: str) -> RunResponse:
        """It goes on."""
        return self._act(run_id, deadline, actor, reason, lambda run, order, at: run.resume(order, at=at))

    def cancel(self, run_id: str, deadline: Deadline, *, actor: str, reason: str) -> RunResponse:
        """No step begins any more; what was done stands, and is told."""
        return self._act(run_id, deadline, actor, reason, lambda run, order, at: run.cancel(order, at=at))

    def status(self, run_id: str) -> RunResponse:
        """Where it stands, read consistently."""
        try:
            return answer_of(self._runs, self._runs.load(run_id))
        except ActionNotFound:
            return unknown_run(run_id)

    def _act(self, run_id: str, deadline: Deadline, actor: str, reason: str, act: Act) -> RunResponse:
        try:
            order = order_of(actor, reason)
            run = self._conduct.act(run_id, lambda run, at: act(run, order, at), deadline)
            return answer_of(self._runs, run)
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused))
        except ActionNotFound:
            return unknown_run(run_id)
        except IllegalTransition as illegal:
            return self.status(run_id).with_error(ErrorReport(Code.CONFLICT, str(illegal)))
