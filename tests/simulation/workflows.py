"""Workflows of any shape, those who start them, and those who act on their runs."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from domain.errors import LedgerError
from domain.workflow_definition import Definition, definition_of
from handlers.workflows.tokens import Tokens
from projections.workflow_status import RunResponse
from tests.simulation.calls import GONE
from tests.simulation.people import ACTIVE_UNTIL, REQUESTS_UNTIL
from tests.simulation.processes import KEY
from tests.simulation.provider import WISHED_FOR

if TYPE_CHECKING:
    from tests.simulation.run import Run

MOST_STEPS = 8
MOST_TRIES = 4
"""Times that a starter asks of whom nothing was heard."""

_VERBS = ("undo", "undo", "pause", "pause", "resume", "resume", "cancel", "call_back", "call_back", "call_back")


def any_workflow(random: Random, number: int) -> Definition:
    """Any graph of 1 to 8 steps: actions, waits and callbacks."""
    names = [f"s{place}" for place in range(random.randint(1, MOST_STEPS))]
    steps = [_step(random, number, place, names[:place]) for place in range(len(names))]
    return definition_of(
        {
            "name": f"workflow-{number}",
            "inputs": {},
            "on_rollback_failure": random.choice(("continue", "continue", "stop")),
            "steps": steps,
        }
    )


def _step(random: Random, number: int, place: int, earlier: list[str]) -> dict[str, Any]:
    needs = sorted(random.sample(earlier, min(len(earlier), random.choice((0, 1, 1, 2)))))
    on_failure = random.choice(("stop", "continue", "rollback", "rollback"))
    step: dict[str, Any] = {"id": f"s{place}", "needs": needs, "on_failure": on_failure}
    drawn = random.random()
    if drawn < 0.08:
        return {**step, "wait": {"for": random.choice(("1s", "20s", "3m"))}}
    if drawn < 0.16:
        return {**step, "wait_for": "callback", "timeout": random.choice(("30s", "5m"))}
    step |= {"uses": random.choice((*WISHED_FOR, "upsert", "upsert")), "with": {"wish": 100 * number + place}}
    if random.random() < 0.1:
        step["timeout"] = random.choice(("2s", "1m"))
    if random.random() < 0.15:
        step["fallback"] = [{"uses": random.choice(WISHED_FOR), "with": {"wish": 100 * number + place}}]
    if needs and random.random() < 0.15:
        step["if"] = f"steps.{needs[0]}.status == 'succeeded'"
    if needs and random.random() < 0.1:
        # What a step before it brought, if it was an action that succeeded.
        step["with"] = {"wish": f"${{{{ steps.{needs[0]}.result.wish }}}}"}
    step["options"] = {"max_retries": random.randrange(4), "retry_policy": random.choice(("none", "fixed"))}
    return step


class Starters:
    """Those who start workflows, again under the same key where they heard nothing; and people who act on runs."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def come(self, count: int) -> None:
        """All of the run, each at its time."""
        run, random = self._run, self._run.random
        for number in range(count):
            definition = any_workflow(random, number)
            wait = random.choice((0.0, 0.5, 12.0))
            start = partial(self._start, definition, f"workflow-{number}", wait)
            at = random.uniform(0.0, REQUESTS_UNTIL)
            run.loop.after(at, start)
            if random.random() < 0.2:
                run.loop.after(at + random.choice((0.0, 1.0, 60.0)), start)
        for _ in range(count):
            run.loop.after(random.uniform(5.0, ACTIVE_UNTIL), self._act)

    def _start(self, definition: Definition, key: str, wait: float, tries: int = 1) -> None:
        run, process = self._run, self._run.somewhere()
        if process is None:
            run.loop.after(5.0, partial(self._start, definition, key, wait, tries))
            return
        run.begin(
            process,
            "start",
            partial(process.start, definition, key, wait),
            partial(self._answered, definition, key, wait, tries),
        )

    def _answered(self, definition: Definition, key: str, wait: float, tries: int, answer: Any) -> None:
        run = self._run
        if isinstance(answer, RunResponse):
            run.books.started.append((key, answer.run.id if answer.run is not None else None))
        elif tries < MOST_TRIES:
            again = partial(self._start, definition, key, wait, tries + 1)
            run.loop.after(run.random.uniform(0.5, 40.0), again)

    def _act(self) -> None:
        run, process = self._run, self._run.somewhere()
        if process is None or not run.books.run_status:
            return
        run_id = run.random.choice(list(run.books.run_status))
        verb = run.random.choice(_VERBS)
        if verb == "call_back":
            document = run.books.runs[run_id][0].says["definition"]
            waiting = [step["id"] for step in document["steps"] if "wait_for" in step]
            if not waiting:
                return
            token = Tokens(lambda: KEY).token(run_id, run.random.choice(waiting))
            act = partial(process.call_back, token)
        else:
            act = partial(process.operate_run, verb, run_id)
        run.begin(process, verb, act, partial(self._acted, verb))

    def _acted(self, verb: str, answer: Any) -> None:
        if answer is not GONE and not isinstance(answer, LedgerError) and answer.error is None:
            self._run.books.count[f"run verb: {verb}"] += 1
