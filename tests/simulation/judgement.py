"""The books of a run are closed: which promises were not kept, and what there was of everything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.simulation.books import Books, Violation
from tests.simulation.lives import SETTLED, Life, Try
from tests.simulation.promises import RULES


def broken_promises(books: Books, default_retries: int) -> list[Violation]:
    """Every promise that some action does not keep."""
    broken = list(_across_lives(books))
    for life in _lives(books, default_retries):
        for name, rule in RULES.items():
            broken.extend(Violation(life.action_id, name, what) for what in rule(life))
    return broken


def _lives(books: Books, default_retries: int = 0) -> Iterator[Life]:
    for action_id, events in books.lives.items():
        yield Life(action_id, events, books, default_retries)


def _across_lives(books: Books) -> Iterator[Violation]:
    accepted: dict[str, set[str]] = defaultdict(set)
    for action_id, events in books.lives.items():
        if len(events) > 1 and events[1].kind == "validated":
            request = events[0].says["request"]
            decision = request.get("decision", {}).get("id")
            key = request.get("idempotency_key") or (f"{decision}/{request['parameters']}" if decision else action_id)
            accepted[key].add(action_id)
    for key, ids in accepted.items():
        if len(ids) > 1:
            yield Violation(min(ids), "one action for each key", f"{key} became {len(ids)} actions")
    for told in books.told:
        life = books.lives.get(told.action_id or "")
        if life is None:
            yield Violation(told.action_id or "", "nothing accepted is lost", f"{told.status} was told, nothing stored")
        elif life[0].says["request"]["parameters"] != told.parameters:
            yield Violation(told.action_id or "", "an answer is about what was asked", f"{told.parameters} was asked")
        elif told.status in SETTLED and all(event.kind != told.status for event in life):
            yield Violation(told.action_id or "", "what was told is true", f"{told.status} was told, and never was")


def totals_of(books: Books) -> Counter[str]:
    """What there was of everything that has no place where it is counted."""
    totals: Counter[str] = Counter()
    for life in _lives(books):
        totals["actions"] += 1
        totals[f"ended: {life.end}"] += 1
        totals["attempts"] += len(life.tries)
        totals["effects"] += len(life.effects)
        totals["zombies"] += sum(1 for one in life.tries if one.was_sent and _is_zombie(one))
        for event in life.events:
            if event.kind in ("in_doubt", "late_outcome"):
                totals[f"{event.kind} events"] += 1
    for run_id, status in books.run_status.items():
        totals["runs"] += 1
        totals[f"run ended: {status}"] += 1
        parent = books.runs.get(books.runs[run_id][0].says["cause"].get("run", ""))
        if parent is not None:
            totals["runs of schedules" if parent[1].kind == "scheduled" else "runs within runs"] += 1
        totals["steps undone"] += sum(1 for event in books.runs[run_id] if event.kind == "step_undone")
    return totals


def _is_zombie(one: Try) -> bool:
    """An answer came, and somebody else had ended the attempt."""
    return one.sent.told is not None and one.ending is not None and one.ending.call is not one.sent.call
