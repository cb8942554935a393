"""Somebody calls back: the step that waits for that ends, once, with what they brought."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.canonical import canonical
from domain.errors import ActionNotFound, Code, ErrorReport, FieldError, Refused
from domain.json_value import read_value
from domain.workflow import WorkflowRun
from domain.workflow_ledger import RunLedger
from domain.workflow_standing import StepStatus
from handlers.execute import Deadline
from handlers.workflows.answers import answer_of
from handlers.workflows.conduct import Conduct
from handlers.workflows.tokens import Claim, Tokens, read_token
from projections.workflow_status import RunResponse, unknown_run

LARGEST_PAYLOAD = 32 * 1024
"""Bytes of compact JSON: it is stored with the run."""

FORGED = "the token is not genuine"


class CallBack:
    """Answers callbacks. What is refused is recorded where the run is known, so that a person can see it."""

    def __init__(self, runs: RunLedger, conduct: Conduct, tokens: Tokens) -> None:
        self._runs = runs
        self._conduct = conduct
        self._tokens = tokens

    def __call__(self, token: str, payload: Mapping[str, Any], deadline: Deadline) -> RunResponse:
        """The run goes on as far as the deadline allows. The error says why a callback is refused.

        Raises ConfigurationError where there is no key for tokens, LedgerUnavailable.
        """
        claim = read_token(token)
        if claim is None:
            return _refused(Code.MALFORMED, "this is no callback token")
        try:
            brought = _read(payload)
            return self._answer(claim, brought, deadline)
        except Refused as refused:
            return RunResponse(None, error=ErrorReport.of(refused))
        except ActionNotFound:
            return unknown_run(claim.run_id)

    def _answer(self, claim: Claim, brought: Mapping[str, Any], deadline: Deadline) -> RunResponse:
        is_genuine = self._tokens.is_genuine(claim)
        why_not: list[str] = []

        def tell(run: WorkflowRun, at: datetime) -> None:
            why_not[:] = [] if is_genuine else [FORGED]
            if is_genuine and (why := _why_not(run, claim.step, at)) is not None:
                why_not[:] = [why]
            if why_not:
                run.refuse_callback(claim.step[:64], why_not[0], at=at)
            else:
                run.end_step(claim.step, StepStatus.SUCCEEDED, result=brought, at=at)

        run = self._conduct.act(claim.run_id, tell, deadline)
        if why_not == [FORGED]:
            # Whoever forges a token learns nothing of the run.
            return _refused(Code.NOT_FOUND, "no step waits for this token")
        answer = answer_of(self._runs, run)
        return answer.with_error(ErrorReport(Code.CONFLICT, why_not[0])) if why_not else answer


def _why_not(run: WorkflowRun, step: str, at: datetime) -> str | None:
    if step in run.ended:
        return f"it is too late: the step {step!r} is {run.end_of(step)}"
    one = run.open.get(step)
    if one is None:
        return f"it is too early: the step {step!r} has not begun"
    if one.until is not None and one.until <= at:
        return f"it is too late: the step {step!r} has waited long enough"
    return None


def _read(payload: object) -> Mapping[str, Any]:
    brought = read_value(payload)
    if len(canonical(brought)) > LARGEST_PAYLOAD:
        message = f"a callback brings at most {LARGEST_PAYLOAD} bytes of JSON"
        raise Refused(message, details=[FieldError("payload", Code.TOO_LARGE, message)], code=Code.TOO_LARGE)
    return brought


def _refused(code: Code, message: str) -> RunResponse:
    return RunResponse(None, error=ErrorReport(code, message))
