"""Which stories a storm tells: every point, way and delivery class in turn, and wilder ones between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from random import Random

from domain.policy import Delivery
from tests.storm.model import points_ahead
from tests.storm.points import BEFORE_CONNECT, DELIVERED, Kill
from tests.storm.story import Behaviour, Story, Way

PLAIN_IN_A_ROW = 3
"""How many plain stories are told before a troubled one."""
MOST_KILLS = 3
"""Processes that die on one action."""


@dataclass(frozen=True)
class Repertoire:
    """The kinds of stories that are told on one engine."""

    name: str
    ways: tuple[Way, ...]
    deliveries: tuple[Delivery, ...] = tuple(Delivery)
    behaviours: tuple[Behaviour, ...] = tuple(Behaviour)


PLAIN = {
    "sqlite": Repertoire("sqlite", (Way.CALLER, Way.CALLER_AGAIN, Way.WORKER, Way.BELL)),
    # A worker takes whatever is due, and here it could not be told for whom it came.
    "dynamodb": Repertoire("dynamodb", (Way.CALLER, Way.CALLER_AGAIN, Way.BELL)),
}
UNDOS = {
    engine: Repertoire(
        f"{engine}-undo",
        (Way.UNDO, Way.UNDO_AGAIN),
        # What a webhook can promise, and what it can do.
        (Delivery.AT_LEAST_ONCE, Delivery.IDEMPOTENT_BY_KEY),
        tuple(word for word in Behaviour if word is not Behaviour.SILENCE),
    )
    for engine in PLAIN
}
_SUCCEEDED_AT = (Kill(BEFORE_CONNECT), Kill(DELIVERED))
"""Where the process died whose successor is to die as well."""


def stories(repertoire: Repertoire, engine: str, timeout: float, chance: Random) -> Iterator[Story]:
    """Without end; each ends with one kill or more."""
    plain = stories_of_the_matrix(repertoire, engine)
    chance.shuffle(plain)
    turns = cycle(plain)
    number = 0
    while True:
        for story in (*islice(turns, PLAIN_IN_A_ROW), _troubled(repertoire, engine, chance)):
            number += 1
            yield replace(story, key=f"{repertoire.name}-{number}", timeout=timeout)


def calm_story(key: str, timeout: float, chance: Random) -> Story:
    """One that nobody is killed in."""
    way = chance.choice((Way.CALLER, Way.BELL))
    script = (Behaviour.ANSWER,) if chance.random() < 0.5 else _script(tuple(Behaviour), chance)
    return Story(key, chance.choice(list(Delivery)), way, script, timeout=timeout)


def stories_of_the_matrix(repertoire: Repertoire, engine: str) -> list[Story]:
    """Every point that comes up at all, on every way, in every class: the matrix."""
    found: list[Story] = []
    for way in repertoire.ways:
        for delivery in repertoire.deliveries:
            whole = Story("", delivery, way)
            found += (whole.killed_at(kill) for kill in points_ahead(whole, engine))
            for first in _SUCCEEDED_AT:
                died = whole.killed_at(first)
                found += (
                    died.killed_at(kill) for kill in points_ahead(died, engine) if kill.point.startswith("lapse:")
                )
    return found


def _troubled(repertoire: Repertoire, engine: str, chance: Random) -> Story:
    """A receiver with a mind of its own, and death at any point, again and again."""
    script = _script(repertoire.behaviours, chance)
    story = Story("", chance.choice(repertoire.deliveries), chance.choice(repertoire.ways), script)
    for _ in range(chance.randint(1, MOST_KILLS)):
        ahead = points_ahead(story, engine)
        if ahead:
            story = story.killed_at(chance.choice(ahead))
    return story


def _script(words: Sequence[Behaviour], chance: Random) -> tuple[Behaviour, ...]:
    return tuple(chance.choices(words, k=chance.randint(1, 3)))
