"""How attempts end: each is classed as what it proves, sent once, and over in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.conformance.case import End, Means
from agents.execution_agent.conformance.report import Breach, Rule
from agents.execution_agent.conformance.stage import Stage, events

GRACE = 2.0
"""Seconds that an attempt may take longer than its deadline, on a busy machine."""

_CLASSES = {"permanent": Means.PERMANENT, "retry": Means.RETRY}


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one attempt: its class, None for no end at all, and the number of its effects.

    `asked` is how often it asked the provider, `refused` how often it was told that nothing was done.
    """

    means: Means | None
    effects: int
    asked: int
    refused: int
    seconds: float


def try_end(stage: Stage, end: End) -> Iterator[Breach]:
    """Brings the end about, and compares."""
    try:
        ended = _brought_about(stage, end)
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        yield Breach(Rule.ANSWERS, f"{end.name}: the agent raised {type(error).__name__}")
        return
    if ended.means is None:
        yield Breach(Rule.CLASSES, f"{end.name}: the attempt did not end")
    elif end.means not in (None, ended.means):
        yield Breach(Rule.CLASSES, f"{end.name}: it means {end.means}, and is classed as {ended.means}")
    elif ended.means in (Means.PERMANENT, Means.RETRY) and ended.effects:
        yield Breach(Rule.CLASSES, f"{end.name}: it is classed as {ended.means}, and took effect")
    elif ended.means is Means.SUCCEEDED and not ended.effects:
        yield Breach(Rule.CLASSES, f"{end.name}: it is classed as {ended.means}, and took no effect")
    if ended.asked - ended.refused > 1 or ended.asked > 2 or ended.effects > 1:
        yield Breach(Rule.SENDS_ONCE, f"{end.name}: one attempt asked {ended.asked} times, for {ended.effects} effects")
    if ended.seconds > end.patience + GRACE:
        yield Breach(Rule.KEEPS_ITS_TIME, f"{end.name}: {ended.seconds:.1f} s, and {end.patience:.1f} s were allowed")


def _brought_about(stage: Stage, end: End) -> Ended:
    request = stage.request(retry_policy="none")
    effects, before = len(stage.case.effects()), len(stage.case.sent())
    began = time.monotonic()
    with end.arranged():
        response = stage.agent.process(request, wait=end.patience)
        seconds = time.monotonic() - began
    sent = stage.case.sent()[before:]
    return Ended(
        _class_of(stage.agent, response["action_id"], response["status"]),
        len(stage.case.effects()) - effects,
        asked=len(sent),
        refused=sum(one.refused for one in sent),
        seconds=seconds,
    )


def _class_of(agent: ExecutionAgent, action_id: str, status: str) -> Means | None:
    if status == "succeeded":
        return Means.SUCCEEDED
    if status == "in_doubt":
        return Means.UNKNOWN
    if status == "rejected":
        return Means.PERMANENT
    failures = [failed["failure"] for failed in events(agent, action_id, "attempt_failed")]
    return _CLASSES.get(failures[-1]) if failures else None
