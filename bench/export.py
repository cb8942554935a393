"""How much memory an export of a large ledger takes, and how long it does: `python -m bench.export [--events N]`.

Each format is written by a process of its own, which says what it took at most. Where an export kept what it has
written, this would grow with the ledger.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.report import Figure, at_most, exactly, lines_of
from bench.starts import Program, Starts
from bench.verify import make_ledger
from handlers.export import Format

WORKPLACE = Path(".execution-agent")
EVENTS_OF_A_COMMIT = 2
MOST_MIB = 200


def main() -> None:
    """Makes a ledger, exports it in each format, and prints what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--format", action="append", choices=[str(one) for one in Format], help="may be given again")
    options = parser.parse_args()
    WORKPLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="export-", dir=WORKPLACE.resolve()) as folder:
        make_ledger(Path(folder) / "ledger.db", options.events // EVENTS_OF_A_COMMIT)
        for wanted in options.format or Format:
            said = exported(Path(folder) / "ledger.db", wanted, Path(folder))
            print("\n".join(lines_of(f"An export as {wanted}", list(figures(said, options.events)))), flush=True)


def figures(said: Mapping[str, Any], events: int) -> Iterator[Figure]:
    """What a process has said of its export."""
    beside = {
        "at the start": f"{said['start_mib']:.0f} MiB",
        "written": f"{said['bytes'] / 2**20:,.0f} MiB",
        "events a second": f"{said['events'] / said['seconds']:,.0f}",
    }
    yield Figure("peak memory", said["peak_mib"], "MiB", at_most(MOST_MIB), counted=True, beside=beside)
    yield Figure("events", said["events"], "in all", exactly(events), counted=True)


def exported(ledger: Path, wanted: str, folder: Path) -> dict[str, Any]:
    """What a process that exports the ledger says of itself."""
    start = Starts()
    Program("export.py", lambda: [str(ledger), str(wanted), str(folder)]).start(start)
    return start.said


if __name__ == "__main__":
    main()
