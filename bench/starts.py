"""Fresh processes, raced against one another: from their start to the line that says they are done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHILDREN = ROOT / "bench" / "children"


@dataclass
class Starts:
    """What the starts of one program took, in seconds, and the JSON it last said."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def p50(self) -> float:
        return median(self.seconds)

    @property
    def cpu_p50(self) -> float:
        return median(self.cpu)


@dataclass(frozen=True)
class Program:
    """A script of `bench/children`. `arguments` is asked before each start, so that each has a file of its own."""

    script: str
    arguments: Callable[[], Sequence[str]]
    environ: Mapping[str, str] = field(default_factory=dict)

    def start(self, starts: Starts) -> None:
        """Once, to its end. Raises RuntimeError when it fails."""
        command = [sys.executable, str(CHILDREN / self.script), *self.arguments()]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **self.environ}
        begun, cpu_begun = perf_counter(), _cpu_of_children()
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, cwd=ROOT) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            starts.seconds.append(perf_counter() - begun)
        if process.returncode:
            raise RuntimeError(f"{self.script} failed")
        starts.cpu.append(_cpu_of_children() - cpu_begun)
        starts.said = json.loads(line)


def race(programs: Sequence[Program], times: int) -> list[Starts]:
    """Each program once for warming the file caches, then `times` times by turns."""
    all_starts = [Starts() for _ in programs]
    for program in programs:
        program.start(Starts())
    for _ in range(times):
        for program, starts in zip(programs, all_starts, strict=True):
            program.start(starts)
    return all_starts


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system
