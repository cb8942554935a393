"""What a probe says of a doubt: what is there, and no more than is certain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents.execution_agent.conformance.attempts import GRACE
from agents.execution_agent.conformance.case import End
from agents.execution_agent.conformance.report import Breach, Rule
from agents.execution_agent.conformance.stage import Death, Stage, events
from domain.base_action import Inquiry
from domain.outcome import CannotTell, Executed, Finding, NotExecuted
from domain.policy import PROBE_WAITS
from domain.ports import World
from domain.validators.parameters import read_parameters

AGES = tuple(
    timedelta(minutes=minutes) for minutes in (0, 1, 6, 14, 16, 21, 29, 31, 36, 59, 61, 156, 876, 1439, 1441, 2316)
)
"""How long after an attempt a probe may come: at once, around the hours that providers keep, and when ours do."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt that nobody knows the end of, and a new process that asks."""

    stage: Stage
    world: World
    request: dict[str, Any]
    action_id: str
    attempted: dict[str, Any]
    began: datetime

    def ask(self, timeout: float = 10.0) -> Finding:
        """What the probe finds now."""
        action = self.stage.case.action()
        parameters = read_parameters(action.parameters, self.request["parameters"])
        inquiry = Inquiry(
            self.action_id,
            f"{self.action_id}-r0",
            self.began,
            number=1,
            facts=self.attempted.get("facts", {}),
            timeout=timeout,
        )
        try:
            finding = action.probe(parameters, inquiry, self.world)
        except Exception as error:  # noqa: BLE001 - it is somebody else's code
            finding = CannotTell(f"the probe raised {type(error).__name__}")
        self.stage.traces.keep("a finding", repr(finding))
        return finding


def try_probe(stage: Stage) -> Iterator[Breach]:
    """An effect that is there, one that is not, and a provider that cannot be asked."""
    if not stage.case.action().can_probe(stage.world()):
        return
    asked = len(stage.case.sent())
    yield from _not_there(_doubt(stage, Death.BEFORE))
    there = _doubt(stage, Death.AFTER)
    yield from _there(there)
    for end in stage.case.reads():
        yield from _unreadable(there, end)
    if len(stage.case.sent()) > asked + 1:
        yield Breach(Rule.PROBES_HONESTLY, "a probe asked the provider to do something")
    yield from _settled_by_it(stage)


def _doubt(stage: Stage, death: Death) -> Doubt:
    request = stage.request(retry_policy="none")
    began = stage.case.clock.now()
    action_id = stage.dies(death, request)
    (attempted,) = events(stage.agent, action_id, "attempted")
    return Doubt(stage, stage.world(), request, action_id, attempted, began)


def _not_there(doubt: Doubt) -> Iterator[Breach]:
    """The process died before the effect; but a request could as well be on its way still."""
    for age in AGES:
        finding = _asked_at(doubt, age)
        if isinstance(finding, Executed):
            yield Breach(Rule.PROBES_HONESTLY, f"after {age}: there is no effect, and it finds one")
        if isinstance(finding, NotExecuted) and age < doubt.stage.case.absence_is_certain_after:
            yield Breach(Rule.PROBES_HONESTLY, f"after {age}: it says not executed, and the effect may still come")
        if isinstance(finding, NotExecuted) and not finding.evidence:
            yield Breach(Rule.PROBES_HONESTLY, f"after {age}: it says not executed, and shows no evidence")


def _there(doubt: Doubt) -> Iterator[Breach]:
    for age in AGES:
        finding = _asked_at(doubt, age)
        if isinstance(finding, NotExecuted):
            yield Breach(Rule.PROBES_HONESTLY, f"after {age}: there is an effect, and it says not executed")
        elif isinstance(finding, Executed) and not finding.evidence:
            yield Breach(Rule.PROBES_HONESTLY, f"after {age}: it finds the effect, and shows no evidence")
        elif isinstance(finding, CannotTell) and doubt.stage.case.can_be_asked and age == PROBE_WAITS[0]:
            yield Breach(
                Rule.PROBES_HONESTLY, f"after {age}: there is an effect, and it cannot tell: {finding.message}"
            )


def _asked_at(doubt: Doubt, age: timedelta) -> Finding:
    clock = doubt.stage.case.clock
    clock.pass_time(doubt.began + age - clock.now())
    return doubt.ask()


def _unreadable(doubt: Doubt, end: End) -> Iterator[Breach]:
    """The provider does not answer as it should: that is no sign of anything."""
    began = time.monotonic()
    with end.arranged():
        finding = doubt.ask(end.patience)
    if isinstance(finding, NotExecuted):
        yield Breach(Rule.PROBES_HONESTLY, f"{end.name}: there is an effect, and it says not executed")
    if time.monotonic() - began > end.patience + GRACE:
        yield Breach(Rule.KEEPS_ITS_TIME, f"{end.name}: the probe took {time.monotonic() - began:.1f} s")


def _settled_by_it(stage: Stage) -> Iterator[Breach]:
    """A worker asks, a minute after the process died."""
    if not stage.case.can_be_asked:
        return
    action_id = stage.dies(Death.AFTER, stage.request(retry_policy="none"))
    worker = stage.process()
    worker.advance(action_id)
    stage.case.clock.pass_time(PROBE_WAITS[0])
    status = worker.advance(action_id)["status"]
    if status != "succeeded":
        yield Breach(Rule.PROBES_HONESTLY, f"the provider was asked for an effect that is there, and it is {status}")
