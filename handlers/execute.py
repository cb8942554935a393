"""An attempt, from intent to outcome.

    ledger   ── requested, validated, attempted ─┐                        ┌─ succeeded | attempt_failed | in_doubt
                                       committed │                        │ committed
    world                                        └──► execute() ─ answer ─┘

A crash left of the first line: nothing was done. Between the lines: the lease lapses, and the action's delivery class
says what may follow. Right of the second: it is known. There is no fourth place.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from domain import policy
from domain.action import Action
from domain.base_action import Attempt
from domain.errors import LedgerConflict, Refused
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.outcome import Outcome, Permanent, Succeeded, Unknown
from domain.policy import Delivery, Retries, RetryPolicy
from domain.ports import Clock, World
from handlers.recordable import recordable
from handlers.validate import Ready, Validate

log = logging.getLogger("execution_agent.execute")

SHORTEST_ATTEMPT = 1.0
"""Seconds. With less than this left, no attempt starts: it would only end in doubt."""


class Deadline:
    """How long the caller can still wait."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds, possibly below zero."""
        return self._end - self._clock.monotonic()

    def allows_an_attempt(self, after: float = 0.0) -> bool:
        """Whether there is time for an attempt once `after` seconds are gone."""
        return self.remaining - after >= SHORTEST_ATTEMPT


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

    def __call__(self, action: Action, ready: Ready, deadline: Deadline) -> Action:
        """Attempts, and attempts again while the caller waits; what is still to be done then stands in the ledger.

        Raises LedgerConflict when the first intent cannot be recorded because another writer was first,
        LedgerUnavailable when the ledger cannot be written: then no attempt was begun, or its lease tells the rest.
        """
        action = self._attempt(action, ready, deadline)
        while (wait := self._wait_before_next(action)) is not None and deadline.allows_an_attempt(after=wait):
            self._world.clock.sleep(wait)
            try:
                action = self._attempt_again(action, deadline)
            except LedgerConflict:
                # Somebody else goes on with it: what they have recorded is where it stands.
                return self._ledger.load(action.id)
        return action

    def _wait_before_next(self, action: Action) -> float | None:
        if action.status is not Status.RETRYING or action.due_at is None:
            return None
        return max((action.due_at - self._world.clock.now()).total_seconds(), 0.0)

    def _attempt_again(self, action: Action, deadline: Deadline) -> Action:
        if action.is_expired(self._world.clock.now()):
            action.expire(at=self._world.clock.now())
            self._ledger.record(action)
            _tell(action)
            return action
        try:
            ready = self._validate(action)
        except Refused as refusal:
            # A template or a target was there when the request came, and is not any more.
            return self._give_up_unattempted(action, refusal)
        return self._attempt(action, ready, deadline)

    def _give_up_unattempted(self, action: Action, refusal: Refused) -> Action:
        epoch = self._record_intent(action, Delivery.AT_MOST_ONCE, {}, timeout=SHORTEST_ATTEMPT)
        return self._conclude(action, epoch, Permanent(str(refusal.code), refusal.message))

    def _attempt(self, action: Action, ready: Ready, deadline: Deadline) -> Action:
        timeout = min(ready.timeout, deadline.remaining)
        epoch = self._record_intent(action, ready.delivery, ready.prepared.facts, timeout)
        attempt = Attempt(
            action_id=action.id,
            effect_key=action.effect_key,
            at=action.modified_on,
            number=action.attempts,
            timeout=timeout,
        )
        return self._conclude(action, epoch, self._perform(ready, attempt))

    def _record_intent(self, action: Action, delivery: Delivery, facts: Mapping[str, Any], timeout: float) -> int:
        now = self._world.clock.now()
        lease_until = now + timedelta(seconds=timeout) + 2 * self._rules.clock_skew
        action.begin_attempt(lease_until=lease_until, delivery=delivery, facts=facts, at=now)
        self._ledger.record(action)
        return action.version

    def _perform(self, ready: Ready, attempt: Attempt) -> Outcome:
        try:
            return recordable(ready.action_type.execute(ready.prepared, attempt, self._world))
        except Exception as error:  # noqa: BLE001 - whatever it was, it may have come after the effect
            with_trace = log.isEnabledFor(logging.DEBUG)
            log.warning("an action type raised", extra={"action_id": attempt.action_id}, exc_info=with_trace)
            return Unknown("unhandled_exception", f"the action type raised {type(error).__name__}")

    def _conclude(self, action: Action, epoch: int, outcome: Outcome) -> Action:
        """Records the outcome; another writer's commit in between is read, and decided upon anew."""
        try:
            return self._record_outcome(action, epoch, outcome)
        except LedgerConflict:
            # Imported here: it costs a cold start more than the whole of the happy path.
            from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

            again = Retrying(
                retry=retry_if_exception_type(LedgerConflict),
                stop=stop_after_attempt(5),
                wait=wait_random(0.0, 0.05),
                sleep=self._world.clock.sleep,
                reraise=True,
            )
            return again(lambda: self._record_outcome(self._ledger.load(action.id), epoch, outcome))

    def _record_outcome(self, action: Action, epoch: int, outcome: Outcome) -> Action:
        now = self._world.clock.now()
        if isinstance(outcome, Succeeded):
            action.succeed(outcome, epoch=epoch, at=now)
        else:
            decision = policy.decide(
                outcome,
                attempt=action.attempts,
                delivery=action.delivery or Delivery.AT_MOST_ONCE,
                doubted=action.doubted,
                retries=self._rules.retries_for(action.request.get("options", {})),
                now=now,
                chance=self._world.chance,
            )
            action.fail_attempt(outcome, decision, epoch=epoch, at=now)
        self._ledger.record(action)
        _tell(action)
        return action


def _tell(action: Action) -> None:
    """Nothing ends silently."""
    level = logging.INFO if action.status in (Status.SUCCEEDED, Status.RETRYING) else logging.WARNING
    if log.isEnabledFor(level):
        told = {"action_id": action.id, "status": str(action.status), "attempts": action.attempts}
        error = {"code": action.error.code} if action.error else {}
        log.log(level, "action %s", action.status, extra=told | error)
