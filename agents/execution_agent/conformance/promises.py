"""What is promised of an effect that is attempted again: one key, and no more effects than the class allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from agents.execution_agent.conformance.case import Case, End, Means, Sent
from agents.execution_agent.conformance.report import Breach, Rule
from agents.execution_agent.conformance.stage import PERSON, Death, Stage, events
from domain.policy import Delivery

BETWEEN_LOOKS = timedelta(seconds=5)
"""Longer than the wait for a next attempt, and with all looks together shorter than that for a first probe."""
LOOKS = 4


def try_promises(stage: Stage) -> Iterator[Breach]:
    """Deaths, redrives and other routes, each on actions of their own."""
    yield from _dies(stage, Death.AFTER)
    yield from _dies(stage, Death.BEFORE)
    yield from _others(stage)
    never = _end(stage.case, Means.PERMANENT)
    if never is not None:
        yield from _redriven(stage, never)
        yield from _other_route(stage, never)


class _Seen:
    """What the provider sees from here on."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._effects, self._sent = len(case.effects()), len(case.sent())

    @property
    def effects(self) -> int:
        return len(self._case.effects()) - self._effects

    @property
    def sent(self) -> Sequence[Sent]:
        return self._case.sent()[self._sent :]


# -- after a death ----------------------------------------------------------------------------------------------------


def _dies(stage: Stage, death: Death) -> Iterator[Breach]:
    """The process of an attempt dies, and another one goes on with what it left."""
    seen = _Seen(stage.case)
    action_id = stage.dies(death, stage.request(retry_policy="fixed"))
    status = _carried_on(stage, action_id)
    attempts = events(stage.agent, action_id, "attempted")
    if not attempts:
        yield Breach(Rule.KEEPS_ITS_PROMISE, f"a process was to die {death}, and attempted nothing: it is {status}")
        return
    delivery = Delivery(attempts[0]["delivery"])
    told = f"a process died {death}; {delivery.value.replace('_', ' ')}"
    yield from _same_key(told, seen.sent)
    if not _is_as_promised(stage.case, delivery, death, status, len(attempts)):
        yield Breach(Rule.KEEPS_ITS_PROMISE, f"{told}, and after {len(attempts)} attempts it is {status}")
    if seen.effects not in _allowed(delivery, death):
        yield Breach(Rule.KEEPS_ITS_PROMISE, f"{told}, and it has {seen.effects} effects")


def _is_as_promised(case: Case, delivery: Delivery, death: Death, status: str, attempts: int) -> bool:
    if delivery is Delivery.AT_MOST_ONCE:
        return status == "in_doubt" and attempts == 1
    return status == ("succeeded" if case.says_yes_again or death is Death.BEFORE else "in_doubt")


def _allowed(delivery: Delivery, death: Death) -> Sequence[int]:
    """How many effects there may be in the end."""
    if delivery is Delivery.AT_MOST_ONCE:
        return (1,) if death is Death.AFTER else (0,)
    return (1, 2) if delivery is Delivery.AT_LEAST_ONCE and death is Death.AFTER else (1,)


def _carried_on(stage: Stage, action_id: str) -> str:
    """Where it stands when a new process has done what is due."""
    successor = stage.process()
    for _ in range(LOOKS):
        successor.advance(action_id)
        stage.case.clock.pass_time(BETWEEN_LOOKS)
    return str(successor.status(action_id)["status"])


# -- one effect, one key ----------------------------------------------------------------------------------------------


def _same_key(told: str, sent: Sequence[Sent]) -> Iterator[Breach]:
    if len({one.key for one in sent}) > 1:
        yield Breach(Rule.KEEPS_ITS_KEY, f"{told}: its attempts bear different keys")


def _other_key(told: str, one: Sequence[Sent], other: Sequence[Sent]) -> Iterator[Breach]:
    if {sent.key for sent in one if sent.key} & {sent.key for sent in other}:
        yield Breach(Rule.KEEPS_ITS_KEY, f"{told} bear the same key")


def _others(stage: Stage) -> Iterator[Breach]:
    """The same is asked for twice, each time as an action of its own."""
    first = _Seen(stage.case)
    stage.agent.process(stage.request())
    sent = tuple(first.sent)
    second = _Seen(stage.case)
    stage.agent.process(stage.request())
    yield from _other_key("two actions", sent, second.sent)


def _redriven(stage: Stage, never: End) -> Iterator[Breach]:
    """Refused for now, refused for good, and redriven: each attempt by a process of its own."""
    not_now = _end(stage.case, Means.RETRY)
    seen = _Seen(stage.case)
    action_id = _accepted(stage, stage.request(retry_policy="fixed", mode="accept"))
    for end in filter(None, (not_now, never)):
        with end.arranged():
            stage.process().advance(action_id)
        stage.case.clock.pass_time(BETWEEN_LOOKS)
    stage.process().redrive(action_id, **PERSON)
    status = _carried_on(stage, action_id)
    yield from _same_key("refused, and redriven", seen.sent)
    if (status, seen.effects) != ("succeeded", 1):
        told = f"refused, and redriven once that was mended: it is {status}, and has {seen.effects} effects"
        yield Breach(Rule.KEEPS_ITS_PROMISE, told)


def _other_route(stage: Stage, never: End) -> Iterator[Breach]:
    """Both routes are refused for good: each is an effect of its own."""
    fallback = {"action_type": stage.case.action.action_type, "parameters": dict(stage.case.parameters())}
    action_id = _accepted(stage, stage.request(mode="accept", fallback=[fallback]))
    seen = _Seen(stage.case)
    with never.arranged():
        stage.process().advance(action_id)
    routes = events(stage.agent, action_id, "attempted")
    if len(routes) == 2 and len(seen.sent) == 2:
        yield from _other_key("two routes of an action", seen.sent[:1], seen.sent[1:])


def _accepted(stage: Stage, request: dict[str, Any]) -> str:
    return str(stage.agent.process(request)["action_id"])


def _end(case: Case, means: Means) -> End | None:
    """One in which the provider has the request, and refuses it."""
    return next((end for end in case.ends() if end.means is means and end.reaches), None)
