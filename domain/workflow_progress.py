"""What next, of a run as it stands? A decision is a value; nobody acts in here.

forwards      each step whose needs have ended begins; when all have ended, the run is completed
a failure     as its step says: others go on (continue), what was done is taken back (rollback), or a person is
              waited for (stop); what runs ends first
cancelled     nothing begins, what has not left is called off, what runs ends, what was done stands
backwards     what only waits is given up, what has not left is called off, what runs ends first, then one step at a
              time, the last that succeeded first
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, OnFailure, Step
from domain.workflow_standing import RunStatus, UndoStatus

MOST_TOGETHER = 100
"""Steps that begin, or are given up, in one commit: more might not fit, beside a large definition. The others do in
the next."""


@dataclass(frozen=True, slots=True)
class Begin:
    """These steps may begin, side by side."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RollBack:
    """A step has failed whose failure is to undo the others."""

    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """These steps wait for what does not matter any more."""

    steps: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Undo:
    """It is the turn of this step to be taken back."""

    step: str


@dataclass(frozen=True, slots=True)
class Complete:
    """There is nothing left to be done."""


@dataclass(frozen=True, slots=True)
class Conclude:
    """It is over; what remains of it is to be told."""


@dataclass(frozen=True, slots=True)
class NeedOperator:
    """Nothing goes on until a person has seen to these steps."""

    steps: tuple[str, ...]
    why: str


Next: TypeAlias = Begin | RollBack | GiveUp | Undo | Complete | Conclude | NeedOperator


def next_of(run: WorkflowRun, definition: Definition) -> Next | None:
    """None while something else has to happen first: a step ends, a time comes, a person acts."""
    if run.is_over or run.status is RunStatus.NEEDS_OPERATOR:
        return None
    if run.rollback is not None:
        return _backwards(run, definition)
    if run.cancelled is not None:
        return _wind_up(run)
    return None if run.status is RunStatus.PAUSED else _forwards(run, definition)


def _forwards(run: WorkflowRun, definition: Definition) -> Next | None:
    failed = _failures_that_matter(run, definition)
    if any(step.on_failure is OnFailure.ROLLBACK for step in failed):
        names = ", ".join(step.id for step in failed)
        return RollBack(f"failed: {names}")
    ready = () if failed else tuple(islice(_ready(run, definition), MOST_TOGETHER))
    if ready:
        return Begin(ready)
    if run.open:
        return None
    if failed:
        return NeedOperator(tuple(step.id for step in failed), "a step failed, and its failure stops the run")
    return Complete()


def _failures_that_matter(run: WorkflowRun, definition: Definition) -> list[Step]:
    failed = run.failed
    if not failed:
        return []
    return [step for step in definition.steps if step.id in failed and step.on_failure is not OnFailure.CONTINUE]


def _ready(run: WorkflowRun, definition: Definition) -> Iterator[Step]:
    """In the order of the definition. What failed stands in nobody's way here: its failure is to be gone on from."""
    for step in definition.steps:
        if step.id not in run.ended and step.id not in run.open and all(need in run.ended for need in step.needs):
            yield step


def _wind_up(run: WorkflowRun) -> Next | None:
    return _give_up_waiting(run, "the run was cancelled") or (None if run.open else Conclude())


def _backwards(run: WorkflowRun, definition: Definition) -> Next | None:
    waiting = _give_up_waiting(run, "the run is taken back")
    if waiting is not None or run.open or run.undoing is not None:
        return waiting
    failed = tuple(step for step, one in run.undone.items() if one.status is UndoStatus.COMPENSATION_FAILED)
    left = run.next_to_undo()
    if failed and left is not None and definition.stops_on_rollback_failure:
        return NeedOperator(failed, "a step could not be taken back, and the others wait for that")
    return Undo(left) if left is not None else Conclude()


def _give_up_waiting(run: WorkflowRun, why: str) -> GiveUp | None:
    waiting = tuple(islice((step for step, one in run.open.items() if one.only_waits), MOST_TOGETHER))
    return GiveUp(waiting, why) if waiting else None
