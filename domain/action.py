"""The action: an event-sourced aggregate.

A public method decides: it refuses (IllegalTransition) or says what happened, as an event.
What an event makes of the action stands in `domain.standing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from eventsourcing.utils import register_topic

from domain import events, outcome
from domain.errors import ErrorReport, IllegalTransition
from domain.events import ACTION_TOPIC, ActionEvent
from domain.gate import Closed
from domain.hold import Hold
from domain.instant import to_text
from domain.lifecycle import Life, Status, require_may_follow
from domain.policy import (
    Decision,
    Delivery,
    Doubt,
    FallBack,
    GiveUp,
    InDoubt,
    Reason,
    RetryAt,
    is_key_window_over,
    next_probe,
)
from domain.standing import PROBE, Standing


class Verdict(StrEnum):
    """What became known of an action in doubt."""

    EXECUTED = "executed"
    NOT_EXECUTED = "not_executed"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who attempts, and until when. `key_until` is when the provider forgets the effect key, None for never."""

    until: datetime
    holder: str | None = None
    key_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A person's act: who, and why. `bulk` names the order that it is a part of."""

    by: str
    why: str
    bulk: str | None = None

    def as_event(self) -> dict[str, str | None]:
        return {"by": self.by, "why": self.why, "bulk": self.bulk}


class Action(Standing):
    """One action: what may be decided about it."""

    TOPIC: ClassVar[str] = ACTION_TOPIC

    # -- the request ------------------------------------------------------------------------------------------------

    @classmethod
    def requested(
        cls,
        action_id: str,
        *,
        request: Mapping[str, Any],
        fingerprint: str,
        effect_key: str,
        subject: str | None = None,
        at: datetime,
    ) -> Action:
        """A new life begins. `subject` is what the action type declares of it (`BaseAction.subject`)."""
        require_may_follow(Life.REQUESTED, None)
        return cls._create(
            events.Requested,
            id=action_id,
            request=request,
            fingerprint=fingerprint,
            effect_key=effect_key,
            subject=subject,
            timestamp=at,
        )

    def reject(self, error: ErrorReport, *, at: datetime) -> None:
        """A rule refuses the request; nothing was done and nothing will be."""
        details = [{"field": d.field, "code": str(d.code), "message": d.message} for d in error.details]
        self._happened(events.Rejected, at, code=str(error.code), message=error.message, details=details)

    def validate(
        self,
        *,
        not_before: datetime | None = None,
        expires_at: datetime | None = None,
        target: str | None = None,
        at: datetime,
    ) -> None:
        """The request may be carried out: from here on it is accepted, and never lost."""
        self._happened(events.Validated, at, not_before=_text(not_before), expires_at=_text(expires_at), target=target)

    # -- approval ---------------------------------------------------------------------------------------------------

    def put_on_hold(self, hold: Hold, *, at: datetime) -> None:
        """A person has to approve it, as it is and for what `hold` says, before it goes on."""
        self._happened(
            events.Held,
            at,
            rule=hold.rule,
            message=hold.message,
            request_hash=hold.hash_with(self.fingerprint, self.effect_key),
            details=dict(hold.details) or None,
        )

    def is_approved_for(self, hold: Hold) -> bool:
        """Whether exactly this was approved."""
        return self.approved_hash == hold.hash_with(self.fingerprint, self.effect_key)

    def approve(self, order: Order, *, request_hash: str | None = None, at: datetime) -> None:
        """It goes on, as it was held: under `request_hash`, where that is said."""
        self._require_shown(request_hash)
        self._happened(
            events.Approved, at, request_hash=self.hold.request_hash if self.hold else "", **order.as_event()
        )

    def _require_shown(self, request_hash: str | None) -> None:
        if request_hash is not None and (self.hold is None or self.hold.request_hash != request_hash):
            raise IllegalTransition("it is not held for what was shown any more: look at it again")

    def deny(self, order: Order, *, request_hash: str | None = None, at: datetime) -> None:
        """It does not go on. What an earlier attempt may have done is not hidden by that."""
        self._require_shown(request_hash)
        if self.doubted and self.status is Status.HELD:
            self.cancel(order, at=at)
        else:
            self._happened(events.Denied, at, **order.as_event())

    # -- attempts ---------------------------------------------------------------------------------------------------

    def begin_attempt(
        self,
        lease: Lease,
        *,
        delivery: Delivery,
        facts: Mapping[str, Any] | None = None,
        can_probe: bool = False,
        target: str | None = None,
        policy: Mapping[str, Any] | None = None,
        at: datetime,
    ) -> None:
        """The intent. Only when this is on disk may the first byte leave."""
        self._happened(
            events.Attempted,
            at,
            attempt=self.attempts + 1,
            lease_until=_text(lease.until),
            delivery=str(delivery),
            route=self.route or None,
            effect_key=self.effect_key if self.route else None,
            key_until=None if self.key_until else _text(lease.key_until),
            holder=lease.holder,
            facts=facts or None,
            can_probe=can_probe or None,
            target=None if target == self.target else target,
            policy=policy,
        )

    def succeed(self, success: outcome.Succeeded, *, epoch: int, at: datetime) -> None:
        """The world said yes to the attempt that began at `epoch`."""
        if not self._is_running(epoch):
            self._keep_late(epoch, success, at)
            return
        self._succeeded_with(success, at)

    def fail_attempt(self, failure: outcome.Failure, decision: Decision, *, epoch: int, at: datetime) -> None:
        """The attempt that began at `epoch` did not succeed, and this is what was decided to come next."""
        if not self._is_running(epoch):
            self._keep_late(epoch, failure, at)
            return
        told = {"code": failure.code, "message": failure.message}
        if isinstance(decision, InDoubt):
            self._doubt(decision.reason, at, **told)
            return
        self._happened(
            events.AttemptFailed, at, epoch=epoch, failure=kind_of(failure), **self._what_follows(decision), **told
        )
        self._end_unless_it_goes_on(decision, at, **told)

    def _what_follows(self, decision: Decision) -> dict[str, Any]:
        if self.cancel_requested is not None or not isinstance(decision, RetryAt | FallBack):
            return {}
        return {
            "retry_at": _text(decision.at),
            "next_route": self.route + 1 if isinstance(decision, FallBack) else None,
        }

    def _end_unless_it_goes_on(self, decision: Decision, at: datetime, *, code: str, message: str) -> None:
        if isinstance(decision, GiveUp):
            self._happened(events.Failed, at, reason=str(decision.reason), code=code, message=message)
        elif self.cancel_requested is not None:
            wish = self.cancel_requested
            self.cancel(Order(wish.by, wish.why, wish.bulk), at=at)

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

    def _succeeded_with(self, success: outcome.Succeeded, at: datetime) -> None:
        self._happened(
            events.Succeeded,
            at,
            epoch=self.epoch,
            result=dict(success.result),
            reference=success.reference,
            undo=None if success.undo is None else dict(success.undo),
        )

    def defer(self, until: datetime, *, reason: Closed, target: str, turn: bool, at: datetime) -> None:
        """The target is not to be troubled yet. No attempt is spent."""
        self._happened(
            events.Deferred, at, until=_text(until), reason=str(reason), target=target, turn=True if turn else None
        )

    # -- time -------------------------------------------------------------------------------------------------------

    def is_expired(self, now: datetime) -> bool:
        """Whether an attempt that begins now would come too late."""
        return self.expires_at is not None and now >= self.expires_at

    def expire(self, *, at: datetime) -> None:
        """Its time is over. What an earlier attempt may have done is not hidden by that: then it is in doubt."""
        told = {"code": "expired", "message": "expires_at came before the action could be carried out"}
        if self.doubted:
            self._doubt(Doubt.EARLIER_ATTEMPT_UNKNOWN, at, **told)
        else:
            self._happened(events.Expired, at, **told)

    def is_forgotten(self, now: datetime) -> bool:
        """Whether the provider has forgotten the key of an attempt that may have taken effect."""
        return self.doubted and is_key_window_over(self.delivery, self.key_until, now)

    def give_up_forgotten(self, *, at: datetime) -> None:
        """No other attempt may follow: the provider would take it for a new effect."""
        message = "the provider has forgotten the effect key; an earlier attempt may have taken effect"
        self._doubt(Doubt.KEY_WINDOW_OVER, at, code=str(Doubt.KEY_WINDOW_OVER), message=message)

    # -- people -----------------------------------------------------------------------------------------------------

    def cancel(self, order: Order, *, at: datetime) -> None:
        """No attempt any more. While one runs it is a wish, which takes effect before the next one."""
        if self.status is Status.ATTEMPTED:
            if self.cancel_requested is not None:
                raise IllegalTransition("it will not be attempted again: that was ordered already")
            self._happened(events.CancelRequested, at, **order.as_event())
        elif self.doubted and self.status is not Status.IN_DOUBT:
            if self.cancel_requested is None:
                self._happened(events.CancelRequested, at, **order.as_event())
            message = f"cancelled by {order.by}: {order.why}; an earlier attempt may have taken effect"
            self._doubt(Doubt.EARLIER_ATTEMPT_UNKNOWN, at, code="cancelled", message=message)
        else:
            self._happened(events.Cancelled, at, **order.as_event())

    def bring_forward(self, order: Order, *, at: datetime) -> None:
        """The next attempt is due now."""
        if self.is_brought_forward:
            raise IllegalTransition("its next attempt is due already")
        self._happened(events.BroughtForward, at, **order.as_event())

    def redrive(self, order: Order, *, at: datetime) -> None:
        """A failed action gets its retries once more, under the same effect key."""
        self._happened(events.Redriven, at, **order.as_event())

    def resolve(
        self, verdict: Verdict, order: Order, *, evidence: Mapping[str, Any] | None = None, at: datetime
    ) -> None:
        """Ends the doubt: the effect stands, or it certainly does not (then a redrive may follow)."""
        self._happened(events.Resolved, at, verdict=str(verdict), evidence=evidence, **order.as_event())
        if verdict is Verdict.EXECUTED:
            self._succeeded_with(outcome.Succeeded(dict(evidence or {})), at)
        else:
            told = {"code": "not_executed", "message": f"resolved by {order.by}: {order.why}"}
            self._happened(events.Failed, at, reason=str(Reason.NOT_EXECUTED), **told)

    # -- taking back ------------------------------------------------------------------------------------------------

    def request_compensation(self, compensation: str, order: Order, *, look_at: datetime, at: datetime) -> None:
        """What it did shall be taken back, by the action of this id; `look_at` is when somebody checks on that."""
        says = order.as_event()
        self._happened(events.CompensationRequested, at, compensation=compensation, look_at=_text(look_at), **says)

    def await_compensation(self, until: datetime, *, at: datetime) -> None:
        """The compensation is on its way: look again then."""
        self._happened(events.Deferred, at, until=_text(until), reason="compensating", target=self.compensation)

    def compensated(self, *, at: datetime) -> None:
        """The compensation has succeeded."""
        self._happened(events.Compensated, at, compensation=self.compensation)

    def fail_compensation(self, error: ErrorReport, *, at: datetime) -> None:
        """The compensation has ended otherwise."""
        self._happened(
            events.CompensationFailed,
            at,
            compensation=self.compensation,
            code=str(error.code),
            message=error.message,
        )

    def reported(self, *, at: datetime) -> None:
        """Whoever has to hear of its end has been told."""
        self._happened(events.Reported, at, to=self.reports_to)

    # -- keeping ----------------------------------------------------------------------------------------------------

    def place_legal_hold(self, matter: str, order: Order, *, at: datetime) -> None:
        """What is known of it must stay here, because of this matter."""
        if matter in self.legal_holds:
            raise IllegalTransition("it is held for this matter already")
        self._happened(events.LegalHoldPlaced, at, matter=matter, by=order.by, why=order.why)

    def lift_legal_hold(self, matter: str, order: Order, *, at: datetime) -> None:
        """The matter is closed."""
        if matter not in self.legal_holds:
            raise IllegalTransition("it is not held for this matter")
        self._happened(events.LegalHoldLifted, at, matter=matter, by=order.by, why=order.why)

    def archive(self, file: str, offset: int, order: Order, *, at: datetime) -> None:
        """What was before this is in that file of an archive, from that byte on, and may go from here."""
        if self.legal_holds:
            raise IllegalTransition("a legal hold is on it")
        self._happened(
            events.Archived,
            at,
            file=file,
            offset=offset,
            status=str(self.status),
            attempts=self.attempts,
            action_type=str(self.request.get("action_type", "")),
            fingerprint=self.fingerprint,
            effect_key=self.effect_key,
            born=to_text(self.created_on),
            by=order.by,
            why=order.why,
        )

    # -- the provider, asked ----------------------------------------------------------------------------------------

    def settle(self, finding: outcome.Finding, decision: RetryAt | FallBack | GiveUp, *, at: datetime) -> None:
        """What the provider says of the attempt in doubt. `decision` is what would follow if nothing was done.

        "Not executed" is no verdict while a process may still wake up and act: the provider can only tell of the past.
        """
        if isinstance(finding, outcome.Executed):
            self._resolved_by_probe(Verdict.EXECUTED, finding.evidence, at)
            self._succeeded_with(outcome.Succeeded(finding.result, finding.reference, finding.undo), at)
        elif isinstance(finding, outcome.NotExecuted) and not self.may_still_act:
            self._resolved_by_probe(Verdict.NOT_EXECUTED, finding.evidence, at, **self._what_follows(decision))
            message = "the provider was asked: it was not executed"
            self._end_unless_it_goes_on(decision, at, code="not_executed", message=message)
        else:
            self._stays_in_doubt(finding, at)

    def _resolved_by_probe(self, verdict: Verdict, evidence: Mapping[str, Any], at: datetime, **follows: Any) -> None:
        why = "the provider was asked"
        self._happened(
            events.Resolved, at, verdict=str(verdict), by=PROBE, why=why, evidence=dict(evidence) or None, **follows
        )

    def _stays_in_doubt(self, finding: outcome.NotExecuted | outcome.CannotTell, at: datetime) -> None:
        if isinstance(finding, outcome.NotExecuted):
            word, message = (
                Verdict.NOT_EXECUTED.value,
                "not executed so far; the process that attempted it may still act",
            )
            again = True
        else:
            word, message, again = "cannot_tell", finding.message, finding.again
        again_at = next_probe(self.probes + 1, at) if again else None
        evidence = dict(finding.evidence) or None
        self._happened(events.Probed, at, finding=word, message=message, evidence=evidence, again_at=_text(again_at))

    # -- deciding ---------------------------------------------------------------------------------------------------

    def _doubt(self, reason: Doubt, at: datetime, *, code: str, message: str) -> None:
        probe_at = next_probe(0, at) if self.can_probe else None
        self._happened(events.InDoubt, at, reason=str(reason), code=code, message=message, probe_at=_text(probe_at))

    def _happened(self, event: type[ActionEvent], at: datetime, **says: Any) -> None:
        """What `trigger_event` does, after the table was asked, and without what only other aggregates need."""
        require_may_follow(event.life, self.last, archived=self.archived is not None)
        happened = event(originator_id=self.id, originator_version=self.version + 1, timestamp=at, **says)
        happened.mutate(self)
        self.pending_events.append(happened)


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
