"""By what an action is found: keys that are made of stored facts alone.

What was refused has keys, too, and may have said anything: what is no text is no key, and what is too long is cut, in
the same way here and in a search.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, TypedDict

from domain.action import Action

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun

LONGEST_KEY = 255
"""Characters."""
_KEPT = 200
"""Of a key that is longer; then comes what tells it from others that begin in the same way."""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


class Keys(TypedDict, total=False):
    """Members of `projections.view.ActionView`: all by which it is found, beside its status and type."""

    subject: str | None
    target: str | None
    agent: str | None
    decision: str | None
    correlation: str | None
    workflow: str | None
    actor: str | None
    error: str | None


def search_key(said: object) -> str | None:
    """The key that is made of a value; None for what is no text, or empty."""
    if not isinstance(said, str) or not said:
        return None
    if len(said) <= LONGEST_KEY:
        return said
    return f"{said[:_KEPT]}…{sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def subject_key(said: object) -> str | None:
    """The same of a subject. An address is one however it is written: a letter may be large or small in it."""
    if isinstance(said, str) and _ADDRESS.fullmatch(said):
        return search_key(said.casefold())
    return search_key(said)


def keys_of(action: Action) -> Keys:
    """By what an action is found."""
    request, error = action.request, action.error
    return Keys(
        subject=subject_key(_subject_of(action)),
        target=search_key(action.target),
        agent=search_key(_at("decision.agent", request)),
        decision=search_key(_at("decision.id", request)),
        correlation=search_key(request.get("correlation_id")),
        workflow=None if action.workflow is None else search_key(action.workflow.run),
        actor=search_key(action.actor),
        error=None if error is None else search_key(str(error.code)),
    )


def keys_of_run(run: WorkflowRun) -> Keys:
    """A run is found by itself, beside its steps; the run of a step by the one that it is a step of."""
    return Keys(
        workflow=run.id if run.parent is None else search_key(run.parent.run),
        correlation=search_key(run.cause.get("correlation_id")),
        actor=search_key(run.cause.get("actor")),
    )


def _subject_of(action: Action) -> object:
    """Where its type said that it is, when it was requested. A result that another route brought says nothing of it."""
    if action.subject is None:
        return None
    facts = {"parameters": action.request.get("parameters"), "result": None if action.route else action.result}
    return _at(action.subject, facts)


def _at(path: str, document: Mapping[str, object]) -> object:
    """What stands there, None where nothing does."""
    found: object = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
