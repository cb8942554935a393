"""What is not as it should be is told in one line, and nothing was done."""

from __future__ import annotations

import pytest

from tests.e2e.cloud import Cloud
from tests.e2e.deployment import Deployment, FunctionFailed
from tests.e2e.requests import renewal, somebody
from tests.e2e.roles import denied


@pytest.mark.parametrize(
    ("setting", "value", "error", "told"),
    [
        ("EXECUTION_AGENT_LEDGER", "dynamodb://no-such-table", "LedgerUnavailable", ("no-such-table", "AccessDenied")),
        (
            "EXECUTION_AGENT_LEDGER",
            "dynamodb://execution-agent?region=us-east-1",
            "LedgerUnavailable",
            ("execution-agent", "us-east-1"),
        ),
        ("EXECUTION_AGENT_LEDGER", "dynamodb://no table", "ConfigurationError", ("EXECUTION_AGENT_LEDGER", "no table")),
        ("WEBHOOK_CONFIG_PATH", "/opt/webhooks.json", "ConfigurationError", ("WEBHOOK_CONFIG_PATH", "no file")),
        ("MAX_RETRIES", "many", "ConfigurationError", ("MAX_RETRIES", "whole number")),
    ],
)
def test_a_wrong_setting_fails_the_function_in_one_line(
    setting: str, value: str, error: str, told: tuple[str, ...], cloud: Cloud, deployment: Deployment
) -> None:
    recipient = somebody()

    with deployment.configured("Invoke", {setting: value}), pytest.raises(FunctionFailed) as failed:
        deployment.invoke(renewal(recipient))

    assert failed.value.error["errorType"] == error
    message = failed.value.error["errorMessage"]
    assert "\n" not in message
    assert all(word in message for word in told), message
    assert not cloud.mails_to(recipient)


def test_a_ledger_that_is_gone_is_told_in_one_line(cloud: Cloud, deployment: Deployment) -> None:
    recipient, ledger = somebody(), cloud.client("dynamodb")
    there = ledger.describe_table(TableName="execution-agent-gates")["Table"]
    ledger.delete_table(TableName="execution-agent-gates")
    try:
        with deployment.configured("Invoke", {"EXECUTION_AGENT_LEDGER": "dynamodb://execution-agent-gates"}):
            with pytest.raises(FunctionFailed, match="there is no DynamoDB table 'execution-agent-gates'") as failed:
                deployment.invoke(renewal(recipient))
    finally:
        ledger.create_table(
            TableName="execution-agent-gates",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=there["AttributeDefinitions"],
            KeySchema=there["KeySchema"],
        )

    assert "\n" not in failed.value.error["errorMessage"]
    assert not cloud.mails_to(recipient)


def test_a_role_that_may_not_write_is_told_in_one_line(cloud: Cloud, deployment: Deployment) -> None:
    recipient = somebody()

    with denied(deployment, "Invoke", "dynamodb:PutItem"), pytest.raises(FunctionFailed) as failed:
        deployment.invoke(renewal(recipient))

    message = failed.value.error["errorMessage"]
    assert "access denied, PutItem on table 'execution-agent'" in message
    assert "\n" not in message
    assert not cloud.mails_to(recipient)
