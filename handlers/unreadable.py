"""The answer about an action of whose life this release cannot read all: nothing is decided, what is known is told."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import ActionNotFound, CorruptEvent, UnreadableEvent
from domain.ledger import ActionLedger
from domain.unreadable import Told
from projections.as_known import response_as_known
from projections.status import Response


def life_as_known(ledger: ActionLedger, action_id: str) -> Sequence[Told]:
    """Its events, readable or not; none where not even its commits can be read. Raises LedgerUnavailable."""
    try:
        return ledger.life_of(action_id)
    except (ActionNotFound, CorruptEvent):
        return ()


def answer_about(ledger: ActionLedger, action_id: str, unreadable: UnreadableEvent) -> Response:
    """Where it stood before the event that cannot be read; the error says which that is. Raises LedgerUnavailable."""
    return response_as_known(action_id, life_as_known(ledger, action_id), str(unreadable))
