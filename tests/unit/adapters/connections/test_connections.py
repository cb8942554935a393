"""The file of connections: read strictly, told in one line where it is wrong, and built when it is first used."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from adapters.connections import KINDS, ConfiguredConnections, Entry, read_connections
from adapters.secrets import Secrets
from domain import chat, crm, functions, mail, messaging, text_messages, workflows
from domain.chat import Cards, Chat, ErasableChat
from domain.connections import NoConnections
from domain.crm import Crm
from domain.errors import ConfigurationError, Refused
from domain.workflows import Workflows

EXAMPLES = Path(__file__).parents[4] / "examples"
CANARY = "canary-c9f0f895fb98ab9159f51fd0297e236d"
SLACK: dict[str, Any] = {"kind": "slack", "token": "env:TOKEN", "channels": {"renewals": "C0RENEWALS"}}
TEAMS: dict[str, Any] = {"kind": "teams", "url": "env:TEAMS"}
OBJECTS = {"contacts": {"fields": ["email"]}}
HUBSPOT: dict[str, Any] = {"kind": "hubspot", "token": "env:HUBSPOT", "objects": OBJECTS}
ARN = "arn:aws:{}:eu-central-1:123456789012:{}"
ENTRIES: dict[str, dict[str, Any]] = {
    "slack": SLACK,
    "slack_webhook": {"kind": "slack_webhook", "url": "env:HOOK", "channel": "renewals"},
    "teams": TEAMS,
    "sms": {"kind": "sms", "region": "eu-central-1", "prefixes": ["+49"]},
    "hubspot": HUBSPOT,
    "salesforce": {
        "kind": "salesforce",
        "base_url": "https://acme.my.salesforce.com",
        "client_id": "3MVG9",
        "client_secret": "env:SALESFORCE",
        "objects": {"Contact": {"fields": ["Email"]}},
    },
    "step_functions": {
        "kind": "step_functions",
        "state_machines": {"onboarding": {"arn": ARN.format("states", "stateMachine:Onboarding")}},
    },
    "event_bus": {"kind": "event_bus", "bus": ARN.format("events", "event-bus/revops"), "source": "revops.decisions"},
    "queue": {"kind": "queue", "url": "https://sqs.eu-central-1.amazonaws.com/123456789012/renewals"},
    "topic": {"kind": "topic", "arn": ARN.format("sns", "renewals")},
    "function": {"kind": "function", "function": ARN.format("lambda", "function:score")},
    "directory": {"kind": "directory", "path": "/srv/invoices"},
    "s3": {"kind": "s3", "bucket": "acme-invoices", "prefix": "sent/", "region": "eu-central-1"},
}
"""A sound entry of every kind."""


def connections(**entries: Any) -> ConfiguredConnections:
    return ConfiguredConnections(read_connections(json.dumps(entries).encode()), Secrets({}))


def problem_with(data: bytes) -> str:
    with pytest.raises(ConfigurationError) as wrong:
        read_connections(data)
    return str(wrong.value)


# -- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"\xff", "not UTF-8"),
        (b'{"a": {}, "a": {}}', "given more than once"),
        (b'{"a": {"kind": "slack", "kind": "teams"}}', "given more than once"),
        (b'{"a": {"kind": NaN}}', "finite numbers only"),
        (b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", "nests at most"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_that_names_it(tmp_path: Path, data: bytes, problem: str) -> None:
    file = tmp_path / "connections.json"
    file.write_bytes(data)
    with pytest.raises(ConfigurationError) as wrong:
        ConfiguredConnections.from_file(file, Secrets({}))
    assert str(wrong.value).startswith(f"{file}: connections: ")
    assert problem in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_named_with_its_setting(tmp_path: Path) -> None:
    for place, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError) as wrong:
            ConfiguredConnections.from_file(place, Secrets({}))
        assert str(wrong.value) == f"EXECUTION_AGENT_CONNECTIONS: cannot read {place}: {reason}"


def test_a_sound_file_is_read_and_no_secret_with_it(tmp_path: Path) -> None:
    file = tmp_path / "connections.json"
    file.write_text(json.dumps(ENTRIES), "utf-8")
    there = ConfiguredConnections.from_file(file, Secrets({}))
    assert there.of(Chat, "slack").name == "slack"


def test_an_empty_file_of_connections_is_sound() -> None:
    assert read_connections(b"{}") == {}


# -- an entry ---------------------------------------------------------------------------------------------------------

A_KIND = f"kind must be one of {', '.join(sorted(KINDS))}"
A_REFERENCE = "token: a secret is written env:NAME, file:/PATH, secretsmanager:NAME or ssm:NAME"

WRONG: list[tuple[Any, str]] = [
    (None, A_KIND),
    (5, A_KIND),
    ([], A_KIND),
    (CANARY, A_KIND),
    ({}, A_KIND),
    ({"kind": CANARY}, A_KIND),
    ({"kind": None}, A_KIND),
    ({"kind": ["slack"]}, A_KIND),
    ({"kind": "slack"}, "token: Field required"),
    ({"kind": "Slack"}, A_KIND),
    (SLACK | {"token": CANARY}, A_REFERENCE),
    (SLACK | {"token": f"env:{CANARY}"}, A_REFERENCE),
    (SLACK | {"token": None}, "token: Input should be a valid string"),
    (SLACK | {"token": 7}, "token: Input should be a valid string"),
    (SLACK | {"chanels": {}}, "chanels: Extra inputs are not permitted"),
    (SLACK | {"channels": {"renewals": CANARY}}, "channels.renewals: "),
    (SLACK | {"channels": {}}, "channels: "),
    (SLACK | {"allow_http": "yes"}, "allow_http: Input should be a valid boolean"),
    (SLACK | {"base_url": f"http://{CANARY}"}, "base_url: the scheme is not https"),
    (SLACK | {"base_url": f"https://example.com/{CANARY}"}, "base_url: it has neither path nor query"),
    (HUBSPOT | {"objects": {"contacts": {"fields": [f"{CANARY}!"]}}}, "objects.contacts.fields.0: "),
    (HUBSPOT | {"objects": {}}, "objects: "),
    (HUBSPOT | {"timeout_s": -1}, "timeout_s: "),
    (ENTRIES["salesforce"] | {"private_key": "env:KEY"}, "give either private_key or client_secret"),
    (ENTRIES["salesforce"] | {"client_secret": CANARY}, "client_secret: a secret is written env:NAME"),
    (ENTRIES["queue"] | {"url": f"https://{CANARY}"}, "url: this is not the URL of a queue"),
    (ENTRIES["topic"] | {"arn": CANARY}, "arn: this is not the ARN of a topic"),
    (ENTRIES["function"] | {"invocation": CANARY}, "invocation: "),
    (ENTRIES["sms"] | {"region": CANARY}, "region: "),
    (ENTRIES["directory"] | {"path": CANARY}, "path: a path begins with /"),
    (ENTRIES["s3"] | {"bucket": f"../{CANARY}"}, "bucket: this is not the name of a bucket"),
    (ENTRIES["s3"] | {"prefix": CANARY}, "prefix: a prefix is made of"),
]


@pytest.mark.parametrize(("entry", "problem"), WRONG)
def test_whatever_is_wrong_is_one_line_that_names_connection_and_field_and_repeats_no_value(
    entry: Any, problem: str
) -> None:
    told = problem_with(json.dumps({"sound": TEAMS, "there": entry}).encode())
    assert told.startswith(f"connection there: {problem}")
    assert "\n" not in told
    assert CANARY not in told


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a/b", "a" * 65, "ä"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    told = problem_with(json.dumps({name: TEAMS}).encode())
    assert told == f"connection {name[:64]!r}: a name matches [a-z0-9][a-z0-9_-]{{0,63}}"


@pytest.mark.parametrize("name", ["a", "0", "sales-eu_2", "a" * 64])
def test_a_name_is_short_and_plain(name: str) -> None:
    assert list(read_connections(json.dumps({name: TEAMS}).encode())) == [name]


def test_nothing_of_a_connection_is_told_by_its_repr() -> None:
    there = connections(chat=SLACK, crm=HUBSPOT)
    read = read_connections(json.dumps({"chat": SLACK}).encode())
    told = repr((there, read, there.of(Chat), there.of(Crm)))
    assert "env:TOKEN" not in told
    assert "C0RENEWALS" not in told


# -- the kinds --------------------------------------------------------------------------------------------------------


def protocols() -> dict[str, Any]:
    """Every port that a connection can have, by its name."""
    modules = (chat, crm, functions, mail, messaging, text_messages, workflows)
    return {name: port for module in modules for name, port in vars(module).items() if _is_port(port)}


def _is_port(candidate: Any) -> bool:
    return (
        isinstance(candidate, type) and getattr(candidate, "_is_protocol", False) and candidate.__name__ != "Protocol"
    )


def test_there_is_a_sound_entry_of_every_kind() -> None:
    assert set(ENTRIES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_model_and_an_adapter_that_can_do_what_its_ports_ask(aws: None, kind: str) -> None:
    module = import_module(KINDS[kind].module)
    assert issubclass(module.Model, Entry)
    adapter = module.connect("there", module.Model.model_validate(ENTRIES[kind]), Secrets({}))
    for name in KINDS[kind].ports:
        members = [member for member in vars(protocols()[name]) if not member.startswith("_")]
        assert members
        assert [member for member in members if not hasattr(adapter, member)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_of_a_kind_is_closed_and_frozen(kind: str) -> None:
    model = import_module(KINDS[kind].module).Model
    assert (model.model_config["extra"], model.model_config["frozen"], model.model_config["strict"]) == (
        "forbid",
        True,
        True,
    )
    assert model.model_config["hide_input_in_errors"] is True


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("connections-*.json")), ids=lambda path: path.stem)
def test_the_examples_are_sound_files(path: Path) -> None:
    ConfiguredConnections.from_file(path, Secrets({}))


# -- asking for one ---------------------------------------------------------------------------------------------------


def refusal(there: Any, port: Any, name: str | None = None) -> str:
    with pytest.raises(Refused) as refused:
        there.of(port, name)
    [detail] = refused.value.details
    assert (detail.field, detail.code) == ("parameters.connection", "invalid_parameters")
    assert detail.message == refused.value.message
    return refused.value.message


def test_the_only_one_for_a_port_need_not_be_named() -> None:
    there = connections(workspace=SLACK, cards=TEAMS)
    assert there.of(Chat).name == there.of(ErasableChat).name == "workspace"
    assert there.of(Cards).name == "cards"


def test_of_several_one_must_be_named() -> None:
    there = connections(one=SLACK, other=SLACK)
    assert refusal(there, Chat) == "say which connection; there are: one, other"
    assert there.of(Chat, "other").name == "other"


def test_one_that_cannot_do_it_is_as_good_as_none() -> None:
    there = connections(workspace=SLACK, cards=TEAMS)
    assert refusal(there, Chat, "cards") == "no connection 'cards' of kind slack or slack_webhook; there are: workspace"
    assert refusal(there, Crm, "workspace").startswith("no connection 'workspace' of kind hubspot or salesforce is in")


def test_where_the_file_has_none_that_can_do_it_the_kinds_are_named_that_could() -> None:
    there = connections(workspace=SLACK)
    assert refusal(there, Cards) == "no connection of kind teams is in the file of EXECUTION_AGENT_CONNECTIONS"
    assert refusal(there, Crm).startswith("no connection of kind hubspot or salesforce is in the file")


def test_what_no_kind_can_do_is_called_as_its_action_type_calls_it() -> None:
    class FaxMachine:
        """What somebody's own action type asks for."""

    assert refusal(connections(workspace=SLACK), FaxMachine).startswith("no connection for FaxMachine is in the file")


def test_where_there_is_no_file_the_setting_is_named() -> None:
    assert refusal(NoConnections(), Workflows) == "no connection is configured; set EXECUTION_AGENT_CONNECTIONS"
    assert refusal(NoConnections(), Workflows, "flows") == (
        "no connection 'flows': none is configured; set EXECUTION_AGENT_CONNECTIONS"
    )


def test_a_strange_name_is_told_short_and_plain() -> None:
    told = refusal(connections(workspace=SLACK), Chat, "\x1b[31m" + "x" * 500)
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 200


def test_an_adapter_is_built_once_for_all_threads() -> None:
    there, start = connections(workspace=SLACK), Barrier(16)
    found: list[Any] = []

    def ask() -> None:
        start.wait(5)
        found.append(there.of(Chat))

    threads = [Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(found) == 16
    assert len({id(adapter) for adapter in found}) == 1
