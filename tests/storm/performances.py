"""What a process of the storm does for workflow runs, before it is struck."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from agents.execution_agent.agent import ExecutionAgent
from handlers.actions.call_webhook import CallWebhook
from handlers.workflows.reading import read_definition
from tests.storm.effect import ACTIONS
from tests.storm.errands import do_what_is_due
from tests.storm.places import Place, clock_of
from tests.storm.plots import Plot, plots
from tests.storm.points import Moment
from tests.storm.processes import Said, Tell

BETWEEN_LOOKS = timedelta(hours=1)
MOST_LOOKS = 4
"""Of one process. Whatever a dead one left is found by the first; what waits for a person is looked at for ever."""
SOON = timedelta(days=1)


def read_for_the_first_time() -> None:
    """Whoever reads the first definition of a process builds the models for that; children find them built."""
    text = json.dumps(next(plots(1.0, Random(0))).document)
    read_definition(text.encode(), {kind.action_type: kind.parameters for kind in (*ACTIONS, CallWebhook)})


@dataclass(frozen=True)
class Performance:
    """Settles what a dead process left, then begins a run of its own, one of the two at least.

    `dies_at` is the number of a point that the last of them passes, None where the process is to live.
    """

    place: Place
    settles: Plot | None = None
    begins: Plot | None = None
    dies_at: int | None = None

    def __call__(self, tell: Tell) -> None:
        plot = self.begins or self.settles
        assert plot is not None
        passed: list[str] = []
        self.place.points.arm_for(_moment(plot, self.dies_at, passed, tell))
        self.place.points.has_checkpoints = plot.has_checkpoints
        agent = self.place.open()
        if self.settles is not None:
            _succeed(agent, self.settles, tell)
        if self.begins is not None:
            _start(agent, self.begins, tell)
            _settle(agent, self.begins, tell)
        agent.close()
        tell({"passed": passed})


def _moment(plot: Plot, dies_at: int | None, passed: list[str], tell: Tell) -> Moment:
    cast = plot.cast

    def is_the_moment(point: str, any_id: str) -> bool:
        if any_id not in cast:
            return False
        passed.append(f"{cast[any_id]} {point}")
        if len(passed) != dies_at:
            return False
        tell({"died_at": passed[-1]})
        return True

    return is_the_moment


def _start(agent: ExecutionAgent, plot: Plot, tell: Tell) -> None:
    _tell_answer(tell, plot, agent.start_workflow_run(json.dumps(plot.document), idempotency_key=plot.key))


def _succeed(agent: ExecutionAgent, plot: Plot, tell: Tell) -> None:
    if plot.asks_again:
        _start(agent, plot, tell)
    _settle(agent, plot, tell)


def _settle(agent: ExecutionAgent, plot: Plot, tell: Tell) -> None:
    """Until nothing goes on by itself, and whoever wanted the run taken back has asked for that."""
    _until_quiet(agent, plot)
    if plot.is_undone and agent.workflow_status(plot.run_id)["status"] == "completed":
        _tell_answer(tell, plot, agent.undo_run(plot.run_id, actor="ada", reason="a storm"))
        _until_quiet(agent, plot)


def _until_quiet(agent: ExecutionAgent, plot: Plot) -> None:
    clock = clock_of(agent)
    look = _looking(agent, plot)
    for _ in range(MOST_LOOKS):
        look()
        if not agent._parts.agenda.line(clock.now() + SOON, 1):
            return
        clock.pass_time(BETWEEN_LOOKS)


def _looking(agent: ExecutionAgent, plot: Plot) -> Callable[[], None]:
    if plot.has_worker:
        return lambda: do_what_is_due(agent)

    def ring() -> None:
        for any_id in plot.cast:
            agent.advance(any_id)

    return ring


def _tell_answer(tell: Tell, plot: Plot, answer: dict[str, Any]) -> None:
    tell({"run": plot.key, "answer": {name: answer[name] for name in ("run_id", "status", "error")}})


@dataclass(frozen=True)
class RunAudit:
    """Reads back all that has a part in the plots, and tells it."""

    place: Place
    plots: Sequence[Plot]

    def __call__(self, tell: Tell) -> None:
        agent = self.place.open()
        for plot in self.plots:
            found = {any_id: _life(agent, any_id) for any_id in plot.cast if any_id != plot.run_id}
            run = agent.workflow_status(plot.run_id)
            tell({"run": plot.key, "status": run["status"], "history": agent.workflow_history(plot.run_id)})
            tell({"run": plot.key, "actions": {any_id: life for any_id, life in found.items() if life["history"]}})
        if self.place.engine == "sqlite":
            tell({"rows": {row["action_id"]: row["status"] for row in agent.list_actions(limit=100_000)}})
        agent.close()
        tell({"problems": self.place.problems()})


def _life(agent: ExecutionAgent, action_id: str) -> Said:
    return {"status": agent.status(action_id)["status"], "history": agent.history(action_id)}
