"""What cannot be handled is set aside, so that the others go on: told loudly, and kept where a person looks."""

from __future__ import annotations

import logging
from collections import OrderedDict
from enum import Enum, auto
from threading import Lock
from typing import TypeAlias

from domain.ports import Case, World

log = logging.getLogger("execution_agent.quarantine")

REMEMBERED = 10_000
"""Cases that are remembered, so that they are not set aside again."""


class Kept(Enum):
    """What became of a case."""

    NOW = auto()
    BEFORE = auto()
    NOT_AT_ALL = auto()


class SetAside:
    """Hands each case to the quarantine: once, as far as this process remembers, where it would come again by itself.

    The quarantine is told twice rather than not at all: by another process that meets the same action, and by the same
    one once it has forgotten. What came as a message is kept each time, or nobody would have it any more: a person may
    have moved it back too early.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = Lock()
        self._told: OrderedDict[_Name, None] = OrderedDict()

    def __call__(self, case: Case) -> Kept:
        name = (case.action_id or case.event_id, case.announce, case.problem)
        told = {"action_id": case.action_id, "event_id": case.event_id}
        if self._remembers(name) and not case.is_message:
            log.info("%s was set aside before: %s", name[0], case.problem, extra=told)
            return Kept.BEFORE
        log.error("%s is set aside: %s", case.action_id or case.event_id, case.problem, extra=told)
        if self._world.quarantine is not None:
            failure = self._world.quarantine.keep(case)
            if failure is not None:
                log.error("the quarantine does not take it: %s", failure.message, extra=told)
                return Kept.NOT_AT_ALL
        self._remember(name)
        return Kept.NOW

    def _remembers(self, name: _Name) -> bool:
        with self._lock:
            return name in self._told

    def _remember(self, name: _Name) -> None:
        with self._lock:
            self._told[name] = None
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)


_Name: TypeAlias = tuple[str, tuple[int, ...], str]
