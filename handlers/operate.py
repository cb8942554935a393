"""What people do to an action: cancel, bring forward, redrive, resolve. Each act records an actor and a reason."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from domain.action import Action, Order, Verdict
from domain.errors import (
    ActionNotFound,
    Code,
    ErrorReport,
    FieldError,
    IllegalTransition,
    LedgerConflict,
    Refused,
    UnreadableEvent,
)
from domain.identity import bulk_given_at
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.ports import World
from handlers.execute import Deadline
from handlers.unreadable import answer_about
from projections.status import Response, not_found, refusal, response_of

if TYPE_CHECKING:
    from handlers.report import Report

log = logging.getLogger("execution_agent.operate")

LONGEST_WORD = 500
"""Characters of an actor's name, and of a reason."""
MOST_CONFLICTS = 5

Act = Callable[[Action, datetime], None]


class Operate:
    """Acts of people, decided on the action as it stands."""

    def __init__(self, ledger: ActionLedger, report: Report, world: World) -> None:
        """`report` hears of every action that an act has changed."""
        self._ledger = ledger
        self._report = report
        self._world = world

    def cancel(self, action_id: str, *, actor: str, reason: str, bulk: str | None = None) -> Response:
        """No attempt any more. While one runs it is a wish, which takes effect before the next one."""
        return self._act(action_id, actor, reason, bulk, lambda order: lambda action, at: action.cancel(order, at=at))

    def retry_now(self, action_id: str, *, actor: str, reason: str, bulk: str | None = None) -> Response:
        """The next attempt is due now."""
        return self._act(
            action_id, actor, reason, bulk, lambda order: lambda action, at: action.bring_forward(order, at=at)
        )

    def redrive(self, action_id: str, *, actor: str, reason: str, bulk: str | None = None) -> Response:
        """A failed action gets its retries once more, under the same effect key."""
        return self._act(action_id, actor, reason, bulk, lambda order: lambda action, at: action.redrive(order, at=at))

    def approve(
        self, action_id: str, *, actor: str, reason: str, request_hash: str | None = None, bulk: str | None = None
    ) -> Response:
        """What is held goes on, as it was held: under `request_hash`, where that is said."""
        return self._act(
            action_id,
            actor,
            reason,
            bulk,
            lambda order: lambda action, at: action.approve(order, request_hash=request_hash, at=at),
        )

    def deny(
        self, action_id: str, *, actor: str, reason: str, request_hash: str | None = None, bulk: str | None = None
    ) -> Response:
        """What is held does not go on."""
        return self._act(
            action_id,
            actor,
            reason,
            bulk,
            lambda order: lambda action, at: action.deny(order, request_hash=request_hash, at=at),
        )

    def resolve(
        self,
        action_id: str,
        verdict: Verdict,
        *,
        actor: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        bulk: str | None = None,
    ) -> Response:
        """Ends a doubt by what a person knows."""
        return self._act(
            action_id,
            actor,
            reason,
            bulk,
            lambda order: lambda action, at: action.resolve(verdict, order, evidence=evidence, at=at),
        )

    def place_legal_hold(self, action_id: str, matter: str, *, actor: str, reason: str) -> Response:
        """What is known of it must stay where it is, because of this matter. Never too late: it may be archived."""
        return self._hold(action_id, matter, actor, reason, Action.place_legal_hold)

    def lift_legal_hold(self, action_id: str, matter: str, *, actor: str, reason: str) -> Response:
        """The matter is closed. Holds because of others stay."""
        return self._hold(action_id, matter, actor, reason, Action.lift_legal_hold)

    def _hold(self, action_id: str, matter: str, actor: str, reason: str, act: Callable[..., None]) -> Response:
        try:
            named = matter_of(matter)
        except Refused as refused:
            return refusal(refused)
        return self._act(
            action_id, actor, reason, None, lambda order: lambda action, at: act(action, named, order, at=at)
        )

    def _act(
        self, action_id: str, actor: str, reason: str, bulk: str | None, act_of: Callable[[Order], Act]
    ) -> Response:
        """Nothing is changed unless the act is allowed; the answer says where the action stands either way."""
        try:
            act = act_of(order_of(actor, reason, bulk))
        except Refused as refused:
            return refusal(refused)
        for _ in range(MOST_CONFLICTS):
            try:
                return self._once(action_id, act, bulk)
            except ActionNotFound:
                return not_found(action_id)
            except UnreadableEvent as unreadable:
                return answer_about(self._ledger, action_id, unreadable)
            except LedgerConflict:
                continue
        raise LedgerConflict(f"{action_id}: it changed {MOST_CONFLICTS} times while this was decided; try again")

    def _once(self, action_id: str, act: Act, bulk: str | None) -> Response:
        action = self._ledger.load(action_id)
        if bulk is not None and bulk in action.bulks:
            return response_of(action).as_duplicate()
        if bulk is not None and _has_changed_since(action, bulk):
            return response_of(action).with_error(
                ErrorReport(Code.CONFLICT, "it has changed since the order was given")
            )
        try:
            act(action, self._world.clock.now())
        except IllegalTransition as illegal:
            return response_of(action).with_error(_why_not(action, illegal))
        self._ledger.record(action)
        # What follows is for workers: a person's act does not wait for it.
        try:
            self._report(action, Deadline(self._world.clock, 0.0))
        except UnreadableEvent as unreadable:
            # The act is done. Whoever can read what has to hear of it finds the action due, and tells it.
            log.warning("%s: its change is not reported: %s", action_id, unreadable, extra={"action_id": action_id})
        return response_of(action)


def order_of(actor: str, reason: str, bulk: str | None = None) -> Order:
    """A person's act. Raises Refused (missing_field) where actor or reason is not said."""
    problems = [
        FieldError(name, Code.MISSING_FIELD, f"say {what}, in 1 to {LONGEST_WORD} printable characters")
        for name, word, what in (("actor", actor, "who does this"), ("reason", reason, "why"))
        if not _is_said(word)
    ]
    if problems:
        raise Refused(f"{problems[0].field}: {problems[0].message}", details=problems, code=Code.MISSING_FIELD)
    return Order(actor.strip(), reason.strip(), bulk)


def matter_of(matter: object) -> str:
    """What a legal hold is for. Raises Refused (missing_field) where that is not said."""
    if not isinstance(matter, str) or not _is_said(matter):
        message = f"say which matter it is for, in 1 to {LONGEST_WORD} printable characters"
        raise Refused(message, details=[FieldError("matter", Code.MISSING_FIELD, message)], code=Code.MISSING_FIELD)
    return matter.strip()


def _is_said(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word.strip()) <= LONGEST_WORD and word.isprintable()


def _has_changed_since(action: Action, bulk: str) -> bool:
    """Whoever counted it counted it as it stood. What has failed again since is not redriven a second time."""
    given_at = bulk_given_at(bulk)
    return given_at is not None and action.modified_on > given_at


def _why_not(action: Action, illegal: IllegalTransition) -> ErrorReport:
    if action.archived is not None:
        return ErrorReport(Code.ARCHIVED, f"it is archived, and stays as it is ({illegal})")
    if action.status is Status.SUCCEEDED:
        message = "it has succeeded already, and what it did stands; to take it back, undo it: execution-agent undo"
        return ErrorReport(Code.TOO_LATE, message)
    if action.status is Status.IN_DOUBT:
        return ErrorReport(Code.CONFLICT, "it is in doubt: resolve it first, then this may be possible")
    return ErrorReport(Code.CONFLICT, f"it is {action.status}, which does not allow this ({illegal})")
