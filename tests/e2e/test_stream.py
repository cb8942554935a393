"""What follows a commit: the stream rings, the work goes on, there are rows and news, and the sweep forgets nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from tests.e2e.actions import listed_as, swept_to, words_of
from tests.e2e.cloud import Cloud, eventually
from tests.e2e.deployment import Deployment
from tests.e2e.hooks import SINK, effects, refuses
from tests.e2e.requests import renewal, somebody, webhook
from tests.receivers import Receiver

Rows: TypeAlias = list[dict[str, Any]]

LATER = {"RETRY_BACKOFF_MS": "2500"}
"""A wait that no ring sits out."""


@pytest.fixture
def news(cloud: Cloud) -> Iterator[Callable[[], Rows]]:
    """A queue of somebody who wants to hear how actions end; what is new in it."""
    queues, events = cloud.client("sqs"), cloud.client("events")
    queue = queues.create_queue(QueueName="news")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    events.put_rule(Name="news", EventPattern=json.dumps({"source": ["revops.execution-agent"]}))
    events.put_targets(Rule="news", Targets=[{"Id": "queue", "Arn": arn}])
    yield lambda: cloud.taken_from(queue)
    events.remove_targets(Rule="news", Ids=["queue"])
    events.delete_rule(Name="news")
    queues.delete_queue(QueueUrl=queue)


def test_what_is_accepted_is_carried_out_listed_and_told_to_others(
    news: Callable[[], Rows], cloud: Cloud, deployment: Deployment
) -> None:
    recipient = somebody()

    accepted = deployment.invoke(renewal(recipient, options={"mode": "accept"}))

    assert accepted["status"] == "scheduled"
    row = eventually(listed_as(deployment, accepted["action_id"], "succeeded"))
    assert row["action_type"] == "send_email"
    assert len(cloud.mails_to(recipient)) == 1
    told = [entry for entry in eventually(news) if entry["detail"]["action_id"] == accepted["action_id"]]
    assert [entry["detail-type"] for entry in told] == ["Action Succeeded"]
    assert told[0]["detail"]["status"] == "succeeded"
    assert told[0]["detail"]["event_id"]


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
