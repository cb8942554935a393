"""Leaves by action, in the order of trees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.leaf_index import TemporaryLeafIndex, temporary_leaf_index
from domain.checkpoint import Leaf, Listed


@pytest.fixture
def index() -> Iterator[TemporaryLeafIndex]:
    with temporary_leaf_index() as made:
        yield made


def leaf(action_id: str, version: int, *, chained: bool = True) -> Leaf:
    return Leaf(action_id, version, bytes([version]) * 32, chained)


def test_the_leaves_of_an_action_come_in_the_order_of_versions(index: TemporaryLeafIndex) -> None:
    index.add(1, [leaf("act_1", 4), leaf("act_2", 1), leaf("act_1", 1, chained=False)])
    index.add(2, [leaf("act_1", 10)])
    assert index.of("act_1") == [
        Listed(2, 1, leaf("act_1", 1, chained=False)),
        Listed(0, 1, leaf("act_1", 4)),
        Listed(3, 2, leaf("act_1", 10)),
    ]
    assert index.of("act_3") == []
    assert index.size == 4


def test_the_leaves_of_a_number_come_in_the_order_of_its_tree(index: TemporaryLeafIndex) -> None:
    index.add(1, [leaf("é", 1), leaf("b", 2), leaf("b", 10), leaf("a", 3)])
    index.add(2, [leaf("a", 1)])
    assert [(one.action_id, one.version) for one in index.of_number(1)] == [("a", 3), ("b", 2), ("b", 10), ("é", 1)]
    assert [one.leaf.version for one in index.all()] == [1, 3, 2, 10, 1]
    assert list(index.actions(above=1)) == ["a"]
    assert list(index.actions(above=0)) == ["a", "b", "é"]


def test_what_is_there_already_stays_and_is_told_and_takes_no_place(index: TemporaryLeafIndex) -> None:
    index.add(1, [leaf("a", 1)])
    again = Leaf("a", 1, bytes(32))
    assert index.add(2, [leaf("a", 0), again, leaf("a", 2), again]) == [again, again]
    assert index.of("a") == [Listed(1, 2, leaf("a", 0)), Listed(0, 1, leaf("a", 1)), Listed(2, 2, leaf("a", 2))]


def test_of_a_list_that_ends_in_an_error_nothing_is_kept(index: TemporaryLeafIndex) -> None:
    def broken() -> Iterator[Leaf]:
        yield leaf("b", 1)
        raise ValueError

    index.add(1, [leaf("a", 1)])
    with pytest.raises(ValueError):
        index.add(2, broken())
    index.add(3, [leaf("c", 1)])
    assert [(one.place, one.leaf.action_id) for one in index.all()] == [(0, "a"), (1, "c")]


def test_an_id_is_noted_once(index: TemporaryLeafIndex) -> None:
    assert [index.note(action_id) for action_id in ("a", "b", "a")] == [True, True, False]


def test_another_process_reads_it_beside_its_maker(index: TemporaryLeafIndex) -> None:
    index.add(1, [leaf("a", 1)])
    other = TemporaryLeafIndex(index.path, for_reading=True)
    assert other.of("a") == index.of("a")
    other.close()


def test_it_is_gone_at_the_end() -> None:
    with temporary_leaf_index() as made:
        path = made.path
        assert path.exists()
    assert not path.parent.exists()
