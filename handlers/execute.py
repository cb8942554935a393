"""An attempt, from intent to outcome.

    ledger   ── requested, validated, attempted ─┐                        ┌─ succeeded | attempt_failed | in_doubt
                                       committed │                        │ committed
    world                                        └──► execute() ─ answer ─┘

A crash left of the first line: nothing was done. Between the lines: the lease lapses, and the action's delivery class
says what may follow. Right of the second: it is known. There is no fourth place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import policy
from domain.action import Action, Lease
from domain.base_action import Attempt
from domain.errors import LedgerConflict, LedgerUnavailable, NeedsApproval, Refused
from domain.gate import Wait
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.outcome import Failure, Outcome, Permanent, Retry, Succeeded, Unknown
from domain.policy import Retries, RetryPolicy
from domain.ports import Clock, World
from handlers.gatekeeper import Gatekeeper
from handlers.recordable import recordable
from handlers.validate import Ready, Validate

log = logging.getLogger("execution_agent.execute")

SHORTEST_ATTEMPT = 0.5
"""Seconds. An attempt with less would only end in doubt."""


SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=1)
"""For a place at a busy target."""


class Deadline:
    """How long the caller can still wait. With less than `shortest` seconds left, no attempt starts."""

    def __init__(self, clock: Clock, seconds: float, *, shortest: float = SHORTEST_ATTEMPT) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds
        self._shortest = shortest

    @property
    def remaining(self) -> float:
        """Seconds, possibly below zero."""
        return self._end - self._clock.monotonic()

    def allows_an_attempt(self, after: float = 0.0) -> bool:
        """Whether there is time for an attempt once `after` seconds are gone."""
        return self.remaining - after >= self._shortest


@dataclass(frozen=True, slots=True)
class ExecutionRules:
    """What the settings say of attempts: retries where a request is silent, and the clocks' greatest difference."""

    max_retries: int
    backoff: timedelta
    clock_skew: timedelta

    def retries_for(self, options: Mapping[str, Any]) -> Retries:
        return Retries(
            policy=RetryPolicy(options.get("retry_policy", RetryPolicy.EXPONENTIAL)),
            limit=options.get("max_retries", self.max_retries),
            backoff=self.backoff,
        )


class Execute:
    """Carries an accepted action as far as its caller can wait."""

    def __init__(self, ledger: ActionLedger, validate: Validate, world: World, rules: ExecutionRules) -> None:
        self._ledger = ledger
        self._validate = validate
        self._world = world
        self._rules = rules
        self._gates = Gatekeeper(world)

    def __call__(self, action: Action, ready: Ready, deadline: Deadline) -> Action:
        """Attempts, and attempts again while the caller waits; what is still to be done then stands in the ledger.

        Raises LedgerConflict when the first intent cannot be recorded because another writer was first,
        LedgerUnavailable when the ledger cannot be written: then no attempt was begun, or its lease tells the rest.
        """
        if not deadline.allows_an_attempt():
            # To make it ready took all the time that there was.
            return self._recorded(action)
        return self._go_on(self._attempt(action, ready, deadline), deadline)

    def once(self, action: Action, ready: Ready, deadline: Deadline) -> Action:
        """One attempt, and no waiting for another. Raises as the whole does."""
        return self._attempt(action, ready, deadline)

    def next_step(self, action: Action, deadline: Deadline) -> Action:
        """What is due of a waiting action: its end, or an attempt. Raises LedgerConflict when another was first."""
        now = self._world.clock.now()
        if action.is_expired(now):
            action.expire(at=now)
        elif action.is_forgotten(now):
            action.give_up_forgotten(at=now)
        else:
            return self._attempt_if_ready(action, deadline)
        return self._recorded(action)

    def lapse(self, action: Action, *, certainly_dead: bool) -> Action:
        """The running attempt is abandoned, and nobody can tell what became of it.

        Raises LedgerConflict when somebody else ended it meanwhile: then there is nothing more to say.
        """
        if certainly_dead:
            gone = Unknown(policy.HOLDER_DIED, "the process that attempted it died, and left no answer")
        else:
            gone = Unknown(policy.LEASE_LAPSED, "the process that attempted it is gone, and left no answer")
        return self._record_outcome(action, action.epoch or 0, gone)

    def _go_on(self, action: Action, deadline: Deadline) -> Action:
        while (wait := self._wait_before_next(action)) is not None and deadline.allows_an_attempt(after=wait):
            if wait:
                self._world.clock.sleep(wait)
                if not deadline.allows_an_attempt():
                    # It slept longer than it was to.
                    return action
            try:
                action = self.next_step(action, deadline)
            except LedgerConflict:
                # Somebody else goes on with it: what they have recorded is where it stands.
                return self._ledger.load(action.id)
        return action

    def _wait_before_next(self, action: Action) -> float | None:
        if action.status not in (Status.SCHEDULED, Status.RETRYING) or action.due_at is None:
            return None
        return max((action.due_at - self._world.clock.now()).total_seconds(), 0.0)

    # -- one attempt ------------------------------------------------------------------------------------------------

    def _attempt_if_ready(self, action: Action, deadline: Deadline) -> Action:
        try:
            ready = self._validate.current_route(action, deadline.remaining)
        except Refused as refusal:
            return self._fail_unprepared(action, Permanent(str(refusal.code), refusal.message))
        except NeedsApproval as needed:
            action.put_on_hold(needed.hold, at=self._world.clock.now())
            return self._recorded(action)
        # Making it ready may have taken all the time that there was: then it is still due.
        return self._attempt(action, ready, deadline) if deadline.allows_an_attempt() else action

    def _fail_unprepared(self, action: Action, refused: Permanent) -> Action:
        """A template or a target was there when the request came, and is not any more. One commit: nothing leaves."""
        now = self._world.clock.now()
        lease = Lease(now + 2 * self._rules.clock_skew)
        if action.doubted:
            # What is known of the attempt in doubt stays known: it may be asked for.
            action.begin_attempt(
                lease, delivery=action.delivery, facts=action.facts, can_probe=action.can_probe, at=now
            )
        else:
            action.begin_attempt(lease, delivery=action.delivery, at=now)
        action.fail_attempt(refused, self._decide(action, refused, now), epoch=action.version, at=now)
        return self._recorded(action)

    def _attempt(self, action: Action, ready: Ready, deadline: Deadline) -> Action:
        timeout = min(ready.timeout, deadline.remaining)
        lease_until = self._world.clock.now() + timedelta(seconds=timeout) + 2 * self._rules.clock_skew
        with self._gates.entered(action, ready, lease_until) as gate:
            if isinstance(gate.entry, Wait):
                return self._deferred(action, ready, gate.entry)
            time_left = Deadline(self._world.clock, timeout)
            epoch = self._record_intent(action, ready, lease_until)
            outcome = self._unsent_if_late(action, time_left)
            if outcome is None:
                outcome = gate.outcome = self._perform(action, ready, time_left.remaining)
        return self._conclude(action, epoch, outcome)

    def _unsent_if_late(self, action: Action, time_left: Deadline) -> Outcome | None:
        """Recording the intent may take so long that its time is over: then nothing leaves, and that is certain."""
        if action.is_expired(self._world.clock.now()) or time_left.remaining <= 0:
            return Retry("recorded_too_late", "recording the intent took longer than the attempt had; nothing was sent")
        return None

    def _deferred(self, action: Action, ready: Ready, wait: Wait) -> Action:
        now = self._world.clock.now()
        until = datetime.fromtimestamp(wait.until, UTC)
        if not wait.turn:
            # Nobody can say when there will be room: whoever has waited long asks less often.
            until = max(until, now + min(2**action.deferrals * SHORTEST_WAIT, LONGEST_WAIT))
        action.defer(until, reason=wait.why, target=ready.target, turn=wait.turn, at=now)
        return self._recorded(action)

    def _record_intent(self, action: Action, ready: Ready, lease_until: datetime) -> int:
        now = self._world.clock.now()
        window = ready.key_window
        # What is sent within the window must also arrive in it, however long that takes.
        key_until = now + window - (lease_until - now) if window else None
        lease = Lease(lease_until, self._world.holders.me(), key_until)
        action.begin_attempt(
            lease,
            delivery=ready.delivery,
            facts=ready.prepared.facts,
            can_probe=ready.can_probe(self._world),
            target=ready.prepared.target,
            policy=policy.rules_of(self._rules.retries_for(action.request.get("options", {})), ready.limits),
            at=now,
        )
        self._ledger.record(action)
        return action.version

    def _perform(self, action: Action, ready: Ready, timeout: float) -> Outcome:
        attempt = Attempt(
            action_id=action.id,
            effect_key=action.effect_key,
            at=action.modified_on,
            number=action.attempts,
            timeout=timeout,
        )
        try:
            return recordable(ready.action_type.execute(ready.prepared, attempt, self._world))
        except Exception as error:
            with_trace = log.isEnabledFor(logging.DEBUG)
            log.warning("an action type raised", extra={"action_id": attempt.action_id}, exc_info=with_trace)
            return Unknown("unhandled_exception", f"the action type raised {type(error).__name__}")

    # -- its outcome ------------------------------------------------------------------------------------------------

    def _conclude(self, action: Action, epoch: int, outcome: Outcome) -> Action:
        """Records the outcome; another writer's commit in between is read, and decided upon anew."""
        try:
            return self._record_outcome(action, epoch, outcome)
        except LedgerConflict:
            action_id = action.id
            return self._again(lambda: self._record_outcome(self._ledger.load(action_id), epoch, outcome))

    def _again(self, record: Callable[[], Action]) -> Action:
        # Imported here: it costs a cold start more than the whole of the happy path.
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        again = Retrying(
            retry=retry_if_exception_type(LedgerConflict),
            stop=stop_after_attempt(5),
            wait=lambda _: self._world.chance.uniform(0.0, 0.05),
            sleep=self._world.clock.sleep,
            reraise=True,
        )
        try:
            return again(record)
        except LedgerConflict as conflict:
            raise LedgerUnavailable(
                f"an outcome could not be recorded, for others were first each time: {conflict}"
            ) from conflict

    def _record_outcome(self, action: Action, epoch: int, outcome: Outcome) -> Action:
        now = self._world.clock.now()
        if isinstance(outcome, Succeeded):
            action.succeed(outcome, epoch=epoch, at=now)
        else:
            action.fail_attempt(outcome, self._decide(action, outcome, now), epoch=epoch, at=now)
        return self._recorded(action)

    def _decide(self, action: Action, failure: Failure, now: datetime) -> policy.Decision:
        retries = self._rules.retries_for(action.request.get("options", {}))
        return policy.decide(failure, action.current_route, retries, now=now, chance=self._world.chance)

    def _recorded(self, action: Action) -> Action:
        self._ledger.record(action)
        _tell(action)
        return action


def _tell(action: Action) -> None:
    """Nothing ends silently."""
    level = logging.INFO if action.status in (Status.SUCCEEDED, Status.RETRYING) else logging.WARNING
    # Where nobody listens, a record of what went well is not even made.
    if log.isEnabledFor(level) and (level >= logging.WARNING or log.hasHandlers()):
        code = action.error.code if action.error else ""
        told = {"action_id": action.id, "status": str(action.status), "attempts": action.attempts, "code": code}
        log.log(level, "%s: %s %s", action.id, action.status, code, extra=told)
