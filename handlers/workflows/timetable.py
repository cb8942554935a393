"""A schedule keeps its timetable: each moment that has come is taken down, and its run begins, or it is told why not.

    moment_came(09:00), step_begun(09:00) ··· its run ··· step_ended(09:00)      at most one run goes on at a time
    moment_came(09:00, missed)               nobody looked in time, and the timetable does not catch up
    moment_came(09:00, overlap | queued)     the run before still goes on: left out, or begun when that has ended

The run of a moment has an id made of schedule and moment, so however often it is begun, it is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.identity import child_run_id
from domain.instant import to_text
from domain.workflow import WorkflowRun
from domain.workflow_definition import CatchUp, Definition, Overlap, Timetable
from domain.workflow_standing import MISSED, OVERLAP, QUEUED, RunStatus
from handlers.workflows.cron import last_until, next_after

IN_TIME = timedelta(minutes=5)
"""Until so long after a moment its run is not late: the sweep, which comes each minute, may have been busy."""


def keep_timetable(run: WorkflowRun, definition: Definition, now: datetime) -> Iterator[str]:
    """Takes down what has come by now; the moments whose runs are to begin."""
    if run.is_over or definition.schedule is None:
        return
    if run.cancelled is not None:
        run.complete(at=now)
        return
    if run.status is RunStatus.PAUSED:
        return
    if run.queued is not None and not run.open:
        yield _begun(run, run.queued, now)
    if run.next_moment is not None and run.next_moment <= now:
        moment = _come(run, definition.schedule, run.next_moment, now)
        if moment is not None:
            yield _begun(run, moment, now)


def _begun(run: WorkflowRun, moment: str, now: datetime) -> str:
    run.begin_run(moment, child_run_id(run.id, moment), at=now)
    return moment


def _come(run: WorkflowRun, timetable: Timetable, earliest: datetime, now: datetime) -> str | None:
    """The moment, where its run may begin now. Of those that would wait, the latest does."""
    moment = last_until(timetable, earliest, now)
    if moment > earliest:
        run.moment_came(earliest, moment, MISSED, at=now)
    why = _why_not(run, timetable, moment, now)
    run.moment_came(moment, next_after(timetable, max(moment, now)), why, at=now)
    return to_text(moment) if why is None else None


def _why_not(run: WorkflowRun, timetable: Timetable, moment: datetime, now: datetime) -> str | None:
    if timetable.catch_up is CatchUp.NONE and now - moment > IN_TIME:
        return MISSED
    if run.open:
        return QUEUED if timetable.overlap is Overlap.QUEUE else OVERLAP
    return None
