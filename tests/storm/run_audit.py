"""What was found of workflow runs, against what is promised: in the ledger, and by the receiver of every effect.

Of the ledger the promises are those of the simulation; those of the receiver are told here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from domain.identity import effect_key
from domain.policy import Delivery
from tests.simulation.run_promises import broken_run_promises
from tests.storm.audit import Violation
from tests.storm.model import ABSENT
from tests.storm.plots import Plot
from tests.storm.processes import Said
from tests.storm.sink import Seen

ENDS = frozenset({"completed", "compensated", "partially_compensated", "needs_operator"})
SETTLED = frozenset({"succeeded", "failed", "in_doubt", "compensated", "compensation_failed"})


@dataclass(frozen=True, slots=True)
class Event:
    """What stands in the ledger."""

    kind: str
    says: Mapping[str, Any]


@dataclass
class Told:
    """All that is known of one run: what its callers were answered, what the ledger says, what the sink saw."""

    plot: Plot
    deaths: list[str] = field(default_factory=list)
    """Where its processes died."""
    answers: list[Said] = field(default_factory=list)
    status: str = ABSENT
    events: list[Event] = field(default_factory=list)
    actions: dict[str, Said] = field(default_factory=dict)
    seen: Mapping[str, Sequence[Seen]] = field(default_factory=dict)
    """By the action's id."""

    def hear(self, said: Said) -> None:
        """What a process, or the audit, said of it."""
        if "answer" in said:
            self.answers.append(said["answer"])
        elif "history" in said:
            self.events = _events(said)
            self.status = said["status"] if self.events else ABSENT
        elif "actions" in said:
            self.actions = said["actions"]

    @cached_property
    def lives(self) -> Mapping[str, list[Event]]:
        return {action_id: _events(life) for action_id, life in self.actions.items()}

    @property
    def runs(self) -> Mapping[str, list[Event]]:
        return {self.plot.run_id: self.events} if self.events else {}

    @property
    def run_status(self) -> Mapping[str, str]:
        return {self.plot.run_id: self.status}

    @property
    def started(self) -> list[tuple[str, str | None]]:
        return [(self.plot.key, answer["run_id"]) for answer in self.answers]

    def end_of(self, action_id: str) -> str | None:
        """The status of an action, None where there is none."""
        return self.actions[action_id]["status"] if action_id in self.actions else None

    @property
    def is_called_off(self) -> bool:
        """Whether what has not left was not to leave any more."""
        return any(event.kind in ("rollback_begun", "cancel_requested") for event in self.events)

    def completed(self) -> list[str]:
        """Steps that succeeded, in the order in which the run heard of it."""
        ended = [event.says for event in self.events if event.kind == "step_ended"]
        return [says["step"] for says in ended if says["status"] == "succeeded"]

    def effects(self, action_id: str) -> list[int]:
        """When they came, among all that the sink has seen."""
        return [seen.number for seen in self.seen.get(action_id, ()) if seen.took_effect]

    def __str__(self) -> str:
        lines = [f"{self.plot}", f"died at {self.deaths}", f"answered {self.answers}", f"found {self.status}"]
        lines += (f"{event.kind} {_short(event.says)}" for event in self.events)
        for action_id, life in self.lives.items():
            words = " ".join(event.kind for event in life)
            lines.append(f"{self.plot.cast[action_id]} {action_id} {self.end_of(action_id)}: {words}")
            lines += (f"  the sink saw {seen}" for seen in self.seen.get(action_id, ()))
        return "\n".join(f"  {line}" for line in lines)


def _events(said: Said) -> list[Event]:
    return [Event(event["type"], event["data"]) for event in said["history"]]


def _short(says: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: told for name, told in says.items() if name != "definition"}


def violations_of(told: Told) -> Iterator[Violation]:
    """Every promise that this run does not keep, the gravest first."""
    for kind, what in _broken(told):
        yield Violation(kind, f"  {what}\n{told}")


def _broken(told: Told) -> Iterator[tuple[str, str]]:
    if told.answers and told.status == ABSENT:
        yield "lost", f"{told.answers[-1]} was answered, and there is no run"
    if told.status not in (*ENDS, ABSENT):
        yield "not settled", f"the run is {told.status}"
    for step in told.plot.steps:
        for action_id in (told.plot.action_of(step), told.plot.undo_of(step)):
            yield from ((kind, f"{step}: {what}") for kind, what in _of_an_action(told, step, action_id))
    yield from (("orphan action", what) for what in _orphans(told))
    yield from (("undone out of turn", what) for what in _out_of_turn(told))
    yield from ((broken.rule, broken.what) for broken in broken_run_promises(told))


def _of_an_action(told: Told, step: str, action_id: str) -> Iterator[tuple[str, str]]:
    status, seen, effects = told.end_of(action_id), told.seen.get(action_id, ()), told.effects(action_id)
    attempts = sum(event.kind == "attempted" for event in told.lives.get(action_id, ()))
    waits = status == "compensating" and told.end_of(told.plot.undo_of(step)) == "in_doubt"
    called_off = status == "cancelled" and told.is_called_off
    if status is not None and status not in SETTLED and not waits and not called_off:
        yield "not settled", f"its action is {status}"
    if status == "cancelled" and effects:
        yield "cancelled with effect", action_id
    if told.plot.delivery_of(step) is not Delivery.AT_LEAST_ONCE and len(effects) > 1:
        yield "duplicate effect", f"{len(effects)} of {action_id}"
    if len(seen) > attempts:
        yield "effect without intent", f"{len(seen)} requests of {action_id}, and {attempts} attempts"
    has_succeeded = any(event.kind == "succeeded" for event in told.lives.get(action_id, ()))
    if has_succeeded and not effects:
        yield "success without effect", action_id
    if status == "failed" and effects:
        yield "failure with effect", action_id
    if status == "compensated" and told.end_of(told.plot.undo_of(step)) != "succeeded":
        yield "undone by nobody", f"its undo is {told.end_of(told.plot.undo_of(step))}"


def _orphans(told: Told) -> Iterator[str]:
    """Every action is one that its run has begun, or takes such a one back because that one says so."""
    begun = {event.says["step"] for event in told.events if event.kind == "step_begun"}
    for step in told.plot.steps:
        action_id, undo_id = told.plot.action_of(step), told.plot.undo_of(step)
        if action_id in told.actions and step not in begun:
            yield f"{action_id} is there, and its run has not begun {step}"
        asked = [event for event in told.lives.get(action_id, ()) if event.kind == "compensation_requested"]
        if undo_id in told.actions and [event.says["compensation"] for event in asked] != [undo_id]:
            yield f"{undo_id} takes back {action_id}, which has asked for {len(asked)} compensations"


def _out_of_turn(told: Told) -> Iterator[str]:
    """As the receiver saw it: a step after what it needs, its undo after it, and undos in reverse, one at a time."""
    plot = told.plot
    for step, says in plot.steps.items():
        for need in says["needs"]:
            yield from _late(told, plot.action_of(need), plot.action_of(step), f"{need}, and then {step}")
        yield from _late(told, plot.action_of(step), plot.undo_of(step), f"{step}, and then its undo")
    order = [step for step in reversed(told.completed()) if told.effects(plot.undo_of(step))]
    for first, second in pairwise(order):
        yield from _late(told, plot.undo_of(first), plot.undo_of(second), f"the undo of {first}, then that of {second}")


def _late(told: Told, first: str, second: str, wanted: str) -> Iterator[str]:
    if max(told.effects(first), default=0) > min(told.effects(second), default=1 << 62):
        yield f"it had to be {wanted}; the receiver saw {told.effects(first)} and {told.effects(second)}"


def keys_of(plot: Plot) -> Mapping[str, str]:
    """By effect key: the action whose effect it is."""
    return {effect_key(any_id): any_id for any_id in plot.cast if any_id != plot.run_id}
