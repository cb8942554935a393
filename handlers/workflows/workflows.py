"""The parts of workflow runs, put together: what an agent needs that has one to carry out."""

from __future__ import annotations

from dataclasses import dataclass

from domain.workflow_ledger import RunLedger
from handlers.workflows.callbacks import CallBack
from handlers.workflows.conduct import Conduct
from handlers.workflows.operate import OperateRuns
from handlers.workflows.schedules import Schedules
from handlers.workflows.start import Start


@dataclass(frozen=True)
class Workflows:
    """One for each agent, made when the first run is met."""

    runs: RunLedger
    conduct: Conduct
    start: Start
    schedules: Schedules
    operate: OperateRuns
    call_back: CallBack
