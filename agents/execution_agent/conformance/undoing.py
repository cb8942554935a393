"""Whether what was done can be taken back, by whoever has the ledger and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.conformance.report import Breach, Rule
from agents.execution_agent.conformance.stage import PERSON, Death, Stage, events
from domain.base_action import BaseAction, Compensation, Done
from domain.instant import from_text
from domain.policy import PROBE_WAITS

ELSEWHERE = Path(__file__).with_name("elsewhere.py")
PATIENCE = 60.0
"""Seconds, for another process to start and to tell the compensation."""


def try_undo(stage: Stage) -> Iterator[Breach]:
    """What was done is taken back; and what a probe has found to be done, where a probe finds it."""
    response = stage.agent.process(stage.request())
    if response["status"] != "succeeded":
        yield Breach(Rule.UNDOES, f"there is nothing to take back: the request is {response['status']}")
        return
    done = {"what was done": response["action_id"]}
    if stage.case.can_be_asked and stage.case.action().can_probe(stage.world()):
        done["what a probe has found"] = _found_by_a_probe(stage)
    yield from _taken_back(stage, done)


def _found_by_a_probe(stage: Stage) -> str:
    action_id = stage.dies(Death.AFTER, stage.request(retry_policy="none"))
    worker = stage.process()
    worker.advance(action_id)
    stage.case.clock.pass_time(PROBE_WAITS[0])
    worker.advance(action_id)
    return action_id


def _taken_back(stage: Stage, done: Mapping[str, str]) -> Iterator[Breach]:
    """`done` are the ids of actions, by what to call them."""
    seen = len(stage.case.sent())
    facts = [known for action_id in done.values() for known in done_of(stage.agent, action_id)]
    breaches = list(_made_of_facts(stage.case.action, facts))
    if len(stage.case.sent()) > seen:
        breaches.append(Breach(Rule.UNDOES, "its compensation asked the provider to do something"))
    yield from breaches
    if not breaches:
        for what, action_id in done.items():
            yield from _carried_out(stage, action_id, what)


def done_of(agent: ExecutionAgent, action_id: str) -> Iterator[Done]:
    """All that the ledger knows of an action that has succeeded by its own route; nothing of another one."""
    life = agent.history(action_id)
    requested = life[0]["data"]
    for succeeded in (event for event in life if event["type"] == "succeeded"):
        yield Done(
            action_id=action_id,
            effect_key=requested["effect_key"],
            parameters=requested["request"]["parameters"],
            result=succeeded["data"]["result"],
            reference=succeeded["data"].get("reference"),
            undo=succeeded["data"].get("undo"),
            at=from_text(succeeded["at"]),
        )


# -- made of stored facts ---------------------------------------------------------------------------------------------


def _made_of_facts(action: type[BaseAction[Any]], facts: Sequence[Done]) -> Iterator[Breach]:
    """Here twice, and in another process that has no configuration and no network: it is the same each time."""
    try:
        here, again = ([_told(action().compensation(done)) for done in facts] for _ in range(2))
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        yield Breach(Rule.UNDOES, f"its compensation raised {type(error).__name__}")
        return
    if here != again:
        yield Breach(Rule.UNDOES, "its compensation is another one each time")
        return
    there = _elsewhere(action, facts)
    if isinstance(there, str):
        yield Breach(Rule.UNDOES, f"its compensation cannot be made in another process: {there}")
    elif there != here:
        yield Breach(Rule.UNDOES, "its compensation is another one in another process: it is not made of stored facts")


def _told(compensation: Compensation | None) -> Any:
    return None if compensation is None else json.loads(json.dumps(asdict(compensation), default=dict))


def _elsewhere(action: type[BaseAction[Any]], facts: Sequence[Done]) -> list[Any] | str:
    """What another process says; a text where it could not."""
    told = [{**asdict(done), "at": done.at.isoformat()} for done in facts]
    document = {"module": action.__module__, "name": action.__qualname__, "done": told}
    paths = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    ended = subprocess.run(  # noqa: S603 - this very Python, and a file of ours
        [sys.executable, "-P", ELSEWHERE],
        input=json.dumps(document, default=dict),
        env=paths,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        return (ended.stderr.strip().splitlines() or ["it died"])[-1][:300]
    compensations: list[Any] = json.loads(ended.stdout)
    return compensations


# -- carried out ------------------------------------------------------------------------------------------------------


def _carried_out(stage: Stage, action_id: str, what: str) -> Iterator[Breach]:
    """By a process that has not done it."""
    before = len(stage.case.effects())
    other = stage.process()
    undone = _undone(other, action_id)
    error = undone["error"] or {}
    if error.get("code") == "irreversible":
        if not stage.case.action.correction:
            yield Breach(Rule.DECLARES, "it cannot be taken back, and no correction says what to do instead")
        return
    if undone["status"] != "compensated":
        yield Breach(Rule.UNDOES, f"{what} is to be taken back, and is {undone['status']}: {error.get('message')}")
    elif len(stage.case.effects()) != before - 1:
        yield Breach(Rule.UNDOES, f"{what} is taken back, and its effect is still there")
    elif not events(other, action_id, "compensated"):
        yield Breach(Rule.UNDOES, f"{what} is taken back, and its story does not say so")


def _undone(agent: ExecutionAgent, action_id: str) -> Mapping[str, Any]:
    """How it stands afterwards. What is held is approved by a person."""
    undone = agent.undo(action_id, **PERSON)
    if undone["status"] != "compensating":
        return undone
    compensation: str = undone["result"]["compensation"]
    if agent.status(compensation)["status"] != "held":
        return undone
    agent.undo(action_id, **PERSON, force=True)
    agent.advance(compensation)
    return agent.status(action_id)
