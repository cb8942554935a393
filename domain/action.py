"""The action: an event-sourced aggregate.

A public method decides: it refuses (IllegalTransition) or says what happened, as an event.
A private one applies: it runs on every read, so it never refuses and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from eventsourcing.domain import BaseAggregate
from eventsourcing.utils import register_topic

from domain import events, outcome
from domain.errors import ErrorReport, FieldError
from domain.events import ACTION_TOPIC, ActionEvent
from domain.instant import from_text, to_text
from domain.lifecycle import STATUS_AFTER, Life, Status, require_may_follow
from domain.policy import Decision, Delivery, Doubt, GiveUp, InDoubt, RetryAt


class Action(BaseAggregate[str]):
    """One action and where it stands."""

    TOPIC: ClassVar[str] = ACTION_TOPIC

    # -- decide ---------------------------------------------------------------------------------------------------

    @classmethod
    def requested(
        cls, action_id: str, *, request: Mapping[str, Any], fingerprint: str, effect_key: str, at: datetime
    ) -> Action:
        """A new life begins."""
        require_may_follow(Life.REQUESTED, None)
        return cls._create(
            events.Requested,
            id=action_id,
            request=request,
            fingerprint=fingerprint,
            effect_key=effect_key,
            timestamp=at,
        )

    def reject(self, error: ErrorReport, *, at: datetime) -> None:
        """A rule refuses the request; nothing was done and nothing will be."""
        details = [{"field": d.field, "code": str(d.code), "message": d.message} for d in error.details]
        self._happened(events.Rejected, at, code=error.code, message=error.message, details=details)

    def validate(self, *, not_before: datetime | None = None, expires_at: datetime | None = None, at: datetime) -> None:
        """The request may be carried out: from here on it is accepted, and never lost."""
        self._happened(events.Validated, at, not_before=_text(not_before), expires_at=_text(expires_at))

    def begin_attempt(
        self, *, lease_until: datetime, delivery: Delivery, facts: Mapping[str, Any] | None, at: datetime
    ) -> None:
        """The intent. Only when this is on disk may the first byte leave."""
        self._happened(
            events.Attempted,
            at,
            attempt=self.attempts + 1,
            lease_until=_text(lease_until),
            delivery=str(delivery),
            facts=facts or None,
        )

    def succeed(self, success: outcome.Succeeded, *, epoch: int, at: datetime) -> None:
        """The world said yes to the attempt that began at `epoch`."""
        if not self._is_running(epoch):
            self._keep_late(epoch, success, at)
            return
        self._happened(
            events.Succeeded,
            at,
            epoch=epoch,
            result=dict(success.result),
            reference=success.reference,
            undo=None if success.undo is None else dict(success.undo),
        )

    def fail_attempt(self, failure: outcome.Failure, decision: Decision, *, epoch: int, at: datetime) -> None:
        """The attempt that began at `epoch` did not succeed, and this is what was decided to come next."""
        if not self._is_running(epoch):
            self._keep_late(epoch, failure, at)
            return
        told = {"code": failure.code, "message": failure.message}
        if isinstance(decision, InDoubt):
            self._happened(events.InDoubt, at, reason=str(decision.reason), **told)
            return
        retry_at = _text(decision.at) if isinstance(decision, RetryAt) else None
        self._happened(events.AttemptFailed, at, epoch=epoch, failure=kind_of(failure), retry_at=retry_at, **told)
        if isinstance(decision, GiveUp):
            self._happened(events.Failed, at, reason=str(decision.reason), **told)

    def expire(self, *, at: datetime) -> None:
        """Its time is over. What an earlier attempt may have done is not hidden by that: then it is in doubt."""
        told = {"code": "expired", "message": "expires_at came before the action could be carried out"}
        if self.doubted:
            self._happened(events.InDoubt, at, reason=str(Doubt.EARLIER_ATTEMPT_UNKNOWN), **told)
        else:
            self._happened(events.Expired, at, **told)

    def is_expired(self, now: datetime) -> bool:
        """Whether an attempt that begins now would come too late."""
        return self.expires_at is not None and now >= self.expires_at

    def _is_running(self, epoch: int) -> bool:
        return self.status is Status.ATTEMPTED and self.epoch == epoch

    def _keep_late(self, epoch: int, answer: outcome.Outcome, at: datetime) -> None:
        self._happened(
            events.LateOutcome,
            at,
            epoch=epoch,
            outcome=kind_of(answer),
            code=getattr(answer, "code", None),
            message=getattr(answer, "message", None),
            reference=getattr(answer, "reference", None),
        )

    def _happened(self, event: type[ActionEvent], at: datetime, **says: Any) -> None:
        require_may_follow(event.life, self._last)
        self.trigger_event(event, timestamp=at, **says)

    # -- apply ----------------------------------------------------------------------------------------------------

    def apply(self, event: ActionEvent) -> None:
        """Called by the library for every event, new or read back."""
        self._APPLY[event.life](self, event)
        if event.life in STATUS_AFTER:
            self._last = event.life
            self._status = STATUS_AFTER[event.life]

    @property
    def status(self) -> Status:
        """Where it stands, in the words of the contract."""
        return self._status

    def _requested(self, event: events.Requested) -> None:
        self.request: Mapping[str, Any] = event.request
        self.fingerprint: str = event.fingerprint
        self.effect_key: str = event.effect_key
        self._status = Status.REQUESTED
        self._last = Life.REQUESTED
        self.attempts: int = 0
        self.epoch: int | None = None
        self.delivery: Delivery | None = None
        self.doubted: bool = False
        self.result: Mapping[str, Any] | None = None
        self.reference: str | None = None
        self.undo: Mapping[str, Any] | None = None
        self.error: ErrorReport | None = None
        self.not_before: datetime | None = None
        self.expires_at: datetime | None = None
        self.due_at: datetime | None = event.timestamp

    def _rejected(self, event: events.Rejected) -> None:
        details = tuple(FieldError(d["field"], d["code"], d["message"]) for d in event.details)
        self.error = ErrorReport(event.code, event.message, details)
        self.due_at = None

    def _validated(self, event: events.Validated) -> None:
        self.not_before = _time(event.not_before)
        self.expires_at = _time(event.expires_at)
        self.due_at = self._no_later_than_expiry(self.not_before or event.timestamp)

    def _no_later_than_expiry(self, due: datetime | None) -> datetime | None:
        return min(due, self.expires_at) if due and self.expires_at else due

    def _attempted(self, event: events.Attempted) -> None:
        self.attempts = event.attempt
        self.epoch = event.originator_version
        self.delivery = Delivery(event.delivery)
        self.due_at = _time(event.lease_until)

    def _attempt_failed(self, event: events.AttemptFailed) -> None:
        self.doubted = self.doubted or event.failure == "unknown"
        self.error = ErrorReport(event.code, event.message)
        self.due_at = self._no_later_than_expiry(_time(event.retry_at))

    def _in_doubt(self, event: events.InDoubt) -> None:
        self.doubted = True
        self.error = ErrorReport(event.code, event.message)
        self.due_at = None

    def _succeeded(self, event: events.Succeeded) -> None:
        self.result = event.result
        self.reference = event.reference
        self.undo = event.undo
        self.error = None
        self.due_at = None

    def _failed(self, event: events.Failed) -> None:
        self.error = ErrorReport(event.code, event.message)
        self.due_at = None

    def _expired(self, event: events.Expired) -> None:
        self.error = ErrorReport(event.code, event.message)
        self.due_at = None

    def _late_outcome(self, event: events.LateOutcome) -> None:
        """Kept in the history, and nowhere else."""

    _APPLY: ClassVar[Mapping[Life, Callable[[Any, Any], None]]] = {
        Life.REQUESTED: _requested,
        Life.REJECTED: _rejected,
        Life.VALIDATED: _validated,
        Life.ATTEMPTED: _attempted,
        Life.ATTEMPT_FAILED: _attempt_failed,
        Life.IN_DOUBT: _in_doubt,
        Life.SUCCEEDED: _succeeded,
        Life.FAILED: _failed,
        Life.EXPIRED: _expired,
        Life.LATE_OUTCOME: _late_outcome,
    }


register_topic(ACTION_TOPIC, Action)

_KINDS: Mapping[type[Any], str] = {
    outcome.Succeeded: "succeeded",
    outcome.Permanent: "permanent",
    outcome.Retry: "retry",
    outcome.Unknown: "unknown",
}


def kind_of(answer: outcome.Outcome) -> str:
    """The stored word for a class of outcome."""
    return _KINDS[type(answer)]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


def _time(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)
