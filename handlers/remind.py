"""An action that waits is rung for at the moment at which it is due again, to the second.

A ring that gets lost does no harm: the agenda knows what is due, and the sweep works through it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from domain.lifecycle import Status
from domain.ports import World

if TYPE_CHECKING:
    from domain.action import Action
    from domain.workflow import WorkflowRun

log = logging.getLogger("execution_agent.remind")

LONGEST_DELAY = 900.0
"""Seconds: no queue keeps a message back for longer. What waits longer is for the sweep."""


class Remind:
    """Asks for the ring, where there are doorbells. A failure is logged and hurts nobody."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, action: Action | WorkflowRun) -> None:
        wait = seconds_until_due(action, self._world.clock.now())
        if self._world.doorbells is None or wait is None or wait > LONGEST_DELAY:
            return
        failure = self._world.doorbells.ring_later(action.id, after=wait)
        if failure is not None:
            told = {"action_id": action.id, "code": failure.code}
            log.warning("%s: nobody will ring, so it waits for the sweep: %s", action.id, failure.message, extra=told)


def seconds_until_due(action: Action | WorkflowRun, now: datetime) -> float | None:
    """0.0 when it is due; None when nothing is to come, and while an attempt runs: that has a lease of its own."""
    if action.due_at is None or action.status is Status.ATTEMPTED:
        return None
    return max((action.due_at - now).total_seconds(), 0.0)
