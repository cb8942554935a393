"""An archive: whole lives of actions that are over, copied out of the ledger into files that are written once.

    2025-03-9f2c….jsonl.gz   lives that were born in that month: a commit a line, each life a gzip member of its own
    2025-04-07aa….jsonl.gz   their names have the hash of what is in them
    00000001.manifest        names these files, and of each life its last version and the hash of its last commit
    00000002.manifest        names the manifest before it, by hash

A file counts once a manifest names it; what an interrupted copy has left is in nobody's way. Commits are kept byte for
byte (`domain.commit`), so that what is archived is verified by the same hashes as what is not. The `root` of a manifest
is that of a Merkle tree (`domain.merkle`) over the hashes of its commits, in the order of files and lines.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import Any, BinaryIO, Protocol

from domain.canonical import canonical
from domain.commit import HASH_SIZE, Commit
from domain.errors import CorruptEvent

FORMAT = "execution-agent/archive/1"
SUFFIX = ".manifest"
LONGEST_LINE = 1 << 26
"""Bytes. A commit takes a thousandth of that, mostly."""

_HASH = re.compile(r"[0-9a-f]{64}")
_MANIFEST = re.compile(r"([0-9]{8})\.manifest")
_FILE = re.compile(r"\d{4}-\d\d-[0-9a-f]{32}\.jsonl\.gz")


class Illegible(ValueError):
    """It is not what an archive holds in its place, and why."""


class Shelf(Protocol):
    """Where the files of an archive are: each is written once."""

    @property
    def where(self) -> str:
        """For people."""
        ...

    def names(self) -> Sequence[str]:
        """Of all files. Raises LedgerUnavailable, as the others do."""
        ...

    def read(self, name: str) -> BinaryIO | None:
        """None where there is no such file. The reader closes it."""
        ...

    def read_from(self, name: str, offset: int) -> BinaryIO | None:
        """The same from this byte on, and of the rest not much more than is read."""
        ...

    def put(self, name: str, file: BinaryIO) -> bool:
        """All of it, on disk, or nothing. False where there is another file of that name: it stays."""
        ...


# -- a life -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """A life, as a manifest names it: its last version, how many commits, the hash of the last one, and the byte of the
    file where it begins."""

    action_id: str
    last: int
    commits: int
    head: bytes
    offset: int

    @classmethod
    def of(cls, commits: Sequence[Commit], offset: int) -> Kept:
        """Of all commits of a life, oldest first."""
        return cls(commits[0].action_id, commits[-1].last, len(commits), commits[-1].hash, offset)

    def is_of(self, commits: Sequence[Commit]) -> bool:
        """Whether these are all commits of the life."""
        return self == Kept.of(commits, self.offset)


def break_in(commits: Sequence[Commit]) -> str | None:
    """What keeps these from being a whole life, in a sentence for people; None where they are one.

    Commits that were written before they were chained bear no hash, and have nothing to break.
    """
    expected, previous = None, b""
    for commit in commits:
        if commit.version not in ((0, 1) if expected is None else (expected,)):
            return f"the commit at version {commit.version} does not follow what is before it"
        if commit.previous not in (None, previous):
            return f"the commit at version {commit.version} does not bear the hash of the one before it"
        expected, previous = commit.last + 1, commit.hash
    return None


# -- a file of lives --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filed:
    """A file, as a manifest names it. `size` is in bytes."""

    name: str
    sha256: bytes
    size: int
    lives: tuple[Kept, ...]


def file_of(month: str, lives: Iterable[Sequence[Commit]]) -> tuple[Filed, bytes]:
    """The file of these lives, the same bytes each time. `month` is as in 2025-03."""
    members, kept, offset = [], [], 0
    for life in lives:
        members.append(gzip.compress(b"".join(map(line_of, life)), mtime=0))
        kept.append(Kept.of(life, offset))
        offset += len(members[-1])
    data = b"".join(members)
    digest = sha256(data).digest()
    return Filed(f"{month}-{digest.hex()[:32]}.jsonl.gz", digest, len(data), tuple(kept)), data


def line_of(commit: Commit) -> bytes:
    """`{"action_id", "version", "at", "previous", "body"}`: the hash in hex, the events' stored bytes in base64."""
    said = {
        "action_id": commit.action_id,
        "version": commit.version,
        "at": commit.at,
        "previous": None if commit.previous is None else commit.previous.hex(),
        "body": b64encode(commit.body).decode(),
    }
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def is_file_name(name: object) -> bool:
    """Whether a file of lives may have this name. No other one is opened, whoever names it."""
    return isinstance(name, str) and _FILE.fullmatch(name) is not None


def lives_in(file: BinaryIO) -> Iterator[list[Commit]]:
    """What is in a file of lives from here on, one after another. Raises Illegible, with the number of the line."""
    for _, life in groupby(_commits_in(file), lambda commit: commit.action_id):
        yield list(life)


def _commits_in(file: BinaryIO) -> Iterator[Commit]:
    number = 0
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                yield _commit_in(line, number)
    except (OSError, EOFError, zlib.error) as error:
        raise Illegible(f"what is behind line {number} cannot be decompressed ({type(error).__name__})") from None


def _commit_in(line: bytes, number: int) -> Commit:
    try:
        said = json.loads(line)
        previous = said["previous"]
        commit = Commit.read(
            _text(said["action_id"]),
            _whole(said["version"]),
            _text(said["at"]),
            None if previous is None else bytes.fromhex(previous),
            b64decode(said["body"], validate=True),
        )
        if commit.events and line_of(commit) == line:
            return commit
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError, CorruptEvent):
        pass
    raise Illegible(f"line {number} is no commit")


# -- a manifest -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one copy has put into the archive. Moments are text, as everywhere in the ledger.

    `before`: nothing had happened to these actions since then. `previous` is the hash of the manifest before this one,
    None for the first. `checkpoint` names the newest checkpoint that there was.
    """

    number: int
    at: str
    before: str
    commits: int
    root: bytes
    previous: bytes | None
    checkpoint: str | None
    files: tuple[Filed, ...]

    @property
    def name(self) -> str:
        return name_of(self.number)

    @property
    def text(self) -> bytes:
        """Canonical JSON."""
        return canonical(
            {
                "format": FORMAT,
                "number": self.number,
                "at": self.at,
                "before": self.before,
                "commits": self.commits,
                "root": self.root.hex(),
                "previous": None if self.previous is None else self.previous.hex(),
                "checkpoint": self.checkpoint,
                "files": [_file_as_json(file) for file in self.files],
            }
        )

    @property
    def hash(self) -> bytes:
        """What the next manifest names."""
        return sha256(self.text).digest()

    @classmethod
    def read(cls, text: bytes) -> Manifest:
        """Raises Illegible."""
        try:
            said = json.loads(text)
            if said["format"] != FORMAT:
                raise Illegible(f"its format is not {FORMAT}")
            manifest = _manifest(said)
            is_canonical = manifest.text == text
        except Illegible:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Illegible("it is no manifest") from None
        if not is_canonical:
            raise Illegible("it is not in canonical form")
        return manifest


def name_of(number: int) -> str:
    """The name of a manifest."""
    return f"{number:08}{SUFFIX}"


def numbers_in(names: Iterable[str]) -> list[int]:
    """The numbers of the manifests among these names, in order."""
    found = (_MANIFEST.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def _file_as_json(file: Filed) -> dict[str, Any]:
    lives = [[kept.action_id, kept.last, kept.commits, kept.head.hex(), kept.offset] for kept in file.lives]
    return {"name": file.name, "sha256": file.sha256.hex(), "size": file.size, "lives": lives}


def _manifest(said: Mapping[str, Any]) -> Manifest:
    return Manifest(
        number=_whole(said["number"], least=1),
        at=_text(said["at"]),
        before=_text(said["before"]),
        commits=_whole(said["commits"]),
        root=_digest(said["root"]),
        previous=None if said["previous"] is None else _digest(said["previous"]),
        checkpoint=None if said["checkpoint"] is None else _text(said["checkpoint"]),
        files=tuple([_filed(file) for file in said["files"]]),
    )


def _filed(said: Mapping[str, Any]) -> Filed:
    name = _text(said["name"])
    if not is_file_name(name):
        raise Illegible("a file has a name that no archive gives")
    lives = [
        Kept(_text(action_id), _whole(last), _whole(commits, least=1), _digest(head), _whole(offset))
        for action_id, last, commits, head, offset in said["lives"]
    ]
    return Filed(name, _digest(said["sha256"]), _whole(said["size"]), tuple(lives))


def _whole(value: object, *, least: int = 0) -> int:
    if type(value) is not int or value < least:
        raise Illegible("a number is none")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise Illegible("a text is none")
    return value


def _digest(value: object) -> bytes:
    if type(value) is not str or not _HASH.fullmatch(value):
        raise Illegible(f"a hash is none, of {HASH_SIZE} bytes in hex")
    return bytes.fromhex(value)
