"""What is told of an action that is archived: what its archive has of it, where there is one at hand."""

from __future__ import annotations

from dataclasses import replace

from domain.action import Action
from domain.archive import Illegible
from domain.commit import Commit
from domain.errors import Code, ErrorReport, LedgerUnavailable
from domain.journal import Journal, Life
from domain.ledger import ActionLedger
from domain.unreadable import Told, known_of, life_in
from projections.archived import Archive, whole
from projections.status import Response, response_of


class Recall:
    """For what the ledger has given up."""

    def __init__(self, ledger: ActionLedger, journal: Journal, archive: Archive | None) -> None:
        """`archive` is the one that is at hand, None where none is."""
        self._ledger = ledger
        self._journal = journal
        self._archive = archive

    def response_of(self, action: Action) -> Response:
        """Where it stands. Its error is `archived` where nothing but its end can be told here."""
        try:
            life = self._recalled(action.id)
        except (Illegible, LedgerUnavailable) as error:
            message = f"it is archived, and the archive cannot tell more: {error}"
            return replace(response_of(action), error=ErrorReport(Code.ARCHIVED, message))
        known = known_of(self._told(life)) if life is not None else None
        return response_of(action if known is None or known.as_of is None else known.as_of)

    def life_of(self, action_id: str) -> list[Told] | None:
        """All of it, oldest first; None where the archive cannot tell it."""
        try:
            life = self._recalled(action_id)
        except (Illegible, LedgerUnavailable):
            return None
        return None if life is None else self._told(life)

    def _recalled(self, action_id: str) -> Life | None:
        """None where no archive is at hand. Raises Illegible, LedgerUnavailable."""
        life = None if self._archive is None else self._journal.life(action_id)
        return None if self._archive is None or life is None else whole(life, self._archive)

    def _told(self, life: Life) -> list[Told]:
        commits = [row for row in life.rows if isinstance(row, Commit)]
        return life_in([event for commit in commits for event in commit.stored_events()], self._ledger.mapper)
