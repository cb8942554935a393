"""The floor of a warm function: what anybody would write. Two puts with boto3, and one POST between them.

Environment: LEDGER_URL, LEDGER_REGION, LEDGER_TABLE, SINK_PORT.
"""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import uuid4

import boto3

from bench.workload import Sender

client = boto3.client("dynamodb", endpoint_url=os.environ["LEDGER_URL"], region_name=os.environ["LEDGER_REGION"])
sender = Sender(int(os.environ["SINK_PORT"]))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Intent, effect, outcome."""
    action_id = f"act_{uuid4().hex}"
    _put(action_id, 1, event)
    answer = sender.post(event["parameters"]["payload"])
    _put(action_id, 4, answer)
    return {"action_id": action_id, "status": "succeeded", "result": answer}


def _put(action_id: str, version: int, document: dict[str, Any]) -> None:
    client.put_item(
        TableName=os.environ["LEDGER_TABLE"],
        Item={"pk": {"S": action_id}, "sk": {"N": str(version)}, "state": {"S": json.dumps(document)}},
        ConditionExpression="attribute_not_exists(pk)",
    )
