"""A worker as a program: `python -m tests.storm.worker FILE SINK`. Ends when every action of the file is settled."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

from domain.lifecycle import Status
from tests.storm.places import SQLitePlace

THREADS = 8
_OPEN = (Status.SCHEDULED, Status.ATTEMPTED, Status.RETRYING)


def main() -> None:
    """Works, and looks now and then whether anything is left."""
    file, sink = sys.argv[1:]
    agent = SQLitePlace(Path(file), sink).open_unwatched()
    settled = Event()

    def look(_: object) -> None:
        if not any(agent.list_actions(str(status), limit=1) for status in _OPEN):
            settled.set()

    agent.worker(threads=THREADS).run(settled, tell=look)
    agent.close()


if __name__ == "__main__":
    main()
