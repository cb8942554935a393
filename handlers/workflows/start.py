"""A workflow is started: its inputs are checked, the run is recorded with its whole definition, and goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain import identity
from domain.canonical import canonical
from domain.errors import Code, ErrorReport, EventTooLarge, FieldError, LedgerConflict, Refused
from domain.ports import World
from domain.workflow import WorkflowRun
from domain.workflow_definition import Definition, StepKind, check_inputs
from domain.workflow_ledger import RunLedger
from handlers.execute import Deadline
from handlers.workflows.answers import answer_of
from handlers.workflows.conduct import Conduct
from handlers.workflows.tokens import SETTING, Tokens
from projections.workflow_status import RunResponse

LONGEST_LABEL = 255


class Start:
    """The way of a run into the ledger."""

    def __init__(self, runs: RunLedger, conduct: Conduct, tokens: Tokens, world: World) -> None:
        self._runs = runs
        self._conduct = conduct
        self._tokens = tokens
        self._world = world

    def __call__(
        self,
        definition: Definition,
        inputs: Mapping[str, Any],
        deadline: Deadline,
        *,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        actor: str | None = None,
    ) -> RunResponse:
        """Goes on as far as the deadline allows. Raises LedgerUnavailable; what is refused is told, not raised."""
        try:
            key = _cause(idempotency_key=idempotency_key).get("idempotency_key")
            run_id = self._new_id() if key is None else identity.keyed_run_id(key)
            told = {"idempotency_key": idempotency_key, "correlation_id": correlation_id, "actor": actor}
            run = self.new(definition, inputs, run_id, **told)
            return answer_of(self._runs, self._conduct.begin(run, deadline))
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused))
        except EventTooLarge as large:
            message = f"definition and inputs together are too large to be stored: {large}"
            return RunResponse(None, error=ErrorReport(Code.TOO_LARGE, message))
        except LedgerConflict:
            return self._recognise(run)

    def new(self, definition: Definition, inputs: Mapping[str, Any], run_id: str, **cause: str | None) -> WorkflowRun:
        """A run that is not recorded yet. Raises Refused."""
        labels = _cause(**cause)
        self._require_a_key(definition)
        return WorkflowRun.started(
            run_id,
            name=definition.name,
            definition=definition.document,
            definition_hash=definition.hash,
            inputs=check_inputs(definition, inputs),
            cause=labels,
            at=self._world.clock.now(),
        )

    def _new_id(self) -> str:
        return identity.new_run_id(self._world.clock.now(), self._world.chance.entropy(10))

    def _require_a_key(self, definition: Definition) -> None:
        steps = (step for one in definition.all_of_it() for step in one.steps)
        waiting = [step.id for step in steps if step.kind is StepKind.CALLBACK]
        if waiting and not self._tokens.is_configured:
            message = f"the step {waiting[0]!r} waits for a callback: set {SETTING}"
            raise Refused(message, details=[FieldError(f"steps.{waiting[0]}", Code.CONFLICT, message)])

    def _recognise(self, asked: WorkflowRun) -> RunResponse:
        """The key is taken: by this very run, or by another one."""
        original = self._runs.load(asked.id)
        if _wish(original) != _wish(asked):
            message = f"this idempotency_key belongs to another run ({original.id}); repeat that one, or use a new key"
            return RunResponse(None, error=ErrorReport(Code.IDEMPOTENCY_MISMATCH, message))
        return answer_of(self._runs, original).as_duplicate()


def _wish(run: WorkflowRun) -> tuple[str, bytes]:
    return run.definition_hash, canonical(dict(run.inputs))


def _cause(**told: str | None) -> dict[str, str]:
    """Raises Refused for what is no label."""
    for name, word in told.items():
        if word is not None and not (
            isinstance(word, str) and 0 < len(word) <= LONGEST_LABEL and word.isascii() and word.isprintable()
        ):
            message = f"must be 1 to {LONGEST_LABEL} printable characters of ASCII"
            raise Refused(f"{name}: {message}", details=[FieldError(name, Code.INVALID_CHARACTERS, message)])
    return {name: word for name, word in told.items() if word is not None}
