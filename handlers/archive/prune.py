"""Pruning: what an archive verifiably holds goes from the ledger. One event stays of an action, and it is enough:

    the ledger before   requested ... succeeded reported          hash ──┐
    the archive         requested ... succeeded reported                 │ the same
    the ledger after                                     archived ───────┘ says the fingerprint, the end, the file

`archived` follows the last event, as any event does, and bears its commit's hash: the chain is not broken. It stands in
the way of whoever asks for the action once more (the first version is taken), and of whoever comes late with what an
attempt has brought (the next version is taken). In one transaction it comes and what was before it goes, on the
condition that the last commit is the very one that is archived: a legal hold that was placed meanwhile is another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from domain.action import Action, Order
from domain.archive import Filed, Illegible, Kept
from domain.commit import Commit
from domain.errors import LedgerConflict
from domain.journal import Journal
from domain.ledger import ActionLedger
from domain.ports import Clock
from handlers.archive.candidates import Candidates, Flawed
from projections.archived import Archive, Finding, pruned_to

CHANGED = "changed since"
RUN = "a workflow run"
GONE = "pruned before"
TAKES_BACK = "what it takes back is here"
"""Why something of the archive is left where it is, or is not there any more. For people, and counted."""
ALWAYS = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class PruneReport:
    """How many went; `stay` counts by reason those that did not."""

    pruned: int = 0
    stay: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(replace(self, stay=Counter())), "stay": dict(self.stay)}


@dataclass(frozen=True, slots=True)
class _Copied:
    """A life in the archive: in which file, and as what its manifest names it."""

    file: str
    kept: Kept
    commits: Sequence[Commit]


class Prune:
    """Prunes one ledger by one archive."""

    def __init__(
        self, ledger: ActionLedger, journal: Journal, candidates: Candidates, archive: Archive, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._candidates = candidates
        self._archive = archive
        self._clock = clock

    def __call__(self, order: Order, *, before: datetime = ALWAYS) -> PruneReport:
        """All that is archived, and to which nothing has happened since `before`.

        A file that is not what its manifest says is named, and nothing goes that only it would hold. Raises
        ConfigurationError where the store gives nothing up, LedgerUnavailable, Illegible for a damaged manifest.
        """
        report = PruneReport()
        newest = self._newest()
        for manifest in self._archive.manifests():
            for file in manifest.files:
                wanted = [kept.action_id for kept in file.lives if newest[kept.action_id] == file.name]
                there = {action_id for action_id in wanted if self._is_there(action_id)}
                if gone := len(wanted) - len(there):
                    report.stay[GONE] += gone
                for kept, life in self._held(file, report) if there else ():
                    if kept.action_id in there:
                        self._pruned(_Copied(file.name, kept, life), order, before, report)
        return report

    def _newest(self) -> Mapping[str, str]:
        """The file that has the newest copy of each life."""
        return {
            kept.action_id: file.name
            for manifest in self._archive.manifests()
            for file in manifest.files
            for kept in file.lives
        }

    def _is_there(self, action_id: str) -> bool:
        life = self._journal.life(action_id)
        return life is not None and pruned_to(life.rows) is None

    def _held(self, file: Filed, report: PruneReport) -> list[tuple[Kept, Sequence[Commit]]]:
        """What is in the file, once all of it was read and is right."""
        try:
            return list(zip(file.lives, self._archive.lives(file), strict=True))
        except Illegible as illegible:
            report.findings.append(Finding.of(illegible))
            return []

    def _pruned(self, copied: _Copied, order: Order, before: datetime, report: PruneReport) -> None:
        try:
            stays = self._take_out(copied, order, before)
        except Flawed as flawed:
            report.findings.append(Finding(copied.kept.action_id, str(flawed)))
        else:
            report.pruned += stays is None
            report.stay.update(() if stays is None else (stays,))

    def _take_out(self, copied: _Copied, order: Order, before: datetime) -> str | None:
        """None where it went, else why it stays. Raises Flawed."""
        life = self._journal.life(copied.kept.action_id)
        candidate = None if life is None else self._candidates.judged(life, before)
        if candidate is None:
            return GONE
        if candidate.stays is not None:
            return candidate.stays
        if not isinstance(candidate.standing, Action):
            return RUN
        if candidate.standing.compensates is not None and self._is_there(candidate.standing.compensates):
            return TAKES_BACK
        if list(candidate.commits) != list(copied.commits):
            return CHANGED
        return self._superseded(candidate.standing, copied, order)

    def _superseded(self, action: Action, copied: _Copied, order: Order) -> str | None:
        action.archive(copied.file, copied.kept.offset, order, at=self._clock.now())
        try:
            self._ledger.supersede(action, copied.kept.head)
        except LedgerConflict:
            return CHANGED
        return None
