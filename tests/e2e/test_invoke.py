"""The direct door of a deployed agent, as programs call it that know nothing but boto3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.actions import words_of
from tests.e2e.cloud import REGION, Cloud, eventually
from tests.e2e.deployment import Deployment
from tests.e2e.requests import renewal, somebody

PROGRAM = """
import boto3
import json

lambda_client = boto3.client("lambda")
response = lambda_client.invoke(
    FunctionName="revops-ai-v2-execution-agent",
    InvocationType="RequestResponse",
    Payload=json.dumps({
        "action_type": "send_email",
        "parameters": {
            "template": "renewal_reminder",
            "recipient": "customer@example.com",
            "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
        },
    }),
)
print(response["Payload"].read().decode())
"""


def test_a_mail_that_a_program_asks_for_is_sent_once(cloud: Cloud, deployment: Deployment) -> None:
    environ = {**os.environ, "AWS_ENDPOINT_URL": cloud.url, "AWS_DEFAULT_REGION": REGION}

    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    response = json.loads(done.stdout)
    assert (response["status"], response["attempts"], response["error"]) == ("succeeded", 1, None), response
    [mail] = cloud.mails_to("customer@example.com")
    assert "Acme Inc." in json.dumps(mail)
    assert words_of(deployment, response["action_id"]) == ["requested", "validated", "attempted", "succeeded"]


def test_of_many_callers_with_one_key_all_are_answered_alike_and_one_mail_leaves(
    cloud: Cloud, deployment: Deployment
) -> None:
    recipient = somebody()
    request = renewal(recipient, idempotency_key=recipient.replace("@", ":"))

    with ThreadPoolExecutor(4) as callers:
        responses = list(callers.map(deployment.invoke, [request] * 4))

    assert len({response["action_id"] for response in responses}) == 1
    assert sorted(response["duplicate"] for response in responses) == [False, True, True, True]
    assert deployment.invoke(request)["status"] == "succeeded"
    assert len(cloud.mails_to(recipient)) == 1


def test_a_request_that_nobody_waits_for_is_carried_out(cloud: Cloud, deployment: Deployment) -> None:
    recipient, before = somebody(), deployment.invocations_of("Invoke")

    deployment.invoke_later(renewal(recipient))

    assert eventually(lambda: cloud.mails_to(recipient))
    # The mail leaves before the function has ended, and one that is cut off by the next test would be asked again.
    assert eventually(lambda: deployment.invocations_of("Invoke") > before)


def test_a_request_that_cannot_be_recorded_and_that_nobody_waits_for_is_kept_for_later(deployment: Deployment) -> None:
    request = renewal(somebody())

    with deployment.configured("Invoke", {"EXECUTION_AGENT_LEDGER": "dynamodb://no-such-table"}):
        deployment.invoke_later(request)
        [failed] = eventually(
            lambda: [kept for kept in deployment.messages_in("FailedRequests") if kept["requestPayload"] == request]
        )

    assert failed["responsePayload"]["errorType"] == "LedgerUnavailable"
    assert deployment.invoke(failed["requestPayload"])["status"] == "succeeded"
