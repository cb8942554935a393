"""What is meant to happen to one action: who brings it, how its receiver behaves, and where its processes die."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from domain import identity
from domain.policy import Delivery
from tests.storm.points import Kill

RETRIES = 3
"""How often an action of the storm is attempted again."""


T = TypeVar("T")


class Behaviour(StrEnum):
    """What the receiver does with a request."""

    ANSWER = "answer"
    CUT = "cut"
    """It takes effect, and the connection ends within the answer."""
    SILENCE = "silence"
    """It takes effect, and there is never an answer."""
    DROP = "drop"
    """It hangs up, and nothing took effect: which nobody can tell from the outside."""
    REFUSE = "refuse"
    """It says "not now": certainly nothing took effect."""
    DENY = "deny"
    """It says "never"."""


TAKES_EFFECT = frozenset({Behaviour.ANSWER, Behaviour.CUT, Behaviour.SILENCE})


class Way(StrEnum):
    """Who carries the action out first."""

    CALLER = "caller"
    CALLER_AGAIN = "caller who asks again"
    WORKER = "worker"
    BELL = "doorbell"
    ACCEPTED = "worker, later"
    """Its first process accepts it, and does nothing more."""
    UNDO = "undo"
    """It takes back another action, which a webhook has carried out."""
    UNDO_AGAIN = "undo, asked for again"

    @property
    def accepts_first(self) -> bool:
        """The action is accepted on its own, and carried out by somebody who comes later."""
        return self in (Way.WORKER, Way.BELL, Way.ACCEPTED)

    @property
    def is_undo(self) -> bool:
        return self in (Way.UNDO, Way.UNDO_AGAIN)

    @property
    def asks_again(self) -> bool:
        """Whoever wanted it asks once more when a process has died."""
        return self in (Way.CALLER_AGAIN, Way.UNDO_AGAIN)


def word_for(attempt: int, script: Sequence[T]) -> T:
    """What a script says of this attempt; its last word holds for all that follow."""
    return script[min(attempt, len(script)) - 1]


def webhook_parameters(
    webhook: str,
    script: Sequence[Behaviour] = (Behaviour.ANSWER,),
    undone_by: Sequence[Behaviour] = (Behaviour.ANSWER,),
) -> dict[str, Any]:
    """Of a call whose receiver behaves as `script` says, and when it is taken back, as `undone_by` does."""
    return {"webhook": str(webhook), "payload": {"calls": [*map(str, script)], "undos": [*map(str, undone_by)]}}


@dataclass(frozen=True, slots=True)
class Story:
    """`script` says how the receiver behaves on each attempt; its last word holds for all that follow.

    `kills`: the first process that works on the action dies at the first of them, its successor at the second, ...
    The story of an undo is that of the compensation; what it takes back has succeeded, and nobody died of that.
    """

    key: str
    delivery: Delivery
    way: Way
    script: tuple[Behaviour, ...] = (Behaviour.ANSWER,)
    kills: tuple[Kill, ...] = field(default=())
    timeout: float = 30.0
    """Seconds that an attempt may take. An order of magnitude more than any does: only silence is waited for."""

    @property
    def asked_id(self) -> str:
        """The action that the request is for."""
        return identity.keyed_action_id(self.key)

    @property
    def action_id(self) -> str:
        """The action that the story is about."""
        return identity.compensating_action_id(self.asked_id) if self.way.is_undo else self.asked_id

    @property
    def action_ids(self) -> tuple[str, ...]:
        """What the ledger has of it, in the order in which it came there."""
        return tuple(dict.fromkeys((self.asked_id, self.action_id)))

    @property
    def effect_key(self) -> str:
        return identity.effect_key(self.action_id)

    @property
    def is_plain(self) -> bool:
        """Nothing troubles it but one death, or that of a successor who was to write down the first."""
        one = len(self.kills) == 1
        of_a_successor = len(self.kills) == 2 and self.kills[1].point.startswith("lapse:")
        return self.script == (Behaviour.ANSWER,) and (one or of_a_successor)

    def behaviour_on(self, attempt: int) -> Behaviour:
        return word_for(attempt, self.script)

    def killed_at(self, *kills: Kill) -> Story:
        return replace(self, kills=(*self.kills, *kills))

    def request(self, *, accept: bool) -> dict[str, Any]:
        """The same request each time, but for `mode`, which only a first process chooses."""
        if self.way.is_undo:
            parameters = webhook_parameters(self.delivery, undone_by=self.script)
            return {"action_type": "call_webhook", "parameters": parameters, "idempotency_key": self.key}
        return {
            "action_type": f"storm_{self.delivery}",
            "parameters": {"script": [str(word) for word in self.script], "timeout": self.timeout},
            "options": {"max_retries": RETRIES, "mode": "accept" if accept else "wait"},
            "idempotency_key": self.key,
        }

    def __str__(self) -> str:
        died = ", then at ".join(str(kill) for kill in self.kills)
        return f"{self.delivery} by a {self.way}, receiver: {', '.join(self.script)}" + (
            f"; a process died at {died}" if died else ""
        )
