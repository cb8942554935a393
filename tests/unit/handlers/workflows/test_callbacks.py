"""Somebody calls back: once, in time, with a token that is genuine; everybody else is refused, and that is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from domain.workflow import MOST_REFUSALS
from handlers.workflows.tokens import Tokens
from tests.workflow_house import ADA, House

ASK = {"id": "ask", "uses": "tell", "with": {"name": "ask", "value": "${{ steps.answer.callback_token }}"}}
ANSWER = {"id": "answer", "wait_for": "callback", "timeout": "2d", "needs": ["ask"], "on_failure": "continue"}
AFTER = {"id": "after", "uses": "do", "with": {"name": "after", "value": "${{ steps.answer.result.said }}"}}


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def run(house: House) -> dict[str, Any]:
    return house.start(ASK, ANSWER, AFTER, wait=0.6)


def token(house: House) -> str:
    found: str = house.desk.brought["ask"]
    return found


def refusals(house: House, run: dict[str, Any]) -> list[str]:
    life = house.agent.workflow_history(run["run_id"])
    return [entry["data"]["why"] for entry in life if entry["type"] == "callback_refused"]


def test_the_token_that_was_sent_ends_the_step_with_what_was_brought(house: House, run: dict[str, Any]) -> None:
    assert house.steps(run) == {"ask": "succeeded", "answer": "waiting", "after": "pending"}
    answer = house.agent.callback(token(house), {"said": "yes"})
    assert (answer["status"], answer["error"]) == ("completed", None)
    assert house.desk.brought["after"] == "yes"


def test_it_is_used_up_by_that(house: House, run: dict[str, Any]) -> None:
    house.agent.callback(token(house), {"said": "yes"})
    again = house.agent.callback(token(house), {"said": "no"})
    assert again["error"]["code"] == "conflict"
    assert refusals(house, run) == ["it is too late: the step 'answer' is succeeded"]
    assert house.desk.brought["after"] == "yes"


def test_nobody_calls_back_before_the_step_has_begun() -> None:
    house = House()
    first = {"id": "w", "wait": {"for": "1h"}}
    run = house.start(first, {**ASK, "needs": ["w"]}, ANSWER, AFTER, wait=0.0)
    early = Tokens(lambda: b"a secret of the test").token(run["run_id"], "answer")
    assert house.agent.callback(early, {"said": "yes"})["error"]["code"] == "conflict"
    assert refusals(house, run) == ["it is too early: the step 'answer' has not begun"]
    house.drive()
    assert house.steps(run)["answer"] == "timed_out"


def test_nobody_calls_back_when_nobody_waits_any_more(house: House, run: dict[str, Any]) -> None:
    house.clock.pass_time(2 * 86_400)
    late = house.agent.callback(token(house), {"said": "yes"})
    assert late["error"]["code"] == "conflict"
    house.drive()
    assert house.steps(run)["answer"] == "timed_out"
    assert house.steps(run)["after"] == "failed"


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t.replace("answer", "ask")]
)
def test_a_forged_token_is_refused_and_learns_nothing(house: House, run: dict[str, Any], change: Any) -> None:
    forged = house.agent.callback(change(token(house)), {"said": "yes"})
    assert (forged["run_id"], forged["error"]["code"]) == (None, "not_found")
    assert refusals(house, run) == ["the token is not genuine"]
    assert house.steps(run)["answer"] == "waiting"


def test_whoever_forges_many_fills_no_ledger(house: House, run: dict[str, Any]) -> None:
    for _ in range(MOST_REFUSALS + 10):
        house.agent.callback(token(house) + "x", {})
    assert len(refusals(house, run)) == MOST_REFUSALS
    assert house.agent.callback(token(house), {"said": "yes"})["status"] == "completed"


@pytest.mark.parametrize(
    "bad", ["", "x", "run_x.answer", "act_x.answer.seal", None, 7, "run_" + "x" * 500, "run_ü.a.b"]
)
def test_what_is_no_token_is_refused(house: House, bad: Any) -> None:
    assert house.agent.callback(bad, {})["error"]["code"] in ("malformed", "not_found")


@pytest.mark.parametrize("bad", [None, [], "text", {"x": float("inf")}, {"x": "y" * 40_000}])
def test_what_cannot_be_kept_is_refused(house: House, run: dict[str, Any], bad: Any) -> None:
    assert house.agent.callback(token(house), bad)["error"] is not None
    assert house.steps(run)["answer"] == "waiting"


def test_a_run_that_is_undone_waits_for_nobody(house: House, run: dict[str, Any]) -> None:
    undone = house.agent.undo_run(run["run_id"], **ADA)
    assert undone["status"] == "partially_compensated"
    assert house.agent.callback(token(house), {"said": "yes"})["error"]["code"] == "conflict"


def test_without_a_key_such_a_workflow_does_not_start() -> None:
    house = House(callback_key=None)
    refused = house.start(ASK, ANSWER, AFTER)
    assert refused["status"] == "rejected"
    assert "EXECUTION_AGENT_CALLBACK_KEY" in refused["error"]["message"]


def test_the_secret_stands_in_no_event(house: House, run: dict[str, Any]) -> None:
    assert "a secret of the test" not in repr(house.agent.workflow_history(run["run_id"]))
