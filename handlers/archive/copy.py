"""Copying: whole lives of actions that are over go into an archive, and stay in the ledger.

    lives ──► files, each put and read back ──► the manifest that names them, put and read back: now it is archived

A copy that is interrupted leaves files that no manifest names, and is done anew by the next one. Of two copies at once
one puts its manifest first, and the other one numbers its own anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from io import BytesIO
from typing import Any

from domain.archive import Filed, Illegible, Manifest, file_of
from domain.commit import Commit
from domain.errors import LedgerUnavailable
from domain.instant import to_text
from domain.journal import Journal, Span
from domain.merkle import head_of
from domain.ports import Clock
from handlers.archive.candidates import Candidates, Flawed
from projections.archived import Archive, Finding

LIVES_OF_A_FILE = 1_000
LIVES_OF_A_MANIFEST = 10_000
BYTES_OF_A_MANIFEST = 1 << 26
"""Of stored events, which are in memory until they are in the archive."""
MOST_RIVALS = 10
"""Times that the manifest of another copy may come first."""


@dataclass(slots=True)
class CopyReport:
    """What a copy has put into the archive; `stay` counts by reason what it has left, `before` are lives that the
    archive had already."""

    lives: int = 0
    commits: int = 0
    before: int = 0
    files: list[str] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    stay: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(replace(self, stay=Counter())), "stay": dict(self.stay)}


class Copy:
    """Copies into one archive."""

    def __init__(
        self,
        journal: Journal,
        candidates: Candidates,
        archive: Archive,
        clock: Clock,
        newest_checkpoint: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._candidates = candidates
        self._archive = archive
        self._clock = clock
        self._newest_checkpoint = newest_checkpoint

    def __call__(self, before: datetime, *, tell: Callable[[CopyReport], None] = lambda _: None) -> CopyReport:
        """All to which nothing has happened since `before`. `tell` hears of each manifest that is done.

        Raises LedgerUnavailable where ledger or archive cannot be used, Illegible where the archive is damaged: then
        nothing is added to it.
        """
        report = CopyReport()
        for batch in _batches(self._lives(before, report)):
            self._archived(batch, before, report)
            tell(report)
        return report

    def _lives(self, before: datetime, report: CopyReport) -> Iterator[Sequence[Commit]]:
        heads = self._heads(report)
        for life in self._journal.lives(Span(until=before.date())):
            try:
                candidate = self._candidates.judged(life, before)
            except Flawed as flawed:
                report.findings.append(Finding(life.action_id, str(flawed)))
                continue
            if candidate is None:
                continue
            if candidate.stays is not None:
                report.stay[candidate.stays] += 1
            elif heads.get(life.action_id) == candidate.commits[-1].hash:
                report.before += 1
            else:
                yield candidate.commits

    def _heads(self, report: CopyReport) -> Mapping[str, bytes]:
        """How far each life is archived: the newest copy counts. What was in a file that is gone is in none."""
        heads: dict[str, bytes] = {}
        there = frozenset(self._archive.shelf.names())
        for manifest in self._archive.manifests():
            for file in manifest.files:
                if file.name in there:
                    heads.update((kept.action_id, kept.head) for kept in file.lives)
                else:
                    report.findings.append(Finding(file.name, f"it is missing, and {manifest.name} names it"))
        return heads

    # -- what is put ------------------------------------------------------------------------------------------------

    def _archived(self, lives: Sequence[Sequence[Commit]], before: datetime, report: CopyReport) -> None:
        hashes: list[bytes] = []
        files = [self._filed(month, part, hashes) for month, part in _by_month(lives)]
        manifest = self._named(files, hashes, before)
        report.lives += len(lives)
        report.commits += manifest.commits
        report.files += [file.name for file in files]
        report.manifests.append(manifest.name)

    def _filed(self, month: str, lives: Sequence[Sequence[Commit]], hashes: list[bytes]) -> Filed:
        """Puts a file of these and reads it back: `hashes` are those of the commits that are in it now."""
        file, data = file_of(month, lives)
        if not self._archive.shelf.put(file.name, BytesIO(data)):
            raise Illegible(f"{file.name}: another file has its name already")
        for _ in self._archive.lives(file, hashes.append):
            pass
        return file

    def _named(self, files: Sequence[Filed], hashes: Sequence[bytes], before: datetime) -> Manifest:
        for _ in range(MOST_RIVALS):
            newest = self._archive.newest
            last = self._archive.manifest(newest) if newest else None
            manifest = Manifest(
                number=newest + 1,
                at=to_text(self._clock.now()),
                before=to_text(before),
                commits=len(hashes),
                root=head_of(hashes),
                previous=None if last is None else last.hash,
                checkpoint=self._newest_checkpoint(),
                files=tuple(files),
            )
            if self._archive.shelf.put(manifest.name, BytesIO(manifest.text)):
                if self._archive.manifest(manifest.number) != manifest:
                    raise Illegible(f"{manifest.name}: it is not what was put")
                return manifest
        raise LedgerUnavailable(f"others have put {MOST_RIVALS} manifests into {self._archive.shelf.where} meanwhile")


def _batches(lives: Iterator[Sequence[Commit]]) -> Iterator[list[Sequence[Commit]]]:
    batch: list[Sequence[Commit]] = []
    size = 0
    for life in lives:
        batch.append(life)
        size += sum(len(commit.body) for commit in life)
        if len(batch) >= LIVES_OF_A_MANIFEST or size >= BYTES_OF_A_MANIFEST:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _by_month(lives: Sequence[Sequence[Commit]]) -> Iterator[tuple[str, list[Sequence[Commit]]]]:
    """In parts that make a file each, by the month of the first commit."""
    months: defaultdict[str, list[Sequence[Commit]]] = defaultdict(list)
    for life in lives:
        months[life[0].at[: len("2025-03")]].append(life)
    for month, born in sorted(months.items()):
        for start in range(0, len(born), LIVES_OF_A_FILE):
            yield month, born[start : start + LIVES_OF_A_FILE]
