"""Archives, put together from the settings: lives are copied out of the ledger, pruned from it, verified and found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from adapters.system import SystemClock
from agents.execution_agent.assembly import archive_at
from agents.execution_agent.config import Settings
from agents.execution_agent.evidence import store_of
from domain.checkpoint import Signed, Unreadable, name_of, numbers_in
from domain.errors import ConfigurationError, LedgerUnavailable
from domain.journal import Journal, JournaledRecorder
from domain.ledger import ActionLedger, translated
from domain.ports import Clock
from handlers.archive.candidates import Candidates
from handlers.archive.copy import Copy, CopyReport
from handlers.archive.holds import legal_holds
from handlers.archive.prune import ALWAYS, Prune, PruneReport
from handlers.operate import order_of
from projections.archived import Place, Verified
from projections.archived import verify as verify_archive
from projections.status import view_of


def copy(
    settings: Settings,
    where: str,
    before: datetime,
    *,
    clock: Clock | None = None,
    tell: Callable[[CopyReport], None] = lambda _: None,
) -> CopyReport:
    """Copies into the archive there all that is over, and to which nothing has happened since `before`.

    Raises ConfigurationError, LedgerUnavailable, Illegible for an archive that is damaged.
    """
    with _opened(settings) as (_, journal, candidates), translated():
        return Copy(
            journal, candidates, archive_at(where), clock or SystemClock(), lambda: newest_checkpoint(settings)
        )(before, tell=tell)


def prune(
    settings: Settings,
    where: str,
    *,
    actor: str,
    reason: str,
    before: datetime = ALWAYS,
    clock: Clock | None = None,
) -> PruneReport:
    """Takes out of the ledger what the archive there verifiably holds.

    Raises Refused where actor or reason is not said, ConfigurationError where the store gives nothing up,
    LedgerUnavailable, Illegible for an archive that is damaged.
    """
    order = order_of(actor, reason)
    if "SQLITE_DBNAME" not in settings.ledger:
        raise ConfigurationError(_KEEPS_ALL)
    with _opened(settings) as (ledger, journal, candidates), translated():
        return Prune(ledger, journal, candidates, archive_at(where), clock or SystemClock())(order, before=before)


def verify(where: str) -> Verified:
    """Holds everything in the archive there against its hashes. Raises LedgerUnavailable."""
    return verify_archive(archive_at(where))


def find(where: str, action_id: str) -> list[Place]:
    """Where in the archive the life of the action is, and was read. Raises LedgerUnavailable, Illegible."""
    archive = archive_at(where)
    places = archive.places_of(action_id)
    for place in places:
        archive.confirm(place)
    return places


def holds(settings: Settings, matter: str | None = None) -> list[dict[str, Any]]:
    """`{action_id, matter, at, by, why}` of each legal hold that stands. Raises LedgerUnavailable."""
    with _opened(settings) as (ledger, journal, _), translated():
        return list(legal_holds(journal, ledger.mapper, matter))


def newest_checkpoint(settings: Settings) -> str | None:
    """`NUMBER:HASH` of the last checkpoint that there is. Raises LedgerUnavailable where it cannot be read."""
    store = store_of(settings)
    number = max(numbers_in(store.names()), default=0)
    file = store.read(name_of(number)) if number else None
    if file is None:
        return None
    from hashlib import sha256

    with file:
        try:
            signed = Signed.read(file.read())
        except Unreadable as problem:
            raise LedgerUnavailable(f"{store.where}, checkpoint {number}: {problem}") from None
    return f"{number}:{sha256(signed.text).hexdigest()}"


def archive_named(where: str | None, settings: Settings) -> str:
    """The archive that is named, else the one of the settings. Raises ConfigurationError where there is neither."""
    found = where or settings.archive
    if not found:
        raise ConfigurationError(
            "say where the archive is, a directory or s3://BUCKET/PREFIX, or set EXECUTION_AGENT_ARCHIVE"
        )
    return found


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[ActionLedger, Journal, Candidates]]:
    ledger = ActionLedger(settings.ledger, view_of=view_of)
    try:
        journal = cast("JournaledRecorder", ledger.recorder).journal()
        yield ledger, journal, Candidates(journal, ledger.mapper)
    finally:
        ledger.close()


_KEEPS_ALL = (
    "a ledger in DynamoDB keeps all that it has: nobody may delete an item of it, and the first item of an action is"
    " what stands in the way of doing it twice. `archive run` copies out of it; only a ledger in SQLite can be pruned"
)
