"""What each function may do: exactly what its code does, on exactly what is ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.dynamodb_events import TABLE
from tests.cloudformation import Template, attribute, resources, statements, statements_of, translated

LEDGER, GATES, VIEWS = attribute("LedgerTable"), attribute("GatesTable"), attribute("ViewsTable")
OTHER_VIEWS = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Ledger}-views-2"
INDEXES = [f"{LEDGER}/index/{index['IndexName']}" for index in TABLE["GlobalSecondaryIndexes"]]
OURS = "${AWS::Region}:${AWS::AccountId}"
SENDERS = [
    f"arn:${{AWS::Partition}}:ses:{OURS}:identity/{identity}"
    for identity in ("${EmailSender}", "part 1 of ${EmailSender} at @")
]

NEVER_ON_THE_LEDGER = {
    *("dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"),
    *("dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLSelect", "dynamodb:PartiQLUpdate"),
}


def each(actions: str, *targets: str) -> set[tuple[str, str]]:
    """Some actions of one service on each of some resources."""
    service, _, names = actions.partition(":")
    return {(f"{service}:{name}", target) for name in names.split() for target in targets}


CARRIES_OUT = {
    *each("dynamodb:GetItem PutItem Query", LEDGER),
    *each("dynamodb:GetItem PutItem", GATES),
    *each("sqs:SendMessage", attribute("Doorbells")),
    *each("ses:SendEmail SendRawEmail", *SENDERS),
}
ALLOWED = {
    "InvokeRole": {
        *CARRIES_OUT,
        *each("sqs:SendMessage", attribute("FailedRequests")),
        *each("logs:CreateLogStream PutLogEvents", attribute("InvokeLogs")),
    },
    "StreamRole": {
        *CARRIES_OUT,
        *each("dynamodb:DescribeStream GetRecords GetShardIterator ListStreams", attribute("LedgerTable", "StreamArn")),
        *each("dynamodb:PutItem", VIEWS, OTHER_VIEWS),
        *each("sqs:ReceiveMessage DeleteMessage GetQueueAttributes", attribute("Doorbells")),
        *each("sqs:SendMessage", attribute("DeadRecords"), attribute("Quarantine")),
        *each("events:PutEvents", f"arn:${{AWS::Partition}}:events:{OURS}:event-bus/${{EventBus}}"),
        *each("logs:CreateLogStream PutLogEvents", attribute("StreamLogs")),
    },
    "SweepRole": {
        *CARRIES_OUT,
        *each("dynamodb:Query", f"{LEDGER}/index/due"),
        *each("dynamodb:BatchGetItem", LEDGER),
        *each("dynamodb:PutItem", VIEWS, OTHER_VIEWS),
        *each("dynamodb:Query", f"{VIEWS}/index/by_status", f"{OTHER_VIEWS}/index/by_status"),
        *each("sqs:SendMessage", attribute("Quarantine")),
        *each("logs:CreateLogStream PutLogEvents", attribute("SweepLogs")),
    },
    "ReplayRole": {
        *each("dynamodb:Query", LEDGER, f"{LEDGER}/index/born"),
        *each("dynamodb:GetItem", GATES),
        *each("dynamodb:PutItem", VIEWS, OTHER_VIEWS),
        *each("logs:CreateLogStream PutLogEvents", attribute("ReplayLogs")),
    },
    "CheckpointRole": {
        *each("dynamodb:Query", LEDGER, f"{LEDGER}/index/born", f"{LEDGER}/index/written"),
        *each("dynamodb:BatchGetItem", LEDGER),
        *each("logs:CreateLogStream PutLogEvents", attribute("CheckpointLogs")),
    },
    "RequestsRole": {
        *CARRIES_OUT,
        *each("sqs:ReceiveMessage DeleteMessage GetQueueAttributes", attribute("Requests")),
        *each("logs:CreateLogStream PutLogEvents", attribute("RequestsLogs")),
    },
}
"""CloudFormation says the ARN of a log group with `:*` at its end: its streams have no fixed names."""


def too_wide(template: Template) -> Iterator[str]:
    """Statements that name no action or no resource, or name them by a pattern."""
    for statement in statements(template):
        named = (*statement.actions, *statement.resources)
        if not statement.actions or not statement.resources or any({"*", "?"} & set(name) for name in named):
            yield f"{statement.place}: {statement.said}"


def able_to_rewrite(template: Template) -> Iterator[str]:
    """Roles to which some way to change the ledger is not denied."""
    for role in resources(template, "AWS::IAM::Role"):
        denials = [statement for statement in statements_of(template, role) if is_unconditional_denial(statement.said)]
        denied = {grant for statement in denials for grant in statement.grants}
        if not {(action, target) for action in NEVER_ON_THE_LEDGER for target in (LEDGER, *INDEXES)} <= denied:
            yield role


def is_unconditional_denial(said: Any) -> bool:
    return said["Effect"] == "Deny" and "Condition" not in said


def test_no_policy_names_anything_by_a_pattern() -> None:
    assert list(too_wide(translated())) == []


def test_no_role_can_change_what_is_written() -> None:
    assert list(able_to_rewrite(translated())) == []


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_what_its_function_does_and_nothing_else(role: str) -> None:
    allowed = [statement.grants for statement in statements_of(translated(), role) if statement.effect == "Allow"]
    assert set().union(*allowed) == ALLOWED[role]


def test_every_function_has_a_role_of_its_own() -> None:
    roles = [function["Role"] for function in resources(translated(), "AWS::Lambda::Function").values()]
    assert sorted(roles) == sorted(attribute(role) for role in ALLOWED)


def test_only_lambda_takes_a_role() -> None:
    for role in resources(translated(), "AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement == {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }


def test_mail_leaves_from_the_configured_sender_only() -> None:
    (mail,) = (statement for statement in statements(translated()) if "ses:SendEmail" in statement.actions)
    assert mail.said["Condition"] == {"StringEquals": {"ses:FromAddress": "${EmailSender}"}}


def test_the_ledger_itself_refuses_everybody_who_would_rewrite_it() -> None:
    (denial,) = (statement for statement in statements(translated()) if statement.place == "LedgerTable")
    assert is_unconditional_denial(denial.said)
    assert denial.said["Principal"] == "*"
    # Reading by PartiQL changes nothing, and people may want to.
    assert set(denial.actions) == NEVER_ON_THE_LEDGER - {"dynamodb:PartiQLSelect"}
    assert denial.resources == (f"arn:${{AWS::Partition}}:dynamodb:{OURS}:table/${{Ledger}}",)


# -- and would the tests notice? ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["Action", "Resource"])
@pytest.mark.parametrize("pattern", ["*", "dynamodb:*", "arn:aws:sqs:eu-central-1:123456789012:*", "dynamodb:Get????"])
def test_a_pattern_would_be_noticed(member: str, pattern: str) -> None:
    template = translated()
    policy = template["Resources"]["SweepRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "x", member: [pattern]})
    assert [found.partition(":")[0] for found in too_wide(template)] == ["SweepRole"]


def test_a_statement_on_everything_but_something_would_be_noticed() -> None:
    template = translated()
    document = template["Resources"]["CarryOut"]["Properties"]["PolicyDocument"]
    document["Statement"].append({"Effect": "Allow", "NotAction": "iam:CreateUser", "Resource": LEDGER})
    assert len(list(too_wide(template))) == 1


@pytest.mark.parametrize("action", sorted(NEVER_ON_THE_LEDGER))
def test_a_dropped_denial_would_be_noticed(action: str) -> None:
    template = translated()
    (denial,) = template["Resources"]["AppendOnly"]["Properties"]["PolicyDocument"]["Statement"]
    denial["Action"].remove(action)
    assert set(able_to_rewrite(template)) == set(ALLOWED)


def test_a_role_without_the_denials_would_be_noticed() -> None:
    template = translated()
    template["Resources"]["StreamRole"]["Properties"]["ManagedPolicyArns"].remove("${AppendOnly}")
    assert list(able_to_rewrite(template)) == ["StreamRole"]
