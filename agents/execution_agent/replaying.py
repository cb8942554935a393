"""Replays, slice by slice: in this process, or each part of the ledger in whichever process is free.

No agent is assembled for a replay, here or there: what tells the slices has a journal, and nothing that could act.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from domain.errors import ConfigurationError, Refused
from domain.journal import Journal, Span, can_be_stored
from projections.counts import Counts
from projections.replay import BEGINNING, WHOLE, Finding, Place, Projection, Slice, only, tell, told_of
from projections.rows import Rows

if TYPE_CHECKING:
    from concurrent.futures import Future

    from agents.execution_agent.config import Settings

ENTRY_POINTS = "execution_agent.projections"
"""The entry-point group by which an installed distribution brings projections."""
BUILT_IN: Mapping[str, type[Projection]] = {"counts": Counts, "rows": Rows}

SLICE = 2_000
"""Actions that are told before anybody else gets a word in: a tenth of a second."""

Made: TypeAlias = Callable[[], Projection]
Places: TypeAlias = Mapping[int, Place]


def projection_called(name: str) -> Made:
    """What makes one. Raises Refused for a name that nobody brings, ConfigurationError where it cannot be loaded."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    from importlib.metadata import entry_points

    found = {entry_point.name: entry_point for entry_point in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        there = ", ".join(sorted({*BUILT_IN, *found}))
        raise Refused(f"there is no projection {name[:80]!a}; there are {there}", code="unknown_projection")
    try:
        return cast("Made", found[name].load())
    except Exception as error:
        what = f"the projection {name!r} ({found[name].value}) cannot be loaded"
        raise ConfigurationError(f"{what}: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Question:
    """What is replayed into what: all actions, those born in a span of days, or one."""

    projection: str
    span: Span = field(default_factory=Span)
    action_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, which `question_in` reads."""
        since, until = self.span.since, self.span.until
        return {
            "projection": self.projection,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "action_id": self.action_id,
        }


def span_of(since: str | None, until: str | None) -> Span:
    """From texts like `2026-11-25`. Raises Refused (bad_range)."""
    span = Span(_day(since), _day(until))
    if span.since is not None and span.until is not None and span.since > span.until:
        raise Refused(f"the range ends ({until}) before it begins ({since})", code="bad_range")
    return span


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except (ValueError, TypeError):
        raise Refused(f"{str(text)[:80]!a} is no day: write it like 2026-11-25", code="bad_range") from None


def question_in(document: Mapping[str, Any]) -> Question:
    """Raises Refused for what is no question."""
    unknown = set(document) - {"projection", "since", "until", "action_id"}
    if unknown:
        raise Refused(f"a replay has no {', '.join(sorted(map(ascii, unknown)))[:200]}", code="unknown_field")
    action_id = document.get("action_id")
    if action_id is not None and not isinstance(action_id, str):
        raise Refused("action_id is text", code="invalid_type")
    if action_id is not None and not can_be_stored(action_id):
        raise Refused("action_id is no text that can be stored: it has half of a surrogate pair", code="malformed")
    span = span_of(document.get("since"), document.get("until"))
    return Question(str(document.get("projection") or "counts"), span, action_id)


class Account:
    """What a replay has come to: it can be put down as a document, and gone on with."""

    def __init__(self, question: Question) -> None:
        """Raises Refused where nobody brings the projection."""
        self.question = question
        self.places: dict[int, Place] = {}
        self.actions = 0
        self.events = 0
        self.findings: list[Finding] = []
        self._projection = projection_called(question.projection)()

    def take(self, told: Slice) -> None:
        """Adds a slice."""
        self._projection.add(told.result)
        self.places[told.part] = told.place
        self.actions += told.actions
        self.events += told.events
        self.findings += told.findings

    def report(self, *, is_complete: bool) -> dict[str, Any]:
        """Plain JSON values, for programs."""
        return {
            **self.question.as_dict(),
            "complete": is_complete,
            "actions": self.actions,
            "events": self.events,
            "findings": [finding.as_dict() for finding in self.findings],
            "result": self._projection.result(),
        }

    def put_down(self) -> dict[str, Any]:
        """Plain JSON values, which `taken_up` reads."""
        return {"places": cursor_of(self.places), **self.report(is_complete=False)}


def taken_up(document: Mapping[str, Any]) -> Account:
    """Raises Refused for what no replay has put down."""
    try:
        account = Account(question_in({name: document[name] for name in ("projection", "since", "until", "action_id")}))
        account.places.update(places_in(document["places"]))
        account.actions, account.events = int(document["actions"]), int(document["events"])
        account.findings += [Finding(**finding) for finding in document["findings"]]
        account._projection.add(document["result"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"this is nothing that a replay has put down ({type(error).__name__})", code="bad_place"
        ) from None
    return account


def cursor_of(places: Places) -> dict[str, Any]:
    """Plain JSON values: where each part goes on."""
    return {str(part): {"after": place.after, "is_over": place.is_over} for part, place in places.items()}


def places_in(document: Mapping[str, Any]) -> dict[int, Place]:
    """Raises Refused for what `cursor_of` has not made."""
    try:
        return {int(part): Place(_text(place["after"]), bool(place["is_over"])) for part, place in document.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused("this is no cursor of a replay", code="bad_place") from None


def _text(after: object) -> str | None:
    if after is not None and not isinstance(after, str):
        raise TypeError("a cursor is text")
    return after


# -- telling ----------------------------------------------------------------------------------------------------------


def slices(journal: Journal, made: Made, span: Span, places: Places, most: int = SLICE) -> Iterator[Slice]:
    """One after another, from those places on. Each is told to a projection of its own."""
    for part in _parts(journal, places, is_whole=True):
        place = places.get(part, BEGINNING)
        while not place.is_over:
            told = tell(journal, made(), span, part, place, most)
            place = told.place
            yield told


def _parts(journal: Journal, places: Places, *, is_whole: bool) -> Sequence[int]:
    """The ledger as a whole, or its parts. What was begun in one way goes on in it."""
    return (WHOLE,) if (WHOLE in places if places else is_whole) else range(journal.parts)


def slice_of_one(journal: Journal, made: Made, action_id: str) -> Slice:
    """One action's life, as all that there is."""
    return told_of(only(journal, action_id), made(), 0, BEGINNING, 2)


def slices_beside_each_other(
    settings: Settings, journal: Journal, made: Made, span: Span, places: Places, *, workers: int, archive: bool = False
) -> Iterator[Slice]:
    """The same, in so many processes, in no order. Each part is read by one of them at a time.

    With `archive` they read what was pruned, too.
    """
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    left = {part: places.get(part, BEGINNING) for part in _parts(journal, places, is_whole=False)}
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (settings, made, span, archive))
    try:
        at_work: set[Future[Slice]] = {
            pool.submit(_tell_next, part, place) for part, place in left.items() if not place.is_over
        }
        while at_work:
            done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
            for told in (future.result() for future in done):
                if not told.place.is_over:
                    at_work.add(pool.submit(_tell_next, told.part, told.place))
                yield told
    finally:
        pool.shutdown(cancel_futures=True)


_telling: tuple[Journal, Made, Span] | None = None
"""What a process of the pool tells, and to whom."""
_opened = ExitStack()


def _prepare(settings: Settings, made: Made, span: Span, archive: bool) -> None:
    global _telling  # noqa: PLW0603 - a process of the pool is handed its tools once
    # The one that is asked to stop is the one that hands out the slices.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from agents.execution_agent.assembly import opened_journal, with_archive

    journal = _opened.enter_context(opened_journal(settings))
    _telling = (with_archive(journal, settings) if archive else journal, made, span)


def _tell_next(part: int, place: Place) -> Slice:
    assert _telling is not None
    journal, made, span = _telling
    return tell(journal, made(), span, part, place, SLICE)


@contextmanager
def stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Whether somebody wants to stop: what is asked between two slices, so that none is counted by half."""
    asked: list[int] = []
    before = {number: signal.signal(number, lambda told, _: asked.append(told)) for number in _TO_STOP}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_TO_STOP = (signal.SIGINT, signal.SIGTERM)
