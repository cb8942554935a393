"""Secrets that are planted everywhere, and seen nowhere: in no event, answer, log, error, repr or line of a command.

Every action type is searched by the conformance kit, in all that it does; here is what the kit cannot see.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import AfterValidator, BaseModel

from adapters.connections import KINDS
from adapters.secrets import checked_reference
from agents.execution_agent.conformance import examine
from tests.contract.action_conformance import CASES
from tests.contract.cases.chats import SendSlackByToken, SendTeamsByWorkflow
from tests.contract.cases.crms import SalesforceUpdatesByKey
from tests.contract.cases.webhooks import CallsReceiverThatDeduplicates
from tests.doubles.slack import TOKEN
from tests.doubles.teams import PATH, SIGNATURE
from tests.house import agent_with

ROOT = Path(__file__).parents[2]


# -- every secret field is planted ------------------------------------------------------------------------------------

PLANTED: Mapping[str, set[str]] = {
    "slack": {"token"},
    "slack_webhook": {"url"},
    "teams": {"url"},
    "hubspot": {"token"},
    "salesforce": {"client_secret", "private_key"},
}
"""The fields for which the conformance cases have a canary."""


def test_every_secret_field_of_every_kind_has_a_canary() -> None:
    fields = {kind: set(_secret_fields(import_module(KINDS[kind].module).Model)) for kind in KINDS}
    assert {kind: names for kind, names in fields.items() if names} == PLANTED


def _secret_fields(model: type[BaseModel]) -> Iterator[str]:
    for name, hint in typing.get_type_hints(model, include_extras=True).items():
        if any(isinstance(part, AfterValidator) and part.func is checked_reference for part in _parts(hint)):
            yield name


def _parts(hint: Any) -> Iterator[Any]:
    yield from getattr(hint, "__metadata__", ())
    for argument in typing.get_args(hint):
        yield from _parts(argument)


def test_every_case_that_has_a_connection_has_a_canary() -> None:
    assert [
        case.name for made in CASES if not (case := made()).secrets and case.action.action_type != "send_email"
    ] == []


def test_a_private_key_is_told_by_nobody() -> None:
    case = SalesforceUpdatesByKey()
    case.statuses = (200, 400, 401, 429, 500)
    examine(case).require()


@pytest.fixture
def botocore() -> Iterator[logging.Logger]:
    """As it is before anybody has spoken to it."""
    logger = logging.getLogger("botocore")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(before)


def test_a_library_that_tells_too_much_at_debug_is_hushed(botocore: logging.Logger) -> None:
    """Lambda sets the level of every logger with that of the function."""
    with agent_with():
        assert not logging.getLogger("botocore.auth").isEnabledFor(logging.DEBUG)


def test_a_library_that_is_hushed_tells_no_more_than_others_may(botocore: logging.Logger) -> None:
    assert not botocore.isEnabledFor(logging.INFO), "nobody has asked for more than warnings"
    with agent_with():
        assert not logging.getLogger("botocore.credentials").isEnabledFor(logging.INFO)


def test_whoever_asks_for_it_by_name_gets_it(botocore: logging.Logger) -> None:
    botocore.setLevel(logging.DEBUG)
    with agent_with():
        assert logging.getLogger("botocore.auth").isEnabledFor(logging.DEBUG)


# -- the command line -------------------------------------------------------------------------------------------------


class Shell:
    """The command line in a folder with a file of connections, a file of webhooks and their secrets."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder, self.said = folder, ""
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **environ,
            "PYTHONPATH": str(ROOT),
            "EXECUTION_AGENT_LOG_LEVEL": "DEBUG",
            "EXECUTION_AGENT_LEDGER": "sqlite:///ledger.db",
            "EXECUTION_AGENT_CONNECTIONS": "connections.json",
            "WEBHOOK_CONFIG_PATH": "webhooks.json",
            "EXECUTION_AGENT_WAIT_S": "5",
        }

    def __call__(self, *words: str, request: Any = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "agents.execution_agent", *words],
            cwd=self.folder,
            env=self._environ,
            input=None if request is None else json.dumps(request),
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.said += done.stdout + done.stderr
        return done.stdout


SIGNING = "whsec_" + base64.b64encode(b"canary-45c48cce2e2d7fbdea1afc51").decode()
WORDS = ("canary", SIGNING.removeprefix("whsec_"))
"""Every secret has one of them in it."""


def test_no_command_tells_a_secret_whatever_becomes_of_what_it_does(tmp_path: Path) -> None:
    slack, teams, hooks = SendSlackByToken(), SendTeamsByWorkflow(), CallsReceiverThatDeduplicates()
    with slack.provider, teams.provider, hooks.provider:
        shell = Shell(tmp_path, _configured(tmp_path, slack.provider.url, teams.provider.url, hooks.provider.url))
        shell("actions", "--json")
        for request in (
            {"action_type": "send_slack", "parameters": {"channel": "renewals", "text": "ACME-1 renews."}},
            {"action_type": "send_teams", "parameters": {"text": "ACME-1 renews."}},
            {"action_type": "call_webhook", "parameters": {"webhook": "crm", "payload": {}}},
            {"action_type": "call_webhook", "parameters": {"webhook": "lost", "payload": {}}},
            {"action_type": "call_webhook", "parameters": {"webhook": "none", "payload": {}}},
            {"action_type": "send_slack", "parameters": {"channel": "elsewhere", "text": "x"}},
        ):
            done = json.loads(shell("run", "-", "--json", request={**request, "options": {"retry_policy": "none"}}))
            shell("history", done["action_id"])
        called, *_ = json.loads(shell("list", "--status", "succeeded", "--json"))
        shell("undo", called["action_id"], "--actor", "ada", "--reason", "wrong")
        shell("run", "-", request=request)
        (tmp_path / "connections.json").write_text('{"workspace": {"kind": "slack", "token": "canary-in-its-place"}}')
        shell("actions")
    assert shell.said
    assert (len(slack.provider.sent), len(teams.provider.sent), len(hooks.provider.sent)) == (1, 1, 2), "they were used"
    assert [word for word in WORDS if word in shell.said] == []
    assert [word for word in WORDS if word.encode() in (tmp_path / "ledger.db").read_bytes()] == []


def _configured(folder: Path, slack: str, teams: str, hooks: str) -> dict[str, str]:
    """The two files, and the environment that holds their secrets."""
    local = {"allow_http": True, "allow_private_network": True}
    connections = {
        "workspace": {
            "kind": "slack",
            "token": "env:SLACK_TOKEN",
            "channels": {"renewals": "C0RENEWALS"},
            "base_url": slack,
            **local,
        },
        "cards": {"kind": "teams", "url": f"file:{folder}/teams", **local},
    }
    targets = {
        "crm": {
            "url": f"{hooks}/${{HOOK_PATH}}",
            "headers": {"authorization": "Bearer ${env:HOOK_TOKEN}"},
            "secret": "${HOOK_SECRET}",
            "undo": "crm-undo",
            **local,
        },
        "crm-undo": {"url": f"{hooks}/undo", "secret": "${HOOK_SECRET}", **local},
        "lost": {"url": "http://127.0.0.1:9/${HOOK_PATH}", "headers": {"x-key": "${HOOK_TOKEN}"}, **local},
    }
    (folder / "connections.json").write_text(json.dumps(connections), "utf-8")
    (folder / "webhooks.json").write_text(json.dumps(targets), "utf-8")
    (folder / "teams").write_text(f"{teams}{PATH}?sig={SIGNATURE}", "utf-8")
    return {
        "SLACK_TOKEN": TOKEN,
        "HOOK_PATH": "canary-6512bd43d9caa6e02c990b0a82652dca",
        "HOOK_TOKEN": "canary-c20ad4d76fe97759aa27a0c99bff6710",
        "HOOK_SECRET": SIGNING,
    }
