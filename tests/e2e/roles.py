"""What the role of a deployed function may do, and what it is like to lack some of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.deployment import Deployment


@contextmanager
def denied(deployment: Deployment, function: str, action: str, resource: str = "*") -> Iterator[None]:
    """The role of a function lacks one permission for a while."""
    roles, role = deployment.cloud.client("iam"), _role_of(deployment, function)
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    roles.put_role_policy(RoleName=role, PolicyName="lacks", PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        roles.delete_role_policy(RoleName=role, PolicyName="lacks")


def granted(deployment: Deployment, function: str) -> dict[str, str]:
    """What the policies of a function's role allow, such as `dynamodb:PutItem GatesTable`: the template's own names.

    Each with the ARN of what it is allowed on.
    """
    return {
        f"{action} {_name_of(deployment, arn)}": arn
        for document in _policies_of(deployment, function)
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for arn in _listed(statement["Resource"])
    }


def _policies_of(deployment: Deployment, function: str) -> Iterator[dict[str, Any]]:
    roles, role = deployment.cloud.client("iam"), _role_of(deployment, function)
    for name in roles.list_role_policies(RoleName=role)["PolicyNames"]:
        yield roles.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in roles.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = roles.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        yield roles.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def _role_of(deployment: Deployment, function: str) -> str:
    functions, name = deployment.cloud.client("lambda"), deployment.resources[function]
    role: str = functions.get_function_configuration(FunctionName=name)["Role"]
    return role.rpartition("/")[2]


def _name_of(deployment: Deployment, arn: str) -> str:
    """The template's name for a table, one of its indexes or a queue; the last part of any other ARN."""
    kind, _, rest = arn.rpartition(":")[2].rpartition("table/")
    table, _, index = rest.partition("/index/")
    names = {
        physical.rpartition("/")[2]: logical
        for logical, physical in deployment.resources.items()
        if logical.endswith("Table") or physical.startswith("http")
    }
    name = names.get(table, f"{kind}{table}".rpartition("/")[2])
    return f"{name}/index/{index}" if index else name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
