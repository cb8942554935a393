"""The command line of the bench."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import cold_start, growth, lambda_runtime, lambda_start, latency, search, store, webhook
from bench.report import Figure, lines_of
from bench.scale import FULL, QUICK, Scale

PARTS: Mapping[str, ModuleType] = {
    "latency": latency,
    "webhook": webhook,
    "growth": growth,
    "search": search,
    "cold_start": cold_start,
    "lambda_start": lambda_start,
    "lambda_runtime": lambda_runtime,
    "store": store,
}
WORKPLACE = Path(".execution-agent")
"""On the disk that ledgers are on: a temporary folder may be in memory, where a sync costs nothing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and writes the JSON if that is wanted. A missed target is a word in the report, no failure."""
    options = _options(arguments)
    names = options.only or list(PARTS)
    scale = QUICK if options.quick else FULL
    machine = _machine()
    report: dict[str, Any] = {"machine": machine, "quick": options.quick, "parts": {}}
    print(f"{machine}\n", flush=True)
    for name in names:
        figures = _measured(PARTS[name].figures, scale)
        report["parts"][name] = [figure.as_dict() for figure in figures]
        print("\n".join(lines_of(PARTS[name].TITLE, figures)), flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What an action costs, beside a bare floor.")
    parser.add_argument("--quick", action="store_true", help="just enough to count; its times mean nothing")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="one part; may be given again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE, too")
    return parser.parse_args(arguments)


def _measured(figures: Callable[[Scale, Path], Iterator[Figure]], scale: Scale) -> list[Figure]:
    WORKPLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=WORKPLACE.resolve()) as directory:
        return list(figures(scale, Path(directory)))


def _machine() -> str:
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    return f"Python {python}, {system}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start"


if __name__ == "__main__":
    main()
