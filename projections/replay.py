"""Replay: the lives of a ledger are told once more, and a projection makes something of them.

Nothing here can act. A replay is handed a journal and a projection: no world, no adapter of a provider. So a life may
be told as often as anybody likes.

A replay goes slice by slice, and each slice says where the next one begins. Slices of different parts may be told
beside each other, in processes of their own, and what they made is added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, cast

from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain.action import Action
from domain.commit import Commit
from domain.errors import LedgerError
from domain.events import REGISTRY, Archived, RecordedEvent
from domain.journal import Damaged, Journal, Life, Span
from domain.ledger import ActionMapper
from domain.unreadable import replayed
from domain.workflow import WorkflowRun
from domain.workflow_events import RUN_REGISTRY

_MAPPER = ActionMapper(JSONTranscoder())
_KNOWN = frozenset({*REGISTRY, *RUN_REGISTRY})
_SCHEMA = b'"schema"'


class Story:
    """A life that is whole. What of it is read as events is what somebody asks for, and it is read once."""

    __slots__ = ("_events", "action_id", "commits")

    def __init__(self, action_id: str, commits: Sequence[Commit]) -> None:
        self.action_id = action_id
        self.commits = commits
        self._events: Sequence[RecordedEvent] | None = None

    @property
    def count(self) -> int:
        """How many events it has."""
        return sum([len(commit.events) for commit in self.commits])

    @property
    def first(self) -> RecordedEvent:
        """The event that it begins with. Raises what a stored event deserves (LedgerError)."""
        if self._events is not None:
            return self._events[0]
        begin = self.commits[0]
        return _MAPPER.to_domain_event(StoredEvent(self.action_id, begin.version, *begin.events[0]))

    @property
    def events(self) -> Sequence[RecordedEvent]:
        """All of it, oldest first. Raises what a stored event deserves (LedgerError)."""
        if self._events is None:
            read = _MAPPER.to_domain_event
            self._events = [read(event) for commit in self.commits for event in commit.stored_events()]
        return self._events

    def require_beginning(self) -> None:
        """For who has no use for a row that outlives its events. Where they are elsewhere, the life is a finding."""
        version = self.commits[0].version
        if version > 1:
            raise _Flawed(Finding(self.action_id, version, f"what was before version {version} is in an archive"))

    def require_known(self) -> None:
        """For who counts millions of events and reads none: raises LedgerError for an unknown topic or a newer schema.

        What stands between the braces of an event is looked at only where a schema is named in it.
        """
        for commit in self.commits:
            for topic, state in commit.events:
                if topic not in _KNOWN or _SCHEMA in state or state[:1] != b"{" or state[-1:] != b"}":
                    _require_known(commit)

    @property
    def standing(self) -> Action | WorkflowRun:
        """What the events have made of it. Raises what a stored event deserves (LedgerError)."""
        return cast("Action | WorkflowRun", replayed(None, self.events))


def _require_known(commit: Commit) -> None:
    for number, (topic, state) in enumerate(commit.events):
        _MAPPER.require_known(commit.action_id, commit.version + number, topic, state)


class Projection(Protocol):
    """Makes something of lives. It is told each one once, whole, in no order that it could rely on."""

    def apply(self, story: Story) -> None:
        """One more life. Whatever is raised, nothing of it may have been taken on: it is then named and left out."""
        ...

    def result(self) -> Any:
        """What was made so far, in plain JSON values."""
        ...

    def add(self, result: Any) -> None:
        """Takes on what another one of the same kind has made of other lives."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with an action. `problem` is a sentence for people, without what the action says."""

    action_id: str
    version: int
    problem: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"action_id": self.action_id, "version": self.version, "problem": self.problem}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader of a part goes on: behind the cursor `after`, at the beginning where it is None."""

    after: str | None = None
    is_over: bool = False


BEGINNING = Place()
WHOLE = -1
"""Stands for all parts of a journal together: one reader has no use for parts."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some lives of a part, what was made of them, and where the next slice begins."""

    part: int
    place: Place
    actions: int
    events: int
    findings: tuple[Finding, ...]
    result: Any


def tell(journal: Journal, projection: Projection, span: Span, part: int, place: Place, most: int) -> Slice:
    """Tells the next lives of the part, at most so many. The projection is one that has heard nothing yet."""
    lives = journal.lives(span, part=None if part == WHOLE else part, after=place.after)
    return told_of(islice(lives, most), projection, part, place, most)


def told_of(lives: Iterable[Life], projection: Projection, part: int, place: Place, most: int) -> Slice:
    """Tells these. There are no more in the part where they are fewer than `most`."""
    actions = events = 0
    findings: list[Finding] = []
    after = place.after
    for life in lives:
        after = life.cursor
        actions += 1
        try:
            story = story_of(life)
            projection.apply(story)
            events += story.count
        except _Flawed as flawed:
            findings.append(flawed.finding)
        except Exception as error:  # noqa: BLE001 - whatever one action brings about, the others are told
            findings.append(Finding(life.action_id, _begin_of(life), _problem(error)))
    return Slice(part, Place(after, actions < most), actions, events, tuple(findings), projection.result())


class _Flawed(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.problem)
        self.finding = finding


def story_of(life: Life) -> Story:
    """The life, where it is whole."""
    commits: list[Commit] = []
    for row in life.rows:
        if isinstance(row, Damaged):
            raise _Flawed(Finding(life.action_id, row.version, row.problem))
        _require_no_gap(life.action_id, commits, row)
        commits.append(row)
    return Story(life.action_id, commits)


def _require_no_gap(action_id: str, before: Sequence[Commit], commit: Commit) -> None:
    if before and commit.version != before[-1].last + 1:
        problem = f"the commit at version {commit.version} does not follow version {before[-1].last}"
        raise _Flawed(Finding(action_id, commit.version, problem))
    if not before and commit.version not in (0, 1) and commit.events[0][0] != Archived.TOPIC:
        raise _Flawed(Finding(action_id, commit.version, f"it begins with version {commit.version}"))


def _begin_of(life: Life) -> int:
    return life.rows[0].version


def _problem(error: Exception) -> str:
    """A ledger's own errors say what is wrong, and no more; others may quote what an action says."""
    return str(error) if isinstance(error, LedgerError) else f"it cannot be told ({type(error).__name__})"


def only(journal: Journal, action_id: str) -> Iterator[Life]:
    """One action's life, where there is one."""
    life = journal.life(action_id)
    if life is not None:
        yield life
