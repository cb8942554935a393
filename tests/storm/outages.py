"""A store that cannot be used one time in five: an append fails before anything is written, or after all of it was.

To an action that is the same as a death at that point, so the model tells exactly what must come of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from eventsourcing.persistence import OperationalError, StoredEvent

from domain.errors import LedgerUnavailable
from domain.policy import Delivery
from tests.storm.audit import Told, gather
from tests.storm.errands import begin, do_what_is_due, tell_answer
from tests.storm.places import Place
from tests.storm.points import Kill
from tests.storm.processes import Tell, Work, run_alone
from tests.storm.stage import Stage
from tests.storm.story import Behaviour, Story, Way
from tests.storm.watch import Around, append_of

SHARE = 0.2
"""Of all appends; half of them fail after they were carried out."""
ROUNDS = 6
"""Processes that work on the ledger one after the other, before the store is well again."""
_WAYS = [way for way in Way if not way.is_undo]
"""Who looks after an undo comes a minute later: no time for that here."""


def tell(stage: Stage, actions: int) -> None:
    """`actions` on one ledger, in a bad time."""
    place = stage.new_file()
    stories = {story.action_id: story for story in (_story(number, stage.chance) for number in range(actions))}
    told: defaultdict[str, Told] = defaultdict(Told)
    for number in range(ROUNDS + 1):
        beginning = list(stories.values()) if number == 0 else []
        again = [s for s in stories.values() if s.way is Way.CALLER_AGAIN and s.kills and not told[s.key].answers]
        share = SHARE if number < ROUNDS else 0.0
        said = run_alone(_process(place, share, stage.chance.random(), beginning, again), "a process in a bad time")
        gather(said, told)
        for fault in (what["fault"] for what in said if "fault" in what):
            stage.findings.outages += 1
            stories[fault["action_id"]] = stories[fault["action_id"]].killed_at(Kill(fault["point"], fault["no"]))
    stage.audit(place, list(stories.values()), told)
    stage.check(stories.values(), told, place.engine)
    place.discard()


def _story(number: int, chance: Random) -> Story:
    script = (Behaviour.ANSWER,) if chance.random() < 0.5 else (chance.choice(list(Behaviour)), Behaviour.ANSWER)
    return Story(f"outage-{number}", chance.choice(list(Delivery)), chance.choice(_WAYS), script)


def _process(place: Place, share: float, seed: float, beginning: Sequence[Story], again: Sequence[Story]) -> Work:
    def work(tell: Tell) -> None:
        agent = place.open(_sometimes_unavailable(share, Random(seed), tell))
        for story in again:
            with suppress(LedgerUnavailable):
                tell_answer(tell, story, agent.process(story.request(accept=False), wait=0.0))
        for story in beginning:
            with suppress(LedgerUnavailable):
                begin(agent, story, tell)
        do_what_is_due(agent)

    return work


def _sometimes_unavailable(share: float, chance: Random, tell: Tell) -> Around:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def may_fail(point: str, action_id: str) -> None:
        counts[action_id][point] += 1
        if chance.random() < share / 2:
            tell({"fault": {"action_id": action_id, "point": point, "no": counts[action_id][point]}})
            counts[action_id].clear()
            raise OperationalError(f"the store cannot be used: {point}")

    def around(events: Sequence[StoredEvent], append: Callable[[], None]) -> None:
        kind, action_id = append_of(events), str(events[0].originator_id)
        may_fail(f"{kind}:before", action_id)
        append()
        may_fail(f"{kind}:after", action_id)

    return around
