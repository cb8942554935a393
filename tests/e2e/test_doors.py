"""Each door of the deployed function, once, through the service that it is a door for.

A gateway of AgentCore says in the client context which tool it calls, and the engine hands none to a function: that
door has its unit tests alone.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.cloud import REGION, Cloud, eventually
from tests.e2e.deployment import Deployment
from tests.e2e.requests import renewal, somebody

Answer = tuple[int, Any]
"""Status, and the body's JSON."""


def test_a_plan_of_the_decision_agent_is_carried_out_action_by_action(cloud: Cloud, deployment: Deployment) -> None:
    recipients = [somebody(), somebody()]

    answer = deployment.invoke({"actions": [renewal(recipient) for recipient in recipients]})

    assert answer["status"] == "succeeded"
    assert [len(cloud.mails_to(recipient)) for recipient in recipients] == [1, 1]


def test_bedrock_calls_a_function(cloud: Cloud, deployment: Deployment) -> None:
    recipient = somebody()
    asked = renewal(recipient)["parameters"]

    answer = deployment.invoke(
        {
            **bedrock(),
            "function": "send_email",
            "parameters": [
                {"name": "template", "type": "string", "value": asked["template"]},
                {"name": "recipient", "type": "string", "value": asked["recipient"]},
                {"name": "variables", "type": "string", "value": json.dumps(asked["variables"])},
            ],
        }
    )

    said = answer["response"]["functionResponse"]
    assert "responseState" not in said
    assert json.loads(said["responseBody"]["TEXT"]["body"])["status"] == "succeeded"
    assert len(cloud.mails_to(recipient)) == 1


def test_bedrock_calls_a_path(cloud: Cloud, deployment: Deployment) -> None:
    recipient = somebody()
    asked = renewal(recipient)["parameters"]
    properties = [
        {"name": "template", "type": "string", "value": asked["template"]},
        {"name": "recipient", "type": "string", "value": asked["recipient"]},
        {"name": "variables", "type": "object", "value": json.dumps(asked["variables"])},
    ]

    answer = deployment.invoke(
        {
            **bedrock(),
            "apiPath": "/actions/send_email",
            "httpMethod": "POST",
            "parameters": [],
            "requestBody": {"content": {"application/json": {"properties": properties}}},
        }
    )

    said = answer["response"]
    assert (said["apiPath"], said["httpMethod"], said["httpStatusCode"]) == ("/actions/send_email", "POST", 200)
    assert json.loads(said["responseBody"]["application/json"]["body"])["status"] == "succeeded"
    assert len(cloud.mails_to(recipient)) == 1


def test_a_signed_call_of_the_url_is_a_request_and_an_unsigned_one_is_nothing(
    cloud: Cloud, deployment: Deployment
) -> None:
    recipient = somebody()

    status, response = call(deployment, "POST", "/actions", renewal(recipient))

    assert (status, response["status"]) == (200, "succeeded")
    assert len(cloud.mails_to(recipient)) == 1
    assert call(deployment, "GET", f"/actions/{response['action_id']}") == (200, response)
    status, life = call(deployment, "GET", f"/actions/{response['action_id']}/history")
    assert (status, [entry["type"] for entry in life][-1]) == (200, "succeeded")
    assert call(deployment, "GET", "/actions/act_0000000000000000000000000")[0] == 404
    assert call(deployment, "POST", "/actions", renewal(recipient), signed=False)[0] == 403
    assert len(cloud.mails_to(recipient)) == 1


def test_a_message_in_the_queue_is_a_request(cloud: Cloud, deployment: Deployment) -> None:
    recipient, queue = somebody(), deployment.resources["Requests"]

    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(renewal(recipient)))

    assert eventually(lambda: cloud.mails_to(recipient))


@pytest.fixture
def rule(cloud: Cloud, deployment: Deployment) -> Iterator[str]:
    """A rule of the owner's that sends what one source says to the function; the name of that source."""
    source = "revops.decision-agent"
    events, functions = cloud.client("events"), cloud.client("lambda")
    arn = events.put_rule(Name="decisions", EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    functions.add_permission(
        FunctionName=deployment.resources["Invoke"],
        StatementId="decisions",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn,
    )
    events.put_targets(Rule="decisions", Targets=[{"Id": "agent", "Arn": deployment.outputs["FunctionArn"]}])
    yield source
    events.remove_targets(Rule="decisions", Ids=["agent"])
    events.delete_rule(Name="decisions")
    functions.remove_permission(FunctionName=deployment.resources["Invoke"], StatementId="decisions")


def test_the_detail_of_an_event_is_a_request(rule: str, cloud: Cloud) -> None:
    recipient = somebody()

    entry = {"Source": rule, "DetailType": "Action Decided", "Detail": json.dumps(renewal(recipient))}
    assert cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    assert eventually(lambda: cloud.mails_to(recipient))


def bedrock() -> dict[str, Any]:
    """What every call of Bedrock Agents has."""
    return {
        "messageVersion": "1.0",
        "agent": {"name": "revops", "id": "AGENT", "alias": "live", "version": "1"},
        "inputText": "remind them",
        "sessionId": "session-1",
        "actionGroup": "actions",
        "sessionAttributes": {},
        "promptSessionAttributes": {},
    }


def call(deployment: Deployment, method: str, path: str, document: Any = None, *, signed: bool = True) -> Answer:
    """What the function's URL answers to its owner, or to somebody."""
    host = urlsplit(deployment.outputs["FunctionUrl"]).netloc
    url = f"{deployment.cloud.url}/_aws/lambda-url/{host.partition('.')[0]}{path}"
    body = None if document is None else json.dumps(document).encode()
    request = AWSRequest(method, url, headers={"content-type": "application/json"}, data=body)
    if signed:
        SigV4Auth(Credentials("testing", "testing"), "lambda", REGION).add_auth(request)
    return opened(urllib.request.Request(url, body, dict(request.headers), method=method))


def opened(request: urllib.request.Request) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)
