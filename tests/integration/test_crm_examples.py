"""The examples, carried out as a reader would: a file of connections, a ledger on disk, a CRM that behaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from tests.doubles.salesforce import (
    CLIENT_SECRET,
    KEY_FIELD,
    NUMBER_FIELD,
    USERNAME,
    SalesforceDouble,
    entry,
    key_pair,
)

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def double() -> Iterator[SalesforceDouble]:
    with SalesforceDouble() as started:
        yield started


@pytest.fixture(params=["client_secret", "private_key"])
def agent(request: pytest.FixtureRequest, double: SalesforceDouble, tmp_path: Path) -> Iterator[ExecutionAgent]:
    secret = tmp_path / "secret"
    secret.write_text(CLIENT_SECRET if request.param == "client_secret" else key_pair()[0], "ascii")
    login = {"client_secret": None, request.param: f"file:{secret}"}
    login |= {"username": USERNAME} if request.param == "private_key" else {}
    connections = tmp_path / "connections.json"
    connections.write_text(json.dumps({"sales": entry(double, **login)}), "utf-8")
    settings = Settings.from_environment(
        {
            "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
            "EXECUTION_AGENT_CONNECTIONS": str(connections),
            "MAX_RETRIES": "0",
        }
    )
    with ExecutionAgent(settings) as opened:
        yield opened


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    return found


def test_every_example_is_carried_out_and_leaves_no_secret_behind(
    agent: ExecutionAgent, double: SalesforceDouble, tmp_path: Path
) -> None:
    created = agent.process(example("crm_create"))
    assert created["status"] == "succeeded", created
    record_id = created["result"]["id"]
    assert record_id == example("crm_update")["parameters"]["id"]
    ada = double.objects["Contact"][record_id]
    assert ada.values[KEY_FIELD] == f"{created['action_id']}-r0"

    double.change("Contact", record_id, Title="Analyst")
    updated = agent.process(example("crm_update"))
    assert (updated["status"], ada.values["Title"], ada.values["OptedIn__c"]) == ("succeeded", "Chief Analyst", True)

    restored = agent.process(example("crm_restore"))
    assert (restored["status"], ada.values["Title"]) == ("succeeded", "Analyst")

    upserted = agent.process(example("crm_upsert"))
    assert (upserted["status"], upserted["result"]["created"]) == ("succeeded", True)
    assert double.objects["Contact"][upserted["result"]["id"]].values[NUMBER_FIELD] == "ACME-1"

    deleted = agent.process(example("crm_delete"))
    assert (deleted["status"], ada.is_deleted) == ("succeeded", True)

    ledger = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert record_id.encode() in ledger
    for secret in (CLIENT_SECRET, "BEGIN PRIVATE KEY", "canary.token"):
        assert secret.encode() not in ledger
