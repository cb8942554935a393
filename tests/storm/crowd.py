"""A crowd: processes with many threads on one file, killed at no chosen moment, while others go on.

Nobody can say at which point each of their actions was, so what no death excuses is checked, and what plain actions
must come to: in doubt only where they are at most once, and only because a process is gone.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from itertools import count
from threading import Event, Thread

from agents.execution_agent.agent import ExecutionAgent
from domain.policy import Delivery
from tests.storm.audit import Told, as_story, gather
from tests.storm.errands import begin, do_what_is_due
from tests.storm.model import FAILED, IN_DOUBT
from tests.storm.places import SQLitePlace
from tests.storm.processes import Child, Ended, Tell, Work, end, ended_with_us, fork, hear_all, run_alone
from tests.storm.stage import Stage
from tests.storm.story import Story, Way

CALLERS = 4
"""Threads that call, in each process, beside a worker."""
PROCESSES = 2
KILLS_ON_A_FILE = 10
LIFE = (0.02, 0.15)
"""Seconds until one of them is killed, at least and at most."""


def tell(stage: Stage, kills: int) -> None:
    """File after file, until so many processes were killed."""
    before = stage.findings.kills["sqlite"]
    while stage.findings.kills["sqlite"] - before < kills and not stage.is_over() and not stage.findings.is_enough:
        _on_a_file(stage)


def _on_a_file(stage: Stage) -> None:
    place = stage.new_file()
    told: defaultdict[str, Told] = defaultdict(Told)
    stories: list[Story] = []

    def hear(ended: Ended) -> None:
        said = ended.must_be_by(signal.SIGKILL, "a process of a crowd")
        stage.findings.add_kill(place.engine)
        stories.extend(_story(what["begun"]) for what in said if "begun" in what)
        gather(said, told)

    crowd: list[Child] = []
    with ended_with_us(crowd):
        for _ in range(KILLS_ON_A_FILE - PROCESSES + 1):
            crowd += [fork(_call_and_work(place)) for _ in range(PROCESSES - len(crowd))]
            hear_all(crowd, stage.chance.uniform(*LIFE))
            hear(end(crowd.pop(0)))
        while crowd:
            hear(end(crowd.pop()))
    run_alone(lambda _: do_what_is_due(place.open_unwatched(), threads=4), "the last worker")
    stage.audit(place, stories, told)
    stage.check(stories, told, None)
    for story in stories:
        _check(stage, story, told[story.key])
    place.discard()


def _call_and_work(place: SQLitePlace) -> Work:
    def work(tell: Tell) -> None:
        agent = place.open_unwatched()
        numbers = count()
        for _ in range(CALLERS):
            Thread(target=_call, args=(agent, numbers, tell), daemon=True).start()
        agent.worker(threads=CALLERS).run(Event())

    return work


def _call(agent: ExecutionAgent, numbers: count[int], tell: Tell) -> None:
    while True:
        key = f"crowd-{os.getpid()}-{next(numbers)}"
        tell({"begun": key})
        begin(agent, _story(key), tell)


def _story(key: str) -> Story:
    """Of what kind it is follows from its number."""
    number = int(key.rpartition("-")[2])
    deliveries = list(Delivery)
    # An accepted one is left to whichever worker comes first.
    return Story(key, deliveries[number % 3], (Way.CALLER, Way.ACCEPTED)[number // 3 % 2])


def _check(stage: Stage, story: Story, told: Told) -> None:
    if told.status == FAILED or (told.status == IN_DOUBT and not told.died_too_often(story.delivery)):
        stage.findings.add_violation("wrong end", as_story(story, told, None))
