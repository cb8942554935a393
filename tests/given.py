"""given(events).when(command).then(events): the life of an action, told in tests.

An event is told as `(word, what it says)`; what a test does not tell is filled in, what it expects is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.action import Action
from domain.events import ACTION_TOPIC, REGISTRY, ActionEvent, Requested
from domain.lifecycle import Life

ACTION_ID = "act_01m87gb1k7e4sb6d1n6rvkge9g"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Told = tuple[str, Mapping[str, Any]]

DEFAULTS: Mapping[str, Any] = {
    "request": {"action_type": "greet", "parameters": {"name": "Ada"}},
    "fingerprint": "0" * 64,
    "effect_key": f"{ACTION_ID}-r0",
    "code": "a_code",
    "message": "a message",
    "attempt": 1,
    "lease_until": "2026-03-01T12:01:30.000000Z",
    "delivery": "at_most_once",
    "failure": "retry",
    "retry_at": "2026-03-01T12:00:05.000000Z",
    "reason": "permanent",
    "outcome": "succeeded",
    "epoch": 3,
    "result": {},
    "until": "2026-03-01T12:00:30.000000Z",
    "target": "crm",
    "verdict": "executed",
    "finding": "cannot_tell",
    "rule": "a_rule",
    "request_hash": "0" * 64,
    "to": "act_5n8x0000000000000000000000",
    "compensation": "act_5n8x0000000000000000000000",
    "look_at": "2026-03-01T12:01:00.000000Z",
    "matter": "case-7",
    "file": "2026-03-00000000000000000000000000000000.jsonl.gz",
    "offset": 0,
    "status": "succeeded",
    "attempts": 1,
    "action_type": "greet",
    "born": "2026-03-01T12:00:00.000000Z",
    "by": "ada",
    "why": "it was asked for",
}

REQUESTED: Told = ("requested", {})
VALIDATED: Told = ("validated", {})
ATTEMPTED: Told = ("attempted", {})
RETRY: Told = ("attempt_failed", {"failure": "retry"})
SUCCEEDED: tuple[Told, ...] = (REQUESTED, VALIDATED, ATTEMPTED, ("succeeded", {}))
LEADING_TO: Mapping[Life | None, tuple[Told, ...]] = {
    None: (),
    Life.REQUESTED: (REQUESTED,),
    Life.REJECTED: (REQUESTED, ("rejected", {})),
    Life.VALIDATED: (REQUESTED, VALIDATED),
    Life.HELD: (REQUESTED, VALIDATED, ("held", {})),
    Life.APPROVED: (REQUESTED, VALIDATED, ("held", {}), ("approved", {})),
    Life.DENIED: (REQUESTED, VALIDATED, ("held", {}), ("denied", {})),
    Life.ATTEMPTED: (REQUESTED, VALIDATED, ATTEMPTED),
    Life.ATTEMPT_FAILED: (REQUESTED, VALIDATED, ATTEMPTED, RETRY),
    Life.IN_DOUBT: (REQUESTED, VALIDATED, ATTEMPTED, ("in_doubt", {"reason": "outcome_unknown"})),
    Life.RESOLVED: (
        REQUESTED,
        VALIDATED,
        ATTEMPTED,
        ("in_doubt", {"reason": "outcome_unknown"}),
        ("resolved", {"verdict": "not_executed", "retry_at": "2026-03-01T12:00:05.000000Z"}),
    ),
    Life.SUCCEEDED: SUCCEEDED,
    Life.FAILED: (REQUESTED, VALIDATED, ATTEMPTED, ("attempt_failed", {"retry_at": None}), ("failed", {})),
    Life.REDRIVEN: (
        REQUESTED,
        VALIDATED,
        ATTEMPTED,
        ("attempt_failed", {"retry_at": None}),
        ("failed", {}),
        ("redriven", {}),
    ),
    Life.CANCELLED: (REQUESTED, VALIDATED, ("cancelled", {})),
    Life.EXPIRED: (REQUESTED, VALIDATED, ("expired", {})),
    Life.COMPENSATION_REQUESTED: (*SUCCEEDED, ("compensation_requested", {})),
    Life.COMPENSATED: (*SUCCEEDED, ("compensation_requested", {}), ("compensated", {})),
    Life.COMPENSATION_FAILED: (*SUCCEEDED, ("compensation_requested", {}), ("compensation_failed", {})),
}
"""The shortest life that each event leaves standing."""


def life_of(*told: Told, at: datetime = NOON) -> list[ActionEvent]:
    """Events as they stand in a ledger: versions from 1, one second apart."""
    return [_event(version, word, says, at) for version, (word, says) in enumerate(told, start=1)]


def _event(version: int, word: str, says: Mapping[str, Any], start: datetime) -> ActionEvent:
    kind = REGISTRY[Life(word).topic]
    required = [f.name for f in fields(kind) if f.default is MISSING and f.name in kind.own_fields()]
    values = {name: DEFAULTS[name] for name in required} | dict(says)
    if kind is Requested:
        values["originator_topic"] = ACTION_TOPIC
    at = start + timedelta(seconds=version - 1)
    return kind(ACTION_ID, version, at, **values)


def action_after(*told: Told, at: datetime = NOON) -> Action:
    """The action that has lived through this."""
    action: Any = None
    for event in life_of(*told, at=at):
        action = event.mutate(action)
    assert isinstance(action, Action)
    return action


class given:  # noqa: N801 - reads as a sentence
    """`given(*events).when(command).then(*events)`"""

    def __init__(self, *told: Told) -> None:
        self.action = action_after(*told)

    def when(self, command: Callable[[Action], None]) -> given:
        self._command = command
        return self

    def then(self, *expected: Told) -> Action:
        """Exactly these events were decided, saying at least this."""
        self._command(self.action)
        decided = [(event.life.value, event) for event in self.action.pending_events]
        assert [word for word, _ in decided] == [word for word, _ in expected]
        for (_, event), (word, says) in zip(decided, expected, strict=True):
            said = {name: getattr(event, name) for name in says}
            assert said == dict(says), word
        return self.action

    def then_refused(self, error: type[Exception]) -> None:
        """Refused, and nothing was decided."""
        with pytest.raises(error):
            self._command(self.action)
        assert self.action.pending_events == []
