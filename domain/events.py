"""What is stored: the events of an action, their topics, and the closed registry of both.

An event is a fact in plain JSON values. Its topic is a word, never an import path, so code may move and history
stays readable; a topic that is not in REGISTRY is an error, and nothing is imported to look for it.
A field may be added with a default. To change what a field means, raise `schema` and write an upcast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from eventsourcing.domain import CanInitAggregate, CanMutateAggregate
from eventsourcing.utils import register_topic

from domain.instant import from_text
from domain.lifecycle import Life

if TYPE_CHECKING:
    from domain.action import Action

ACTION_TOPIC, RUN_TOPIC = "action", "workflow"


@dataclass(frozen=True, eq=False, repr=False)
class RecordedEvent(CanMutateAggregate[str]):
    """The base of all that a ledger keeps. `timestamp` is the time of the decision, aware, in UTC."""

    originator_id: str
    originator_version: int
    timestamp: datetime

    life: ClassVar[StrEnum]
    schema: ClassVar[int] = 1
    TOPIC: ClassVar[str]

    # Told once for all kinds: to generate these for each of them is a good part of a cold start.
    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.originator_id, self.originator_version))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """The names of what this kind of event says, beside id, version and time."""
        return tuple(f.name for f in fields(cls) if f.name not in _ENVELOPE)


@dataclass(frozen=True, eq=False, repr=False)
class ActionEvent(RecordedEvent):
    """The base of all that happens to an action."""

    life: ClassVar[Life]

    def apply(self, aggregate: Action) -> None:
        aggregate.apply(self)


_ENVELOPE = frozenset({"originator_id", "originator_version", "timestamp", "originator_topic"})


@dataclass(frozen=True, eq=False, repr=False)
class Requested(CanInitAggregate[str], ActionEvent):
    """Somebody asked. `request` is the document as given; `cause` is found in it (decision, correlation_id).

    `subject` is where it is found whom or what the action is about, as its type declares that: `parameters.recipient`.
    """

    originator_topic: str
    request: Mapping[str, Any]
    fingerprint: str
    effect_key: str
    subject: str | None = None

    life = Life.REQUESTED
    TOPIC = Life.REQUESTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Rejected(ActionEvent):
    """A rule refused. Nothing was done. `details` is a list of `{field, code, message}`."""

    code: str
    message: str
    details: Sequence[Mapping[str, str]] = ()

    life = Life.REJECTED
    TOPIC = Life.REJECTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Validated(ActionEvent):
    """It may be carried out, not before `not_before` and not after `expires_at` (ISO 8601, UTC).

    `target` is who will bear the effect, as breakers and limits know him; None where that is the action type itself.
    """

    not_before: str | None = None
    expires_at: str | None = None
    target: str | None = None

    life = Life.VALIDATED
    TOPIC = Life.VALIDATED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Held(ActionEvent):
    """A person has to approve it first. `rule` says which rule asks for that; `details` are what there is to decide on.

    `request_hash` is of the request, the rule and the details together: an approval is for exactly these.
    """

    rule: str
    message: str
    request_hash: str
    details: Mapping[str, Any] | None = None

    life = Life.HELD
    TOPIC = Life.HELD.topic


@dataclass(frozen=True, eq=False, repr=False)
class Approved(ActionEvent):
    """A person lets it go on, as it was held under this hash."""

    request_hash: str
    by: str
    why: str
    bulk: str | None = None

    life = Life.APPROVED
    TOPIC = Life.APPROVED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Denied(ActionEvent):
    """A person does not let it go on: it will not be attempted any more."""

    by: str
    why: str
    bulk: str | None = None

    life = Life.DENIED
    TOPIC = Life.DENIED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Attempted(ActionEvent):
    """Written before the first byte leaves. Its version is the epoch that an outcome must name.

    `facts` say what will be sent (a template's hash, a target's name); `delivery` is what may be done in doubt;
    `holder` is the process that attempts. A fallback has a `route` above 0 and an effect key of its own;
    `key_until` is when the provider forgets the key; `can_probe`: the provider can be asked what became of it.
    `target` is said where it is another one than was known before; `policy` are the rules for what follows, as
    `domain.policy.rules_of` tells them.
    """

    attempt: int
    lease_until: str
    delivery: str
    route: int | None = None
    effect_key: str | None = None
    key_until: str | None = None
    holder: str | None = None
    facts: Mapping[str, Any] | None = None
    can_probe: bool | None = None
    target: str | None = None
    policy: Mapping[str, Any] | None = None

    life = Life.ATTEMPTED
    TOPIC = Life.ATTEMPTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class AttemptFailed(ActionEvent):
    """`failure` is permanent, retry or unknown; `retry_at` says when the next attempt is due, None that none comes.

    `next_route` is the fallback that takes over, None that the route stays.
    """

    epoch: int
    failure: str
    code: str
    message: str
    retry_at: str | None = None
    next_route: int | None = None

    life = Life.ATTEMPT_FAILED
    TOPIC = Life.ATTEMPT_FAILED.topic


@dataclass(frozen=True, eq=False, repr=False)
class InDoubt(ActionEvent):
    """It cannot be known whether the effect happened. `reason` is of a closed list (`domain.policy.Doubt`).

    `probe_at` is when the provider will be asked, None that it cannot be, or that a person is needed.
    """

    reason: str
    code: str
    message: str
    probe_at: str | None = None

    life = Life.IN_DOUBT
    TOPIC = Life.IN_DOUBT.topic


@dataclass(frozen=True, eq=False, repr=False)
class Succeeded(ActionEvent):
    """`result` is for the caller, `reference` the provider's name for the effect, `undo` what a rollback needs."""

    epoch: int
    result: Mapping[str, Any]
    reference: str | None = None
    undo: Mapping[str, Any] | None = None

    life = Life.SUCCEEDED
    TOPIC = Life.SUCCEEDED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Failed(ActionEvent):
    """It ends here. `reason` is of a closed list (`domain.policy.Reason`)."""

    reason: str
    code: str
    message: str

    life = Life.FAILED
    TOPIC = Life.FAILED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Resolved(ActionEvent):
    """What was in doubt is known now. `verdict` is executed or not_executed; `evidence` is what shows it.

    `by` is a person or `probe`. Where a probe found that nothing happened, `retry_at` says when the next attempt is
    due, and `next_route` which fallback takes over; None that nothing follows by itself.
    """

    verdict: str
    by: str
    why: str
    evidence: Mapping[str, Any] | None = None
    bulk: str | None = None
    retry_at: str | None = None
    next_route: int | None = None

    life = Life.RESOLVED
    TOPIC = Life.RESOLVED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Redriven(ActionEvent):
    """The same action, under the same effect key, gets its retries once more."""

    by: str
    why: str
    bulk: str | None = None

    life = Life.REDRIVEN
    TOPIC = Life.REDRIVEN.topic


@dataclass(frozen=True, eq=False, repr=False)
class Cancelled(ActionEvent):
    """It will not be attempted any more, and no attempt can have taken effect."""

    by: str
    why: str
    bulk: str | None = None

    life = Life.CANCELLED
    TOPIC = Life.CANCELLED.topic


@dataclass(frozen=True, eq=False, repr=False)
class CompensationRequested(ActionEvent):
    """What it did shall be taken back. `compensation` is the id of the action that does so.

    `look_at` is when somebody looks what became of it, should nobody have said so by then.
    """

    compensation: str
    look_at: str
    by: str
    why: str
    bulk: str | None = None

    life = Life.COMPENSATION_REQUESTED
    TOPIC = Life.COMPENSATION_REQUESTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Compensated(ActionEvent):
    """The compensation has succeeded: what the action did is taken back."""

    compensation: str

    life = Life.COMPENSATED
    TOPIC = Life.COMPENSATED.topic


@dataclass(frozen=True, eq=False, repr=False)
class CompensationFailed(ActionEvent):
    """The compensation has ended otherwise: what the action did still stands. A person has to see to it."""

    compensation: str
    code: str
    message: str

    life = Life.COMPENSATION_FAILED
    TOPIC = Life.COMPENSATION_FAILED.topic


@dataclass(frozen=True, eq=False, repr=False)
class CancelRequested(ActionEvent):
    """A wish, while an attempt runs: it takes effect before the next one."""

    by: str
    why: str
    bulk: str | None = None

    life = Life.CANCEL_REQUESTED
    TOPIC = Life.CANCEL_REQUESTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class BroughtForward(ActionEvent):
    """The next attempt is due now, not when the policy said."""

    by: str
    why: str
    bulk: str | None = None

    life = Life.BROUGHT_FORWARD
    TOPIC = Life.BROUGHT_FORWARD.topic


@dataclass(frozen=True, eq=False, repr=False)
class Expired(ActionEvent):
    """Its `expires_at` came first: nothing was done, and nothing will be."""

    code: str
    message: str

    life = Life.EXPIRED
    TOPIC = Life.EXPIRED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Deferred(ActionEvent):
    """The target is not to be troubled before `until`: no attempt was spent. `reason` is of `domain.gate.Closed`.

    `turn`: this time is kept for the action.
    """

    until: str
    reason: str
    target: str
    turn: bool | None = None

    life = Life.DEFERRED
    TOPIC = Life.DEFERRED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Probed(ActionEvent):
    """The provider was asked, and the doubt stays. `finding` is cannot_tell or not_executed; `again_at` is when it will
    be asked once more, None that a person has to find out."""

    finding: str
    message: str
    evidence: Mapping[str, Any] | None = None
    again_at: str | None = None

    life = Life.PROBED
    TOPIC = Life.PROBED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Reported(ActionEvent):
    """It is over, and `to` has been told so: the action that it takes back, or the run that it is a step of."""

    to: str

    life = Life.REPORTED
    TOPIC = Life.REPORTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class LateOutcome(ActionEvent):
    """A zombie's answer: it named an epoch that is over. Kept, not applied."""

    epoch: int
    outcome: str
    code: str | None = None
    message: str | None = None
    reference: str | None = None

    life = Life.LATE_OUTCOME
    TOPIC = Life.LATE_OUTCOME.topic


@dataclass(frozen=True, eq=False, repr=False)
class LegalHoldPlaced(ActionEvent):
    """What is known of the action must not leave the ledger, because of this matter, until the hold is lifted."""

    matter: str
    by: str
    why: str

    life = Life.LEGAL_HOLD_PLACED
    TOPIC = Life.LEGAL_HOLD_PLACED.topic


@dataclass(frozen=True, eq=False, repr=False)
class LegalHoldLifted(ActionEvent):
    """The matter is closed. Holds because of others stay."""

    matter: str
    by: str
    why: str

    life = Life.LEGAL_HOLD_LIFTED
    TOPIC = Life.LEGAL_HOLD_LIFTED.topic


@dataclass(frozen=True, eq=False, repr=False)
class Archived(ActionEvent):
    """What was before it is in `file` of an archive, from the byte `offset` on, and nowhere else.

    It stands in the way of whoever would begin the action anew, and says what that one must know: that there was one,
    whose request had this fingerprint, and how it ended.
    """

    file: str
    offset: int
    status: str
    attempts: int
    action_type: str
    fingerprint: str
    effect_key: str
    born: str
    by: str
    why: str

    life = Life.ARCHIVED
    TOPIC = Life.ARCHIVED.topic

    def mutate(self, aggregate: Any) -> Any:
        """Where it is the first that is left, the action stands as it says."""
        if aggregate is None:
            aggregate = self._begun()
            aggregate.stand_as(self)
        return super().mutate(aggregate)

    def _begun(self) -> Any:
        begun = Requested(
            self.originator_id,
            self.originator_version - 1,
            from_text(self.born),
            originator_topic=ACTION_TOPIC,
            request={"action_type": self.action_type},
            fingerprint=self.fingerprint,
            effect_key=self.effect_key,
        )
        return begun.mutate(None)


REGISTRY: Mapping[str, type[ActionEvent]] = {
    event.TOPIC: event
    for event in (
        Requested,
        Rejected,
        Validated,
        Held,
        Approved,
        Denied,
        Attempted,
        AttemptFailed,
        InDoubt,
        Resolved,
        Succeeded,
        Failed,
        Redriven,
        Cancelled,
        Expired,
        CompensationRequested,
        Compensated,
        CompensationFailed,
        CancelRequested,
        BroughtForward,
        Deferred,
        LateOutcome,
        Probed,
        Reported,
        LegalHoldPlaced,
        LegalHoldLifted,
        Archived,
    )
}
"""Every topic of an action that may stand in a ledger; those of workflow runs are in `domain.workflow_events`."""

for _topic, _event in REGISTRY.items():
    register_topic(_topic, _event)
