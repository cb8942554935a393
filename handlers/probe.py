"""What became of an attempt in doubt? Where the provider can be asked, it is asked, before a person has to.

    in_doubt ── a while later ──► probe ── executed ──────► resolved, succeeded
                                        ── not executed ──► resolved, and what the retry policy says
                                        ── cannot tell ───► probed, asked again later, a few times

A probe reads and changes nothing, so two at once do no harm: the version of the action lets one of them speak.
"""

from __future__ import annotations

import logging
from typing import Any

from domain import policy
from domain.action import Action
from domain.base_action import BaseAction, Inquiry
from domain.errors import Refused
from domain.ledger import ActionLedger
from domain.outcome import CannotTell, Finding
from domain.ports import World
from domain.validators.parameters import read_parameters
from handlers.execute import Deadline, ExecutionRules
from handlers.recordable import recordable_finding
from handlers.registry import ActionTypes

log = logging.getLogger("execution_agent.probe")

LONGEST_PROBE = 10.0
"""Seconds, the total deadline of a question."""


class Probe:
    """Asks the provider, and records what it found."""

    def __init__(self, ledger: ActionLedger, action_types: ActionTypes, world: World, rules: ExecutionRules) -> None:
        self._ledger = ledger
        self._action_types = action_types
        self._world = world
        self._rules = rules

    def __call__(self, action: Action, deadline: Deadline) -> Action:
        """Raises LedgerConflict when somebody else has settled it meanwhile."""
        finding = self._ask(action, min(LONGEST_PROBE, deadline.remaining))
        now = self._world.clock.now()
        retries = self._rules.retries_for(action.request.get("options", {}))
        action.settle(
            finding,
            policy.after_not_executed(action.current_route, retries, now=now, chance=self._world.chance),
            at=now,
        )
        self._ledger.record(action)
        log.info("%s: probed, now %s", action.id, action.status, extra={"action_id": action.id})
        return action

    def _ask(self, action: Action, timeout: float) -> Finding:
        try:
            action_type: BaseAction[Any] = self._action_types.named(action.asked["action_type"])
            parameters = read_parameters(action_type.parameters, action.asked["parameters"])
            return recordable_finding(action_type.probe(parameters, _inquiry(action, timeout), self._world))
        except Refused as refused:
            return CannotTell(f"the provider cannot be asked: {refused.message}")
        except Exception as error:
            with_trace = log.isEnabledFor(logging.DEBUG)
            log.warning("a probe raised", extra={"action_id": action.id}, exc_info=with_trace)
            return CannotTell(f"the probe raised {type(error).__name__}")


def _inquiry(action: Action, timeout: float) -> Inquiry:
    return Inquiry(
        action_id=action.id,
        effect_key=action.effect_key,
        at=action.attempted_at or action.created_on,
        number=action.attempts,
        facts=action.facts,
        timeout=timeout,
    )
