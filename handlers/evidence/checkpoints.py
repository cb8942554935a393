"""Checkpoints as they are found: each header's signature and place in the chain, each leaf list against its header."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import BinaryIO

from domain.checkpoint import (
    CheckpointStore,
    Header,
    Keys,
    Leaf,
    LeafIndex,
    Signed,
    Unreadable,
    leaves_in,
    name_of,
    numbers_in,
)
from domain.instant import from_text, to_text
from domain.merkle import Tree
from projections.evidence import Finding, Trouble

LARGEST_HEADER = 4_096
"""Bytes of a header's file; and what KMS signs of a text."""
FARTHEST_AHEAD = timedelta(days=1)
PIECE = 1 << 20
"""Bytes that are read together."""


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that can be trusted, as far as the keys can."""

    header: Header
    signed: Signed


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is wrong with a leaf list, and how many of its leaves an earlier one holds, too: they say the same."""

    findings: list[Finding]
    repeated: int = 0


class Checkpoints:
    """Those in a store, judged by the keys that are trusted."""

    def __init__(self, store: CheckpointStore, keys: Keys) -> None:
        self._store, self._keys = store, keys

    @property
    def where(self) -> str:
        """For people."""
        return self._store.where

    def newest(self) -> int:
        """The number of the last one, 0 where there is none."""
        return max(numbers_in(self._store.names()), default=0)

    def chain(self, first: int = 1, *, least: int = 0) -> Iterator[Found | Finding]:
        """From number `first` on, at least up to `least`, each in its place: itself, or what is wrong with it.

        Those that are missing one after the other are one finding.
        """
        expected = first
        before: Header | None = None
        for number in [*self._numbers(first), None]:
            end = least + 1 if number is None else number
            if end > expected:
                yield _missing(expected, end - 1)
                before = None
            if number is None:
                return
            expected = number + 1
            found = self.of(number)
            if isinstance(found, Found) and _is_unchained(found.header, before):
                said = "it does not follow the checkpoint before it, or not the one that is there now"
                yield Finding(Trouble.CHECKPOINT_UNCHAINED, said, checkpoint=number)
            yield found
            before = found.header if isinstance(found, Found) else None

    def since(self, moment: str) -> Iterator[Found | Finding]:
        """Those that may hold what was committed from a moment on, the newest first; all where it is empty."""
        for before, number in reversed(list(pairwise([0, *self._numbers()]))):
            found = self.of(number)
            if isinstance(found, Finding):
                yield found
            elif found.header.at < _earlier(moment):
                return
            elif found.header.latest is not None and found.header.latest >= moment:
                yield found
            if number > before + 1:
                yield _missing(before + 1, number - 1)

    def _numbers(self, first: int = 1) -> list[int]:
        """Of those that are there, in order."""
        return [number for number in numbers_in(self._store.names()) if number >= first]

    def of(self, number: int) -> Found | Finding:
        """The one with this number: itself, or what is wrong with it."""
        file = self._store.read(name_of(number))
        if file is None:
            return _missing(number)
        with file:
            data = file.read(LARGEST_HEADER + 1)
        try:
            signed = Signed.read(data)
            header = Header.read(signed.text)
        except Unreadable as problem:
            return Finding(Trouble.CHECKPOINT_UNREADABLE, str(problem), checkpoint=number)
        return self._signature_trouble(header, signed, number) or Found(header, signed)

    def _signature_trouble(self, header: Header, signed: Signed, number: int) -> Finding | None:
        if not self._keys.know(header.key):
            said = f"it says that {header.key[:80]} has signed it, which is not the key at hand"
            return Finding(Trouble.CHECKPOINT_WRONG_KEY, said, checkpoint=number)
        if not self._keys.have_signed(header.key, signed.signature, signed.text):
            return Finding(Trouble.CHECKPOINT_FORGED, "its signature is not of what it says", checkpoint=number)
        if header.number != number:
            said = f"the header that stands here is that of checkpoint {header.number}"
            return Finding(Trouble.CHECKPOINT_REPLACED, said, checkpoint=number)
        return None

    def load(self, header: Header, index: LeafIndex) -> Loaded:
        """Puts the checkpoint's leaves into the index, all or, where its list is not what was signed, none."""
        file = self._store.read(header.list_name)
        if file is None:
            said = f"its leaf list {header.list_name} is missing"
            return Loaded([Finding(Trouble.LEAVES_MISSING, said, checkpoint=header.number)])
        with file:
            try:
                repeated = index.add(header.number, leaves_of(header, file))
            except Unreadable as problem:
                said = f"its leaf list {header.list_name} is not what was signed: {problem}"
                return Loaded([Finding(Trouble.LEAVES_ALTERED, said, checkpoint=header.number)])
        # By a clock that is days ahead, a commit is new for more than one checkpoint.
        other = [leaf for leaf in repeated if all(leaf != one.leaf for one in index.of(leaf.action_id))]
        return Loaded([contradiction(leaf, header.number) for leaf in other], len(repeated) - len(other))

    def leaves(self, header: Header) -> Iterator[Leaf]:
        """Those of its tree. Raises Unreadable, at the latest at its end, where they are not what was signed."""
        file = self._store.read(header.list_name)
        if file is None:
            raise Unreadable(f"the leaf list {header.list_name} of checkpoint {header.number} is missing")
        with file:
            yield from leaves_of(header, file)


def contradiction(leaf: Leaf, number: int) -> Finding:
    """Of a leaf in checkpoint `number`, in whose place another checkpoint holds another one."""
    said = "another checkpoint holds another commit in its place"
    return Finding(Trouble.LEAVES_CONTRADICT, said, leaf.action_id, leaf.version, number)


def leaves_of(header: Header, file: BinaryIO) -> Iterator[Leaf]:
    """What a leaf list holds. Raises Unreadable, at the latest at its end, where it is not what the header says."""
    if sha256_of(file) != header.leaves:
        raise Unreadable("its SHA-256 is another")
    file.seek(0)
    tree = Tree()
    for leaf in leaves_in(_lines(file)):
        tree.add(leaf.hash)
        yield leaf
    if tree.size != header.size or tree.head != header.root:
        raise Unreadable("its leaves have another tree head")


def _lines(file: BinaryIO) -> Iterable[bytes]:
    try:
        yield from gzip.GzipFile(fileobj=file)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"it cannot be unpacked ({error})") from None


def sha256_of(file: BinaryIO) -> bytes:
    """Of what is left of it."""
    digest = sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.digest()


def _earlier(moment: str) -> str:
    """No clock is so far ahead of that of a checkpoint's maker that a commit of this moment is in one made before."""
    try:
        return to_text(from_text(moment) - FARTHEST_AHEAD)
    except (ValueError, OverflowError):
        return ""


def _missing(first: int, last: int | None = None) -> Finding:
    """Of one, or of all up to `last`."""
    said = f"there is no {name_of(first)}"
    if last is not None and last > first:
        said += f", nor any other up to {name_of(last)}"
    return Finding(Trouble.CHECKPOINT_MISSING, said, checkpoint=first)


def _is_unchained(header: Header, before: Header | None) -> bool:
    if header.number == 1:
        return header.previous is not None
    if before is None:
        return header.previous is None
    return header.previous != before.hash
