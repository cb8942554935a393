"""May this request be carried out? Everything that can be refused is refused here, before anything is attempted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from domain.action import Action
from domain.base_action import LONGEST_PREPARATION, BaseAction, Intent, Prepared
from domain.errors import ConfigurationError, FieldError, LedgerError, NeedsApproval, Refused
from domain.gate import Limits
from domain.identity import effect_key
from domain.policy import Delivery
from domain.ports import World
from domain.validators.parameters import read_parameters
from handlers.recordable import name, plain
from handlers.registry import ActionTypes

log = logging.getLogger("execution_agent.validate")

BROKEN = "action_type_broken"
"""The code of a refusal that is the action type's own fault. Nothing was done."""


@dataclass(frozen=True)
class Ready:
    """An action type and its prepared effect: all that an attempt needs."""

    action_type: BaseAction[Any]
    prepared: Prepared[Any]

    @property
    def delivery(self) -> Delivery:
        return self.prepared.delivery or self.action_type.delivery

    @property
    def timeout(self) -> float:
        return self.prepared.timeout or self.action_type.timeout

    @property
    def target(self) -> str:
        return self.prepared.target or self.action_type.action_type

    @property
    def limits(self) -> Limits:
        return self.prepared.limits or self.action_type.limits

    def can_probe(self, world: World) -> bool:
        """Whether the provider can be asked what became of an attempt; a type that fails to say cannot ask either."""
        try:
            return bool(self.action_type.can_probe(world))
        except Exception:
            log.exception("the action type %s cannot say whether it can ask", self.action_type.action_type)
            return False

    @property
    def key_window(self) -> timedelta | None:
        return self.action_type.key_window if self.delivery is Delivery.IDEMPOTENT_BY_KEY else None


class Validate:
    """From a request to something ready to be attempted. Reads templates and configuration; changes nothing."""

    def __init__(self, action_types: ActionTypes, world: World) -> None:
        self._action_types = action_types
        self._world = world

    def subject_of(self, request: Mapping[str, Any]) -> str | None:
        """Where it is found whom or what the request is about; None where its type declares nothing, or is none."""
        asked = request.get("action_type")
        with suppress(Refused, ConfigurationError):
            return self._action_types.named(asked).subject if isinstance(asked, str) else None
        return None

    def whole(self, action: Action, within: float = LONGEST_PREPARATION) -> Ready:
        """The first route ready; every fallback checked as well. `within` as for `current_route`.

        Raises Refused, NeedsApproval.
        """
        ready = self.current_route(action, within)
        for number, fallback in enumerate(action.fallbacks):
            try:
                # Whether a person has to approve it is asked when its turn comes.
                with suppress(NeedsApproval):
                    self._ready(action, fallback, effect_key(action.id, number + 1), within=0.0)
            except Refused as refusal:
                raise _found_under(f"options.fallback.{number}", refusal) from None
        return ready

    def current_route(self, action: Action, within: float = LONGEST_PREPARATION) -> Ready:
        """The route that comes next, ready; `within` are the seconds that may pass while others are asked.

        With none it is only checked, and must not be executed. Raises Refused, NeedsApproval.
        """
        return self._ready(action, action.asked, action.effect_key, within=within)

    def _ready(self, action: Action, asked: Mapping[str, Any], key: str, *, within: float) -> Ready:
        action_type = self._action_types.named(asked["action_type"])
        intent = Intent(
            action.id,
            key,
            self._world.clock.now(),
            earlier=action.facts if action.doubted else {},
            approved=action.is_approved_for,
            within=min(max(within, 0.0), LONGEST_PREPARATION),
        )
        try:
            parameters = read_parameters(action_type.parameters, asked["parameters"])
            prepared = action_type.prepare(parameters, intent, self._world)
            prepared = replace(prepared, facts=plain(prepared.facts), target=name(prepared.target))
            return Ready(action_type, prepared)
        except (Refused, NeedsApproval, ConfigurationError, LedgerError):
            raise
        except Exception as error:
            log.exception("%s: the action type %s cannot prepare", action.id, action_type.action_type)
            message = f"the action type raised {type(error).__name__} before anything was attempted"
            raise Refused(message, details=[FieldError("parameters", BROKEN, message)], code=BROKEN) from error


def _found_under(path: str, refusal: Refused) -> Refused:
    """The same refusal, its fields named from the request's root."""
    details = [replace(detail, field=f"{path}.{detail.field}") for detail in refusal.details]
    return Refused(f"{path}: {refusal.message}", details=details, code=refusal.code)
