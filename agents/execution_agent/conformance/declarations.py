"""What an action type says of itself, and what it does before an attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from agents.execution_agent.conformance.report import Breach, Rule
from agents.execution_agent.conformance.stage import Stage
from domain.base_action import BaseAction, Intent, Prepared
from domain.errors import NeedsApproval, Refused
from domain.identity import effect_key
from domain.policy import Delivery
from domain.validators.parameters import read_parameters


def try_declaration(stage: Stage) -> Iterator[Breach]:
    """The words, the parameters, and `prepare`."""
    action = stage.case.action()
    yield from _said(action)
    yield from _read_back(action, stage.case.parameters())
    yield from _prepared(stage, action)


def _said(action: BaseAction[Any]) -> Iterator[Breach]:
    if not action.summary or "\n" in action.summary:
        yield Breach(Rule.DECLARES, "its summary is not one line")
    for path in _undescribed(action.parameters.model_json_schema()):
        yield Breach(Rule.DECLARES, f"parameters.{path} has no description")
    if action.key_window is not None and action.key_window.total_seconds() <= 0:
        yield Breach(Rule.DECLARES, "its key window is no time at all")
    if not 0 < action.timeout <= 900:
        yield Breach(Rule.DECLARES, "its timeout is not above 0, and at most 900 seconds")
    classes = {action.delivery, *action.other_promises}
    if not classes <= {*Delivery}:
        yield Breach(Rule.DECLARES, "it promises what is no delivery class")
    if action.key_window is not None and Delivery.IDEMPOTENT_BY_KEY not in classes:
        yield Breach(Rule.DECLARES, "it has a key window, and is never idempotent by key")


def _undescribed(schema: Mapping[str, Any]) -> Iterator[str]:
    """The parameters, at every depth, that no word is said of."""
    for name, part in schema.get("properties", {}).items():
        if not part.get("description"):
            yield name
    for definition in schema.get("$defs", {}).values():
        yield from _undescribed(definition)


# -- parameters -------------------------------------------------------------------------------------------------------


def _read_back(action: BaseAction[Any], given: Mapping[str, Any]) -> Iterator[Breach]:
    """As a ledger does it: what was asked is written down as JSON, and read again years later."""
    parameters = read_parameters(action.parameters, json.loads(json.dumps(given)))
    try:
        written = json.loads(parameters.model_dump_json())
        again = read_parameters(action.parameters, written)
    except (TypeError, ValueError, Refused) as error:
        yield Breach(Rule.READS_BACK, f"its parameters cannot be written down and read again: {type(error).__name__}")
        return
    if again != parameters:
        yield Breach(Rule.READS_BACK, "its parameters are not the same when they are read again")
    yield from _closed(action.parameters, given)


def _closed(model: type[BaseModel], given: Mapping[str, Any]) -> Iterator[Breach]:
    """What a request says and nobody reads is a mistake that nobody sees."""
    try:
        read_parameters(model, {**given, "no_such_parameter": 1})
    except Refused:
        return
    yield Breach(Rule.DECLARES, "its parameters let pass what they do not know")


# -- prepare ----------------------------------------------------------------------------------------------------------


def _prepared(stage: Stage, action: BaseAction[Any]) -> Iterator[Breach]:
    """For a request that is accepted, for one that a person approved, and for one that is only to be checked."""
    request = stage.request(mode="accept")
    effects, asked = len(stage.case.effects()), len(stage.case.sent())
    for is_approved in (False, True):
        yield from _prepared_once(stage, action, request, approved=lambda _, answer=is_approved: answer)
    questions = stage.case.asked()
    yield from _prepared_once(stage, action, request, within=0.0)
    if stage.case.asked() > questions:
        yield Breach(Rule.ONLY_PREPARES, "with no time to ask, it asked the provider")
    accepted = stage.agent.process(request)
    if accepted["status"] not in ("scheduled", "held"):
        told = f"a valid request is {accepted['status']}: {(accepted['error'] or {}).get('message')}"
        yield Breach(Rule.ONLY_PREPARES, told)
    if len(stage.case.effects()) > effects or len(stage.case.sent()) > asked:
        yield Breach(Rule.ONLY_PREPARES, "before an attempt the provider was asked to do something")


def _prepared_once(
    stage: Stage, action: BaseAction[Any], request: Mapping[str, Any], **intended: Any
) -> Iterator[Breach]:
    intent = Intent("act_conformance", effect_key("act_conformance"), stage.case.clock.now(), **intended)
    parameters = read_parameters(action.parameters, request["parameters"])
    try:
        prepared = action.prepare(parameters, intent, stage.world())
    except (Refused, NeedsApproval) as refused:
        yield Breach(Rule.ONLY_PREPARES, f"it refuses the case's own request: {refused}")
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        yield Breach(Rule.ONLY_PREPARES, f"it raised {type(error).__name__}")
    else:
        stage.traces.keep("the repr of what is prepared", repr(prepared))
        if prepared.delivery not in (None, action.delivery, *action.other_promises):
            yield Breach(Rule.DECLARES, f"it prepares {prepared.delivery}, and declares nothing of that")
        yield from _facts_read_back(prepared)


def _facts_read_back(prepared: Prepared[Any]) -> Iterator[Breach]:
    try:
        same = json.loads(json.dumps(dict(prepared.facts))) == dict(prepared.facts)
    except (TypeError, ValueError):
        same = False
    if not same:
        yield Breach(Rule.READS_BACK, "the facts of its attempt are no JSON")
