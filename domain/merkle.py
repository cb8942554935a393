"""Merkle trees of RFC 6962, section 2.1, over leaf hashes: the head of any number of leaves, a leaf's path to it.

    head
    ├── node                     a leaf's hash   SHA-256 of 00 and what it is of (`domain.commit.Commit.hash` is one)
    │   ├── leaf 0               a node's hash   SHA-256 of 01, its left hash and its right one
    │   └── leaf 1               no leaves       SHA-256 of nothing
    └── leaf 2                   the path of leaf 0: leaf 1, leaf 2

Trees are built from left to right and keep one hash a level, however many leaves there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

NODE = b"\x01"


def node_hash(left: bytes, right: bytes) -> bytes:
    """32 bytes."""
    return sha256(NODE + left + right).digest()


def head_of(leaves: Iterable[bytes]) -> bytes:
    """The head of a tree of these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.head


@dataclass(slots=True)
class _Full:
    """A part of the tree with 2**height leaves; the paths of watched leaves in it, by index, as far as they go."""

    height: int
    hash: bytes
    paths: dict[int, list[bytes]]

    def joined(self, right: _Full) -> _Full:
        for path in self.paths.values():
            path.append(right.hash)
        for path in right.paths.values():
            path.append(self.hash)
        paths = self.paths | right.paths if self.paths and right.paths else self.paths or right.paths
        return _Full(self.height + 1, node_hash(self.hash, right.hash), paths)


class Tree:
    """Takes leaf hashes, one by one. Its memory is one hash a level, and the paths of those that are watched."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self.size = 0
        """How many leaves it has."""
        self._parts: list[_Full] = []

    def add(self, leaf: bytes, *, watched: bool = False) -> None:
        """The next leaf. Where it is `watched`, `paths` has its path in the end."""
        part = _Full(0, leaf, {self.size: []} if watched else {})
        self.size += 1
        while self._parts and self._parts[-1].height == part.height:
            part = self._parts.pop().joined(part)
        self._parts.append(part)

    @property
    def head(self) -> bytes:
        """32 bytes."""
        if not self._parts:
            return sha256().digest()
        head = self._parts[-1].hash
        for part in self._parts[-2::-1]:
            head = node_hash(part.hash, head)
        return head

    @property
    def paths(self) -> dict[int, tuple[bytes, ...]]:
        """Of each watched leaf, by index: the hashes beside its way up, the lowest first."""
        return {
            index: (*path, *self._beside(place))
            for place, part in enumerate(self._parts)
            for index, path in part.paths.items()
        }

    def _beside(self, place: int) -> list[bytes]:
        """What joins a part on its way up: all that is right of it together, then one by one what is left of it."""
        right = self._parts[place + 1 :]
        beside = []
        if right:
            together = right[-1].hash
            for part in right[-2::-1]:
                together = node_hash(part.hash, together)
            beside.append(together)
        return beside + [part.hash for part in self._parts[:place][::-1]]


def is_under(head: bytes, *, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    """Whether the path leads from the leaf, number `index` of `size`, to the head: RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            found = node_hash(beside, found)
            while place and place % 2 == 0:
                place, last = place // 2, last // 2
        else:
            found = node_hash(found, beside)
        place, last = place // 2, last // 2
    return last == 0 and found == head
