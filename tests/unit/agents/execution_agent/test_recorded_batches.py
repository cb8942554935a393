"""The batches under infra/events, and their replies: Lambda and the ledger speak so, whatever the code does."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from agents.execution_agent.config import ACTIONS
from agents.execution_agent.handler import answer_knocks
from domain.action import Action
from domain.errors import LedgerUnavailable
from tests.bells import Bells, Record, failures
from tests.given import NOON
from tests.lambda_calls import Context

EVENTS = Path(__file__).parents[4] / "infra" / "events"
DONE, ACCEPTED = "act_01kjmma2g0e008000000000001", "act_01kjmma3f8e008000000000002"


def recorded(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def bells() -> Bells:
    """An agent on the ledger from which the recorded stream came."""
    bells = Bells(actions=ACTIONS)
    for record in recorded("stream_batch")["Records"][:3]:
        bells.recorder.insert_events(events_in(record), at=NOON)
    bells.clock.pass_time(60)
    return bells


def events_in(record: Record) -> list[StoredEvent]:
    image = record["dynamodb"]["NewImage"]
    return [
        StoredEvent(
            image["pk"]["S"],
            int(image["sk"]["N"]) + place,
            event["M"]["topic"]["S"],
            base64.b64decode(event["M"]["state"]["B"]),
        )
        for place, event in enumerate(image["events"]["L"])
    ]


def answer(bells: Bells, name: str) -> Any:
    return answer_knocks(bells.agent, recorded(name), Context(300.0, clock=bells.clock))


def test_a_batch_of_the_stream(bells: Bells, caplog: pytest.LogCaptureFixture) -> None:
    record = bells.agent._parts.ledger.record

    def throttled(action: Action) -> None:
        raise LedgerUnavailable("throttled")

    bells.agent._parts.ledger.record = throttled  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        assert answer(bells, "stream_batch") == recorded("stream_batch.reply")
    assert bells.announcer.told == [(f"{DONE}:4", "Action Succeeded")]
    assert {case.action_id: case.problem for case in bells.quarantine.cases} == {
        DONE: f"the ledger was tampered with: MODIFY of {DONE}.1, says the record e4da3b7fbbce2345d7772b0674a318d5",
        None: "it has no keys of an action's commit",
    }
    assert f"tampered with: MODIFY of {DONE}.1" in caplog.text
    bells.agent._parts.ledger.record = record  # type: ignore[method-assign]
    assert answer(bells, "stream_batch") == failures()
    assert bells.status(ACCEPTED) == "succeeded"


def test_a_batch_of_doorbells(bells: Bells) -> None:
    assert answer(bells, "doorbells") == recorded("doorbells.reply") == failures()
    assert bells.status(ACCEPTED) == "succeeded"
    assert bells.announcer.told == [(f"{DONE}:4", "Action Succeeded")]
    (case,) = bells.quarantine.cases
    assert case.event_id == recorded("doorbells")["Records"][2]["messageId"]
