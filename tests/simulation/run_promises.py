"""What the agent promises of workflow runs, each promise a rule: it tells what of a run's life does not keep it.

A run is judged by its stored events, beside what the books know of the actions that its steps became.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from domain.identity import step_action_id
from tests.simulation.books import Books, Violation, Written

ENDS = frozenset({"completed", "compensated", "partially_compensated"})
FAILED = frozenset({"failed", "timed_out"})
OVER = frozenset(
    {"succeeded", "failed", "cancelled", "expired", "rejected", "denied", "compensated", "compensation_failed"}
)
FOR_A_PERSON = frozenset({"held", "in_doubt"})


@dataclass
class RunLife:
    """One run."""

    run_id: str
    events: list[Written]
    books: Books

    @property
    def status(self) -> str:
        return self.books.run_status[self.run_id]

    @cached_property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        return {step["id"]: step for step in self.events[0].says["definition"]["steps"]}

    def stands(self, step: str) -> str | None:
        """The status of a step's action, None where there is none."""
        return self.books.end_of(step_action_id(self.run_id, step))

    def has_happened(self, step: str) -> bool:
        life = self.books.lives.get(step_action_id(self.run_id, step), [])
        return any(event.kind == "succeeded" for event in life)

    def ended(self) -> dict[str, str]:
        """How each step ended, in the order in which they did, the last word of each."""
        found: dict[str, str] = {}
        for event in self.events:
            if event.kind == "step_ended":
                found.pop(event.says["step"], None)
                found[event.says["step"]] = event.says["status"]
        return found

    def waits(self, step: str) -> bool:
        """Whether only a person can settle what the step's action, or its compensation, has come to."""
        action_id = step_action_id(self.run_id, step)
        asked = [e for e in self.books.lives.get(action_id, []) if e.kind == "compensation_requested"]
        compensation = self.books.end_of(asked[-1].says["compensation"]) if asked else None
        return self.stands(step) in FOR_A_PERSON or compensation in FOR_A_PERSON


Rule = Callable[[RunLife], Iterator[str]]


def _comes_to_an_end(life: RunLife) -> Iterator[str]:
    if life.status not in (*ENDS, "needs_operator", "paused"):
        yield f"nothing is due any more, and it still is {life.status}"


def _a_person_is_called_for_a_reason(life: RunLife) -> Iterator[str]:
    if life.status != "needs_operator":
        return
    called = [event for event in life.events if event.kind == "needs_operator"][-1].says["steps"]
    ended = life.ended()
    for step in called:
        is_failure = ended.get(step) in FAILED or life.stands(step) == "compensation_failed"
        if not is_failure and not life.waits(step) and life.stands(step) in OVER:
            yield f"it needs a person for {step}, whose action is {life.stands(step)}"


def _begins_when_it_may(life: RunLife) -> Iterator[str]:
    ended: set[str] = set()
    begun: Counter[str] = Counter()
    barred: str | None = None
    for event in life.events:
        if event.kind in ("rollback_begun", "cancel_requested", "paused"):
            barred = event.kind
        elif event.kind == "resumed":
            barred = None
        elif event.kind == "step_ended":
            ended.add(event.says["step"])
        elif event.kind == "step_begun":
            step = event.says["step"]
            begun[step] += 1
            missing = [need for need in life.steps[step]["needs"] if need not in ended]
            if missing:
                yield f"{step} began, and {', '.join(missing)} had not ended"
            if barred:
                yield f"{step} began after {barred}"
    yield from (f"{step} began {count} times" for step, count in begun.items() if count > 1)


def _every_end_is_heard(life: RunLife) -> Iterator[str]:
    ended = life.ended()
    for step in life.steps:
        stands = life.stands(step)
        if stands in OVER and step not in ended:
            yield f"{step} is {stands}, and the run has not heard of it"
        if life.has_happened(step) and ended.get(step) != "succeeded":
            yield f"{step} has happened, and the run has it as {ended.get(step)}"
        if ended.get(step) == "succeeded" and stands is not None and not life.has_happened(step):
            yield f"the run has {step} as succeeded, and it is {stands}"


def _the_last_is_undone_first(life: RunLife) -> Iterator[str]:
    order: list[str] = []
    undone: set[str] = set()
    undoing: str | None = None
    for event in life.events:
        step = event.says.get("step")
        if event.kind == "step_ended" and event.says["status"] == "succeeded":
            order = [name for name in order if name != step] + [step]
        elif event.kind == "step_undo_begun":
            left = [name for name in order if name not in undone and "uses" in life.steps[name]]
            if undoing is not None:
                yield f"{step} is taken back while {undoing} still is"
            if not left or left[-1] != step:
                yield f"{step} is taken back, and it is the turn of {left[-1:]}"
            undoing = step
        elif event.kind == "step_undone":
            undone.add(step)
            undoing = None if undoing == step else undoing


def _what_runs_ends_first(life: RunLife) -> Iterator[str]:
    running: set[str] = set()
    for event in life.events:
        if event.kind == "step_begun":
            running.add(event.says["step"])
        elif event.kind == "step_ended":
            running.discard(event.says["step"])
        elif event.kind == "step_undo_begun" and running:
            yield f"{event.says['step']} is taken back while {sorted(running)} still run"


def _what_is_left_is_told(life: RunLife) -> Iterator[str]:
    """At most what its actions say: nothing stands of which nobody is told."""
    if life.status not in ("compensated", "partially_compensated"):
        return
    last = [event for event in life.events if event.kind in ("compensated", "partially_compensated")][-1]
    told = {left["step"] for left in last.says.get("remaining", ())}
    stand = {step for step in life.steps if life.has_happened(step) and life.stands(step) != "compensated"}
    if told != stand:
        yield f"it is {life.status}, told is {sorted(told)}, and {sorted(stand)} stands"


def _completed_is_complete(life: RunLife) -> Iterator[str]:
    if life.status != "completed":
        return
    ended = life.ended()
    for step, told in life.steps.items():
        if step not in ended:
            yield f"it is completed, and {step} never ended"
        elif ended[step] in FAILED and told["on_failure"] != "continue":
            yield f"it is completed, and {step} is {ended[step]}"


def _a_rollback_is_not_forgotten(life: RunLife) -> Iterator[str]:
    """What a failure, or a person, set out to take back has had its turn."""
    if life.status not in ENDS or not any(event.kind == "rollback_begun" for event in life.events):
        return
    turns = {event.says["step"] for event in life.events if event.kind == "step_undone"}
    for step in life.steps:
        if life.has_happened(step) and step not in turns:
            yield f"it is {life.status}, and {step} was not taken back"


RUN_RULES: Mapping[str, Rule] = {
    "a run comes to an end": _comes_to_an_end,
    "a person is called for a reason": _a_person_is_called_for_a_reason,
    "a step begins when it may, once": _begins_when_it_may,
    "every end of a step is heard": _every_end_is_heard,
    "the last is undone first, one at a time": _the_last_is_undone_first,
    "what runs ends before anything is undone": _what_runs_ends_first,
    "what is left is told": _what_is_left_is_told,
    "completed is complete": _completed_is_complete,
    "a rollback is not forgotten": _a_rollback_is_not_forgotten,
}
"""By what is promised."""


def broken_run_promises(books: Books) -> list[Violation]:
    """Every promise that some run does not keep."""
    broken = [
        Violation(run_id, name, what)
        for run_id, events in books.runs.items()
        for name, rule in RUN_RULES.items()
        for what in rule(RunLife(run_id, events, books))
    ]
    keys: dict[str, set[str]] = {}
    for key, run_id in books.started:
        if run_id is None or run_id not in books.runs:
            broken.append(Violation(run_id or "", "a run that was told is there", f"{key} was told, nothing stored"))
        else:
            keys.setdefault(key, set()).add(run_id)
    broken.extend(
        Violation("", "one run for each key", f"{key} became {ids}") for key, ids in keys.items() if len(ids) > 1
    )
    return broken
