"""Ledgers and checkpoints in the hands of a test: commits made by hand, files in a dictionary, a key of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.checkpoint_keys import PublicKeys
from adapters.leaf_index import temporary_leaf_index
from domain.checkpoint import CheckpointStore
from domain.commit import NOTHING, Commit
from domain.instant import to_text
from domain.journal import EVERYTHING, Damaged, Life, Row, Span
from handlers.evidence.checkpoints import Checkpoints
from handlers.evidence.prove import Proof, Prove
from handlers.evidence.seal import Seal, Sealed
from handlers.evidence.verify import Expected, Verified, Verify
from projections.evidence import Finding

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def life_of(action_id: str, *events: int, at: datetime = NOON) -> list[Commit]:
    """Chained commits of so many events each, a second apart."""
    life: list[Commit] = []
    version, previous = 1, NOTHING
    for place, count in enumerate(events):
        when = to_text(at + timedelta(seconds=place))
        said = tuple(
            ("action.noted", f'{{"at":"{when}","note":"{action_id} {version + each}"}}'.encode())
            for each in range(count)
        )
        commit = Commit(action_id, version, when, previous, said)
        life.append(commit)
        version, previous = version + count, commit.hash
    return life


class FakeJournal:
    """Rows by action, for a test to tamper with."""

    parts = 1

    def __init__(self, *lives: Iterable[Row]) -> None:
        self.rows: dict[str, list[Row]] = {}
        for life in lives:
            self.put(life)

    def put(self, life: Iterable[Row]) -> None:
        rows = list(life)
        self.rows[rows[0].action_id] = rows

    def life(self, action_id: str) -> Life | None:
        rows = self.rows.get(action_id)
        ordered = tuple(sorted(rows, key=lambda row: row.version)) if rows else ()
        return Life(action_id, ordered, action_id) if ordered else None

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        assert span == EVERYTHING
        assert part is None
        assert after is None
        for action_id in sorted(self.rows):
            life = self.life(action_id)
            if life is not None:
                yield life

    def written(self, since: datetime) -> Iterator[Row]:
        for rows in self.rows.values():
            yield from [row for row in rows if not isinstance(row, Commit) or row.at >= to_text(since)]

    def unlisted(self) -> Iterator[Damaged]:
        return iter(())


class FakeStore:
    """Files that are written once, in a dictionary."""

    where = "a dictionary"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def names(self) -> list[str]:
        return list(self.files)

    def read(self, name: str) -> BinaryIO | None:
        return BytesIO(self.files[name]) if name in self.files else None

    def put(self, name: str, file: BinaryIO) -> bool:
        data = file.read()
        return self.files.setdefault(name, data) == data


class FakeSigner:
    """The key whose secret is the hash of a word."""

    def __init__(self, word: str = "ours") -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(sha256(word.encode()).digest())

    @property
    def key(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        return self._private.sign(text)


@dataclass
class House:
    """A ledger, its checkpoints, and a clock that a test moves."""

    journal: FakeJournal
    store: CheckpointStore = field(default_factory=FakeStore)
    signer: FakeSigner = field(default_factory=FakeSigner)
    now: datetime = NOON + timedelta(hours=2)

    def seal(self, *, everything: bool = False) -> Sealed:
        seal = Seal(self.journal, self.store, self.checkpoints(), self.signer, temporary_leaf_index, lambda: self.now)
        return seal.seal(everything=everything)

    def verify(self, *, since: int = 0, expected: Expected | None = None, key: bytes | None = None) -> Verified:
        with temporary_leaf_index() as index:
            return Verify(self.journal, self.checkpoints(key), index).verify(since=since, expected=expected)

    def prove(self, action_id: str) -> Proof | None:
        return Prove(self.journal, self.checkpoints()).prove(action_id)

    def checkpoints(self, key: bytes | None = None) -> Checkpoints:
        return Checkpoints(self.store, PublicKeys(key or self.signer.key))

    def found(self) -> list[tuple[str, str | None, int | None]]:
        """What a verification finds, in words."""
        return [told(finding) for finding in self.verify().examined.findings]


def told(finding: Finding) -> tuple[str, str | None, int | None]:
    return str(finding.trouble), finding.action_id, finding.version
