"""The two requests that everything began with, word for word, on every store and through both doors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from agents.execution_agent.handler import answer
from tests.unit.agents.execution_agent.test_handler import Context

ROOT = Path(__file__).parents[2]
PLAIN: dict[str, Any] = {
    "action_type": "send_email",
    "parameters": {
        "template": "renewal_reminder",
        "recipient": "customer@example.com",
        "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
    },
}
WITH_OPTIONS: dict[str, Any] = {
    **PLAIN,
    "options": {"priority": "high", "retry_policy": "exponential", "max_retries": 3},
}


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("moto", marks=pytest.mark.xdist_group("moto")),
        pytest.param("ministack", marks=pytest.mark.xdist_group("ministack")),
    ]
)
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExecutionAgent]:
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    if request.param != "sqlite":
        url = request.getfixturevalue(request.param).url
        ledger = f"dynamodb://actions-{uuid4().hex}?endpoint_url={url}"
    environ = {"EXECUTION_AGENT_LEDGER": ledger, "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox"}
    settings = Settings.from_environment(environ)
    if request.param != "sqlite":
        settings = Settings.from_environment(environ)
        object.__setattr__(settings, "ledger", {**settings.ledger, "CREATE_TABLE": "y"})
    with ExecutionAgent(settings) as opened:
        yield opened


@pytest.mark.parametrize("request_", [PLAIN, WITH_OPTIONS])
def test_the_mail_is_written_and_the_story_told(agent: ExecutionAgent, request_: dict[str, Any]) -> None:
    response = agent.process(request_)

    assert (response["status"], response["error"], response["attempts"]) == ("succeeded", None, 1)
    history = agent.history(response["action_id"])
    assert [entry["type"] for entry in history] == ["requested", "validated", "attempted", "succeeded"]
    assert history[0]["data"]["request"] == request_
    assert len(history[2]["data"]["facts"]["template_sha256"]) == 64
    assert agent.status(response["action_id"]) == response

    mail = message_from_bytes(Path(response["result"]["outbox"]).read_bytes(), policy=policy.default)
    assert mail["To"] == "customer@example.com"
    assert response["action_id"] in mail["Message-ID"]
    for part in ("plain", "html"):
        body = mail.get_body((part,))
        assert body is not None
        assert "Acme Inc." in body.get_content()


def test_lambda_answers_the_same(agent: ExecutionAgent) -> None:
    payload = json.loads((ROOT / "infra" / "events" / "direct_invoke.json").read_text("utf-8"))
    assert payload == PLAIN
    response = json.loads(json.dumps(answer(agent, payload, Context(30_000))))
    assert response["status"] == "succeeded"


def test_the_example_file_is_the_request_with_options() -> None:
    assert json.loads((ROOT / "examples" / "renewal_reminder.json").read_text("utf-8")) == WITH_OPTIONS


BAD_INPUTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such template": ({"template": "nowhere"}, "invalid_template", "parameters.template"),
    "a template elsewhere": ({"template": "../renewal_reminder"}, "invalid_template", "parameters.template"),
    "no such day": (
        {"variables": {"customer_name": "A", "renewal_date": "2023-02-30"}},
        "invalid_variable",
        "parameters.variables.renewal_date",
    ),
    "a variable missing": (
        {"variables": {"customer_name": "A"}},
        "missing_variable",
        "parameters.variables.renewal_date",
    ),
    "two recipients": ({"recipient": "a@example.com,b@example.com"}, "invalid_recipient", "parameters.recipient"),
    "a display name": ({"recipient": "Ada <a@example.com>"}, "invalid_recipient", "parameters.recipient"),
    "a header in the recipient": (
        {"recipient": "a@example.com\nBcc: b@example.com"},
        "invalid_recipient",
        "parameters.recipient",
    ),
    "a header in a variable": (
        {"variables": {"customer_name": "A\rBcc: b@example.com", "renewal_date": "2023-12-31"}},
        "invalid_characters",
        "parameters.variables.customer_name",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_is_refused_with_a_code_and_nothing_is_sent(case: str, tmp_path: Path) -> None:
    changes, code, field = BAD_INPUTS[case]
    environ = {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
    }
    with ExecutionAgent(Settings.from_environment(environ)) as agent:
        response = agent.process({**PLAIN, "parameters": {**PLAIN["parameters"], **changes}})
    assert (response["status"], response["error"]["code"]) == ("rejected", code)
    assert response["error"]["details"][0]["field"] == field
    outbox = tmp_path / "outbox"
    assert not outbox.exists() or list(outbox.iterdir()) == []
