"""In which order can the steps be carried out, and which of them never?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import TypeAlias

Needs: TypeAlias = Mapping[str, Sequence[str]]
"""By the id of each step, in the order of the text: the ids of those that it waits for."""


def in_order(needs: Needs) -> tuple[str, ...]:
    """The ids, each after all that it needs, and else as they are written. Raises CycleError where that cannot be."""
    return tuple(_in_order(needs))


def _in_order(needs: Needs) -> Iterator[str]:
    numbers = {name: number for number, name in enumerate(needs)}
    names = [*needs]
    ready: list[int] = []
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, numbers[name])
        first = names[heappop(ready)]
        yield first
        sorter.done(first)


def never_run(needs: Needs) -> Iterator[tuple[str, str]]:
    """The ids of the steps that wait for one another, or for such a step, and why. One of each circle is told."""
    left, stuck = dict(needs), set[str]()
    while circle := _circle(left):
        stuck.update(circle)
        left = {name: [need for need in left[name] if need not in stuck] for name in left if name not in stuck}
        yield circle[0], f"these steps wait for each other: {' needs '.join([*circle, circle[0]])}"
    for name in in_order(left):
        for need in needs[name]:
            if need in stuck and name not in stuck:
                stuck.add(name)
                yield name, f"never runs: it needs {need}, which never ends"


def _circle(needs: Needs) -> list[str]:
    """The ids of a circle, each before what it needs, from the first in the text; none where there is no circle."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][:0:-1]
        first = min(circle, key=[*needs].index)
        start = circle.index(first)
        return circle[start:] + circle[:start]
    return []
