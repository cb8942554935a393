"""The part of the front door behind which workflows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from domain.errors import ActionNotFound, ErrorReport, Refused
from domain.identity import is_run_id
from handlers.execute import Deadline
from projections.history import history_of
from projections.view import row_of

if TYPE_CHECKING:
    from agents.execution_agent.assembly import Parts

MOST_ROWS = 10_000
"""Of each status, that are looked at to list runs."""


class WorkflowRuns:
    """Starts runs, tells where they stand, and lets people act on them.

    Every method answers with the same members, in plain JSON values: `run_id`, `name`, `status`, `steps`, `remaining`,
    `needs_operator`, `error`, `duplicate`. `wait` is how long the caller waits, in seconds; what is not finished by
    then goes on in the ledger. Acts answer with an error where they are not allowed: `not_found`, `missing_field`
    (actor, reason) or `conflict`.
    """

    _parts: Parts

    def start_workflow_run(
        self,
        definition_text: bytes | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        actor: str | None = None,
        wait: float | None = None,
    ) -> dict[str, Any]:
        """Carries out the workflow that a text defines, in YAML or JSON. With a key, the same run again is answered.

        Never raises for what the definition or the inputs say; raises LedgerUnavailable, and ConfigurationError where a
        library is not installed.
        """
        from handlers.workflows.accompany import Accompany
        from handlers.workflows.reading import read_definition
        from projections.workflow_status import RunResponse

        parts, deadline = self._parts, self._deadline(wait)
        text = definition_text.encode() if isinstance(definition_text, str) else definition_text
        try:
            definition = read_definition(text, {kind.action_type: kind.parameters for kind in parts.action_types})
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused)).as_dict()
        answer = parts.workflows().start(
            definition,
            {} if inputs is None else inputs,
            deadline,
            idempotency_key=idempotency_key,
            correlation_id=correlation_id,
            actor=actor,
        )
        accompany = Accompany(parts.ledger, parts.workflows().runs, parts.advance, parts.world)
        return accompany(answer, deadline).as_dict()

    def workflow_status(self, run_id: str) -> dict[str, Any]:
        """Where the run stands now, read consistently; `not_found` when nobody has heard of it."""
        return self._parts.workflows().operate.status(run_id).as_dict()

    def workflow_history(self, run_id: str) -> list[dict[str, Any]]:
        """The run's life: a list of `{version, type, at, data}`, oldest first; empty when nobody has heard of it."""
        try:
            return history_of(self._parts.ledger.events_of(run_id))
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
        return self._parts.workflows().operate.undo(run_id, self._deadline(wait), actor=actor, reason=reason).as_dict()

    def pause_run(self, run_id: str, *, actor: str, reason: str) -> dict[str, Any]:
        """No step begins until the run is resumed; what runs ends."""
        return self._parts.workflows().operate.pause(run_id, self._deadline(0.0), actor=actor, reason=reason).as_dict()

    def resume_run(self, run_id: str, *, actor: str, reason: str, wait: float | None = None) -> dict[str, Any]:
        """It goes on."""
        return (
            self._parts.workflows().operate.resume(run_id, self._deadline(wait), actor=actor, reason=reason).as_dict()
        )

    def cancel_run(self, run_id: str, *, actor: str, reason: str) -> dict[str, Any]:
        """No step begins any more, what runs ends, and what was done stands: it is told in `remaining`."""
        return self._parts.workflows().operate.cancel(run_id, self._deadline(0.0), actor=actor, reason=reason).as_dict()

    def callback(self, token: str, payload: Mapping[str, Any], *, wait: float | None = None) -> dict[str, Any]:
        """Ends the step that waits for this token, once, with what was brought."""
        return self._parts.workflows().call_back(token, payload, self._deadline(wait)).as_dict()

    def _deadline(self, wait: float | None) -> Deadline:
        return Deadline(self._parts.world.clock, self._parts.settings.wait if wait is None else wait)
