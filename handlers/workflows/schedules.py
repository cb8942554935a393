"""Schedules: runs that carry out no step, and start a run of their definition at each moment of its timetable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain import identity
from domain.canonical import canonical
from domain.errors import ActionNotFound, Code, ErrorReport, EventTooLarge, FieldError, LedgerConflict, Refused
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, check_inputs
from domain.workflow_ledger import RunLedger
from handlers.workflows.answers import answer_of
from handlers.workflows.cron import next_after
from handlers.workflows.start import Start
from projections.workflow_status import RunResponse


class Schedules:
    """Adds them. What else is done to a run is done to them: they are paused, resumed, and cancelled."""

    def __init__(self, runs: RunLedger, start: Start, world: World) -> None:
        self._runs = runs
        self._start = start
        self._world = world

    def add(self, definition: Definition, inputs: Mapping[str, Any], *, actor: str | None = None) -> RunResponse:
        """The schedule of the definition's name; there is one at a time. The same once more is a duplicate.

        What is refused is told, not raised. Raises LedgerUnavailable.
        """
        try:
            number, active = self._last_of(definition.name)
            if active is None:
                active = self._new(definition, inputs, actor, number + 1)
                self._runs.record(active)
                return answer_of(self._runs, active)
            return self._recognise(active, definition, check_inputs(definition, inputs))
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused))
        except EventTooLarge as large:
            return RunResponse(None, error=ErrorReport(Code.TOO_LARGE, f"it is too large to be stored: {large}"))
        except LedgerConflict:
            # Somebody else has added one at the same time.
            return self.add(definition, inputs, actor=actor)

    def _last_of(self, name: str) -> tuple[int, WorkflowRun | None]:
        """The number of the last schedule of this name, and itself, where it is not over."""
        number, last = 0, None
        while last is None or last.is_over:
            try:
                last = self._runs.load(identity.schedule_run_id(name, number + 1))
            except ActionNotFound:
                return number, None
            number += 1
        return number, last

    def _new(self, definition: Definition, inputs: Mapping[str, Any], actor: str | None, number: int) -> WorkflowRun:
        if definition.schedule is None:
            message = "the definition has no schedule: it says at which moments it is to be started"
            raise Refused(message, details=[FieldError("schedule", Code.MISSING_FIELD, message)])
        run_id, now = identity.schedule_run_id(definition.name, number), self._world.clock.now()
        run = self._start.new(definition, inputs, run_id, actor=actor)
        first = next_after(definition.schedule, now)
        if first is None:
            raise Refused("none of its moments ever comes again")
        run.schedule(first, at=now)
        return run

    def _recognise(self, active: WorkflowRun, definition: Definition, inputs: Mapping[str, Any]) -> RunResponse:
        if (active.definition_hash, canonical(dict(active.inputs))) == (definition.hash, canonical(dict(inputs))):
            return answer_of(self._runs, active).as_duplicate()
        message = f"there is another schedule called {active.name} ({active.id}): remove it first"
        return answer_of(self._runs, active).with_error(ErrorReport(Code.CONFLICT, message))
