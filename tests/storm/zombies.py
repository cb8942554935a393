"""Zombies: a process is stopped in the middle of its attempt, its lease lapses, another decides, and then it wakes up.

A stopped process is not dead, so nobody may decide before its lease is over; and what it has to say when it wakes up is
kept as a late outcome, and changes nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from agents.execution_agent.agent import ExecutionAgent
from domain.policy import Delivery
from tests.storm.audit import Told, as_story, gather
from tests.storm.errands import begin, do_what_is_due
from tests.storm.model import IN_DOUBT, SUCCEEDED, Fate
from tests.storm.places import DynamoDBPlace, Place
from tests.storm.points import ANSWERED, BEFORE_CONNECT, DELIVERED, HALF_SENT, Kill, strike_still
from tests.storm.processes import Child, Tell, ended_with_us, fork, reap, run_alone
from tests.storm.stage import Stage
from tests.storm.story import Story, Way

LEASE = 3.0
"""Seconds. Long enough for a look at the action before it is over."""
STOPPED_AT = (BEFORE_CONNECT, HALF_SENT, DELIVERED, ANSWERED, "outcome:before")

FATES = {
    Delivery.AT_MOST_ONCE: Fate(IN_DOUBT, attempts=1, requests=1, effects=1),
    Delivery.AT_LEAST_ONCE: Fate(SUCCEEDED, attempts=2, requests=2, effects=2),
    Delivery.IDEMPOTENT_BY_KEY: Fate(SUCCEEDED, attempts=2, requests=2, effects=1),
}
"""Wherever it was stopped: the zombie goes on, and its own effect comes late, or came before."""


def tell(stage: Stage, engine: str) -> None:
    """Two casts: in one the successor has ended when the zombie wakes up, in the other it is in its own attempt."""
    afterwards = _Cast(stage, engine, "afterwards", list(Delivery))
    between = _Cast(stage, engine, "between", [Delivery.AT_LEAST_ONCE, Delivery.IDEMPOTENT_BY_KEY])
    with ended_with_us(afterwards.stopped), ended_with_us(between.stopped):
        afterwards.stop()
        between.stop()
        time.sleep(LEASE)
        afterwards.wake_after_their_successor()
        between.wake_while_their_successor_attempts()
    afterwards.check()
    between.check()


class _Cast:
    """Zombies on a ledger of their own."""

    def __init__(self, stage: Stage, engine: str, name: str, deliveries: Sequence[Delivery]) -> None:
        self.stopped: list[Child] = []
        self._stage = stage
        self._place = stage.new_place(engine)
        self._told: defaultdict[str, Told] = defaultdict(Told)
        self._zombies = [
            (Story(f"zombie-{engine}-{name}-{point}-{delivery}", delivery, Way.CALLER, timeout=LEASE), point)
            for point in STOPPED_AT
            for delivery in deliveries
        ]

    def stop(self) -> None:
        """Each begins, and stands still."""
        if isinstance(self._place, DynamoDBPlace):
            run_alone(self._place.create, "the making of a table")
        for story, point in self._zombies:
            self.stopped.append(_stopped_and_left_alone(self._place, story, point, self._told[story.key]))

    def wake_after_their_successor(self) -> None:
        """By then it is decided."""
        run_alone(lambda _: do_what_is_due(self._place.open()), "a successor")
        for child in self.stopped:
            _wake(child, self._told)

    def wake_while_their_successor_attempts(self) -> None:
        """What they say comes between its intent and its outcome."""
        for (story, _), child in zip(self._zombies, self.stopped, strict=True):
            successor = _at(self._place, story, DELIVERED, lambda agent, story, _: agent.advance(story.action_id))
            with ended_with_us([successor]):
                if not _has_stopped(successor):
                    self._told[story.key].remarks.append("its successor had nothing to attempt")
                _wake(child, self._told)
                _wake(successor, self._told)

    def check(self) -> None:
        """The zombies changed nothing, and every word of theirs is kept."""
        stories = [story for story, _ in self._zombies]
        self._stage.audit(self._place, stories, self._told)
        self._stage.check(stories, self._told, None)
        for story in stories:
            _check(self._stage, story, self._told[story.key])
        self._place.discard()


def _stopped_and_left_alone(place: Place, story: Story, point: str, told: Told) -> Child:
    """A process that stands in its attempt. Whoever looks at it before its lease is over does nothing."""
    began = time.monotonic()
    child = _at(place, story, point, begin)
    if not _has_stopped(child):
        told.remarks.append(f"it did not come to {point}")
    (look,) = run_alone(lambda tell: tell(place.open().advance(story.action_id)), "a look at a living process")
    if look["status"] != "attempted" and time.monotonic() - began < LEASE:
        told.remarks.append(f"its process was alive, its lease held, and it became {look['status']}")
    return child


def _at(place: Place, story: Story, point: str, attempt: Callable[[ExecutionAgent, Story, Tell], object]) -> Child:
    """A process that attempts, and stops at the point."""

    def work(tell: Tell) -> None:
        place.points.arm(story.action_id, Kill(point), strike_still)
        attempt(place.open(), story, tell)

    return fork(work)


def _has_stopped(child: Child) -> bool:
    """Waits until it has, or has ended."""
    stopped = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return stopped is not None and stopped.si_code == os.CLD_STOPPED


def _wake(child: Child, told: defaultdict[str, Told]) -> None:
    os.kill(child.pid, signal.SIGCONT)
    gather(reap(child).must_be_by(0, "a zombie"), told)


def _check(stage: Stage, story: Story, told: Told) -> None:
    stage.findings.zombies += 1
    expected = FATES[story.delivery]
    late = [event["data"] for event in told.history if event["type"] == "late_outcome"]
    epoch = next((event["version"] for event in told.history if event["type"] == "attempted"), None)
    if told.fate != expected:
        stage.findings.add_violation("wrong end of a zombie", as_story(story, told, expected))
    elif [(answer["epoch"], answer["outcome"]) for answer in late] != [(epoch, "succeeded")]:
        stage.findings.add_violation("late outcome not kept", as_story(story, told, expected))
