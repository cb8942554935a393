"""Which lives may leave the ledger: each is read whole, and whatever speaks against it is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eventsourcing.persistence import Mapper

from domain.action import Action
from domain.archive import break_in
from domain.commit import Commit
from domain.journal import Damaged, Journal, Life
from domain.retention import LEGAL_HOLD, OPEN_RUN, why_it_stays
from domain.unreadable import Known, known_of, life_in
from projections.archived import pruned_to

if TYPE_CHECKING:
    from domain.workflow import WorkflowRun

UNREADABLE = "unreadable"
"""Why a life stays of which a later release has to judge."""
REMEMBERED = 10_000
"""Runs of which it is remembered whether they are open."""


class Flawed(Exception):
    """The life is not what the ledger has written: it is not archived, and somebody must be told."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A life, and why it stays; None where it may leave."""

    commits: Sequence[Commit]
    standing: Action | WorkflowRun | None
    stays: str | None


class Candidates:
    """Judges lives as the journal tells them."""

    def __init__(self, journal: Journal, mapper: Mapper[str]) -> None:
        self._journal = journal
        self._mapper = mapper
        self._open_runs: dict[str, bool] = {}

    def judged(self, life: Life, before: datetime) -> Candidate | None:
        """None for what was pruned, and for what is neither an action nor a run. Raises Flawed."""
        if pruned_to(life.rows) is not None:
            return None
        commits = _whole(life)
        known = self._known(commits)
        if known.unknown is not None:
            return Candidate(commits, None, UNREADABLE)
        standing = _action_or_run(known.as_of)
        if standing is None:
            return None
        return Candidate(commits, standing, why_it_stays(standing, before) or self._why_others_keep(standing))

    def _why_others_keep(self, standing: Action | WorkflowRun) -> str | None:
        if isinstance(standing, Action) and self._takes_back_what_is_held(standing):
            return LEGAL_HOLD
        return OPEN_RUN if self._is_of_an_open_run(standing) else None

    def _known(self, commits: Sequence[Commit]) -> Known:
        known = known_of(life_in([event for commit in commits for event in commit.stored_events()], self._mapper))
        if known.unknown is not None and known.unknown.problem == "corrupt":
            raise Flawed(f"version {known.unknown.originator_version} is damaged")
        return known

    def _takes_back_what_is_held(self, action: Action) -> bool:
        """Who must keep an action must keep what became of it. What cannot be read may be held.

        This is asked each time: a hold may be placed at any moment.
        """
        if action.compensates is None or (life := self._journal.life(action.compensates)) is None:
            return False
        try:
            known = self._known(_readable(life))
        except Flawed:
            return True
        original = known.as_of if known.unknown is None else None
        return not isinstance(original, Action) or bool(original.legal_holds)

    def _is_of_an_open_run(self, standing: Action | WorkflowRun) -> bool:
        """Whether it is a step of a run that is not over, or of one that is itself such a step.

        What a schedule has started is no part of it: a schedule may never be over, and needs none of what is.
        """
        part = standing.workflow if isinstance(standing, Action) else standing.parent
        if part is None:
            return False
        run = part.run
        if run not in self._open_runs:
            if len(self._open_runs) >= REMEMBERED:
                self._open_runs.clear()
            self._open_runs[run] = self._is_open(run)
        return self._open_runs[run]

    def _is_open(self, run_id: str) -> bool:
        """What cannot be read may be open."""
        life = self._journal.life(run_id)
        try:
            known = None if life is None else self._known(_whole(life))
        except Flawed:
            return True
        run = None if known is None or known.unknown is not None else _action_or_run(known.as_of)
        if run is None or isinstance(run, Action):
            return True
        if run.is_schedule:
            return False
        return not run.is_over or run.due_at is not None or self._is_of_an_open_run(run)


def _action_or_run(found: object) -> Action | WorkflowRun | None:
    """None for what else may stand in a ledger."""
    from domain.workflow import WorkflowRun

    return found if isinstance(found, Action | WorkflowRun) else None


def _readable(life: Life) -> list[Commit]:
    commits: list[Commit] = []
    for row in life.rows:
        if isinstance(row, Damaged):
            raise Flawed(f"version {row.version} is damaged ({row.problem})")
        commits.append(row)
    return commits


def _whole(life: Life) -> list[Commit]:
    commits = _readable(life)
    if (broken := break_in(commits)) is not None:
        raise Flawed(broken)
    if life.born is None:
        raise Flawed("nobody can tell when it began")
    return commits
