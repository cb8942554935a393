"""Others are told what became of an action: at least once, each time under the same event id."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from domain.ledger import ActionLedger
from domain.outcome import Failure, Permanent
from domain.ports import Announcer, Case, News, World
from handlers.execute import Deadline
from handlers.set_aside import Kept, SetAside
from projections.news import news_as_of, news_of

if TYPE_CHECKING:
    from domain.action import Action
    from domain.workflow import WorkflowRun

log = logging.getLogger("execution_agent.announce")


LEAST_TIME = 0.5
"""Seconds. With less than this left, nobody is told: they are later."""
PAUSE = 60.0
"""Seconds after which news that somebody has not taken are told again."""


class Untold(Exception):
    """Somebody has not taken the news, and may take them later."""


class Announce:
    """Tells every announcer that there is, and the log."""

    def __init__(self, ledger: ActionLedger, set_aside: SetAside, world: World) -> None:
        self._ledger = ledger
        self._set_aside = set_aside
        self._world = world

    def news(self, action: Action | WorkflowRun, versions: Collection[int], *, newest: int | None) -> list[News]:
        """What these events brought, as of each of them. `newest` is the version of the last event of a commit.

        Raises LedgerUnavailable: unless the action stands where that commit left it, its whole life has to be read.
        """
        if set(versions) == {action.version} == {newest}:
            return [news_of(action)]
        life = self._ledger.events_of(action.id) if versions else []
        return [news for version in sorted(set(versions)) if (news := news_as_of(life, version)) is not None]

    def later(self, news: Sequence[News]) -> bool:
        """Has the news of one action told again after a pause, by a message. False where nobody takes that on."""
        if self._world.doorbells is None or not news:
            return False
        action_id, versions = news[0].action_id, [piece.version for piece in news]
        failure = self._world.doorbells.ring_later(action_id, after=PAUSE, announce=versions)
        if failure is not None:
            log.warning("%s: nobody takes on to tell it later: %s", action_id, failure.message)
        return failure is None

    def __call__(self, news: Sequence[News], deadline: Deadline, *, is_message: bool) -> int:
        """How many were set aside, because somebody will never take them. `is_message` as in `domain.ports.Case`.

        Raises Untold when somebody may take them later: then all who hear of it are told again.
        """
        for piece in news:
            _log(piece)
        failures = list(self._failures(news, deadline))
        later = [failure for _, failure in failures if not isinstance(failure, Permanent)]
        if later:
            raise Untold(later[0].message)
        kept = [self._set_aside(_case(piece, failure, is_message)) for piece, failure in failures]
        if Kept.NOT_AT_ALL in kept:
            raise Untold("what nobody takes cannot be set aside either")
        return kept.count(Kept.NOW)

    def _failures(self, news: Sequence[News], deadline: Deadline) -> Iterator[tuple[News, Failure]]:
        if not news:
            return
        for announcer in self._world.announcers:
            if deadline.remaining < LEAST_TIME:
                raise Untold("there was no time left to tell others")
            refused = _announced(announcer, news, deadline.remaining)
            yield from ((piece, refused[piece.event_id]) for piece in news if piece.event_id in refused)


def _announced(announcer: Announcer, news: Sequence[News], timeout: float) -> Mapping[str, Failure]:
    try:
        return announcer.announce(news, timeout=timeout)
    except Exception as error:
        # A mistake in there is no reason not to look at actions any more.
        log.exception("an announcer fails")
        broken = Permanent("announcer_broken", f"the announcer fails: {type(error).__name__}")
        return dict.fromkeys([piece.event_id for piece in news], broken)


def _case(news: News, failure: Failure, is_message: bool) -> Case:
    problem = f"{news.title} was not taken: {failure.message}"
    return Case(news.action_id, news.event_id, problem, (news.version,), is_message)


def _log(news: News) -> None:
    code = (news.response["error"] or {}).get("code", "")
    told = {"action_id": news.action_id, "event_id": news.event_id, "status": news.response["status"], "code": code}
    log.info("%s: %s %s", news.event_id, news.title, code, extra=told)
