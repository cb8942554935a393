"""What the agent promises of workflow runs, each promise a rule: it tells what of a run's life does not keep it.

A run is judged by its stored events, beside what the books know of the actions that its steps became.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from domain.identity import child_run_id, step_action_id
from tests.simulation.books import Books, Violation, Written

ENDS = frozenset({"completed", "compensated", "partially_compensated"})
FAILED = frozenset({"failed", "timed_out"})
OVER = frozenset(
    {"succeeded", "failed", "cancelled", "expired", "rejected", "denied", "compensated", "compensation_failed"}
)
STILL_STANDS = frozenset({"compensation_failed", "partially_compensated"})
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

    @cached_property
    def is_schedule(self) -> bool:
        return len(self.events) > 1 and self.events[1].kind == "scheduled"

    def is_nested(self, step: str) -> bool:
        return "workflow" in self.steps[step]

    def child(self, step: str) -> RunLife | None:
        """The run of a step, None where there is none."""
        run_id = child_run_id(self.run_id, step)
        return RunLife(run_id, self.books.runs[run_id], self.books) if run_id in self.books.runs else None

    def stands(self, step: str) -> str | None:
        """The status of a step's action or run, None where there is none."""
        if self.is_nested(step):
            return self.books.run_status.get(child_run_id(self.run_id, step))
        return self.books.end_of(step_action_id(self.run_id, step))

    def still_stands(self) -> set[str]:
        """Steps of which something is left."""
        return {step for step in self.steps if self._is_left(step)}

    def _is_left(self, step: str) -> bool:
        if self.is_nested(step):
            child = self.child(step)
            return child is not None and bool(child.still_stands())
        return self.has_happened(step) and self.stands(step) != "compensated"

    def ends(self) -> list[Written]:
        """The events that bring it to an end, or to a stop."""
        return [event for event in self.events if event.kind in (*ENDS, "needs_operator")]

    def has_happened(self, step: str) -> bool:
        if self.is_nested(step):
            child = self.child(step)
            return child is not None and any(event.kind == "completed" for event in child.events)
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
        if self.is_nested(step):
            return self.stands(step) in ("needs_operator", "paused")
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
        is_failure = ended.get(step) in FAILED or life.stands(step) in STILL_STANDS
        if not is_failure and not life.waits(step) and life.stands(step) in OVER | ENDS:
            yield f"it needs a person for {step}, whose action is {life.stands(step)}"


def _begins_when_it_may(life: RunLife) -> Iterator[str]:
    if life.is_schedule:
        return
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
        if life.is_nested(step):
            yield from _every_end_of_a_run_is_heard(life, step, ended.get(step))
            continue
        stands = life.stands(step)
        if stands in OVER and step not in ended:
            yield f"{step} is {stands}, and the run has not heard of it"
        if life.has_happened(step) and ended.get(step) != "succeeded":
            yield f"{step} has happened, and the run has it as {ended.get(step)}"
        if ended.get(step) == "succeeded" and stands is not None and not life.has_happened(step):
            yield f"the run has {step} as succeeded, and it is {stands}"


def _every_end_of_a_run_is_heard(life: RunLife, step: str, ended: str | None) -> Iterator[str]:
    stands = life.stands(step)
    if stands in ENDS and ended is None:
        yield f"the run of {step} is {stands}, and its parent has not heard of it"
    if stands == "completed" and ended != "succeeded":
        yield f"the run of {step} is completed, and its parent has it as {ended}"
    if ended == "succeeded" and not life.has_happened(step):
        yield f"its parent has {step} as succeeded, and its run is {stands}"


def _the_last_is_undone_first(life: RunLife) -> Iterator[str]:
    if life.is_schedule:
        return
    order: list[str] = []
    undone: set[str] = set()
    undoing: str | None = None
    for event in life.events:
        step = event.says.get("step")
        if event.kind == "step_ended" and _may_have_done_something(life, event):
            order = [name for name in order if name != step] + [step]
            if life.is_nested(step):
                undone.discard(step)
        elif event.kind == "step_undo_begun":
            left = [name for name in order if name not in undone and {"uses", "workflow"} & set(life.steps[name])]
            if undoing is not None:
                yield f"{step} is taken back while {undoing} still is"
            if not left or left[-1] != step:
                yield f"{step} is taken back, and it is the turn of {left[-1:]}"
            undoing = step
        elif event.kind == "step_undone":
            undone.add(step)
            undoing = None if undoing == step else undoing


def _may_have_done_something(life: RunLife, ended: Written) -> bool:
    """A run that has begun may have, however it ended."""
    step = ended.says["step"]
    has_begun = any(event.kind == "step_begun" and event.says["step"] == step for event in life.events)
    return bool(ended.says["status"] == "succeeded" or (life.is_nested(step) and has_begun))


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
    # Where a run within it waits for a person, that one tells what it waits with.
    undecided = {step for step in life.steps if life.is_nested(step) and life.stands(step) not in (None, *ENDS)}
    told, stand = told - undecided, life.still_stands() - undecided
    if told != stand:
        yield f"it is {life.status}, told is {sorted(told)}, and {sorted(stand)} stands"


def _completed_is_complete(life: RunLife) -> Iterator[str]:
    if life.status != "completed" or life.is_schedule:
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
        has_begun = life.is_nested(step) and life.child(step) is not None
        if (life.has_happened(step) or has_begun) and step not in turns:
            yield f"it is {life.status}, and {step} was not taken back"


def _a_run_has_one_parent(life: RunLife) -> Iterator[str]:
    """It is of what was pinned, and its parent had begun it before."""
    cause = life.events[0].says["cause"]
    if "run" not in cause:
        return
    parent = RunLife(cause["run"], life.books.runs[cause["run"]], life.books)
    begun = [event for event in parent.events if event.says.get("run") == life.run_id]
    if len(begun) != 1 or begun[0].says["step"] != cause["step"] or begun[0].when > life.events[0].when:
        yield f"{cause['run']} has begun it {len(begun)} times, or later, or as another step"
    told = parent.events[0].says
    pinned = told["definition_hash"] if parent.is_schedule else parent.steps[cause["step"]]["workflow"]
    if life.events[0].says["definition_hash"] != pinned:
        yield "it is of another definition than what was pinned"


def _what_becomes_of_a_parent_becomes_of_it(life: RunLife) -> Iterator[str]:
    stopped = any(event.kind in ("rollback_begun", "cancel_requested") for event in life.events)
    if not stopped or life.status not in ENDS or life.is_schedule:
        return
    for step in life.steps:
        if life.is_nested(step) and life.stands(step) in ("running", "rolling_back", "paused"):
            yield f"it is {life.status}, and the run of {step} still is {life.stands(step)}"


def _a_moment_has_one_run(life: RunLife) -> Iterator[str]:
    """One at a time, each at a moment that came, which come one after the other."""
    came: list[str] = []
    begun: list[str] = []
    going_on: str | None = None
    for event in life.events if life.is_schedule else ():
        if event.kind == "moment_came":
            if came and event.says["moment"] <= came[-1]:
                yield f"{event.says['moment']} came after {came[-1]}"
            came.append(event.says["moment"])
        elif event.kind == "step_begun":
            moment = event.says["step"]
            if moment not in came or moment in begun:
                yield f"a run began for {moment}, which had not come, or had its run"
            if going_on is not None:
                yield f"a run began for {moment}, while that of {going_on} went on"
            begun.append(moment)
            going_on = moment
        elif event.kind == "step_ended" and event.says["step"] == going_on:
            ends = life.books.runs.get(child_run_id(life.run_id, going_on), [])
            if not any(end.when <= event.when and end.kind in (*ENDS, "needs_operator") for end in ends):
                yield f"the run of {going_on} was told to have ended, and had not"
            going_on = None


def _no_moment_is_lost(life: RunLife) -> Iterator[str]:
    """It has its run, or it is told why not; what waits is begun, or gives way to what comes after it."""
    if not life.is_schedule:
        return
    begun = {event.says["step"] for event in life.events if event.kind == "step_begun"}
    queued = [event.says["moment"] for event in life.events if event.says.get("why") == "queued"]
    for event in life.events:
        if event.kind == "moment_came" and "why" not in event.says and event.says["moment"] not in begun:
            yield f"{event.says['moment']} came, no run began, and nobody says why"
    last_end = max((event.version for event in life.events if event.kind == "step_ended"), default=0)
    waits = [event for event in life.events if event.kind == "moment_came" and event.says["moment"] in queued[-1:]]
    was_paused = waits and any(event.kind == "paused" for event in life.events if event.version > waits[0].version)
    if waits and not was_paused and queued[-1] not in begun and last_end > waits[0].version:
        yield f"{queued[-1]} waited, the run before it has ended, and it never began"


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
    "a run that is a step is the one that was begun": _a_run_has_one_parent,
    "what becomes of a run becomes of those within it": _what_becomes_of_a_parent_becomes_of_it,
    "a moment has one run, one at a time": _a_moment_has_one_run,
    "no moment is lost": _no_moment_is_lost,
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
