"""The answer to whoever asks after a run: where it stands, with what went wrong at which step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from domain.errors import Code, ErrorReport, UnreadableEvent
from domain.ledger import ActionLedger
from domain.unreadable import known_of
from domain.workflow import WorkflowRun
from domain.workflow_events import StepEnded, StepUndone
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import UndoStatus
from handlers.unreadable import life_as_known
from projections.as_known import why
from projections.workflow_status import RunResponse


def answer_of(runs: RunLedger, run: WorkflowRun) -> RunResponse:
    """Raises LedgerUnavailable: what went wrong is read from the events that say so."""
    return RunResponse(run, runs.definition_of(run), _errors_of(runs, run))


def answer_as_known(ledger: ActionLedger, runs: RunLedger, run_id: str, unreadable: UnreadableEvent) -> RunResponse:
    """Where a run stood before the event of it that this release cannot read. Raises LedgerUnavailable."""
    known = known_of(life_as_known(ledger, run_id))
    if not isinstance(known.as_of, WorkflowRun) or known.unknown is None:
        return unreadable_run(str(unreadable))
    return answer_of(runs, known.as_of).with_error(ErrorReport(Code.UNREADABLE, why(known.unknown)))


def unreadable_run(message: str) -> RunResponse:
    """The answer about a run of which nothing can be told."""
    return RunResponse(None, error=ErrorReport(Code.UNREADABLE, message))


def _errors_of(runs: RunLedger, run: WorkflowRun) -> Mapping[str, Mapping[str, str]]:
    events = ((step, cast("StepEnded | StepUndone", runs.event(run, version))) for step, version in _troubles(run))
    return {step: event.error for step, event in events if event.error is not None}


def _troubles(run: WorkflowRun) -> Iterator[tuple[str, int]]:
    """The events that tell of them; what became of an undo comes after what became of the step."""
    yield from ((step, run.ended[step]) for step in run.otherwise)
    yield from ((step, one.version) for step, one in run.undone.items() if one.status is not UndoStatus.COMPENSATED)
