"""A batch of knocks, answered: each action is rung for once, others are told what there is to tell, and whoever
delivered the batch hears which of its records have to come again.

    the ledger or another service cannot be used now, or there is no time left   the record comes again
    the record or its action cannot be read, or breaks whoever works on it       quarantine, once
    others do not take the news now                                              a message tells them later
    others will never take the news                                              quarantine, once
    the quarantine, or the queue of those messages, cannot be reached either     the record comes again

A stream delivers again all that follows its first failure, so a receiver that is down must not be one. A message of the
queue comes again by itself: one whose news are not taken fails, and one that is set aside is set aside each time.

Records may come twice, late and out of order: an action is read before anything is decided.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeAlias

from domain.errors import LedgerError
from domain.knock import Knock
from domain.ports import Case, News
from handlers.announce import Announce, Untold
from handlers.doorbell import Rung
from handlers.execute import Deadline
from handlers.visit import Aside, Visit, Visited

log = logging.getLogger("execution_agent.doorbell")

THREADS = 8
"""Actions that are looked at beside each other."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """`failed` names the records that have to come again, in the order of the batch.

    `ended` counts, by status, the ends, doubts and holds that the commits of this batch tell of. What comes again is
    counted then.
    """

    failed: tuple[str, ...]
    ended: Mapping[str, int]
    quarantined: int


class UnnamedFailure(Exception):
    """A record has to come again, and has no name to ask for it by: then the whole batch has to."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of the knocks for one action. `statuses` are by the version of the event that told them."""

    is_done: bool
    quarantined: int = 0
    statuses: Mapping[int, str] = field(default_factory=dict)


class Batch:
    """Answers batches, one after another or several at once."""

    def __init__(self, visit: Visit, announce: Announce, *, threads: int = THREADS) -> None:
        self._visit = visit
        self._announce = announce
        self._threads = threads

    def __call__(self, knocks: Sequence[Knock], deadline: Deadline) -> BatchReport:
        """Raises ConfigurationError, and UnnamedFailure."""
        # What cannot be understood stands by itself, under its number; what knocks for one action is one group.
        keys = [number if knock.problem else knock.action_id for number, knock in enumerate(knocks)]
        groups: dict[int | str | None, list[Knock]] = {}
        for key, knock in zip(keys, knocks, strict=True):
            groups.setdefault(key, []).append(knock)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="ring") as pool:
            found = list(pool.map(lambda group: self._answer(group, deadline), groups.values()))
        answers = dict(zip(groups, found, strict=True))
        return _report([(knock, answers[key]) for key, knock in zip(keys, knocks, strict=True)], found)

    def _answer(self, group: Sequence[Knock], deadline: Deadline) -> _Answer:
        visited = self._visited(group, deadline)
        if isinstance(visited, Aside):
            return _Answer(is_done=True, quarantined=int(visited.anew))
        if not isinstance(visited, Rung):
            return _Answer(is_done=False)
        try:
            news = self._announce.news(visited.action, _versions(group), newest=_newest(group))
        except LedgerError as error:
            log.warning("%s: others are not told yet: %s", visited.action.id, error)
            return _Answer(is_done=False)
        return self._tell(news, deadline, is_message=_is_message(group))

    def _tell(self, news: Sequence[News], deadline: Deadline, *, is_message: bool) -> _Answer:
        quarantined = 0
        try:
            quarantined = self._announce(news, deadline, is_message=is_message)
        except Untold as untold:
            log.warning("others are not told yet: %s", untold)
            if is_message or not self._announce.later(news):
                return _Answer(is_done=False)
        return _Answer(True, quarantined, {piece.version: piece.response["status"] for piece in news})

    def _visited(self, group: Sequence[Knock], deadline: Deadline) -> Visited:
        first = group[0]
        case = Case(first.action_id, first.event_id, first.problem or "", _versions(group), _is_message(group))
        if first.action_id is None or first.problem:
            return self._visit.put_aside(case)
        return self._visit(first.action_id, deadline, case, newest=_newest(group))


def _versions(group: Iterable[Knock]) -> tuple[int, ...]:
    return tuple(sorted({version for knock in group for version in knock.announce}))


def _is_message(group: Iterable[Knock]) -> bool:
    return any(knock.is_message for knock in group)


def _newest(group: Iterable[Knock]) -> int | None:
    return max((knock.newest for knock in group if knock.newest is not None), default=None)


_Answered: TypeAlias = tuple[Knock, _Answer]


def _report(answered: Sequence[_Answered], answers: Iterable[_Answer]) -> BatchReport:
    failed = [knock for knock, answer in answered if not answer.is_done]
    if any(knock.name is None for knock in failed):
        raise UnnamedFailure("a record that has no name has to come again, and so has its whole batch")
    return BatchReport(
        failed=tuple(dict.fromkeys(knock.name for knock in failed if knock.name is not None)),
        ended=_ended(answered),
        quarantined=sum(answer.quarantined for answer in answers),
    )


def _ended(answered: Iterable[_Answered]) -> Mapping[str, int]:
    """A stream delivers again all that follows its first failure, and it is counted when it does."""
    settled = takewhile(lambda pair: pair[1].is_done, answered)
    statuses = {
        (knock.action_id, version): answer.statuses[version]
        for knock, answer in settled
        if knock.newest is not None
        for version in knock.announce
        if version in answer.statuses
    }
    return Counter(statuses.values())
