"""Which class the fields of stored events are of: of our own it is said here, of theirs action types declare it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.base_action import BaseAction
from domain.errors import Refused
from domain.field_class import FieldClass, declared_classes
from domain.request import read_request
from projections.redaction import Shape

_TECHNICAL, _PERSONAL, _UNDECLARED = FieldClass.TECHNICAL, FieldClass.PERSONAL, FieldClass.UNDECLARED


def _all(field_class: FieldClass, names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), field_class)


_ERROR: Shape = _all(_TECHNICAL, "code") | _all(_PERSONAL, "message")

FIELDS: Mapping[str, Shape] = {
    # Words of ours, ids, times and numbers.
    **_all(
        _TECHNICAL, "effect_key code rule attempt lease_until delivery route key_until holder can_probe policy target"
    ),
    **_all(
        _TECHNICAL, "epoch failure retry_at next_route reason probe_at verdict bulk compensation look_at until turn"
    ),
    **_all(_TECHNICAL, "finding again_at to outcome not_before expires_at subject"),
    **_all(_TECHNICAL, "name definition_hash step action run waits_for status steps through"),
    **_all(_TECHNICAL, "file offset attempts action_type born moment next"),
    "by": FieldClass.ACTOR,
    "matter": FieldClass.BUSINESS,
    # Texts that quote; what a person was shown; and hashes by which a guess of the request could be tested.
    **_all(_PERSONAL, "why message details evidence fingerprint request_hash"),
    **_all(_PERSONAL, "definition inputs state remaining"),
    "error": _ERROR,
    "cause": _all(_TECHNICAL, "correlation_id run step until schedule moment")
    | {"actor": FieldClass.ACTOR, "idempotency_key": FieldClass.BUSINESS},
}
"""Of every event, by the name of the field: a name says the same everywhere. `request` is as its action type declares,
and so is what `_OF_THE_TYPE` names; what a callback brought to a run is nobody's to declare."""

_OF_THE_TYPE = ("facts", "result", "undo")

_REQUEST: Mapping[str, Shape] = {
    **_all(_TECHNICAL, "action_type correlation_id compensates compensation_number"),
    "idempotency_key": FieldClass.BUSINESS,
    "decision": {"id": _TECHNICAL, "agent": FieldClass.ACTOR, "reason": _PERSONAL},
    "workflow": _all(_TECHNICAL, "run step"),
}
_OPTIONS = _all(_TECHNICAL, "priority retry_policy max_retries mode not_before expires_at")

_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What an action type declares."""

    parameters: Mapping[str, FieldClass] = field(default_factory=dict)
    tells: Mapping[str, FieldClass] = field(default_factory=dict)


_NOTHING = Declared()


class Shapes:
    """The shapes of events, as installed action types declare them; of types that are not, nothing is declared."""

    def __init__(self, types: Iterable[BaseAction[Any]]) -> None:
        self._declared = {one.action_type: Declared(declared_classes(one.parameters), one.tells) for one in types}

    def of_field(self, name: str, action_type: object) -> Shape:
        """Of an event's field, where its action, on its route, is of this type."""
        tells = self._of_type(action_type).tells
        if name in _OF_THE_TYPE:
            return tells
        if name == "reference":
            return tells.get(name, _UNDECLARED)
        return FIELDS.get(name, _UNDECLARED)

    def of_request(self, request: Mapping[str, Any]) -> Shape:
        """Of a request that was accepted."""
        fallbacks = [self._of_fallback(one) for one in request.get("options", {}).get("fallback", ())]
        return {
            **_REQUEST,
            "parameters": self._of_type(request.get("action_type")).parameters,
            "options": {**_OPTIONS, "fallback": fallbacks},
        }

    def of_refused(self, request: object) -> Shape:
        """Of one that was not: it is kept as it was given, and may hold anything anywhere, secrets in their places."""
        document = request if isinstance(request, Mapping) else {}
        options = document.get("options")
        fallbacks = options.get("fallback") if isinstance(options, Mapping) else None
        unsure = {
            "parameters": self._secrets_of(document),
            "options": {"fallback": [{"parameters": self._secrets_of(one)} for one in _list(fallbacks)]},
        }
        try:
            read_request(request)
        except Refused:
            return unsure
        return {**_REQUEST, **unsure, "action_type": _of_word(document["action_type"])}

    def _secrets_of(self, asked: object) -> Shape:
        """Of parameters of which no more is known than where a secret would be."""
        declared = self._of_type(asked.get("action_type") if isinstance(asked, Mapping) else None).parameters
        return {name: one if one is FieldClass.SECRET else _UNDECLARED for name, one in declared.items()}

    def _of_fallback(self, fallback: Mapping[str, Any]) -> Shape:
        declared = self._of_type(fallback.get("action_type"))
        return {"action_type": _TECHNICAL, "parameters": declared.parameters}

    def _of_type(self, action_type: object) -> Declared:
        return self._declared.get(action_type, _NOTHING) if isinstance(action_type, str) else _NOTHING


def _of_word(action_type: str) -> FieldClass:
    """A word that names no type may be a name of anything else."""
    return _TECHNICAL if _WORD.fullmatch(action_type) else _UNDECLARED


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
