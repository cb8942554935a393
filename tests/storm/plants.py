"""Bugs on purpose: a storm that does not find them proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from eventsourcing.persistence import StoredEvent

from agents.execution_agent.agent import ExecutionAgent
from domain.action import Action, Order
from domain.base_action import Attempt
from domain.identity import new_action_id
from domain.outcome import Outcome, Retry
from domain.policy import Delivery
from domain.ports import Holders
from domain.workflow import WorkflowRun
from handlers.compensate import FIRST_LOOK, Compensate
from handlers.execute import Execute
from handlers.workflows.conduct import Conduct, Tell
from handlers.workflows.decide import Errand
from tests.storm.effect import SinkSender
from tests.storm.points import Append
from tests.storm.story import Behaviour
from tests.storm.watch import Around, append_of


class LapseIsCertain(Execute):
    """Takes the silence of a dead process for a promise that it did nothing."""

    def lapse(self, action: Action, *, certainly_dead: bool) -> Action:
        return self._conclude(action, action.epoch or 0, Retry("lease_lapsed", "it is gone, so it did nothing"))


class KeyOfTheAttempt(SinkSender):
    """Sends another effect key on every attempt."""

    def __call__(self, attempt: Attempt, delivery: Delivery, behaviour: Behaviour) -> Outcome:
        if attempt.number > 1:
            attempt = replace(attempt, effect_key=f"{attempt.effect_key}-{attempt.number}")
        return super().__call__(attempt, delivery, behaviour)


class DeafRun(Conduct):
    """Lets the actions of a run believe that it has heard how they ended."""

    def _told(
        self, run: WorkflowRun, actions: Mapping[str, Action], others: Sequence[Tell]
    ) -> tuple[WorkflowRun, list[Errand]]:
        for action in actions.values():
            self._reported(action)
        return super()._told(run, {}, others)


class UndoOfTheMoment(Compensate):
    """Makes the compensation under another id each time."""

    def _record_request(self, action: Action, order: Order) -> None:
        now = self._world.clock.now()
        compensation_id = new_action_id(now, self._world.chance.entropy(10))
        action.request_compensation(compensation_id, order, look_at=now + FIRST_LOOK, at=now)
        self._ledger.record(action)


@dataclass(frozen=True)
class EverybodyIsDead:
    """Takes every other process for a dead one."""

    holders: Holders

    def me(self) -> str | None:
        return self.holders.me()

    def is_dead(self, holder: str | None) -> bool:
        return True


def effect_before_intent() -> Around:
    """Writes the intent down together with what came of it."""
    held: dict[str, Callable[[], None]] = {}

    def around(events: Sequence[StoredEvent], append: Callable[[], None]) -> None:
        action_id = str(events[0].originator_id)
        if append_of(events) is Append.INTENT:
            held[action_id] = append
            return
        if action_id in held:
            held.pop(action_id)()
        append()

    return around


def own_commit_is_a_conflict() -> Around:
    """Loses the answer to every third append to a life, repeats it, and takes its own commit for another writer's."""
    count = 0

    def around(events: Sequence[StoredEvent], append: Callable[[], None]) -> None:
        nonlocal count
        append()
        count += events[0].originator_version > 1
        if count == 3:
            count = 0
            append()

    return around


def answered_before_commit() -> Around:
    """Answers at once, and writes when the next append comes along."""
    last: list[Callable[[], None]] = []

    def around(_: Sequence[StoredEvent], append: Callable[[], None]) -> None:
        while last:
            last.pop()()
        last.append(append)

    return around


@dataclass(frozen=True)
class Plant:
    """What takes the place of a sound part."""

    says: str
    around: Callable[[], Around] | None = None
    holders: Callable[[Holders], Holders] = lambda holders: holders
    sender: type[SinkSender] = SinkSender
    execute: type[Execute] = Execute
    compensate: type[Compensate] = Compensate
    conduct: type[Conduct] = Conduct

    def take_root(self, agent: ExecutionAgent) -> ExecutionAgent:
        """The agent, which now does its work the planted way."""
        agent._parts.advance._execute.__class__ = self.execute
        agent._parts.compensate.__class__ = self.compensate
        agent._parts.workflows().conduct.__class__ = self.conduct
        return agent


SOUND = Plant("nothing is planted")

PLANTS: Mapping[str, Plant] = {
    "effect-before-intent": Plant("the attempt is recorded after the send", around=effect_before_intent),
    "lapse-is-certain": Plant("a lapsed lease is taken for a certain failure", execute=LapseIsCertain),
    "own-commit-is-a-conflict": Plant("a lost answer is taken for another writer", around=own_commit_is_a_conflict),
    "answered-before-commit": Plant("an append returns before it is on disk", around=answered_before_commit),
    "everybody-is-dead": Plant("a living process is taken for a dead one", holders=EverybodyIsDead),
    "undo-of-the-moment": Plant("each undo has an id of its own", compensate=UndoOfTheMoment),
    "deaf-run": Plant("a run does not hear how its steps ended", conduct=DeafRun),
    "key-of-the-attempt": Plant("each attempt has an effect key of its own", sender=KeyOfTheAttempt),
}
