"""The floor of a Lambda's cold start: boto3, its client, one put_item.

Arguments: the engine's URL, the region, the table.
"""

from __future__ import annotations

import json
import sys
from uuid import uuid4

import boto3

url, region, table = sys.argv[1:]
client = boto3.client("dynamodb", endpoint_url=url, region_name=region)
client.put_item(TableName=table, Item={"pk": {"S": uuid4().hex}, "sk": {"N": "1"}})
print(json.dumps({"stands_on": ["boto3"]}))
