"""What follows a commit: the stream rings, the work goes on, there are rows and news, and the sweep forgets nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.e2e.actions import listed_as, swept_to, words_of
from tests.e2e.cloud import Cloud, eventually
from tests.e2e.deployment import Deployment
from tests.e2e.hooks import SINK, effects, refuses
from tests.e2e.requests import renewal, somebody, webhook
from tests.receivers import Receiver

LATER = {"RETRY_BACKOFF_MS": "2500"}
"""A wait that no ring sits out."""


def test_what_is_accepted_is_carried_out_listed_and_told_to_others(
    listener: str, cloud: Cloud, deployment: Deployment
) -> None:
    recipient = somebody()

    accepted = deployment.invoke(renewal(recipient, options={"mode": "accept"}))

    assert accepted["status"] == "scheduled"
    row = eventually(listed_as(deployment, accepted["action_id"], "succeeded"))
    assert row["action_type"] == "send_email"
    assert len(cloud.mails_to(recipient)) == 1
    told = eventually(lambda: news_of(accepted["action_id"], cloud.lying_in(listener)))
    assert {(entry["source"], entry["detail-type"]) for entry in told} == {
        ("revops.execution-agent", "Action Succeeded")
    }
    assert {entry["detail"]["status"] for entry in told} == {"succeeded"}
    assert len({entry["detail"]["event_id"] for entry in told}) == 1


def news_of(action_id: str, messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the messages tell of one action. It may be told twice."""
    told = [json.loads(message["Body"]) for message in messages]
    return [entry for entry in told if entry["detail"]["action_id"] == action_id]


def test_what_the_caller_waited_for_is_listed_too(deployment: Deployment) -> None:
    response = deployment.invoke(renewal(somebody()))

    assert eventually(listed_as(deployment, response["action_id"], "succeeded"))


def test_a_receiver_that_is_not_ready_is_called_again_when_the_doorbell_rings(
    receiver: Receiver, deployment: Deployment
) -> None:
    receiver.behaviour = refuses(times=1)
    request = webhook(SINK, options={"mode": "accept", "retry_policy": "fixed"})

    with deployment.configured("Stream", LATER):
        action_id = deployment.invoke(request)["action_id"]
        eventually(listed_as(deployment, action_id, "succeeded"))

    assert words_of(deployment, action_id)[2:] == ["attempted", "attempt_failed", "attempted", "succeeded"]
    assert len(effects(receiver.deliveries)) == 2
    assert len(set(effects(receiver.deliveries))) == 1


def test_when_no_doorbell_rings_the_sweep_calls_it_again(receiver: Receiver, deployment: Deployment) -> None:
    receiver.behaviour = refuses(times=1)
    request = webhook(SINK, options={"mode": "accept", "retry_policy": "fixed"})

    with deployment.configured("Stream", {**LATER, "EXECUTION_AGENT_DOORBELLS": ""}):
        action_id = deployment.invoke(request)["action_id"]
        eventually(lambda: words_of(deployment, action_id)[-1] == "attempt_failed")
        eventually(swept_to(deployment, action_id, "succeeded"))

    assert words_of(deployment, action_id)[2:] == ["attempted", "attempt_failed", "attempted", "succeeded"]
    assert len(set(effects(receiver.deliveries))) == 1


def test_an_action_that_is_not_due_waits_for_its_time(cloud: Cloud, deployment: Deployment) -> None:
    recipient = somebody()

    response = deployment.invoke(renewal(recipient, options={"not_before": "2099-01-01T00:00:00Z"}))

    assert eventually(listed_as(deployment, response["action_id"], "scheduled"))
    deployment.invoke({}, function="Sweep")
    assert not cloud.mails_to(recipient)


@pytest.mark.full
def test_the_clock_brings_a_sweep_every_minute(deployment: Deployment) -> None:
    before = deployment.invocations_of("Sweep")

    assert eventually(lambda: deployment.invocations_of("Sweep") > before, within=90)
