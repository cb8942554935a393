"""One act on many actions: counted first, carried out item by item, resumable, and never done twice.

A bulk order has an id that holds its time. It concerns the actions that stood so at that time and have not changed
since: carried out again, after an interruption or by mistake, it finds only what it has not reached yet.

Lists are made of rows, which may lag behind their actions. So before an act the action itself is read, and it is left
alone unless it stands as its row says; should it change after that, the act itself finds out (`handlers.operate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import ActionNotFound, Code, ErrorReport, FieldError, LedgerConflict, Refused, UnreadableEvent
from domain.identity import bulk_given_at, is_run_id, new_bulk_id
from domain.ledger import ActionLedger
from domain.ports import World
from projections.agenda import Views
from projections.status import Response, view_of
from projections.view import ActionView

MOST_ACTIONS = 100_000
"""Rows that one order may concern."""

Act = Callable[[str], dict[str, Any]]
"""What is done to the action of this id, and what it is answered."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which actions are meant: all in this status and, where it is named, of this type."""

    status: str
    action_type: str | None = None

    def includes(self, row: ActionView, given_at: datetime) -> bool:
        """Whether an order that was given then concerns it. Workflow runs are listed too, and are no actions."""
        if is_run_id(row.action_id):
            return False
        return row.status == self.status and row.updated <= given_at and self.action_type in (None, row.action_type)


class Bulk:
    """Bulk orders on a ledger whose actions can be listed."""

    def __init__(self, views: Views, ledger: ActionLedger, world: World) -> None:
        self._views = views
        self._ledger = ledger
        self._world = world

    def count(self, chosen: Chosen) -> tuple[str, int]:
        """An order that is given now: its id, and how many actions it concerns, as far as their rows tell."""
        now = self._world.clock.now()
        return new_bulk_id(now, self._world.chance.entropy(4)), sum(1 for _ in self._rows(chosen, now))

    def carry_out(self, act: Act, chosen: Chosen, bulk_id: str) -> list[dict[str, Any]]:
        """`act` on each action that the order still has to reach, oldest first. Raises Refused for no bulk id."""
        given_at = bulk_given_at(bulk_id)
        if given_at is None or given_at > self._world.clock.now():
            raise _no_bulk_id()
        reports = (self._item(act, chosen, row.action_id, given_at) for row in self._rows(chosen, given_at))
        return [report for report in reports if report is not None]

    def _item(self, act: Act, chosen: Chosen, action_id: str, given_at: datetime) -> dict[str, Any] | None:
        """None where the order does not concern it any more. One that cannot be read or decided holds up no other."""
        try:
            if not chosen.includes(view_of(self._ledger.load(action_id)), given_at):
                return None
            return act(action_id)
        except (ActionNotFound, LedgerConflict, UnreadableEvent) as error:
            report = ErrorReport(Code.CONFLICT, f"it could not be dealt with: {error}")
            return Response(action_id, chosen.status, error=report).as_dict()

    def _rows(self, chosen: Chosen, given_at: datetime) -> Iterator[ActionView]:
        rows = self._views.views(chosen.status, MOST_ACTIONS)
        return (row for row in reversed(rows) if chosen.includes(row, given_at))


def _no_bulk_id() -> Refused:
    message = "this is no bulk id; count first, and use the id that the count tells"
    return Refused(message, details=[FieldError("bulk_id", Code.INVALID_OPTIONS, message)], code=Code.INVALID_OPTIONS)
