"""A later release has written a part of a life: commands are refused, what is known is told, the others go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from threading import Event
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given as for_all
from hypothesis import settings as rounds
from hypothesis import strategies as st

from agents.execution_agent.agent import ExecutionAgent
from domain.errors import CorruptEvent
from domain.outcome import Permanent, Unknown
from domain.workflow_events import Checkpointed
from domain.workflow_ledger import RunLedger
from handlers.unreadable import life_as_known
from tests.fakes import ScriptedProvider
from tests.house import agent_with, greet

ADA: dict[str, Any] = {"actor": "ada", "reason": "the customer asked"}
KEYED = greet(idempotency_key="ada-1")
AT = '"at":"2026-03-01T13:00:00.000000Z"'
NEWER = {
    "newer_schema": ("action.reported", f'{{{AT},"schema":2,"to":"act_2","how":"at once"}}'),
    "unknown_topic": ("action.postponed", f"{{{AT}}}"),
    "corrupt": ("action.reported", "{"),
}


def append(agent: ExecutionAgent, any_id: str, topic: str, state: str, *, due: bool = False) -> int:
    """What another release does. The version of its event."""
    recorder = agent._parts.ledger.recorder
    version = recorder.select_events(any_id)[-1].originator_version + 1
    recorder.insert_events([StoredEvent(any_id, version, topic, state.encode())])
    return version


def partly_known(problem: str = "newer_schema", *answers: Any) -> tuple[ExecutionAgent, str, ScriptedProvider]:
    """An agent with one action, of whose life it cannot read all."""
    provider = ScriptedProvider(*answers)
    agent = agent_with(provider)
    response = agent.process(KEYED)
    append(agent, response["action_id"], *NEWER[problem])
    return agent, response["action_id"], provider


@pytest.mark.parametrize("problem", NEWER)
def test_its_status_is_the_last_that_is_known_with_a_mark(problem: str) -> None:
    agent, action_id, _ = partly_known(problem)
    told = agent.status(action_id)
    assert (told["action_id"], told["status"], told["result"]) == (action_id, "succeeded", {"greeting": "Hello"})
    assert told["error"]["code"] == "unreadable"
    assert "version 5" in told["error"]["message"]
    assert [entry["type"] for entry in agent.history(action_id)][-2:] == ["succeeded", "unknown"]
    assert agent.history(action_id)[-1]["data"]["problem"] == problem


ACTS: dict[str, Callable[[ExecutionAgent, str], dict[str, Any]]] = {
    "cancel": lambda agent, action_id: agent.cancel(action_id, **ADA),
    "retry_now": lambda agent, action_id: agent.retry_now(action_id, **ADA),
    "redrive": lambda agent, action_id: agent.redrive(action_id, **ADA),
    "resolve": lambda agent, action_id: agent.resolve(action_id, executed=True, **ADA),
    "approve": lambda agent, action_id: agent.approve(action_id, **ADA),
    "deny": lambda agent, action_id: agent.deny(action_id, **ADA),
    "undo": lambda agent, action_id: agent.undo(action_id, **ADA),
    "undo by force": lambda agent, action_id: agent.undo(action_id, force=True, **ADA),
    "advance": lambda agent, action_id: agent.advance(action_id),
}


@pytest.mark.parametrize("problem", NEWER)
@pytest.mark.parametrize("act", ACTS)
def test_no_act_is_decided_on_it(act: str, problem: str) -> None:
    agent, action_id, provider = partly_known(problem, Permanent("http_404", "no such thing"))
    before = agent.history(action_id)
    told = ACTS[act](agent, action_id)
    assert (told["action_id"], told["status"], told["error"]["code"]) == (action_id, "failed", "unreadable")
    assert agent.history(action_id) == before
    assert len(provider.attempts) == 1


# -- lives that are not whole -----------------------------------------------------------------------------------------

Life = list[StoredEvent]


def at_version(event: StoredEvent, version: int, any_id: str) -> StoredEvent:
    """The same, as if it had happened then, to that one."""
    return StoredEvent(any_id, version, event.topic, event.state)


@cache
def strangers() -> tuple[Life, Life]:
    """The life of another action, and that of a run."""
    agent = agent_with(ScriptedProvider())
    action_id = agent.process(greet())["action_id"]
    run = agent.start_workflow_run(DEFINITION, idempotency_key="greetings-2", wait=1.0)
    lives = agent._parts.ledger.recorder
    return list(lives.select_events(action_id)), list(lives.select_events(run["run_id"]))


def swapped(life: Life, index: int, stranger: StoredEvent) -> Life:
    """The stranger's in the place of its own."""
    there = life[index]
    return [
        *life[:index],
        at_version(stranger, there.originator_version, str(there.originator_id)),
        *life[index + 1 :],
    ]


def further_on(life: Life) -> Life:
    """Its last event a thousand versions later."""
    return [*life, at_version(life[-1], life[-1].originator_version + 1000, str(life[-1].originator_id))]


BROKEN: dict[str, Callable[[Life], Life]] = {
    "missing first": lambda life: life[1:],
    "missing middle": lambda life: [*life[:1], *life[2:]],
    "repeated": lambda life: [*life[:2], life[1], *life[2:]],
    "a thousand versions on": further_on,
    "of another life": lambda life: swapped(life, 2, strangers()[0][0]),
    "of a run": lambda life: swapped(life, 2, strangers()[1][1]),
    "the beginning of a run": lambda life: swapped(life, 0, strangers()[1][0]),
    "nothing but that of a run": lambda life: swapped(life, 0, strangers()[1][0])[:1],
}


def become(agent: ExecutionAgent, any_id: str, life: Life) -> None:
    """What somebody does who writes to the store himself."""
    agent._parts.ledger.recorder._lives[any_id] = life


def life_in_store(agent: ExecutionAgent, any_id: str) -> Life:
    return list(agent._parts.ledger.recorder.select_events(any_id))


def in_doubt() -> tuple[ExecutionAgent, str, ScriptedProvider]:
    """An agent with one action, of which nobody knows what became of it."""
    provider = ScriptedProvider(Unknown("timed_out", "no answer"))
    agent = agent_with(provider)
    return agent, agent.process(KEYED)["action_id"], provider


ALL_ACTS: dict[str, Callable[[ExecutionAgent, str], dict[str, Any]]] = {
    **ACTS,
    "status": lambda agent, action_id: agent.status(action_id),
    "place a legal hold": lambda agent, action_id: agent.place_legal_hold(action_id, matter="case-7", **ADA),
    "lift a legal hold": lambda agent, action_id: agent.lift_legal_hold(action_id, matter="case-7", **ADA),
    "the same request": lambda agent, _: agent.process(KEYED),
    "the same request, refused today": lambda agent, _: agent.process({**KEYED, "parameters": {"name": "Ada", "x": 1}}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_no_act_is_decided_on_a_life_that_is_not_whole(how: str) -> None:
    agent, action_id, provider = in_doubt()
    become(agent, action_id, BROKEN[how](life_in_store(agent, action_id)))
    before = agent.history(action_id)
    told = {name: act(agent, action_id) for name, act in ALL_ACTS.items()}
    refused = told.pop("the same request, refused today")
    assert {name: answer["action_id"] for name, answer in told.items()} == dict.fromkeys(told, action_id)
    assert {name: answer["error"]["code"] for name, answer in told.items()} == dict.fromkeys(told, "unreadable")
    assert told["the same request"]["duplicate"]
    assert refused["error"]["code"] in ("idempotency_mismatch", "unreadable")
    assert agent.history(action_id) == before
    assert len(provider.attempts) == 1


@pytest.mark.parametrize(
    ("how", "status", "version"), [("missing first", "requested", 2), ("missing middle", "requested", 3)]
)
def test_of_a_life_that_is_not_whole_is_told_where_it_stood_before_the_gap(how: str, status: str, version: int) -> None:
    agent, action_id, _ = in_doubt()
    become(agent, action_id, BROKEN[how](life_in_store(agent, action_id)))
    told = agent.status(action_id)
    assert told["status"] == status
    assert f"version {version} " in told["error"]["message"]
    assert "does not follow what is before it" in told["error"]["message"]


@pytest.mark.parametrize("how", [how for how in BROKEN if how != "nothing but that of a run"])
def test_a_worker_sets_a_life_aside_that_is_not_whole(how: str) -> None:
    agent = agent_with()
    accepted = [agent.process(greet(options={"mode": "accept"}))["action_id"] for _ in range(2)]
    life = life_in_store(agent, accepted[0])
    become(agent, accepted[0], BROKEN[how]([*life, at_version(life[-1], 3, accepted[0])]))
    tally = agent.worker(threads=1).run(Event(), until_idle=True)
    assert list(tally.quarantined) == [accepted[0]]
    assert "does not follow" in tally.quarantined[accepted[0]]
    assert agent.status(accepted[1])["status"] == "succeeded"


@st.composite
def handlings(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """What somebody does to a life, one after another: what, where, and with what."""
    what = st.sampled_from(("take out", "repeat", "swap in", "renumber", "exchange"))
    return draw(st.lists(st.tuples(what, st.integers(0, 9), st.integers(0, 99)), min_size=1, max_size=3))


def handled(life: Life, what: str, where: int, which: int) -> Life:
    index, any_id = where % len(life), str(life[0].originator_id)
    one, others = life[index], [event for stranger in strangers() for event in stranger]
    match what:
        case "take out" if len(life) > 1:
            return [*life[:index], *life[index + 1 :]]
        case "repeat":
            return [*life[:index], one, *life[index:]]
        case "swap in":
            return swapped(life, index, others[which % len(others)])
        case "renumber":
            return [*life[:index], at_version(one, which, any_id), *life[index + 1 :]]
        case "exchange":
            return swapped(swapped(life, index, life[0]), 0, one)
    return life


@rounds(max_examples=60, deadline=None)
@for_all(what=handlings(), is_run=st.booleans())
def test_whatever_was_done_to_a_life_nothing_that_is_asked_fails(
    what: list[tuple[str, int, int]], is_run: bool
) -> None:
    agent, any_id = running() if is_run else in_doubt()[:2]
    life = life_in_store(agent, any_id)
    for one in what:
        life = handled(life, *one)
    become(agent, any_id, life)
    assert len(agent.history(any_id)) == len(life)
    for act in ({**RUN_ACTS, "see": lambda agent, run_id: agent.status(run_id)} if is_run else ALL_ACTS).values():
        told = act(agent, any_id)
        assert told["error"] is None or told["error"]["code"]
    agent.worker(threads=1).run(Event(), until_idle=True)


@pytest.mark.parametrize("problem", NEWER)
def test_the_same_request_again_is_a_duplicate_and_never_a_second_effect(problem: str) -> None:
    agent, action_id, provider = partly_known(problem, Unknown("timed_out", "no answer"))
    told = agent.process(KEYED)
    assert (told["action_id"], told["status"], told["duplicate"]) == (action_id, "in_doubt", True)
    assert told["error"]["code"] == "unreadable"
    refused_today = agent.process({**KEYED, "parameters": {}})
    assert refused_today["error"]["code"] == "idempotency_mismatch"
    assert len(provider.attempts) == 1


def test_what_was_accepted_then_and_would_be_refused_today_is_a_duplicate_too() -> None:
    agent, action_id, provider = partly_known()
    lesser = agent_with(provider, actions=[])
    lesser._parts.receive._ledger = agent._parts.ledger
    told = lesser.process(KEYED)
    assert (told["action_id"], told["duplicate"], told["error"]["code"]) == (action_id, True, "unreadable")


def test_of_a_life_of_which_nothing_can_be_read_only_that_is_told() -> None:
    agent = agent_with()
    for any_id, status in (("act_1", "requested"), ("run_1", "running")):
        recorder = agent._parts.ledger.recorder
        recorder.insert_events([StoredEvent(any_id, 1, "action.begun_anew", b"{}")])
        told = agent.status(any_id)
        assert (told["action_id"], told["status"], told["error"]["code"]) == (any_id, status, "unreadable")


def test_a_worker_sets_it_aside_and_the_others_are_done() -> None:
    agent = agent_with()
    accepted = [agent.process(greet(options={"mode": "accept"}))["action_id"] for _ in range(3)]
    append(agent, accepted[1], *NEWER["newer_schema"])
    tally = agent.worker(threads=2).run(Event(), until_idle=True)
    assert list(tally.quarantined) == [accepted[1]]
    assert [agent.status(action_id)["status"] for action_id in accepted] == ["succeeded", "scheduled", "succeeded"]


def test_a_sweep_sets_it_aside_and_the_others_are_done() -> None:
    agent = agent_with()
    accepted = [agent.process(greet(options={"mode": "accept"}))["action_id"] for _ in range(3)]
    append(agent, accepted[1], *NEWER["unknown_topic"])
    report = agent.sweep(within=60.0)
    assert (report.due, report.left, report.quarantined) == (3, 0, 1)
    assert [agent.status(action_id)["status"] for action_id in accepted] == ["succeeded", "scheduled", "succeeded"]


def test_an_order_to_many_names_it_and_reaches_the_others() -> None:
    agent = agent_with()
    accepted = [agent.process(greet(options={"mode": "accept"}))["action_id"] for _ in range(3)]
    order = agent.count_bulk("scheduled")
    append(agent, accepted[1], *NEWER["newer_schema"])
    bulk = order["bulk_id"]
    told = agent.carry_out_bulk(lambda action_id: agent.cancel(action_id, bulk=bulk, **ADA), bulk, "scheduled")
    assert [(item["action_id"], item["status"]) for item in told] == [
        (accepted[0], "cancelled"),
        (accepted[1], "scheduled"),
        (accepted[2], "cancelled"),
    ]


def test_an_action_whose_undo_cannot_be_read_says_so() -> None:
    agent = agent_with()
    action_id = agent.process(greet("greet_reversibly"))["action_id"]
    undo = agent.undo(action_id, **ADA)["result"]["compensation"]
    append(agent, undo, *NEWER["newer_schema"])
    told = agent.undo(action_id, **ADA)
    assert (told["status"], told["error"]["code"]) == ("compensated", "unreadable")
    assert undo in told["error"]["message"]


def test_an_act_on_a_step_stands_where_its_run_cannot_be_told(caplog: pytest.LogCaptureFixture) -> None:
    agent, run_id = running()
    (step,) = [step["action_id"] for step in agent.workflow_status(run_id)["steps"] if step["action_id"]]
    append(agent, run_id, "workflow.looked", f'{{{AT},"schema":2,"until":"2026-03-01T13:00:00.000000Z"}}')
    with caplog.at_level(logging.WARNING, "execution_agent.operate"):
        told = agent.resolve(step, executed=True, **ADA)
    assert told["status"] == "succeeded"
    assert run_id in caplog.text


# -- runs -------------------------------------------------------------------------------------------------------------

DEFINITION = """
name: greetings
steps:
  - {id: first, uses: greet, with: {name: Ada}}
  - {id: second, uses: greet, with: {name: Eve}, needs: [first]}
"""


def running() -> tuple[ExecutionAgent, str]:
    """A run whose first step is in doubt."""
    agent = agent_with(ScriptedProvider(Unknown("timed_out", "no answer")))
    run = agent.start_workflow_run(DEFINITION, idempotency_key="greetings-1", wait=1.0)
    return agent, run["run_id"]


RUN_ACTS: dict[str, Callable[[ExecutionAgent, str], dict[str, Any]]] = {
    "status": lambda agent, run_id: agent.workflow_status(run_id),
    "undo": lambda agent, run_id: agent.undo_run(run_id, **ADA),
    "pause": lambda agent, run_id: agent.pause_run(run_id, **ADA),
    "resume": lambda agent, run_id: agent.resume_run(run_id, **ADA),
    "cancel": lambda agent, run_id: agent.cancel_run(run_id, **ADA),
    "start": lambda agent, _: agent.start_workflow_run(DEFINITION, idempotency_key="greetings-1", wait=1.0),
}


@pytest.mark.parametrize("act", RUN_ACTS)
def test_no_act_is_decided_on_a_run_either(act: str) -> None:
    agent, run_id = running()
    status = agent.workflow_status(run_id)["status"]
    append(agent, run_id, "workflow.postponed", f"{{{AT}}}")
    before = agent.workflow_history(run_id)
    told = RUN_ACTS[act](agent, run_id)
    assert (told["run_id"], told["status"], told["error"]["code"]) == (run_id, status, "unreadable")
    assert told["duplicate"] is (act == "start")
    assert agent.workflow_history(run_id) == before
    assert before[-1]["type"] == "unknown"


BROKEN_RUNS = {
    **{how: BROKEN[how] for how in ("missing first", "missing middle", "repeated", "a thousand versions on")},
    "of an action": lambda life: swapped(life, 1, strangers()[0][1]),
    "the beginning of an action": lambda life: swapped(life, 0, strangers()[0][0]),
    "nothing but that of an action": lambda life: swapped(life, 0, strangers()[0][0])[:1],
    "of another run": lambda life: swapped(life, 1, strangers()[1][0]),
}


@pytest.mark.parametrize("how", BROKEN_RUNS)
def test_no_act_is_decided_on_a_run_that_is_not_whole(how: str) -> None:
    agent, run_id = running()
    agent.pause_run(run_id, **ADA)
    become(agent, run_id, BROKEN_RUNS[how](life_in_store(agent, run_id)))
    before = agent.workflow_history(run_id)
    told = {name: act(agent, run_id) for name, act in RUN_ACTS.items()}
    assert {name: answer["error"]["code"] for name, answer in told.items()} == dict.fromkeys(told, "unreadable")
    assert agent.status(run_id)["error"]["code"] == "unreadable"
    assert agent.advance(run_id)["error"]["code"] == "unreadable"
    assert agent.workflow_history(run_id) == before


def test_a_run_with_a_checkpoint_and_no_beginning_is_not_whole() -> None:
    agent, run_id = running()
    life = life_in_store(agent, run_id)
    run = agent._parts.workflows().runs.load(run_id)
    run._happened(Checkpointed, run.modified_on, state=run.state())
    agent._parts.ledger.record(run)
    for begin in ([], swapped(life[:1], 0, strangers()[0][0])):
        become(agent, run_id, [*begin, *life_in_store(agent, run_id)[-1:]])
        with pytest.raises(CorruptEvent, match=f"{run_id}: .*version 1( |$)"):
            RunLedger(agent._parts.ledger).load(run_id)


def test_nothing_is_known_of_what_is_not_there() -> None:
    assert life_as_known(agent_with()._parts.ledger, "act_9") == ()
