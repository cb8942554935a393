"""From the start of a fresh process to its first finished action, embedded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench.report import Figure, absence, at_most, ratio
from bench.scale import Scale
from bench.sink import running_sink
from bench.starts import Program, race

TITLE = "Cold start, embedded (the floor imports pydantic, eventsourcing, httpx and apsw, and makes the same POST)"


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    numbers = count()
    with running_sink() as port:
        ours = Program("embedded.py", lambda: [str(directory / f"cold-{next(numbers)}.db"), str(port)])
        floor = Program("embedded_floor.py", lambda: [str(port)])
        ours_starts, floor_starts = race([ours, floor], scale.starts)
    yield ratio("first action of a process", ours_starts.p50, floor_starts.p50, at_most(1.5), shown="{:.0f} ms")
    yield ratio("its CPU", ours_starts.cpu_p50, floor_starts.cpu_p50, shown="{:.0f} ms")
    yield absence("libraries loaded without need", ours_starts.said["needless"])
