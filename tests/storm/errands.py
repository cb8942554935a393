"""What a process of the storm does with its life, before it is struck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from agents.execution_agent.agent import ExecutionAgent
from tests.storm.model import ABSENT, FAILED, SUCCEEDED
from tests.storm.places import Place
from tests.storm.points import Kill
from tests.storm.processes import Tell
from tests.storm.story import Story, Way

COMPENSATION_OF = {"succeeded": ABSENT, "compensated": SUCCEEDED, "compensation_failed": FAILED}
"""How a compensation stands, by what the action that it takes back says. While that is compensating, it is not over."""


@dataclass(frozen=True)
class Errand:
    """Succeeds dead processes, then begins stories of its own. `killed` is struck at its kill, wherever that comes up.

    `ask_again`: stories whose callers send their request once more. `ring`: stories to look at one by one.
    """

    place: Place
    ask_again: Sequence[Story] = ()
    ring: Sequence[Story] = ()
    drain: bool = False
    begin: Sequence[Story] = ()
    killed: tuple[Story, Kill] | None = None

    def __call__(self, tell: Tell) -> None:
        if self.killed is not None:
            story, kill = self.killed
            self.place.points.arm(story.action_id, kill)
        agent = self.place.open()
        for story in self.ask_again:
            tell_answer(tell, story, _asked_again(agent, story))
        for story in self.ring:
            for action_id in story.action_ids:
                agent.advance(action_id)
        if self.drain:
            do_what_is_due(agent)
        for story in self.begin:
            begin(agent, story, tell)
        agent.close()


def begin(agent: ExecutionAgent, story: Story, tell: Tell) -> None:
    """The first process of a story, on whichever way."""
    if story.way.is_undo:
        agent.process(story.request(accept=False))
        tell_answer(tell, story, _undo(agent, story))
        return
    tell_answer(tell, story, agent.process(story.request(accept=story.way.accepts_first)))
    if story.way is Way.BELL:
        agent.advance(story.action_id)
    elif story.way is Way.WORKER:
        do_what_is_due(agent)


def _asked_again(agent: ExecutionAgent, story: Story) -> dict[str, Any]:
    return _undo(agent, story) if story.way.is_undo else agent.process(story.request(accept=False), wait=0.0)


def _undo(agent: ExecutionAgent, story: Story) -> dict[str, Any]:
    """The answer, in words about the compensation."""
    response = agent.undo(story.asked_id, actor="ada", reason="a storm")
    return {**response, "status": COMPENSATION_OF.get(response["status"], response["status"])}


def do_what_is_due(agent: ExecutionAgent, threads: int = 1) -> None:
    """A worker, until it finds nothing more to do."""
    agent.worker(threads=threads).run(Event(), until_idle=True)


def tell_answer(tell: Tell, story: Story, response: dict[str, Any]) -> None:
    """The answer has left the agent: whatever it says, the ledger must stand by it."""
    answer = {name: response[name] for name in ("action_id", "status", "duplicate")}
    tell({"key": story.key, "answer": answer})


@dataclass(frozen=True)
class Audit:
    """Reads everything back, and tells it."""

    place: Place
    stories: Sequence[Story]

    def __call__(self, tell: Tell) -> None:
        agent = self.place.open()
        for story in self.stories:
            status = agent.status(story.action_id)
            said = {"key": story.key, "status": status, "history": agent.history(story.action_id)}
            tell({**said, "asked": agent.status(story.asked_id)["status"]})
        if self.place.engine == "sqlite":
            tell({"rows": {row["action_id"]: row["status"] for row in agent.list_actions(limit=100_000)}})
            agent.close()
        tell({"problems": self.place.problems()})
