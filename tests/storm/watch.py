"""What goes on around an append: points to be struck at, and whatever else a storm does to a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from eventsourcing.persistence import StoredEvent

from domain.identity import compensating_action_id
from tests.storm.points import Append, Points

Around: TypeAlias = Callable[[Sequence[StoredEvent], Callable[[], None]], None]
"""Called with the events and the append itself, which it carries out: once, late, or not at all."""

_WITHOUT_A_PROCESS = (b'"lease_lapsed"', b'"holder_died"')
"""What is recorded of an attempt whose process is gone says so."""

_OF_A_COMPENSATION = (Append.UNDO, Append.UNDONE)
"""They stand in the life of the action that is taken back, and are about the one that does so."""

_NAMED: Mapping[str, Append] = {
    "action.validated": Append.ACCEPT,
    "action.attempted": Append.INTENT,
    "action.late_outcome": Append.LATE,
    "action.deferred": Append.LOOK,
    "action.compensation_requested": Append.UNDO,
    "action.compensated": Append.UNDONE,
    "action.compensation_failed": Append.UNDONE,
    "action.reported": Append.REPORT,
    "workflow.looked": Append.LOOK,
    "workflow.step_undo_begun": Append.TURN,
    "workflow.completed": Append.END,
    "workflow.compensated": Append.END,
    "workflow.partially_compensated": Append.END,
    "workflow.needs_operator": Append.END,
}
"""By the topic of the last event of a commit."""


class Watch:
    """Passes the points of every append, in a process that is to be struck."""

    def __init__(self, points: Points, around: Around | None = None) -> None:
        self.points = points
        self._around = around or _just_do_it

    def append(self, events: Sequence[StoredEvent], append: Callable[[], None]) -> None:
        """Carries the append out, between its points."""
        kind = append_of(events)
        about = _whom_it_is_about(kind, str(events[0].originator_id))
        self.points.reach(f"{kind}:before", about)
        with self.points.appending(kind, about):
            self._around(events, append)
        self.points.reach(f"{kind}:after", about)


def append_of(events: Sequence[StoredEvent]) -> Append:
    """Which of the commits of a life this is."""
    first, last = events[0], events[-1]
    if last.topic in _NAMED:
        return _NAMED[last.topic]
    if last.topic.startswith("workflow."):
        return Append.START if first.topic == "workflow.started" else Append.STEP
    return Append.LAPSE if any(word in first.state for word in _WITHOUT_A_PROCESS) else Append.OUTCOME


def _whom_it_is_about(kind: Append, any_id: str) -> str:
    return compensating_action_id(any_id) if kind in _OF_A_COMPENSATION else any_id


def _just_do_it(_: Sequence[StoredEvent], append: Callable[[], None]) -> None:
    append()
