"""May this request be carried out? Everything that can be refused is refused here, before anything is attempted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.action import Action
from domain.base_action import BaseAction, Intent, Prepared
from domain.policy import Delivery
from domain.ports import World
from domain.validators.parameters import read_parameters
from handlers.registry import ActionTypes


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


class Validate:
    """From a request to something ready to be attempted."""

    def __init__(self, action_types: ActionTypes, world: World) -> None:
        self._action_types = action_types
        self._world = world

    def __call__(self, action: Action) -> Ready:
        """Raises Refused. Reads templates and configuration; changes nothing."""
        request = action.request
        action_type = self._action_types.named(request["action_type"])
        parameters = read_parameters(action_type.parameters, request["parameters"])
        intent = Intent(action.id, action.effect_key, self._world.clock.now())
        return Ready(action_type, action_type.prepare(parameters, intent, self._world))
