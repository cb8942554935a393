"""A cold start pays for what it uses: no provider's library, and no kind of connection, before the first use of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.connections import KINDS

ROOT = Path(__file__).parents[4]

PROVIDERS = {
    *(
        "aws_lambda_powertools",
        "apsw",
        "boto3",
        "botocore",
        "certifi",
        "cryptography",
        "h11",
        "httpcore",
        "httpx",
        "idna",
    ),
    *("jinja2", "markupsafe", "rich", "s3transfer", "simple_salesforce", "slack_sdk", "smtplib", "ssl", "tenacity"),
    *("typer", "urllib3", "asyncio", "sqlite3", "http.client", "urllib.request"),
}
"""What no request has asked for yet."""


def loaded_by(program: str, **environ: str) -> set[str]:
    """The modules that another process has loaded after `program`."""
    told = f"{program}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", told],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def kinds_of(modules: set[str]) -> set[str]:
    return modules & {kind.module for kind in KINDS.values()}


def test_the_function_itself_loads_no_provider_and_no_kind_of_connection() -> None:
    loaded = loaded_by("import agents.execution_agent.handler")
    assert loaded & PROVIDERS == set()
    assert kinds_of(loaded) == set()
    assert {name for name in loaded if name.startswith("handlers.actions.")} == set()
    assert {name for name in loaded if name.startswith("agents.execution_agent.conformance")} == set()


CONNECTIONS: dict[str, Any] = {
    "workspace": {"kind": "slack", "token": "env:SLACK_TOKEN", "channels": {"renewals": "C0123ABCD"}},
    "news": {"kind": "topic", "arn": "arn:aws:sns:eu-central-1:123456789012:news"},
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "connections.json"
    file.write_text(json.dumps(CONNECTIONS), "utf-8")
    return {
        "EXECUTION_AGENT_CONNECTIONS": str(file),
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
    }


def test_an_agent_loads_the_kinds_that_its_file_names_and_none_of_their_libraries(environ: dict[str, str]) -> None:
    loaded = loaded_by("from agents.execution_agent.agent import ExecutionAgent; ExecutionAgent()", **environ)
    assert kinds_of(loaded) == {
        "adapters.connections.slack",
        "adapters.connections.topic",
        "adapters.connections.queue",
    }
    assert loaded & {"botocore", "boto3", "httpcore", "h11", "certifi", "jinja2", "adapters.slack"} == set()


REQUEST = """
from agents.execution_agent.agent import ExecutionAgent
with ExecutionAgent() as agent:
    response = agent.process({request!r})
assert response["status"] == "{status}", response
"""


def test_a_mail_loads_no_connection(environ: dict[str, str]) -> None:
    variables = {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"}
    mail = {"template": "renewal_reminder", "recipient": "ada@example.com", "variables": variables}
    request = {"action_type": "send_email", "parameters": mail}
    loaded = loaded_by(REQUEST.format(request=request, status="succeeded"), **environ)
    assert "jinja2" in loaded
    assert loaded & {"botocore", "httpcore", "certifi", "adapters.slack", "handlers.actions.send_slack"} == set()


def test_a_message_loads_its_own_provider_and_no_other(environ: dict[str, str]) -> None:
    """Nothing is sent: the secret is not there."""
    request = {
        "action_type": "send_slack",
        "parameters": {"channel": "renewals", "text": "ACME-1 renews."},
        "options": {"retry_policy": "none"},
    }
    loaded = loaded_by(REQUEST.format(request=request, status="failed"), **environ)
    assert "adapters.slack" in loaded
    assert loaded & {"botocore", "boto3", "jinja2", "adapters.salesforce", "handlers.actions.crm_create"} == set()
