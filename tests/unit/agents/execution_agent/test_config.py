"""Settings: what the environment says, or one line that says what to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.execution_agent.config import ACTIONS, DEFAULTS, Settings, ledger_environment
from domain.errors import ConfigurationError

SQLITE = "adapters.sqlite_events"
DYNAMODB = "adapters.dynamodb_events"


def test_the_silent_environment_has_the_defaults_of_the_contract() -> None:
    settings = Settings.from_environment({})
    assert settings.log_level == "INFO"
    assert settings.templates_path == "/opt/templates"
    assert (settings.max_retries, settings.backoff) == (3, timedelta(seconds=1))
    assert (settings.webhook_config_path, settings.webhook_config_required) == ("/opt/config/webhooks.json", False)
    assert settings.ledger == {"PERSISTENCE_MODULE": SQLITE, "SQLITE_DBNAME": ".execution-agent/ledger.db"}
    assert settings.email == "outbox:.execution-agent/outbox"
    assert settings.clock_skew == timedelta(seconds=30)
    assert settings.keeps_views


def test_an_empty_variable_is_a_silent_one() -> None:
    assert Settings.from_environment(dict.fromkeys(DEFAULTS, "")) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("MAX_RETRIES", "0", "max_retries", 0),
        ("MAX_RETRIES", "100", "max_retries", 100),
        ("RETRY_BACKOFF_MS", "250", "backoff", timedelta(milliseconds=250)),
        ("EXECUTION_AGENT_CLOCK_SKEW_S", "0", "clock_skew", timedelta(0)),
        ("EXECUTION_AGENT_WAIT_S", "5", "wait", 5.0),
        ("EXECUTION_AGENT_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("WEBHOOK_CONFIG_PATH", "hooks.json", "webhook_config_required", True),
        ("EXECUTION_AGENT_UNDO", "", "undo_doors", frozenset()),
        ("EXECUTION_AGENT_UNDO", "http, direct", "undo_doors", frozenset({"http", "direct"})),
        ("AWS_LAMBDA_FUNCTION_NAME", "revops-ai-v2-execution-agent", "keeps_views", False),
    ],
)
def test_what_the_environment_says_holds(variable: str, value: str, field: str, expected: Any) -> None:
    assert getattr(Settings.from_environment({variable: value}), field) == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAX_RETRIES", "-1"),
        ("EXECUTION_AGENT_UNDO", "yes"),
        ("EXECUTION_AGENT_UNDO", "direct,bedrock"),
        ("MAX_RETRIES", "101"),
        ("MAX_RETRIES", "3.0"),
        ("MAX_RETRIES", "٣"),
        ("MAX_RETRIES", "9" * 5_000),
        ("RETRY_BACKOFF_MS", "soon"),
        ("EXECUTION_AGENT_CLOCK_SKEW_S", "3601"),
        ("EXECUTION_AGENT_WAIT_S", "0"),
        ("EXECUTION_AGENT_LOG_LEVEL", "LOUD"),
        ("EXECUTION_AGENT_LEDGER", "ledger.db"),
        ("EXECUTION_AGENT_LEDGER", "sqlite://ledger.db"),
        ("EXECUTION_AGENT_LEDGER", "dynamodb://"),
        ("EXECUTION_AGENT_LEDGER", "dynamodb://table/path"),
        ("EXECUTION_AGENT_LEDGER", "dynamodb://table?password=x"),
    ],
)
def test_a_bad_value_is_one_line_that_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as refused:
        Settings.from_environment({variable: value})
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("sqlite:///ledger.db", {"PERSISTENCE_MODULE": SQLITE, "SQLITE_DBNAME": "ledger.db"}),
        ("sqlite:////var/lib/ledger.db", {"PERSISTENCE_MODULE": SQLITE, "SQLITE_DBNAME": "/var/lib/ledger.db"}),
        ("dynamodb://actions", {"PERSISTENCE_MODULE": DYNAMODB, "DYNAMODB_TABLE": "actions"}),
        (
            "dynamodb://actions?endpoint_url=http://127.0.0.1:4566&region=eu-central-1",
            {
                "PERSISTENCE_MODULE": DYNAMODB,
                "DYNAMODB_TABLE": "actions",
                "DYNAMODB_ENDPOINT_URL": "http://127.0.0.1:4566",
                "DYNAMODB_REGION": "eu-central-1",
            },
        ),
    ],
)
def test_a_ledger_is_named_by_its_url(url: str, environment: dict[str, str]) -> None:
    assert ledger_environment(url) == environment


def test_names_of_action_types_never_change() -> None:
    names = {kind.action_type for kind in ACTIONS}
    assert names >= {"send_email", "call_webhook"}
    assert names >= {"start_workflow", "stop_workflow", "signal_workflow"}
    assert names >= {"publish_event", "send_message", "invoke_function"}
    assert names >= {"send_slack", "delete_slack", "send_teams", "send_sms"}
