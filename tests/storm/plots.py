"""What is meant to happen to one workflow run: its steps, how their receivers behave, and who is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from random import Random
from typing import Any

from domain.identity import compensating_action_id, keyed_run_id, step_action_id
from domain.policy import Delivery
from tests.storm.story import Behaviour, webhook_parameters
from tests.storm.webhooks import FOR_GOOD

MOST_STEPS = 8
_AGAIN, _BY_KEY = str(Delivery.AT_LEAST_ONCE), str(Delivery.IDEMPOTENT_BY_KEY)
_AT_MOST_ONCE = "storm_at_most_once"
_DOES: Mapping[str, Delivery] = {
    _AGAIN: Delivery.AT_LEAST_ONCE,
    _BY_KEY: Delivery.IDEMPOTENT_BY_KEY,
    FOR_GOOD: Delivery.AT_LEAST_ONCE,
    _AT_MOST_ONCE: Delivery.AT_MOST_ONCE,
}
"""What a step may do: call one of the storm's webhooks, or something that is never repeated on a guess."""
_ANSWERS = (Behaviour.ANSWER,)
_TROUBLES = tuple(word for word in Behaviour if word is not Behaviour.SILENCE)


@dataclass(frozen=True, slots=True)
class Plot:
    """`document` is the workflow's definition. What it did is taken back by a person where `is_undone`."""

    key: str
    document: Mapping[str, Any]
    is_undone: bool
    asks_again: bool
    """Whoever started it does so once more when a process has died."""
    has_worker: bool
    """Whether a worker goes on with it, or a doorbell rings for each part."""
    has_checkpoints: bool

    @property
    def run_id(self) -> str:
        return keyed_run_id(self.key)

    @property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        return {step["id"]: step for step in self.document["steps"]}

    def action_of(self, step: str) -> str:
        return step_action_id(self.run_id, step)

    def undo_of(self, step: str) -> str:
        return compensating_action_id(self.action_of(step))

    def delivery_of(self, step: str) -> Delivery:
        """That of its action, and of what takes it back."""
        told = self.steps[step]
        return _DOES[told["with"].get("webhook", told["uses"])]

    @property
    def cast(self) -> Mapping[str, str]:
        """By the id of whoever has a part in it, what that is: the run, a step or an undo."""
        actions = {self.action_of(step): "step" for step in self.steps}
        undos = {self.undo_of(step): "undo" for step in self.steps}
        return {self.run_id: "run", **actions, **undos}

    def called(self, key: str) -> Plot:
        return replace(self, key=key)

    def __str__(self) -> str:
        told = (f"{name} after {one['needs']} {one['on_failure']} {one['with']}" for name, one in self.steps.items())
        return "\n  ".join([f"{self.key}{', taken back' if self.is_undone else ''}:", *told])


def plots(timeout: float, chance: Random) -> Iterator[Plot]:
    """Without end: what goes well and is taken back, what fails at the end and is taken back, and anything at all."""
    for kind in cycle((_Kind(troubled=0.0), _Kind(troubled=0.0, fails_at_last=True), _Kind(troubled=0.35))):
        yield Plot(
            key="",
            document={"name": "storm", "steps": _steps(kind, timeout, chance)},
            is_undone=not kind.fails_at_last and chance.random() < 0.6,
            asks_again=chance.random() < 0.5,
            has_worker=chance.random() < 0.5,
            has_checkpoints=chance.random() < 0.2,
        )


@dataclass(frozen=True, slots=True)
class _Kind:
    """`troubled`: the share of calls whose receiver has a mind of its own."""

    troubled: float
    fails_at_last: bool = False


def _steps(kind: _Kind, timeout: float, chance: Random) -> list[dict[str, Any]]:
    names = [f"s{place}" for place in range(chance.randint(1, MOST_STEPS))]
    steps = [_step(names[:place], kind, timeout, chance) for place in range(len(names))]
    if kind.fails_at_last:
        needs = sorted(chance.sample(names[:-1], chance.randint(0, len(names) - 1)))
        parameters = webhook_parameters(_BY_KEY, (Behaviour.DENY,))
        steps[-1] |= {"needs": needs, "on_failure": "rollback", "uses": "call_webhook", "with": parameters}
    return steps


def _step(earlier: Sequence[str], kind: _Kind, timeout: float, chance: Random) -> dict[str, Any]:
    does = chance.choices((_AGAIN, _BY_KEY, FOR_GOOD, _AT_MOST_ONCE), weights=(4, 4, 1, 1))[0]
    script, undone_by = _script(kind, chance), _script(kind, chance)
    if does == _AT_MOST_ONCE:
        uses, parameters = does, {"script": [*map(str, script)], "timeout": timeout}
    else:
        uses, parameters = "call_webhook", webhook_parameters(does, script, undone_by)
    return {
        "id": f"s{len(earlier)}",
        "needs": sorted(chance.sample(earlier, min(len(earlier), chance.choice((0, 1, 1, 2))))),
        "on_failure": chance.choice(("stop", "continue", "rollback", "rollback")),
        "uses": uses,
        "with": parameters,
        "options": {"max_retries": chance.randint(0, 2)},
    }


def _script(kind: _Kind, chance: Random) -> tuple[Behaviour, ...]:
    return tuple(chance.choices(_TROUBLES, k=chance.randint(1, 3))) if chance.random() < kind.troubled else _ANSWERS
