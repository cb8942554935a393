"""Which stories a storm tells: every point, way and delivery class in turn, and wilder ones between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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

_WAYS = {
    "sqlite": (Way.CALLER, Way.CALLER_AGAIN, Way.WORKER, Way.BELL),
    # A worker takes whatever is due, and here it could not be told for whom it came.
    "dynamodb": (Way.CALLER, Way.CALLER_AGAIN, Way.BELL),
}
_SUCCEEDED_AT = (Kill(BEFORE_CONNECT), Kill(DELIVERED))
"""Where the process died whose successor is to die as well."""


def stories(engine: str, timeout: float, chance: Random) -> Iterator[Story]:
    """Without end; each ends with one kill or more."""
    plain = stories_of_the_matrix(engine)
    chance.shuffle(plain)
    turns = cycle(plain)
    number = 0
    while True:
        for story in (*islice(turns, PLAIN_IN_A_ROW), _troubled(engine, chance)):
            number += 1
            yield replace(story, key=f"{engine}-{number}", timeout=timeout)


def calm_story(key: str, timeout: float, chance: Random) -> Story:
    """One that nobody is killed in."""
    way = chance.choice((Way.CALLER, Way.BELL))
    script = (Behaviour.ANSWER,) if chance.random() < 0.5 else _script(chance)
    return Story(key, chance.choice(list(Delivery)), way, script, timeout=timeout)


def stories_of_the_matrix(engine: str) -> list[Story]:
    """Every point that comes up at all, on every way, in every class: the matrix."""
    found: list[Story] = []
    for way in _WAYS[engine]:
        for delivery in Delivery:
            whole = Story("", delivery, way)
            found += (whole.killed_at(kill) for kill in points_ahead(whole, engine))
            for first in _SUCCEEDED_AT:
                died = whole.killed_at(first)
                found += (
                    died.killed_at(kill) for kill in points_ahead(died, engine) if kill.point.startswith("lapse:")
                )
    return found


def _troubled(engine: str, chance: Random) -> Story:
    """A receiver with a mind of its own, and death at any point, again and again."""
    story = Story("", chance.choice(list(Delivery)), chance.choice(_WAYS[engine]), _script(chance))
    for _ in range(chance.randint(1, MOST_KILLS)):
        ahead = points_ahead(story, engine)
        if ahead:
            story = story.killed_at(chance.choice(ahead))
    return story


def _script(chance: Random) -> tuple[Behaviour, ...]:
    return tuple(chance.choices(list(Behaviour), k=chance.randint(1, 3)))
