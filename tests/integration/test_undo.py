"""A webhook call is taken back by its target's declared undo call, over real sockets, and on a real ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from tests.receivers import Receiver, answer, answers

ADA = {"actor": "ada", "reason": "the wrong account"}


def agent_for(tmp_path: Path, **targets: dict[str, Any]) -> ExecutionAgent:
    local = {"allow_http": True, "allow_private_network": True}
    webhooks = tmp_path / "webhooks.json"
    webhooks.write_text(json.dumps({name: local | target for name, target in targets.items()}))
    return ExecutionAgent(
        Settings.from_environment(
            {
                "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
                "WEBHOOK_CONFIG_PATH": str(webhooks),
                "MAX_RETRIES": "0",
            }
        )
    )


def call(webhook: str = "crm") -> dict[str, Any]:
    return {"action_type": "call_webhook", "parameters": {"webhook": webhook, "payload": {"account": "ACME-1"}}}


@pytest.mark.parametrize(("status", "end"), [(200, "compensated"), (404, "compensation_failed")])
def test_the_undo_target_is_told_which_call_to_take_back(tmp_path: Path, status: int, end: str) -> None:
    with (
        Receiver(answers(answer(body=b"{}"))) as crm,
        Receiver(answers(answer(status))) as takes_back,
        agent_for(
            tmp_path, crm={"url": crm.url(), "undo": "crm-undo"}, **{"crm-undo": {"url": takes_back.url()}}
        ) as agent,
    ):
        done = agent.process(call())
        undone = agent.undo(done["action_id"], **ADA)
        again = agent.undo(done["action_id"], **ADA)
    assert (undone["status"], again["status"], again["duplicate"]) == (end, end, True)
    [delivery], [taken_back] = crm.deliveries, takes_back.deliveries
    assert json.loads(taken_back.body) == {
        "undo_of": delivery.headers["webhook-id"],
        "payload": {"account": "ACME-1"},
    }
    assert taken_back.headers["webhook-id"] != delivery.headers["webhook-id"]


def test_a_target_without_an_undo_target_cannot_be_taken_back(tmp_path: Path) -> None:
    with Receiver(answers(answer())) as crm, agent_for(tmp_path, crm={"url": crm.url()}) as agent:
        done = agent.process(call())
        refused = agent.undo(done["action_id"], **ADA)
    assert (refused["status"], refused["error"]["code"]) == ("succeeded", "irreversible")
    assert "declares no `undo`" in refused["error"]["message"]


def test_a_worker_takes_back_what_the_caller_could_not_wait_for(tmp_path: Path) -> None:
    from threading import Event

    with (
        Receiver(answers(answer())) as crm,
        Receiver(answers(answer())) as takes_back,
        agent_for(
            tmp_path, crm={"url": crm.url(), "undo": "crm-undo"}, **{"crm-undo": {"url": takes_back.url()}}
        ) as agent,
    ):
        done = agent.process(call())
        assert agent.undo(done["action_id"], wait=0.0, **ADA)["status"] == "compensating"
        assert takes_back.deliveries == []
        agent.worker(threads=2).run(Event(), until_idle=True)
        assert agent.status(done["action_id"])["status"] == "compensated"
    assert len(takes_back.deliveries) == 1
