"""One act on many actions: counted first, carried out item by item, resumable, and never done twice.

A bulk order has an id that holds its time. It concerns the actions that stood so at that time and have not changed
since: carried out again, after an interruption or by mistake, it finds only what it has not reached yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from domain.errors import Code, FieldError, Refused
from domain.ports import World
from projections.agenda import Views
from projections.view import ActionView

_PREFIX = "blk_"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
MOST_ACTIONS = 100_000
"""Rows that one order may concern."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which actions are meant: all in this status and, where it is named, of this type."""

    status: str
    action_type: str | None = None


class Bulk:
    """Bulk orders on a ledger that keeps views."""

    def __init__(self, views: Views, world: World) -> None:
        self._views = views
        self._world = world

    def new_id(self) -> str:
        """The id of an order that is given now."""
        return f"{_PREFIX}{self._world.clock.now().strftime(_STAMP)}-{self._world.chance.entropy(4).hex()}"

    def concerned(self, chosen: Chosen, bulk_id: str) -> list[ActionView]:
        """The rows that the order still has to reach, oldest first. Raises Refused for what is no bulk id."""
        given_at = _time_of(bulk_id)
        if given_at > self._world.clock.now():
            raise _no_bulk_id()
        rows = self._views.views(chosen.status, MOST_ACTIONS)
        return [
            row for row in reversed(rows) if row.updated <= given_at and chosen.action_type in (None, row.action_type)
        ]


def _time_of(bulk_id: str) -> datetime:
    try:
        stamp, _, _ = bulk_id.removeprefix(_PREFIX).rpartition("-")
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _no_bulk_id() from None


def _no_bulk_id() -> Refused:
    message = "this is no bulk id; count first, and use the id that the count tells"
    return Refused(message, details=[FieldError("bulk_id", Code.INVALID_OPTIONS, message)], code=Code.INVALID_OPTIONS)
