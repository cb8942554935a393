"""Trees of RFC 6962: the known answers of Certificate Transparency, and what the RFC says, word by word."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as some

from domain.merkle import Tree, head_of, is_under, node_hash

KNOWN_LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
KNOWN_HEADS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

leaves = some.lists(some.binary(max_size=4), max_size=70).map(lambda texts: [leaf_of(text) for text in texts])
trees = leaves.filter(len)


def leaf_of(text: bytes) -> bytes:
    return sha256(b"\x00" + text).digest()


def head_by_the_book(hashes: list[bytes]) -> bytes:
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    split = largest_power_below(len(hashes))
    return sha256(b"\x01" + head_by_the_book(hashes[:split]) + head_by_the_book(hashes[split:])).digest()


def path_by_the_book(index: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    split = largest_power_below(len(hashes))
    if index < split:
        return [*path_by_the_book(index, hashes[:split]), head_by_the_book(hashes[split:])]
    return [*path_by_the_book(index - split, hashes[split:]), head_by_the_book(hashes[:split])]


def largest_power_below(number: int) -> int:
    return 1 << (number - 1).bit_length() - 1


def watched(hashes: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in hashes:
        tree.add(leaf, watched=True)
    return tree


@pytest.mark.parametrize("size", range(9))
def test_the_known_trees_have_the_known_heads(size: int) -> None:
    known = [leaf_of(bytes.fromhex(text)) for text in KNOWN_LEAVES[:size]]
    assert head_of(known).hex() == KNOWN_HEADS[size]


@given(leaves)
def test_a_head_is_what_the_rfc_says(hashes: list[bytes]) -> None:
    assert head_of(hashes) == head_by_the_book(hashes)


@given(trees)
def test_the_path_of_each_leaf_is_what_the_rfc_says_and_leads_to_the_head(hashes: list[bytes]) -> None:
    tree = watched(hashes)
    for index, leaf in enumerate(hashes):
        path = tree.paths[index]
        assert list(path) == path_by_the_book(index, hashes)
        assert is_under(tree.head, leaf=leaf, index=index, size=len(hashes), path=path)


@given(trees, some.data())
def test_only_those_that_are_watched_have_a_path(hashes: list[bytes], data: some.DataObject) -> None:
    chosen = data.draw(some.sets(some.sampled_from(range(len(hashes)))))
    tree = Tree()
    for index, leaf in enumerate(hashes):
        tree.add(leaf, watched=index in chosen)
    assert tree.paths == {index: path for index, path in watched(hashes).paths.items() if index in chosen}


@given(some.integers(2, 40), some.data())
def test_a_path_leads_nowhere_once_anything_of_it_is_changed(size: int, data: some.DataObject) -> None:
    hashes = [leaf_of(b"%d" % number) for number in range(size)]
    tree, index = watched(hashes), data.draw(some.integers(0, size - 1))
    path, leaf = list(tree.paths[index]), hashes[index]
    place, other = data.draw(some.integers(0, len(path) - 1)), leaf_of(b"another")

    assert not is_under(tree.head, leaf=other, index=index, size=size, path=path)
    assert not is_under(other, leaf=leaf, index=index, size=size, path=path)
    assert not is_under(tree.head, leaf=leaf, index=index, size=size, path=path[:place] + path[place + 1 :])
    assert not is_under(tree.head, leaf=leaf, index=index, size=size, path=[*path, other])
    assert not is_under(tree.head, leaf=leaf, index=index, size=size, path=[*path[:place], other, *path[place + 1 :]])
    for wrong in {*range(-1, size + 1)} - {index}:
        assert not is_under(tree.head, leaf=leaf, index=wrong, size=size, path=path)


def test_a_node_is_no_leaf() -> None:
    """Nobody can pass the inside of a tree off as a leaf of a smaller one."""
    one, other = leaf_of(b"one"), leaf_of(b"other")
    assert node_hash(one, other) != leaf_of(one + other)
