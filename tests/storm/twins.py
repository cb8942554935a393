"""Two workers on one SQLite file, against one: what sharing a file costs, and that nothing is done twice."""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from domain.policy import Delivery
from tests.storm.audit import Told
from tests.storm.errands import begin, do_what_is_due
from tests.storm.findings import Figure
from tests.storm.places import SQLitePlace
from tests.storm.processes import Tell, fork, reap, run_alone
from tests.storm.stage import Stage
from tests.storm.story import Story, Way

THREADS = 32
"""In all."""
LEAST_RATIO = 0.8


def tell(stage: Stage, actions: int, rounds: int) -> None:
    """`actions` for one worker, and as many for two, in turns; the middle of the ratios counts."""
    rates = [(_rate(stage, actions, 1, number), _rate(stage, actions, 2, number)) for number in range(rounds)]
    ratio = median(two / one for one, two in rates)
    one, two = (median(column) for column in zip(*rates, strict=True))
    value = f"{ratio:.2f} (two workers {two:.0f}, one {one:.0f} actions/s, {THREADS} threads in all)"
    stage.findings.figures.append(
        Figure("throughput, two workers to one", value, f">= {LEAST_RATIO}", is_kept=ratio >= LEAST_RATIO)
    )


def _rate(stage: Stage, actions: int, workers: int, number: int) -> float:
    """Actions a second, from the start of the workers to the end of the last one."""
    place = stage.new_file()
    stories = accepted(place, f"twins-{workers}-{number}", actions)
    told: defaultdict[str, Told] = defaultdict(Told)
    began = time.monotonic()
    children = [fork(lambda _: do_what_is_due(place.open_unwatched(), THREADS // workers)) for _ in range(workers)]
    for child in children:
        reap(child).must_be_by(0, "a worker")
    took = time.monotonic() - began
    stage.audit(place, stories, told)
    stage.check(stories, told, place.engine)
    place.discard()
    return actions / took


def accepted(place: SQLitePlace, name: str, actions: int) -> list[Story]:
    """So many actions, accepted and waiting for a worker."""
    deliveries = list(Delivery)
    stories = [Story(f"{name}-{number}", deliveries[number % 3], Way.ACCEPTED) for number in range(actions)]

    def work(tell: Tell) -> None:
        agent = place.open_unwatched()
        with ThreadPoolExecutor(THREADS) as callers:
            list(callers.map(lambda story: begin(agent, story, lambda _: None), stories))

    run_alone(work, "the caller of so many actions")
    return stories
