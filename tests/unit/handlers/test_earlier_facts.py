"""What an attempt that may have taken effect has found is told to the next one, and to nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from domain.base_action import Intent, Prepared
from domain.outcome import Outcome, Retry, Unknown
from domain.ports import World
from tests.fakes import GreetOnce, GreetParameters, ScriptedProvider, fake_world
from tests.house import agent_with, greet

UNKNOWN = Unknown("timed_out", "no answer")
NOT_SENT = Retry("connection_refused", "nobody listens")


class GreetWithFacts(GreetOnce):
    """Counts what it prepares, and keeps what it is told of earlier attempts."""

    action_type = "greet_with_facts"

    def prepare(self, parameters: GreetParameters, intent: Intent, world: World) -> Prepared[GreetParameters]:
        told: list[Mapping[str, Any]] = world.extras["told"]
        told.append(dict(intent.earlier))
        return Prepared(parameters, facts={"prepared": len(told)})


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((), [{}]),
        ((NOT_SENT,), [{}, {}]),
        ((UNKNOWN,), [{}, {"prepared": 1}]),
        ((UNKNOWN, NOT_SENT), [{}, {"prepared": 1}, {"prepared": 2}]),
        ((NOT_SENT, UNKNOWN), [{}, {}, {"prepared": 2}]),
    ],
)
def test_only_an_attempt_in_doubt_leaves_its_facts_to_the_next(
    answers: tuple[Outcome, ...], told: list[Mapping[str, Any]]
) -> None:
    world = fake_world(extras={"provider": ScriptedProvider(*answers), "told": []})
    agent = agent_with(world=world, actions=[GreetWithFacts])
    assert agent.process(greet("greet_with_facts"))["status"] == "succeeded"
    assert world.extras["told"] == told
