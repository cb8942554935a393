"""One ring, and where it ends whatever goes wrong: done, to be done again, or set aside."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TypeAlias

from domain.errors import ActionNotFound, ConfigurationError, LedgerConflict, LedgerUnavailable, UnreadableEvent
from domain.ports import Case
from handlers.doorbell import Doorbell, OutOfTime, Rung
from handlers.execute import Deadline
from handlers.set_aside import Kept, SetAside

log = logging.getLogger("execution_agent.doorbell")


@dataclass(frozen=True, slots=True)
class Undone:
    """Not now: the same ring may do it later."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Never, as things are: it was set aside, `anew` unless it had been before."""

    anew: bool


Visited: TypeAlias = Rung | Undone | Aside


class Visit:
    """Rings, and answers for everything but a wrong configuration."""

    def __init__(self, doorbell: Doorbell, set_aside: SetAside) -> None:
        self._doorbell = doorbell
        self._set_aside = set_aside

    def __call__(self, action_id: str, deadline: Deadline, case: Case, *, newest: int | None = None) -> Visited:
        """`case` is what would be set aside, but for the problem. Raises ConfigurationError."""
        try:
            if not deadline.allows_an_attempt():
                raise OutOfTime(f"{action_id}: there is no time left to look at it")
            return self._doorbell.ring(action_id, deadline, newest=newest)
        except ConfigurationError:
            raise
        except (LedgerConflict, LedgerUnavailable, OutOfTime) as error:
            log.warning("%s has to be rung for again: %s", action_id, error, extra={"action_id": action_id})
            return Undone()
        except ActionNotFound:
            return self.put_aside(replace(case, problem="there is no such action"))
        except UnreadableEvent as poison:
            return self.put_aside(replace(case, problem=f"it cannot be read: {poison}"))
        except Exception as error:
            # Whatever it is, it would come again with the next ring.
            log.exception("%s cannot be worked on", action_id)
            return self.put_aside(replace(case, problem=f"whoever works on it fails: {type(error).__name__}"))

    def put_aside(self, case: Case) -> Aside | Undone:
        """Undone when it could not even be set aside."""
        kept = self._set_aside(case)
        return Undone() if kept is Kept.NOT_AT_ALL else Aside(anew=kept is Kept.NOW)
