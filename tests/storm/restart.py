"""A worker is killed in the midst of 500 accepted actions, and started again: a program, from its very beginning."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.storm.audit import Told, as_story
from tests.storm.findings import Figure
from tests.storm.model import FAILED, IN_DOUBT
from tests.storm.places import SQLitePlace
from tests.storm.stage import Stage
from tests.storm.story import Story
from tests.storm.twins import accepted

ACTIONS = 500
LEAST_DONE, MOST_DONE = 50, 400
"""Requests that have reached the sink when the worker is killed."""
LONGEST = 2.0
"""Seconds from the restart, imports and all, until every action is settled."""
ROOT = Path(__file__).resolve().parents[2]


def tell(stage: Stage) -> None:
    """Kill, restart, and look at every action."""
    place = stage.new_file()
    stories = accepted(place, "restart", ACTIONS)
    _kill_a_worker_at_work(stage, place)
    began = time.monotonic()
    with _worker(place) as worker:
        if worker.wait(timeout=60) != 0:
            stage.findings.add_violation("not settled", "  the restarted worker failed")
    took = time.monotonic() - began
    told: defaultdict[str, Told] = defaultdict(Told)
    stage.audit(place, stories, told)
    stage.check(stories, told, None)
    for story in stories:
        _check(stage, story, told[story.key])
    place.discard()
    ends = Counter(told[story.key].status for story in stories)
    value = f"{took:.2f} s ({', '.join(f'{number} {end}' for end, number in sorted(ends.items()))})"
    stage.findings.figures.append(
        Figure("kill -9 of a worker: all settled after", value, f"<= {LONGEST} s", is_kept=took <= LONGEST)
    )


def _kill_a_worker_at_work(stage: Stage, place: SQLitePlace) -> None:
    enough = stage.sink.count() + stage.chance.randint(LEAST_DONE, MOST_DONE)
    with _worker(place) as worker:
        while stage.sink.count() < enough and worker.poll() is None:
            time.sleep(0.002)
        worker.send_signal(signal.SIGKILL)
        if worker.wait() == -signal.SIGKILL:
            stage.findings.add_kill(place.engine)


@contextmanager
def _worker(place: SQLitePlace) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.storm.worker", str(place.path), place.sink]
    with subprocess.Popen(command, cwd=ROOT) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def _check(stage: Stage, story: Story, told: Told) -> None:
    """No action fails here; whose processes died, and may not be repeated, is in doubt."""
    if told.status == FAILED or (told.status == IN_DOUBT and not told.died_too_often(story.delivery)):
        stage.findings.add_violation("wrong end", as_story(story, told, None))
