"""Taking back: an action that undoes another one, and how the two learn of each other.

    the action        succeeded ── undo ──► compensation_requested ······················► compensated
                                                    │                                          ▲
    its compensation                                └──► requested ... attempted ... succeeded ┘  or compensation_failed

The compensation is an action of its own, under an id made of the other's: asked for twice it is the same one. Nothing
is lost between the two ledger entries: as long as it is `compensating`, the action is due now and then, and whoever
looks creates the compensation that is missing, or records what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from domain import identity
from domain.action import Action, Order
from domain.base_action import BaseAction, Compensation, Done
from domain.canonical import canonical
from domain.errors import (
    ActionNotFound,
    Code,
    ErrorReport,
    IllegalTransition,
    LedgerConflict,
    NeedsApproval,
    Refused,
    UnreadableEvent,
)
from domain.json_value import MAX_BYTES
from domain.ledger import ActionLedger
from domain.lifecycle import ENDED, Status
from domain.ports import World
from domain.request import fingerprint
from handlers.execute import Deadline, Execute
from handlers.operate import order_of
from handlers.registry import ActionTypes
from handlers.unreadable import answer_about
from handlers.validate import BROKEN, Validate
from projections.status import Response, not_found, refusal, response_of

MOST_CONFLICTS = 5
FIRST_LOOK, LAST_LOOK = timedelta(minutes=1), timedelta(days=30)
"""Until somebody looks again what became of a compensation. It doubles each time: whoever ends one says so, and the
looks are for the case that he died before he could. A compensation may wait for a person for months."""

_OVER = ENDED | {Status.COMPENSATING}
"""It has been carried out, whatever became of that later, or will not be."""

_FOR_GOOD = (Status.REJECTED, Status.DENIED, Status.CANCELLED, Status.EXPIRED)
"""A compensation that ended so did nothing, and cannot be redriven."""

_TAKEN_BACK = (Status.COMPENSATING, Status.COMPENSATED, Status.COMPENSATION_FAILED)


class Compensate:
    """Undo by id."""

    def __init__(
        self, ledger: ActionLedger, action_types: ActionTypes, validate: Validate, execute: Execute, world: World
    ) -> None:
        self._ledger = ledger
        self._action_types = action_types
        self._validate = validate
        self._execute = execute
        self._world = world

    def __call__(
        self,
        action_id: str,
        deadline: Deadline,
        *,
        actor: str,
        reason: str,
        force: bool = False,
        request_hash: str | None = None,
        bulk: str | None = None,
    ) -> Response:
        """Takes the action back, as far as the caller can wait.

        `force` approves an undo that is held: under `request_hash`, where that is said. Never one that nobody has seen.

        Answers where the action stands. Its error says why it cannot be taken back: not_found, missing_field,
        irreversible, conflict, unreadable, archived.
        """
        try:
            order = order_of(actor, reason, bulk)
            if force:
                self._approve_if_held(action_id, order, request_hash)
            return self._undo(action_id, order, deadline)
        except Refused as refused:
            return refusal(refused)
        except ActionNotFound:
            return not_found(action_id)
        except UnreadableEvent as unreadable:
            return answer_about(self._ledger, action_id, unreadable)
        except IllegalTransition as illegal:
            return response_of(self._ledger.load(action_id)).with_error(ErrorReport(Code.CONFLICT, str(illegal)))

    def go_on(self, action: Action, deadline: Deadline) -> Action:
        """What is due of an action that is being taken back. Raises LedgerConflict when somebody else was first."""
        compensation = self.compensation_of(action)
        if compensation is None:
            compensation = self._begin(action, deadline)
        if compensation.status not in _OVER:
            now = self._world.clock.now()
            action.await_compensation(now + min(FIRST_LOOK * 2 ** min(action.deferrals, 20), LAST_LOOK), at=now)
            self._ledger.record(action)
            return action
        # Whatever was reported: here it is not known.
        return self._report(compensation) or self._ledger.load(action.id)

    def report_back(self, compensation: Action) -> Action | None:
        """An action has changed. If it is a compensation that is over, the one that it takes back is told, once.

        The action that was told, None where there was nothing to tell.
        """
        if compensation.compensates is None or compensation.is_reported or compensation.status not in _OVER:
            return None
        return self._report(compensation)

    def _report(self, compensation: Action) -> Action | None:
        original = self._told(compensation)
        if original is not None and not compensation.is_reported:
            with suppress(LedgerConflict):  # then somebody else does it, or does it anew
                compensation.reported(at=self._world.clock.now())
                self._ledger.record(compensation)
        return original

    def _told(self, compensation: Action) -> Action | None:
        for _ in range(MOST_CONFLICTS):
            with suppress(LedgerConflict):
                original = self._ledger.load(compensation.compensates or "")
                if original.compensation == compensation.id:
                    self._conclude(original, compensation)
                return original
        return None

    # -- asking for it ----------------------------------------------------------------------------------------------

    def _undo(self, action_id: str, order: Order, deadline: Deadline) -> Response:
        for _ in range(MOST_CONFLICTS):
            action = self._ledger.load(action_id)
            if action.archived is None and action.status in _TAKEN_BACK and not self._came_to_nothing(action):
                return self._again(action)
            why_not = self._why_not(action)
            if why_not is not None:
                return response_of(action).with_error(why_not)
            try:
                self._record_request(action, order)
            except LedgerConflict:
                continue
            compensation = self._begin(action, deadline)
            return response_of(self.report_back(compensation) or self._ledger.load(action.id))
        raise LedgerConflict(f"{action_id}: it changed {MOST_CONFLICTS} times while this was decided; try again")

    def _why_not(self, action: Action) -> ErrorReport | None:
        if action.archived is not None:
            return ErrorReport(Code.ARCHIVED, "it is archived: what it did cannot be taken back from here any more")
        if action.status not in (Status.SUCCEEDED, Status.COMPENSATION_FAILED):
            return _nothing_to_take_back(action)
        if action.compensates is not None:
            # Whoever it takes back would go on saying that it is taken back.
            message = f"it takes back {action.compensates}; to have that once more, ask for it anew"
            return ErrorReport(Code.IRREVERSIBLE, message)
        compensation = self._compensation_by_type(action)
        if compensation is None:
            return self._irreversible(action)
        if len(canonical(dict(compensation.parameters))) > MAX_BYTES:
            return ErrorReport(Code.TOO_LARGE, "what would take it back is too large to be recorded")
        return None

    def _came_to_nothing(self, action: Action) -> bool:
        """Whether the compensation has ended so that it can never be tried again: then there may be another one."""
        if action.status is not Status.COMPENSATION_FAILED:
            return False
        compensation = self.compensation_of(action)
        return compensation is not None and compensation.status in _FOR_GOOD

    def _record_request(self, action: Action, order: Order) -> None:
        now = self._world.clock.now()
        compensation_id = identity.compensating_action_id(action.id, action.compensations + 1)
        action.request_compensation(compensation_id, order, look_at=now + FIRST_LOOK, at=now)
        self._ledger.record(action)

    def _again(self, action: Action) -> Response:
        """Undone once more: it is the same undo."""
        compensation = self.compensation_of(action)
        told = self.report_back(compensation) if compensation is not None else None
        return response_of(told or action).as_duplicate()

    def _approve_if_held(self, action_id: str, order: Order, request_hash: str | None) -> None:
        for _ in range(MOST_CONFLICTS):
            with suppress(LedgerConflict):
                compensation = self.compensation_of(self._ledger.load(action_id))
                if compensation is not None and compensation.status is Status.HELD:
                    compensation.approve(order, request_hash=request_hash, at=self._world.clock.now())
                    self._ledger.record(compensation)
                return
        raise LedgerConflict(f"{action_id}: its undo changed {MOST_CONFLICTS} times while this was decided; try again")

    def _irreversible(self, action: Action) -> ErrorReport:
        action_type = self._type_of(action)
        return ErrorReport(
            Code.IRREVERSIBLE, f"{action_type.action_type} cannot be taken back. {action_type.correction}".strip()
        )

    # -- the compensation -------------------------------------------------------------------------------------------

    def compensation_of(self, action: Action) -> Action | None:
        """The action that takes this one back, None where there is none (yet)."""
        try:
            return self._ledger.load(action.compensation or "")
        except ActionNotFound:
            return None

    def _begin(self, action: Action, deadline: Deadline) -> Action:
        """The compensation, requested and carried out as far as the caller can wait; if it is there, as it stands."""
        try:
            return self._accepted(self._requested(action), deadline)
        except LedgerConflict:
            return self._ledger.load(action.compensation or "")

    def _requested(self, action: Action) -> Action:
        compensation_id, request = action.compensation or "", self._request_of(action)
        return Action.requested(
            compensation_id,
            request=request,
            fingerprint=fingerprint(request),
            effect_key=identity.effect_key(compensation_id),
            subject=self._validate.subject_of(request),
            at=self._world.clock.now(),
        )

    def _accepted(self, compensation: Action, deadline: Deadline) -> Action:
        now = self._world.clock.now()
        try:
            ready = self._validate.whole(compensation, deadline.remaining)
        except Refused as refused:
            compensation.reject(ErrorReport.of(refused), at=now)
        except NeedsApproval as needed:
            compensation.validate(at=now)
            compensation.put_on_hold(needed.hold, at=now)
        else:
            compensation.validate(target=ready.prepared.target, at=now)
            if deadline.allows_an_attempt():
                return self._execute(compensation, ready, deadline)
        self._ledger.record(compensation)
        return compensation

    def _request_of(self, action: Action) -> Mapping[str, Any]:
        """Built from stored facts alone: years later the provider may say anything, and the type may be gone."""
        order = action.compensation_order
        asked: dict[str, Any] = {"action_type": "", "parameters": {}}
        with suppress(Refused):
            compensation = self._compensation_by_type(action)
            if compensation is not None:
                asked = {"action_type": compensation.action_type, "parameters": _as_stored(compensation.parameters)}
        decision = {"agent": order.by, "reason": order.why} if order else {}
        number = {"compensation_number": action.compensations} if action.compensations > 1 else {}
        return {**asked, "compensates": action.id, **number, "decision": decision}

    def _compensation_by_type(self, action: Action) -> Compensation | None:
        """Raises Refused where the action type is not installed any more, or is broken."""
        action_type = self._type_of(action)
        try:
            compensation = action_type.compensation(_done(action))
            if compensation is not None:
                _as_stored(compensation.parameters)
            return compensation
        except Exception as error:
            message = f"the action type raised {type(error).__name__}, so nothing could be taken back"
            raise Refused(message, code=BROKEN) from error

    def _type_of(self, action: Action) -> BaseAction[Any]:
        return self._action_types.named(action.asked["action_type"])

    # -- what became of it ------------------------------------------------------------------------------------------

    def _conclude(self, original: Action, compensation: Action) -> None:
        """Once: what is known of a compensation may change when it is redriven, from failed to succeeded."""
        now = self._world.clock.now()
        if compensation.status in (Status.SUCCEEDED, *_TAKEN_BACK):
            if original.status in (Status.COMPENSATING, Status.COMPENSATION_FAILED):
                original.compensated(at=now)
                self._ledger.record(original)
        elif original.status is Status.COMPENSATING:
            original.fail_compensation(_why_failed(compensation), at=now)
            self._ledger.record(original)


def _done(action: Action) -> Done:
    return Done(
        action_id=action.id,
        effect_key=action.effect_key,
        parameters=action.asked["parameters"],
        result=action.result or {},
        reference=action.reference,
        undo=action.undo,
        at=action.modified_on,
    )


def _as_stored(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they will be read back. Raises TypeError, ValueError for what is no JSON."""
    stored: dict[str, Any] = json.loads(json.dumps(dict(parameters), ensure_ascii=False, allow_nan=False))
    return stored


def _nothing_to_take_back(action: Action) -> ErrorReport:
    if action.status is Status.IN_DOUBT:
        return ErrorReport(Code.CONFLICT, "it is in doubt: resolve it first, then it can be taken back if it happened")
    return ErrorReport(Code.CONFLICT, f"it is {action.status}: there is nothing to take back")


def _why_failed(compensation: Action) -> ErrorReport:
    error = compensation.error
    if error is None:
        return ErrorReport(str(compensation.status), f"its compensation is {compensation.status}")
    return ErrorReport(str(error.code), f"its compensation is {compensation.status}: {error.message}")
