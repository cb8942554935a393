"""Makes a checkpoint of all that no earlier one holds, signs it, and puts it beside the others.

The leaf list goes first, then the header; a list without a header is nothing. A header is put on the condition that
there is none of its number: of two writers one wins, and the other begins again.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import BinaryIO, Protocol

from domain.checkpoint import (
    CheckpointStore,
    Header,
    Leaf,
    LeafIndex,
    Signed,
    Signer,
    key_id_of,
    line_of,
    name_of,
)
from domain.commit import Commit
from domain.errors import LedgerConflict, LedgerUnavailable
from domain.instant import from_text, to_text
from domain.journal import Journal, Life
from domain.ledger import translated
from domain.merkle import Tree
from handlers.evidence.checkpoints import Checkpoints, Found, sha256_of
from projections.evidence import Coverage, Finding, Trouble, judged

LATEST = timedelta(hours=1)
"""How long after its own time a commit may arrive: a slow store, a process that is stopped and goes on, a wrong clock.
What comes later is told."""
LOOKED_AT_AGAIN = timedelta(days=1)
"""How far behind that a checkpoint looks for what the one before could not see."""
TRIES = 5
MOST_FINDINGS = 1_000


class NewIndex(Protocol):
    """Makes an empty index of leaves, which is gone at the end."""

    def __call__(self) -> AbstractContextManager[LeafIndex]: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """The checkpoint that was made, and what is wrong with the lives that it looked at: whole ones, of what is new."""

    header: Header
    findings: list[Finding]


@dataclass(slots=True)
class _Gathered:
    """What goes into a checkpoint, beside its leaves."""

    earliest: str | None = None
    latest: str | None = None
    late: int = 0
    findings: list[Finding] = field(default_factory=list)

    def take(self, commit: Commit, promised: str) -> None:
        self.earliest = commit.at if self.earliest is None else min(self.earliest, commit.at)
        self.latest = commit.at if self.latest is None else max(self.latest, commit.at)
        self.late += commit.at < promised

    def tell(self, finding: Finding) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


class Seal:
    """`new_index` makes the place where leaves are sorted."""

    def __init__(
        self,
        journal: Journal,
        store: CheckpointStore,
        checkpoints: Checkpoints,
        signer: Signer,
        new_index: NewIndex,
        now: Callable[[], datetime],
    ) -> None:
        self._journal, self._store, self._checkpoints = journal, store, checkpoints
        self._signer, self._new_index, self._now = signer, new_index, now

    def seal(self, *, everything: bool = False) -> Sealed:
        """The next checkpoint. With `everything`, whatever no checkpoint holds is taken in, however old it says it is.

        Raises LedgerConflict when others are always first; LedgerUnavailable when the ledger cannot be read, the
        checkpoint not be written, or when it would rest on one that is not what was signed; ConfigurationError.
        """
        for _ in range(TRIES):
            with translated():
                sealed = self._try(everything)
            if sealed is not None:
                return sealed
        raise LedgerConflict(f"{self._store.where}: others make checkpoints at the same time; try again later")

    def _try(self, everything: bool) -> Sealed | None:
        before = self._last()
        began = self._now()
        with self._new_index() as known, self._new_index() as new, tempfile.TemporaryFile() as file:
            since = None if before is None or everything else from_text(before.complete_until) - LOOKED_AT_AGAIN
            self._load(known, since)
            gathered = _Gathered()
            promised = "" if before is None else before.complete_until
            new.add(0, self._leaves(gathered, known, since, promised))
            header = self._header(before, began, gathered, new, file)
            file.seek(0)
            if not self._store.put(header.list_name, file):
                raise LedgerUnavailable(f"{self._store.where}: {header.list_name} is there, and is another file")
        signed = Signed(header.text, self._signer.sign(header.text))
        if not self._store.put(name_of(header.number), BytesIO(signed.file)):
            return None
        return Sealed(header, gathered.findings)

    def _last(self) -> Header | None:
        number = self._checkpoints.newest()
        return None if number == 0 else self._required(self._checkpoints.of(number))

    def _required(self, found: Found | Finding) -> Header:
        if isinstance(found, Found):
            return found.header
        if found.trouble is Trouble.CHECKPOINT_WRONG_KEY:
            advice = "; a new key goes with its own place for checkpoints"
        else:
            advice = "; nothing can follow it: see `execution-agent audit verify`"
        raise LedgerUnavailable(f"{self._store.where}, checkpoint {found.checkpoint}: {found.message}{advice}")

    def _load(self, known: LeafIndex, since: datetime | None) -> None:
        """The leaves of all checkpoints that may hold what was committed from `since` on."""
        for found in self._checkpoints.since("" if since is None else to_text(since)):
            for trouble in self._checkpoints.load(self._required(found), known).findings:
                if trouble.trouble is not Trouble.LEAVES_CONTRADICT:
                    raise LedgerUnavailable(f"{self._store.where}, checkpoint {trouble.checkpoint}: {trouble.message}")

    def _leaves(self, gathered: _Gathered, known: LeafIndex, since: datetime | None, promised: str) -> Iterator[Leaf]:
        earliest = "" if since is None else to_text(since)
        for life in self._lives(known, since):
            listed = known.of(life.action_id)
            for finding in judged(life.action_id, life.rows, listed, Coverage()).findings:
                gathered.tell(finding)
            held = {one.leaf.version for one in listed}
            for row in life.rows:
                if isinstance(row, Commit) and row.version not in held and row.at >= earliest:
                    gathered.take(row, promised)
                    yield Leaf(row.action_id, row.version, row.hash, chained=row.previous is not None)

    def _lives(self, known: LeafIndex, since: datetime | None) -> Iterator[Life]:
        """Whole lives: what is committed after a commit that is taken in may be seen before it."""
        if since is None:
            yield from self._journal.lives()
            return
        for row in self._journal.written(since):
            life = self._journal.life(row.action_id) if known.note(row.action_id) else None
            if life is not None:
                yield life

    def _header(
        self, before: Header | None, began: datetime, gathered: _Gathered, new: LeafIndex, file: BinaryIO
    ) -> Header:
        tree = Tree()
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=1, mtime=0) as packed:
            for leaf in new.of_number(0):
                tree.add(leaf.hash)
                packed.write(line_of(leaf))
        file.seek(0)
        complete_until = to_text(began - LATEST)
        if before is not None:
            complete_until = max(complete_until, before.complete_until)
        return Header(
            number=1 if before is None else before.number + 1,
            at=to_text(began),
            complete_until=complete_until,
            size=tree.size,
            root=tree.head,
            leaves=sha256_of(file),
            earliest=gathered.earliest,
            latest=gathered.latest,
            late=gathered.late,
            previous=None if before is None else before.hash,
            key=key_id_of(self._signer.key),
        )
