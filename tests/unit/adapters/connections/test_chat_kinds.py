"""The kinds of connections that carry messages: what an entry may say, and that it keeps its secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.connections import read_connections
from adapters.slack import Slack
from adapters.slack_webhook import SlackWebhook
from adapters.teams import Teams
from domain.chat import Cards, Chat, ErasableChat
from domain.errors import ConfigurationError, Refused
from domain.text_messages import TextMessages
from domain.validators.parameters import read_parameters
from handlers.actions.delete_slack import DeleteSlack
from handlers.actions.send_slack import SendSlack
from handlers.actions.send_sms import SendSms
from handlers.actions.send_teams import SendTeams
from tests.doubles.connections import connections

SLACK = {"kind": "slack", "token": "env:TOKEN", "channels": {"renewals": "C0RENEWALS"}}
HOOK = {"kind": "slack_webhook", "url": "env:HOOK", "channel": "renewals"}
TEAMS = {"kind": "teams", "url": "env:TEAMS"}
SMS = {"kind": "sms", "region": "eu-central-1", "prefixes": ["+49"]}
ROOT = Path(__file__).parents[4]


def test_each_kind_is_found_by_what_it_can_do() -> None:
    there = connections(chat=SLACK, hook=HOOK, teams=TEAMS, sms=SMS)
    assert isinstance(there.of(Chat, "chat"), Slack)
    assert isinstance(there.of(Chat, "hook"), SlackWebhook)
    assert isinstance(there.of(Cards), Teams)
    assert (there.of(TextMessages).name, there.of(TextMessages).prefixes) == ("sms", ("+49",))
    assert there.of(ErasableChat) is there.of(Chat, "chat")


def test_the_example_says_what_can_be_read_and_the_requests_beside_it_what_can_be_asked() -> None:
    examples = ROOT / "examples"
    there = read_connections((examples / "connections-chat.json").read_bytes())
    assert [entry.kind for entry in there.values()] == ["slack", "teams", "sms"]
    for kind in (SendSlack, DeleteSlack, SendTeams, SendSms):
        request = json.loads((examples / f"{kind.action_type}.json").read_bytes())
        assert request["action_type"] == kind.action_type
        read_parameters(kind.parameters, request["parameters"])


def test_of_several_one_must_be_named() -> None:
    with pytest.raises(Refused, match="say which connection; there are: chat, hook"):
        connections(chat=SLACK, hook=HOOK).of(Chat)


def test_a_channel_is_asked_for_by_name_or_id() -> None:
    chat = connections(chat=SLACK).of(Chat)
    assert chat.channel("renewals") == chat.channel("C0RENEWALS") == "C0RENEWALS"
    hook = connections(hook=HOOK).of(Chat)
    assert hook.channel("renewals") == "renewals"
    for other in ("general", "C0GENERAL", "", "RENEWALS", "renewals "):
        for there in (chat, hook):
            with pytest.raises(Refused) as refused:
                there.channel(other)
            assert refused.value.details[0].field == "parameters.channel"


WRONG: list[tuple[dict[str, Any], str]] = [
    (SLACK | {"token": "xoxb-canary"}, "token"),
    (SLACK | {"channels": {}}, "channels"),
    (SLACK | {"channels": ["C0RENEWALS"]}, "channels"),
    (SLACK | {"channels": {"renewals": "general"}}, "channels"),
    (SLACK | {"channels": {"renewals": "U0SOMEBODY"}}, "channels"),
    (SLACK | {"channels": {"re newals": "C0RENEWALS"}}, "channels"),
    (SLACK | {"base_url": "http://slack.com"}, "base_url"),
    (SLACK | {"base_url": "https://localhost"}, "base_url"),
    (SLACK | {"base_url": "https://slack.com/api"}, "base_url"),
    (SLACK | {"base_url": "https://canary@slack.com"}, "base_url"),
    (SLACK | {"allow_mentions": "yes"}, "allow_mentions"),
    (SLACK | {"allow_images": "yes"}, "allow_images"),
    (SLACK | {"channel": "renewals"}, "channel"),
    (HOOK | {"url": "https://hooks.slack.com/services/T0/B0/canary"}, "url"),
    ({"kind": "slack_webhook", "url": "env:HOOK"}, "channel"),
    (HOOK | {"channel": "#renewals"}, "channel"),
    (TEAMS | {"url": "https://example.com/canary"}, "url"),
    ({"kind": "teams"}, "url"),
    (SMS | {"prefixes": []}, "prefixes"),
    (SMS | {"prefixes": ["49"]}, "prefixes"),
    (SMS | {"prefixes": ["+"]}, "prefixes"),
    (SMS | {"prefixes": ["+49\n"]}, "prefixes"),
    (SMS | {"region": "Frankfurt"}, "region"),
    (SMS | {"sender_id": "12345"}, "sender_id"),
    (SMS | {"sender_id": "AC"}, "sender_id"),
    (SMS | {"sender_id": "ACME RENEWALS"}, "sender_id"),
    (SMS | {"endpoint_url": "http://sns.example.com"}, "endpoint_url"),
]


@pytest.mark.parametrize(("entry", "field"), WRONG)
def test_what_is_wrong_with_an_entry_is_one_line_that_repeats_no_value(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        read_connections(json.dumps({"there": entry}).encode())
    told = str(wrong.value)
    assert told.startswith("connection there: ")
    assert field in told
    assert "\n" not in told
    assert "canary" not in told


def test_nothing_of_an_entry_is_told_by_its_repr() -> None:
    entries = read_connections(json.dumps({"chat": SLACK, "hook": HOOK, "teams": TEAMS, "sms": SMS}).encode())
    assert [repr(entry.entry) for entry in entries.values()] == [
        "Model(slack)",
        "Model(slack_webhook)",
        "Model(teams)",
        "Model(sms)",
    ]


def test_to_read_the_file_loads_no_client() -> None:
    """A cold start pays for the connection that it uses."""
    code = f"""
import json, sys
from adapters.connections import read_connections
read_connections(json.dumps({{"a": {SLACK!r}, "b": {HOOK!r}, "c": {TEAMS!r}, "d": {SMS!r}}}).encode())
heavy = {{"httpcore", "botocore", "adapters.slack", "adapters.slack_webhook", "adapters.teams", "adapters.http"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
