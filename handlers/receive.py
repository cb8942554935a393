"""A request comes in: recognised, refused, or accepted and carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from domain import identity
from domain.action import Action
from domain.canonical import canonical
from domain.errors import (
    ActionNotFound,
    Code,
    ErrorReport,
    EventTooLarge,
    FieldError,
    InvalidRequest,
    LedgerConflict,
    NeedsApproval,
    Refused,
    UnreadableEvent,
)
from domain.hold import Hold
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.ports import World
from domain.request import ActionRequest, fingerprint
from domain.unreadable import known_of
from handlers.advance import Advance
from handlers.execute import Deadline, Execute
from handlers.remind import Remind
from handlers.unreadable import life_as_known
from handlers.validate import Ready, Validate
from projections.as_known import response_as_known
from projections.status import Response, response_of

if TYPE_CHECKING:
    from handlers.recall import Recall

FIRST_LOOK = 0.005
"""Seconds until a duplicate looks again at the attempt that it waits for; it doubles up to LAST_LOOK."""
LAST_LOOK = 0.25


class Receive:
    """The way of a request: identify, validate, record, execute."""

    def __init__(
        self,
        ledger: ActionLedger,
        validate: Validate,
        execute: Execute,
        advance: Advance,
        recall: Callable[[], Recall],
        world: World,
    ) -> None:
        self._ledger = ledger
        self._validate = validate
        self._execute = execute
        self._advance = advance
        self._recall = recall
        self._world = world
        self._remind = Remind(world)

    def __call__(self, request: ActionRequest, deadline: Deadline, hold: Hold | None = None) -> Response:
        """`hold` keeps what is accepted until a person approves it.

        Never raises for what a request says; raises LedgerUnavailable when nothing can be recorded.
        """
        action_id = self._identify(request)
        action = self._request(request.document, action_id)
        ready = None
        # Decided once: what was only checked must not be carried out because its time has come meanwhile.
        for_later = self._is_for_later(request, deadline)
        try:
            self._check_time(request)
            ready = self._validate.whole(action, 0.0 if for_later else deadline.remaining)
        except Refused as refusal:
            return self._refuse(request, action_id, refusal)
        except NeedsApproval as needed:
            hold = hold or needed.hold
        try:
            return response_of(self._accept(action, request, ready, None if for_later else deadline, hold))
        except LedgerConflict:
            return self._recognise(request, action_id, deadline)
        except EventTooLarge as too_large:
            message = f"what had to be recorded is too large: {too_large}"
            return self._reject(request.document, Refused(message, code=Code.TOO_LARGE))

    def _accept(
        self, action: Action, request: ActionRequest, ready: Ready | None, deadline: Deadline | None, hold: Hold | None
    ) -> Action:
        """Without a deadline it is for later."""
        options, now = request.options, self._world.clock.now()
        target = None if ready is None else ready.prepared.target
        action.validate(not_before=options.not_before, expires_at=options.expires_at, target=target, at=now)
        if hold is not None:
            action.put_on_hold(hold, at=now)
        if ready is not None and deadline is not None and hold is None:
            action = self._execute(action, ready, deadline)
            self._remind(action)
            return action
        self._ledger.record(action)
        return action

    def refuse(self, invalid: InvalidRequest) -> Response:
        """What is sound JSON but no request: recorded as rejected."""
        return self._reject(invalid.document, invalid)

    def _identify(self, request: ActionRequest) -> str:
        if request.idempotency_key is not None:
            return identity.keyed_action_id(request.idempotency_key)
        decision_id = request.decision_id
        if decision_id is not None:
            return identity.decided_action_id(decision_id, request.action_type, canonical(request.parameters))
        return self._new_id()

    def _new_id(self) -> str:
        return identity.new_action_id(self._world.clock.now(), self._world.chance.entropy(10))

    def _request(self, document: Mapping[str, Any], action_id: str) -> Action:
        return Action.requested(
            action_id,
            request=document,
            fingerprint=fingerprint(document),
            effect_key=identity.effect_key(action_id),
            subject=self._validate.subject_of(document),
            at=self._world.clock.now(),
        )

    def _check_time(self, request: ActionRequest) -> None:
        expires_at = request.options.expires_at
        if expires_at is not None and expires_at <= self._world.clock.now():
            message = "expires_at has passed; nothing was done"
            detail = FieldError("options.expires_at", Code.INVALID_OPTIONS, message)
            raise Refused(message, details=[detail], code=Code.INVALID_OPTIONS)

    def _is_for_later(self, request: ActionRequest, deadline: Deadline) -> bool:
        not_before = request.options.not_before
        return (
            request.options.mode == "accept"
            or (not_before is not None and not_before > self._world.clock.now())
            or not deadline.allows_an_attempt()
        )

    # -- duplicates and refusals ------------------------------------------------------------------------------------

    def _recognise(self, request: ActionRequest, action_id: str, deadline: Deadline) -> Response:
        """The id is taken: by this very request, or by another one under the same key."""
        try:
            original = self._ledger.load(action_id)
        except UnreadableEvent as unreadable:
            return self._recognise_in_part(request, action_id, unreadable)
        if self._is_other_request(request, original):
            return self._reject(request.document, _mismatch(action_id))
        return self._told(self._settled(original, deadline)).as_duplicate()

    def _told(self, original: Action) -> Response:
        return response_of(original) if original.archived is None else self._recall().response_of(original)

    def _recognise_in_part(self, request: ActionRequest, action_id: str, unreadable: UnreadableEvent) -> Response:
        """The id is taken, by an action that cannot be read whole: nothing is done, and what is known is told."""
        life = life_as_known(self._ledger, action_id)
        original = known_of(life).as_of
        if isinstance(original, Action) and self._is_other_request(request, original):
            return self._reject(request.document, _mismatch(action_id))
        return response_as_known(action_id, life, str(unreadable)).as_duplicate()

    @staticmethod
    def _is_other_request(request: ActionRequest, original: Action) -> bool:
        # An id made of the decision stands for action type and parameters already: options may differ.
        return request.idempotency_key is not None and original.fingerprint != fingerprint(request.document)

    def _settled(self, original: Action, deadline: Deadline) -> Action:
        """The original answer is the one that its own caller gets: wait for the attempt that is running."""
        pause = FIRST_LOOK
        original = self._advance.take_over(original)
        while original.status is Status.ATTEMPTED and deadline.remaining > pause:
            self._world.clock.sleep(pause)
            original = self._ledger.load(original.id)
            pause = min(pause * 2, LAST_LOOK)
        return original

    def _refuse(self, request: ActionRequest, action_id: str, refusal: Refused) -> Response:
        """What was accepted once is a duplicate, even if it would be refused today."""
        if request.idempotency_key is None and request.decision_id is None:
            return self._reject(request.document, refusal)
        try:
            original = self._ledger.load(action_id)
        except ActionNotFound:
            return self._reject(request.document, refusal)
        except UnreadableEvent as unreadable:
            return self._recognise_in_part(request, action_id, unreadable)
        if self._is_other_request(request, original):
            return self._reject(request.document, _mismatch(action_id))
        return self._told(original).as_duplicate()

    def _reject(self, document: Mapping[str, Any], refusal: Refused) -> Response:
        """Recorded under an id of its own, so that the key stays free for the repaired request."""
        action = self._request(document, self._new_id())
        action.reject(ErrorReport.of(refusal), at=self._world.clock.now())
        self._ledger.record(action)
        return response_of(action)


def _mismatch(action_id: str) -> Refused:
    message = f"this idempotency_key belongs to another request ({action_id}); repeat that request, or use a new key"
    detail = FieldError("idempotency_key", Code.IDEMPOTENCY_MISMATCH, message)
    return Refused(message, details=[detail], code=Code.IDEMPOTENCY_MISMATCH)
