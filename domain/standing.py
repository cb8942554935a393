"""Where an action stands: what its events have made of it.

These methods apply. They run on every read, so they never refuse and never fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from eventsourcing.domain import BaseAggregate

from domain import events
from domain.errors import Code, ErrorReport, FieldError
from domain.events import ActionEvent
from domain.identity import compensating_action_id, effect_key, step_action_id
from domain.instant import from_text
from domain.lifecycle import ENDED, STATUS_AFTER, Life, Status
from domain.policy import LEASE_LAPSED, Delivery, Route

PROBE = "probe"
"""Who resolved a doubt, where no person did."""

REPORT_WITHIN = timedelta(minutes=1)
"""After this somebody looks whether the end of a compensation, or of a workflow's step, was told. Whoever ends it tells
it at once."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A step of a workflow run."""

    run: str
    step: str


class Standing(BaseAggregate[str]):
    """The state of an action, read-only to everybody but its events."""

    @property
    def status(self) -> Status:
        """Where it stands, in the words of the contract."""
        return self._status

    @property
    def last(self) -> Life:
        """The last event that moved it."""
        return self._last

    def apply(self, event: ActionEvent) -> None:
        """Called by the library for every event, new or read back."""
        self._APPLY[event.life](self, event)
        if event.life in STATUS_AFTER:
            self._last = event.life
            self._status = STATUS_AFTER[event.life]
        if self.reports_to is not None and not self.is_reported and self._status in ENDED:
            # What is a part of something has a last duty when it is over: that something must be told.
            self.due_at: datetime | None = event.timestamp + REPORT_WITHIN

    def _requested(self, event: events.Requested) -> None:
        self.request: Mapping[str, Any] = event.request
        self.compensates: str | None = _compensated_by(event.originator_id, event.request)
        """The id of the action that this one takes back, None for all others."""
        self.workflow: Membership | None = _membership_of(event.originator_id, event.request.get("workflow"))
        """The step that it is, None for all others."""
        self.fingerprint: str = event.fingerprint
        self.effect_key: str = event.effect_key
        self.subject: str | None = event.subject
        """Where it is found whom or what the action is about."""
        self.target: str | None = None
        """Who bears the effect of the current route, as far as that is known; None where it is the type itself."""
        self.actor: str | None = None
        """The person who acted on it last."""
        self._status = Status.REQUESTED
        self._last = Life.REQUESTED
        self.attempts: int = 0
        self.route: int = 0
        self.attempts_before_route: int = 0
        self.epoch: int | None = None
        self.delivery: Delivery = Delivery.AT_MOST_ONCE
        self.holder: str | None = None
        self.facts: Mapping[str, Any] = {}
        self.attempted_at: datetime | None = None
        self.can_probe: bool = False
        self.probes: int = 0
        self.hold: events.Held | None = None
        self.approved_hash: str | None = None
        self.compensation: str | None = None
        self.compensations: int = 0
        self.is_reported: bool = False
        self.compensation_order: events.CompensationRequested | None = None
        self.may_still_act: bool = False
        self.key_until: datetime | None = None
        self.doubted: bool = False
        self.cancel_requested: events.CancelRequested | None = None
        self.bulks: frozenset[str] = frozenset()
        self.result: Mapping[str, Any] | None = None
        self.reference: str | None = None
        self.undo: Mapping[str, Any] | None = None
        self.error: ErrorReport | None = None
        self.not_before: datetime | None = None
        self.expires_at: datetime | None = None
        self.turn: datetime | None = None
        self.deferrals: int = 0
        self.is_brought_forward: bool = False
        self.legal_holds: frozenset[str] = frozenset()
        """The matters because of which it must stay as it is."""
        self.archived: events.Archived | None = None
        """Where the rest of its life is, None where that is here."""
        self.due_at = event.timestamp

    def _rejected(self, event: events.Rejected) -> None:
        details = tuple(FieldError(d["field"], d["code"], d["message"]) for d in event.details)
        self._ended(ErrorReport(event.code, event.message, details))

    def _validated(self, event: events.Validated) -> None:
        self.target = event.target
        self.not_before = _time(event.not_before)
        self.expires_at = _time(event.expires_at)
        self._due(self.not_before or event.timestamp)

    def _held(self, event: events.Held) -> None:
        self.hold = event
        self.is_brought_forward = False
        self._due(self.expires_at)

    def _approved(self, event: events.Approved) -> None:
        self._remember_order(event.by, event.bulk)
        self.approved_hash = event.request_hash
        self._due(self._not_before(event.timestamp))

    def _denied(self, event: events.Denied) -> None:
        self._remember_order(event.by, event.bulk)
        self._ended(ErrorReport("denied", f"denied by {event.by}: {event.why}"))

    def _attempted(self, event: events.Attempted) -> None:
        self.attempts = event.attempt
        self.epoch = event.originator_version
        self.delivery = Delivery(event.delivery)
        self.holder = event.holder
        self.facts = event.facts or {}
        self.target = event.target or self.target
        if not self.doubted:
            # Of several that may have taken effect the first counts.
            self.attempted_at = event.timestamp
        self.can_probe = bool(event.can_probe)
        self.probes = 0
        self.turn = None
        self.deferrals = 0
        self.is_brought_forward = False
        self.effect_key = event.effect_key or self.effect_key
        # The window is counted from the first time that the provider could have seen the key.
        self.key_until = self.key_until or _time(event.key_until)
        self.due_at = _time(event.lease_until)

    def _attempt_failed(self, event: events.AttemptFailed) -> None:
        self.doubted = self.doubted or event.failure == "unknown"
        self._remember_zombie(event.code)
        self.error = ErrorReport(event.code, event.message)
        if event.next_route is not None:
            self._begin_route(event.next_route)
        self._due(_time(event.retry_at))

    def _in_doubt(self, event: events.InDoubt) -> None:
        self.doubted = True
        self._remember_zombie(event.code)
        self._ended(ErrorReport(event.code, event.message))
        self.due_at = _time(event.probe_at)

    def _probed(self, event: events.Probed) -> None:
        self.probes += 1
        self.due_at = _time(event.again_at)

    def _resolved(self, event: events.Resolved) -> None:
        self.doubted = False
        self._remember_order(event.by, event.bulk)
        if event.next_route is not None:
            self._begin_route(event.next_route)
        self._due(_time(event.retry_at))

    def _succeeded(self, event: events.Succeeded) -> None:
        self.result = event.result
        self.reference = event.reference
        self.undo = event.undo
        self._ended(None)

    def _failed(self, event: events.Failed) -> None:
        self._ended(ErrorReport(event.code, event.message))

    def _redriven(self, event: events.Redriven) -> None:
        self._remember_order(event.by, event.bulk)
        self.attempts_before_route = self.attempts
        self.is_reported = False
        self.cancel_requested = None
        self.error = None
        self._due(event.timestamp)

    def _cancelled(self, event: events.Cancelled) -> None:
        self._remember_order(event.by, event.bulk)
        self._ended(ErrorReport("cancelled", f"cancelled by {event.by}: {event.why}"))

    def _expired(self, event: events.Expired) -> None:
        self._ended(ErrorReport(event.code, event.message))

    def _compensation_requested(self, event: events.CompensationRequested) -> None:
        self._remember_order(event.by, event.bulk)
        self.compensation = event.compensation
        self.compensations += 1
        self.compensation_order = event
        self.deferrals = 0
        self.due_at = from_text(event.look_at)

    def _compensated(self, _: events.Compensated) -> None:
        self._taken_back(None)

    def _compensation_failed(self, event: events.CompensationFailed) -> None:
        self._taken_back(ErrorReport(event.code, event.message))

    def _taken_back(self, error: ErrorReport | None) -> None:
        """The run that it is a step of was told of its success; this is news to it."""
        self.is_reported = self.is_reported and self.workflow is None
        self._ended(error)

    def _reported(self, _: events.Reported) -> None:
        self.is_reported = True
        if self.status in ENDED:
            self.due_at = None

    def _cancel_requested(self, event: events.CancelRequested) -> None:
        self._remember_order(event.by, event.bulk)
        self.cancel_requested = event

    def _brought_forward(self, event: events.BroughtForward) -> None:
        self._remember_order(event.by, event.bulk)
        self.is_brought_forward = True
        self._due(event.timestamp)

    def _deferred(self, event: events.Deferred) -> None:
        until = from_text(event.until)
        self.turn = until if event.turn else None
        self.deferrals += 1
        if self.status is Status.COMPENSATING:
            # When it expires does not matter any more: it was carried out in time.
            self.due_at = until
        else:
            self.target = None if event.target == self.asked.get("action_type") else event.target
            self._due(until)

    def _late_outcome(self, event: events.LateOutcome) -> None:
        """Kept in the history, and nowhere else."""

    def _legal_hold_placed(self, event: events.LegalHoldPlaced) -> None:
        self._remember_order(event.by, None)
        self.legal_holds |= {event.matter}

    def _legal_hold_lifted(self, event: events.LegalHoldLifted) -> None:
        self._remember_order(event.by, None)
        self.legal_holds -= {event.matter}

    def stand_as(self, event: events.Archived) -> None:
        """All that is left of its life begins with this event."""
        self._status = Status(event.status)
        self._last = next(life for life, status in STATUS_AFTER.items() if status is self._status)
        self.attempts = event.attempts
        self._ended(ErrorReport(Code.ARCHIVED, f"the rest of its life is in an archive, in {event.file}"))

    def _archived(self, event: events.Archived) -> None:
        self.archived = event

    def _due(self, at: datetime | None) -> None:
        """An action must be looked at no later than it expires."""
        self.due_at = min(at, self.expires_at) if at and self.expires_at else at

    def _not_before(self, at: datetime) -> datetime:
        return max(at, self.not_before) if self.not_before else at

    def _ended(self, error: ErrorReport | None) -> None:
        self.error = error
        self.due_at = None

    def _begin_route(self, route: int) -> None:
        self.route = route
        self.target = None
        self.effect_key = effect_key(self.id, route)
        self.attempts_before_route = self.attempts
        self.key_until = None

    def _remember_zombie(self, code: str) -> None:
        """A process that lost its lease, and is not known to be dead, may wake up and act after all."""
        self.may_still_act = self.may_still_act or code == LEASE_LAPSED

    def _remember_order(self, by: str, bulk: str | None) -> None:
        if by != PROBE:
            self.actor = by
        if bulk is not None:
            self.bulks |= {bulk}

    @property
    def fallbacks(self) -> list[Mapping[str, Any]]:
        """The routes that the request names beside its own, in order: `{action_type, parameters}`."""
        return list(self.request.get("options", {}).get("fallback", ()))

    @property
    def reports_to(self) -> str | None:
        """Who has to be told when it is over: the action that it takes back, or its run."""
        return self.compensates or (self.workflow.run if self.workflow is not None else None)

    @property
    def waits_for_a_person(self) -> bool:
        """It is held, or in doubt and nobody else can be asked."""
        return self._status is Status.HELD or (self._status is Status.IN_DOUBT and self.due_at is None)

    @property
    def asked(self) -> Mapping[str, Any]:
        """What the current route asks for: `action_type`, `parameters`, and what else a request says."""
        return self.fallbacks[self.route - 1] if self.route else self.request

    @property
    def current_route(self) -> Route:
        """What a policy needs to know."""
        return Route(
            attempt=self.attempts - self.attempts_before_route,
            delivery=self.delivery,
            doubted=self.doubted,
            key_until=self.key_until,
            number=self.route,
            fallbacks=len(self.fallbacks),
        )

    _APPLY: ClassVar[Mapping[Life, Callable[[Any, Any], None]]] = {
        Life.REQUESTED: _requested,
        Life.REJECTED: _rejected,
        Life.VALIDATED: _validated,
        Life.HELD: _held,
        Life.APPROVED: _approved,
        Life.DENIED: _denied,
        Life.ATTEMPTED: _attempted,
        Life.ATTEMPT_FAILED: _attempt_failed,
        Life.IN_DOUBT: _in_doubt,
        Life.RESOLVED: _resolved,
        Life.SUCCEEDED: _succeeded,
        Life.FAILED: _failed,
        Life.REDRIVEN: _redriven,
        Life.CANCELLED: _cancelled,
        Life.EXPIRED: _expired,
        Life.COMPENSATION_REQUESTED: _compensation_requested,
        Life.COMPENSATED: _compensated,
        Life.COMPENSATION_FAILED: _compensation_failed,
        Life.CANCEL_REQUESTED: _cancel_requested,
        Life.BROUGHT_FORWARD: _brought_forward,
        Life.DEFERRED: _deferred,
        Life.PROBED: _probed,
        Life.REPORTED: _reported,
        Life.LATE_OUTCOME: _late_outcome,
        Life.LEGAL_HOLD_PLACED: _legal_hold_placed,
        Life.LEGAL_HOLD_LIFTED: _legal_hold_lifted,
        Life.ARCHIVED: _archived,
    }


# What was refused is kept as it was given, and may claim anything. An id is claimed by nobody.


def _compensated_by(action_id: str, request: Mapping[str, Any]) -> str | None:
    match request:
        case {"compensates": str(claimed)} if claimed.isascii():
            number = request.get("compensation_number", 1)
            return claimed if action_id == compensating_action_id(claimed, number) else None
    return None


def _membership_of(action_id: str, claimed: object) -> Membership | None:
    match claimed:
        case {"run": str(run), "step": str(step)} if run.isascii() and step.isascii():
            return Membership(run, step) if action_id == step_action_id(run, step) else None
    return None


def _time(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)
