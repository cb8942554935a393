"""Workflows of any shape, those who start and schedule them, and those who act on their runs."""

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
from tests.simulation.processes import KEY, Process
from tests.simulation.provider import WISHED_FOR

if TYPE_CHECKING:
    from tests.simulation.run import Run

MOST_STEPS, MOST_OF_A_CHILD, MOST_OF_A_MOMENT = 8, 4, 2
MOST_LEVELS = 3
"""Runs within runs."""
MOST_TRIES = 4
"""Times that a starter asks of whom nothing was heard."""

_VERBS = ("undo", "undo", "pause", "pause", "resume", "resume", "cancel", "call_back", "call_back", "call_back")


def any_workflow(random: Random, number: int, *, level: int = 1, most: int = MOST_STEPS) -> Definition:
    """Any graph of 1 to 8 steps: actions, waits, callbacks, and other workflows."""
    names = [f"s{place}" for place in range(random.randint(1, most))]
    children = {
        place: any_workflow(random, 10 * number + place, level=level + 1, most=MOST_OF_A_CHILD)
        for place in range(len(names))
        if level < MOST_LEVELS and random.random() < 0.12
    }
    steps = [
        _child_step(random, place, names[:place], children[place])
        if place in children
        else _step(random, number, place, names[:place])
        for place in range(len(names))
    ]
    return definition_of(
        {
            "name": f"workflow-{number}",
            "inputs": {},
            "on_rollback_failure": random.choice(("continue", "continue", "stop")),
            "steps": steps,
            **({"workflows": {child.hash: child.document for child in children.values()}} if children else {}),
        }
    )


def any_schedule(random: Random, number: int) -> Definition:
    """A small workflow, each minute or every other."""
    once = any_workflow(random, number, most=MOST_OF_A_MOMENT)
    schedule = {
        "cron": [random.choice(("* * * * *", "*/2 * * * *"))],
        "timezone": random.choice(("UTC", "Europe/Berlin")),
        "catch_up": random.choice(("latest", "none")),
        "overlap": random.choice(("skip", "queue")),
    }
    return definition_of({**once.document, "schedule": schedule})


def _child_step(random: Random, place: int, earlier: list[str], child: Definition) -> dict[str, Any]:
    needs = sorted(random.sample(earlier, min(len(earlier), random.choice((0, 1, 1, 2)))))
    on_failure = random.choice(("stop", "continue", "rollback", "rollback"))
    told = {"workflow": child.hash, "file": f"{child.name}.yaml", "with": {}}
    timeout = {"timeout": random.choice(("10s", "5m"))} if random.random() < 0.15 else {}
    return {"id": f"s{place}", "needs": needs, "on_failure": on_failure, **told, **timeout}


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


def _ignore(_: Any) -> None:
    """Whoever heard nothing does not ask again."""


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
            if random.random() < 0.1:
                run.loop.after(at, partial(self._schedule, any_schedule(random, 1_000 * (number + 1))))
        for _ in range(count):
            run.loop.after(random.uniform(5.0, ACTIVE_UNTIL), self._act)

    def end_all_schedules(self, process: Process) -> None:
        """Time goes on until nothing is due, and a schedule is due for ever."""
        for run_id, life in list(self._run.books.runs.items()):
            if len(life) > 1 and life[1].kind == "scheduled":
                self._run.begin(process, "cancel", partial(process.operate_run, "cancel", run_id), _ignore)

    def _schedule(self, definition: Definition) -> None:
        process = self._run.somewhere()
        if process is not None:
            self._run.begin(process, "schedule", partial(process.schedule, definition), _ignore)

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
        is_paused = run.books.run_status[run_id] == "paused"
        verb = "resume" if is_paused and run.random.random() < 0.5 else run.random.choice(_VERBS)
        if verb != "call_back":
            run.begin(process, verb, partial(process.operate_run, verb, run_id), partial(self._acted, verb))
        elif waiting := self._waiting():
            token = Tokens(lambda: KEY).token(*run.random.choice(waiting))
            run.begin(process, verb, partial(process.call_back, token), partial(self._acted, verb))

    def _waiting(self) -> list[tuple[str, str]]:
        """Every run and step that waits for a callback, has waited, or will."""
        return [
            (run_id, step["id"])
            for run_id, life in self._run.books.runs.items()
            for step in life[0].says["definition"]["steps"]
            if "wait_for" in step
        ]

    def _acted(self, verb: str, answer: Any) -> None:
        if answer is not GONE and not isinstance(answer, LedgerError) and answer.error is None:
            self._run.books.count[f"run verb: {verb}"] += 1
