"""Reading an archive: what there is, where a life is, and whether it is what its manifests say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from eventsourcing.persistence import JSONTranscoder

from domain.archive import (
    Filed,
    Illegible,
    Kept,
    Manifest,
    Shelf,
    break_in,
    is_file_name,
    lives_in,
    name_of,
    numbers_in,
)
from domain.commit import Commit
from domain.events import Archived
from domain.journal import EVERYTHING, Damaged, Journal, Life, Row, Span
from domain.ledger import ActionMapper
from domain.merkle import Tree
from domain.unreadable import life_in

PIECE = 1 << 20
"""Bytes that are read together."""
_MAPPER = ActionMapper(JSONTranscoder())


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with a file of the archive, or with an action. `problem` is a sentence for people."""

    name: str
    problem: str

    @classmethod
    def of(cls, illegible: Illegible) -> Finding:
        """What is illegible is named first."""
        name, _, problem = str(illegible).partition(": ")
        return cls(name, problem)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a life is."""

    manifest: Manifest
    file: Filed
    kept: Kept


class Archive:
    """What is on a shelf. Raises LedgerUnavailable where that cannot be read, Illegible for what is not as it was."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def manifests(self) -> Iterator[Manifest]:
        """All, from the first on, each checked against the one before it."""
        before: Manifest | None = None
        for number in range(1, self.newest + 1):
            manifest = self.manifest(number)
            if manifest.previous != (before.hash if before is not None else None):
                raise Illegible(f"{manifest.name}: it does not bear the hash of the manifest before it")
            before = manifest
            yield manifest

    @property
    def newest(self) -> int:
        """The number of the last manifest, 0 where there is none."""
        return max(numbers_in(self.shelf.names()), default=0)

    def manifest(self, number: int) -> Manifest:
        """The manifest of this number."""
        name = name_of(number)
        file = self.shelf.read(name)
        if file is None:
            raise Illegible(f"{name}: it is missing")
        with file:
            try:
                manifest = Manifest.read(file.read())
            except Illegible as illegible:
                raise Illegible(f"{name}: {illegible}") from None
        if manifest.number != number:
            raise Illegible(f"{name}: it is number {manifest.number}")
        return manifest

    def places_of(self, action_id: str) -> list[Place]:
        """Where its life is, the newest copy first."""
        places = [
            Place(manifest, file, kept)
            for manifest in self.manifests()
            for file in manifest.files
            for kept in file.lives
            if kept.action_id == action_id
        ]
        return places[::-1]

    def confirm(self, place: Place) -> None:
        """Reads the life there. Raises Illegible where it is not what the manifest says."""
        name, kept = place.file.name, place.kept
        if not kept.is_of(self.life(name, kept.offset, kept.action_id)):
            raise Illegible(f"{name}: {kept.action_id} is not the life that {place.manifest.name} names")

    def life(self, name: str, offset: int, action_id: str) -> list[Commit]:
        """The life of this action, which begins at this byte of the file of this name."""
        if type(offset) is not int or not 0 <= offset < 1 << 62:
            raise Illegible(f"{name}: there is no such byte")
        with self._opened(name, offset) as file:
            try:
                commits = next(lives_in(file), [])
            except Illegible as illegible:
                raise Illegible(f"{name}: from byte {offset} on, {illegible}") from None
        if not commits or commits[0].action_id != action_id:
            raise Illegible(f"{name}: {action_id} is not at byte {offset}")
        if (broken := break_in(commits)) is not None:
            raise Illegible(f"{name}: {action_id}: {broken}")
        return commits

    def lives(self, filed: Filed, each: Callable[[bytes], None] = lambda _: None) -> Iterator[list[Commit]]:
        """The lives in a file, after its hash was compared, each as its manifest names it. `each` hears of the hash of
        every commit."""
        with self._opened(filed.name) as file:
            digest, size = _digest_of(file)
            if (digest, size) != (filed.sha256, filed.size):
                raise Illegible(f"{filed.name}: it is not the file that its manifest names{_damage_in(file)}")
            file.seek(0)
            named = iter(filed.lives)
            try:
                for life in lives_in(file):
                    _require_as_named(life, next(named, None))
                    for commit in life:
                        each(commit.hash)
                    yield life
            except Illegible as illegible:
                raise Illegible(f"{filed.name}: {illegible}") from None
            if next(named, None) is not None:
                raise Illegible(f"{filed.name}: it has fewer lives than its manifest names")

    def _opened(self, name: str, offset: int | None = None) -> BinaryIO:
        """All of the file, or what begins at a byte of it."""
        file = None
        if is_file_name(name):
            file = self.shelf.read(name) if offset is None else self.shelf.read_from(name, offset)
        if file is None:
            raise Illegible(f"{name}: it is missing")
        return file


def _require_as_named(life: Sequence[Commit], kept: Kept | None) -> None:
    if (broken := break_in(life)) is not None:
        raise Illegible(f"{life[0].action_id}: {broken}")
    if kept is None or not kept.is_of(life):
        raise Illegible(f"{life[0].action_id}: it is not as its manifest names it")


def _digest_of(file: BinaryIO) -> tuple[bytes, int]:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return digest.digest(), size


def _damage_in(file: BinaryIO) -> str:
    """Where a file is damaged, as far as that can be told."""
    file.seek(0)
    try:
        for _ in lives_in(file):
            pass
    except Illegible as illegible:
        return f": {illegible}"
    return ""


# -- verifying --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong with it. `strays` are files that no manifest names: they count for none."""

    manifests: int
    files: int
    lives: int
    commits: int
    strays: int
    findings: tuple[Finding, ...]


def verify(archive: Archive) -> Verified:
    """Everything is read and held against its hashes. Raises LedgerUnavailable where that is not possible."""
    return _Verification(archive).verified()


class _Verification:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._findings: list[Finding] = []
        self._lives = self._commits = 0

    def verified(self) -> Verified:
        names = set(self._archive.shelf.names())
        manifests = self._manifests()
        named = {file.name for manifest in manifests for file in manifest.files}
        for manifest in manifests:
            self._contents(manifest)
        strays = len(names - named - {name_of(number) for number in numbers_in(names)})
        if not manifests and not self._findings:
            self._found(self._archive.shelf.where, "there is no archive: no manifest is there")
        return Verified(len(manifests), len(named), self._lives, self._commits, strays, tuple(self._findings))

    def _manifests(self) -> list[Manifest]:
        """Those that can be read; where one is missing or another, the next cannot bear its hash."""
        manifests: list[Manifest] = []
        previous: bytes | None = None
        is_known = True
        for number in range(1, self._archive.newest + 1):
            try:
                manifest = self._archive.manifest(number)
            except Illegible as illegible:
                self._told(illegible)
                is_known = False
                continue
            if is_known and manifest.previous != previous:
                self._found(manifest.name, "it does not bear the hash of the manifest before it")
            previous, is_known = manifest.hash, True
            manifests.append(manifest)
        return manifests

    def _contents(self, manifest: Manifest) -> None:
        tree, is_whole = Tree(), True
        for file in manifest.files:
            try:
                for life in self._archive.lives(file, tree.add):
                    self._lives += 1
                    self._commits += len(life)
            except Illegible as illegible:
                self._told(illegible)
                is_whole = False
        if is_whole and (tree.head, tree.size) != (manifest.root, manifest.commits):
            self._found(manifest.name, "its root is not that of the commits in its files")

    def _told(self, illegible: Illegible) -> None:
        self._findings.append(Finding.of(illegible))

    def _found(self, name: str, problem: str) -> None:
        self._findings.append(Finding(name, problem))


# -- the whole of what is told in two places --------------------------------------------------------------------------


def pruned_to(rows: Sequence[Row]) -> Archived | None:
    """The event that tells where the beginning of this life is; None where all of it is here."""
    first = rows[0] if rows else None
    if not isinstance(first, Commit) or first.version <= 1 or first.events[0][0] != Archived.TOPIC:
        return None
    (told, *_) = life_in(first.stored_events(), _MAPPER)
    return told if isinstance(told, Archived) else None


def whole(life: Life, archive: Archive) -> Life:
    """The life with the beginning that was pruned; as it is where nothing was. Raises Illegible, LedgerUnavailable."""
    archived, first = pruned_to(life.rows), life.rows[0]
    if archived is None or not isinstance(first, Commit):
        return life
    before = archive.life(archived.file, archived.offset, life.action_id)
    if first.previous != before[-1].hash or first.version != before[-1].last + 1:
        raise Illegible(f"{archived.file}: what it has of {life.action_id} is not what was pruned")
    return Life(life.action_id, (*before, *life.rows), life.cursor)


class WholeJournal:
    """A journal, and of lives that were pruned what an archive has of them (`domain.journal.Journal`).

    What the archive cannot tell is left out: the life then begins with `archived`, as it does in the ledger.
    """

    def __init__(self, journal: Journal, archive: Archive) -> None:
        self._journal = journal
        self._archive = archive

    @property
    def parts(self) -> int:
        return self._journal.parts

    def life(self, action_id: str) -> Life | None:
        life = self._journal.life(action_id)
        return None if life is None else self._whole(life)

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        for life in self._journal.lives(span, part=part, after=after):
            whole = self._whole(life)
            if whole is life or span.holds(whole.born):
                yield whole

    def written(self, since: datetime) -> Iterator[Row]:
        """Only what is in the ledger: what is archived was written long ago."""
        return self._journal.written(since)

    def unlisted(self) -> Iterator[Damaged]:
        return self._journal.unlisted()

    def _whole(self, life: Life) -> Life:
        try:
            return whole(life, self._archive)
        except Illegible:
            return life
