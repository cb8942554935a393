"""The part of the front door behind which workflows are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agents.execution_agent.assembly import definition_sources
from domain.errors import ActionNotFound, ErrorReport, Refused, UnreadableEvent
from domain.identity import is_run_id, keyed_run_id
from handlers.execute import Deadline
from projections.history import history_of
from projections.view import row_of

if TYPE_CHECKING:
    from agents.execution_agent.assembly import Parts
    from domain.workflow_definition import Definition
    from handlers.workflows.operate import OperateRuns
    from projections.workflow_status import RunResponse

Files: TypeAlias = "str | Path | Mapping[str, bytes | str]"
"""A folder of definitions, or their texts by path."""
MOST_ROWS = 10_000
"""Of each status, that are looked at to list runs."""


class WorkflowRuns:
    """Starts runs, tells where they stand, and lets people act on them.

    Every method answers with the same members, in plain JSON values: `run_id`, `name`, `status`, `steps`, `schedule`,
    `remaining`, `needs_operator`, `error`, `duplicate`. `wait` is how long the caller waits, in seconds; what is not
    finished by then goes on in the ledger. Acts answer with an error where they are not allowed: `not_found`,
    `missing_field` (actor, reason), `conflict`, or `unreadable` where a later release wrote a part of the run's life:
    then the status is where it stood before that.
    """

    _parts: Parts

    def start_workflow_run(
        self,
        definition_text: bytes | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        actor: str | None = None,
        wait: float | None = None,
    ) -> dict[str, Any]:
        """Carries out the workflow that a text defines, in YAML or JSON. With a key, the same run again is answered.

        `files` are where the definitions are found that its steps start: a folder, or the texts themselves by path.

        Never raises for what the definition or the inputs say; raises LedgerUnavailable, and ConfigurationError where a
        library is not installed.
        """
        from handlers.workflows.accompany import Accompany
        from projections.workflow_status import RunResponse

        parts, deadline = self._parts, self._deadline(wait)
        try:
            definition = self._definition(definition_text, files)
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused)).as_dict()
        try:
            answer = parts.workflows().start(
                definition,
                {} if inputs is None else inputs,
                deadline,
                idempotency_key=idempotency_key,
                correlation_id=correlation_id,
                actor=actor,
            )
        except UnreadableEvent as unreadable:
            return self._as_known(keyed_run_id(idempotency_key or ""), unreadable).as_duplicate().as_dict()
        accompany = Accompany(parts.ledger, parts.workflows().runs, parts.advance, parts.world)
        return accompany(answer, deadline).as_dict()

    def add_schedule(
        self,
        definition_text: bytes | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        actor: str | None = None,
    ) -> dict[str, Any]:
        """A run of the definition begins at each moment that its `schedule` tells; workers and sweeps see to that.

        It is a run itself, `scheduled`: paused, resumed and cancelled as one. There is one of a name; the same again is
        a duplicate, another one a `conflict`. Raises as `start_workflow_run` does.
        """
        from projections.workflow_status import RunResponse

        try:
            definition = self._definition(definition_text, files)
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused)).as_dict()
        schedules = self._parts.workflows().schedules
        return schedules.add(definition, {} if inputs is None else inputs, actor=actor).as_dict()

    def list_schedules(self) -> list[dict[str, Any]]:
        """Those that start runs, or are paused; each as `workflow_status` tells it."""
        rows = [
            *self.list_workflow_runs("scheduled", limit=MOST_ROWS),
            *self.list_workflow_runs("paused", limit=MOST_ROWS),
        ]
        told = (self.workflow_status(row["action_id"]) for row in rows)
        return [one for one in told if one["schedule"] is not None]

    def workflow_inputs(
        self, definition_text: bytes | str, texts: Mapping[str, str], *, files: Files | None = None
    ) -> dict[str, Any]:
        """Inputs that somebody wrote as texts, as a run of the definition takes them: text where a string or a date is
        declared, else the JSON that it is. They are not checked, and left alone where the definition cannot be read:
        whoever starts the run is told. Raises ConfigurationError."""
        from domain.workflow_definition import inputs_of

        try:
            return dict(inputs_of(self._definition(definition_text, files), texts))
        except Refused:
            return dict(texts)

    def _definition(self, text: bytes | str, files: Files | None) -> Definition:
        """Raises InvalidDefinition, ConfigurationError."""
        from handlers.workflows.reading import read_definition

        action_types = {kind.action_type: kind.parameters for kind in self._parts.action_types}
        encoded = text.encode() if isinstance(text, str) else text
        return read_definition(encoded, action_types, definition_sources(files))

    def workflow_status(self, run_id: str) -> dict[str, Any]:
        """Where the run stands now, read consistently; `not_found` when nobody has heard of it."""
        return self._of_run(run_id, lambda runs: runs.status(run_id))

    def workflow_history(self, run_id: str) -> list[dict[str, Any]]:
        """The run's life: a list of `{version, type, at, data}`, oldest first; empty when nobody has heard of it."""
        try:
            return history_of(self._parts.ledger.life_of(run_id))
        except ActionNotFound:
            return []

    def list_workflow_runs(self, status: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest runs of a status, or of all, as rows like those of actions."""
        from domain.workflow_standing import RunStatus

        wanted = [str(one) for one in RunStatus] if status is None else [status]
        # Actions share a status or two with runs, so more rows are read than are wanted.
        rows = [row for one in wanted for row in self._parts.agenda.views(one, MOST_ROWS) if is_run_id(row.action_id)]
        return [row_of(row) for row in sorted(rows, key=lambda row: (row.born, row.action_id), reverse=True)[:limit]]

    def undo_run(self, run_id: str, *, actor: str, reason: str, wait: float | None = None) -> dict[str, Any]:
        """Takes back what the run did, one step at a time, the last that succeeded first."""
        deadline = self._deadline(wait)
        return self._of_run(run_id, lambda runs: runs.undo(run_id, deadline, actor=actor, reason=reason))

    def pause_run(self, run_id: str, *, actor: str, reason: str) -> dict[str, Any]:
        """No step begins until the run is resumed; what runs ends."""
        deadline = self._deadline(0.0)
        return self._of_run(run_id, lambda runs: runs.pause(run_id, deadline, actor=actor, reason=reason))

    def resume_run(self, run_id: str, *, actor: str, reason: str, wait: float | None = None) -> dict[str, Any]:
        """It goes on."""
        deadline = self._deadline(wait)
        return self._of_run(run_id, lambda runs: runs.resume(run_id, deadline, actor=actor, reason=reason))

    def cancel_run(self, run_id: str, *, actor: str, reason: str) -> dict[str, Any]:
        """No step begins and no action leaves any more; what was done stands: it is told in `remaining`."""
        deadline = self._deadline(0.0)
        return self._of_run(run_id, lambda runs: runs.cancel(run_id, deadline, actor=actor, reason=reason))

    def callback(self, token: str, payload: Mapping[str, Any], *, wait: float | None = None) -> dict[str, Any]:
        """Ends the step that waits for this token, once, with what was brought."""
        try:
            return self._parts.workflows().call_back(token, payload, self._deadline(wait)).as_dict()
        except UnreadableEvent:
            from handlers.workflows.answers import unreadable_run

            # Whoever forges a token learns nothing of the run.
            return unreadable_run("this release cannot read the run").as_dict()

    def _of_run(self, run_id: str, ask: Callable[[OperateRuns], RunResponse]) -> dict[str, Any]:
        try:
            return ask(self._parts.workflows().operate).as_dict()
        except UnreadableEvent as unreadable:
            return self._as_known(run_id, unreadable).as_dict()

    def _as_known(self, run_id: str, unreadable: UnreadableEvent) -> RunResponse:
        from handlers.workflows.answers import answer_as_known

        return answer_as_known(self._parts.ledger, self._parts.workflows().runs, run_id, unreadable)

    def _deadline(self, wait: float | None) -> Deadline:
        return Deadline(self._parts.world.clock, self._parts.settings.wait if wait is None else wait)
