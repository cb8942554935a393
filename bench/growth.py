"""What changes when the ledger grows, and how much memory the agent takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.report import Figure, at_most, ratio
from bench.scale import Scale
from bench.starts import Program, Starts

TITLE = "Growth of the ledger, and memory"


def figures(scale: Scale, directory: Path) -> Iterator[Figure]:
    sizes = [str(size) for size in scale.sizes]
    child = Starts()
    Program("growth.py", lambda: [str(directory), str(scale.samples.turns), str(scale.samples.each), *sizes]).start(
        child
    )
    said = child.said
    small, large = (f"{size:,} actions" for size in (scale.sizes[0], scale.sizes[-1]))
    status = f"{said['status_small'] * 1e3:.3f} ms"
    yield Figure(
        f"status(id) p50 at {large}", said["status_large"] * 1e3, "ms", at_most(0.1), beside={f"at {small}": status}
    )
    yield _flat("status(id) p50, large ledger to small", small, large, said["status_small"], said["status_large"])
    yield _flat("an action's p50, large ledger to small", small, large, said["append_small"], said["append_large"])
    peaks = said["peak_mib"]
    for size, peak in zip(scale.sizes, peaks, strict=True):
        yield Figure(
            f"peak memory after {size:,} actions", peak, "MiB", beside={"at the start": f"{said['start_mib']:.1f} MiB"}
        )
    yield Figure("peak memory, large ledger to small", peaks[-1] / peaks[0], "x", at_most(1.2))


def _flat(what: str, small: str, large: str, at_small: float, at_large: float) -> Figure:
    figure = ratio(what, at_large, at_small, at_most(1.2), shown="{:.3f} ms")
    beside = dict(zip((large, small), figure.beside.values(), strict=True))
    return Figure(figure.name, figure.value, "x", figure.target, beside=beside)
