"""The file of webhook targets: what it may say, and how it is told what is wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from adapters.http import PUBLIC, Reach
from adapters.secrets import Secrets
from adapters.webhook_config import parse_config
from adapters.webhook_receiver import Private
from adapters.webhooks import Webhooks
from domain.errors import ConfigurationError, Refused
from domain.gate import Limits

URL = "https://hooks.example.com/crm"
KEY = bytes(range(24))
SECRET = f"whsec_{b64encode(KEY).decode()}"


def config_of(environ: dict[str, str] | None = None, **entries: Any) -> Any:
    return parse_config(json.dumps(entries).encode(), environ or {})


def opened(environ: dict[str, str], entry: Any, secrets: dict[str, str] | None = None) -> Private:
    """What stays in the adapter; `secrets` is the environment that references find."""
    private: Private = config_of(environ, crm=entry).receivers["crm"].opened(Secrets(secrets or {}).value)
    return private


def test_a_target_needs_no_more_than_a_url() -> None:
    receiver = config_of(crm={"url": URL}).receivers["crm"]
    assert receiver.opened(Secrets({}).value) == Private(URL, confidential=(URL,))
    assert (receiver.undo, receiver.target.limits) == (None, None)
    assert receiver.reach == PUBLIC
    assert (receiver.target.method, receiver.target.deduplicates, receiver.target.timeout) == ("POST", False, 30.0)


def test_a_target_may_say_everything_and_take_any_text_from_the_environment() -> None:
    environ = {"HOST": "crm.example.com", "TOKEN": "t-1", "SECRET": SECRET, "VERB": "PATCH"}
    entry = {
        "url": "https://${HOST}/v${TOKEN}",
        "method": "${VERB}",
        "headers": {"authorization": "Bearer ${TOKEN}"},
        "secret": "${SECRET}",
        "timeout_s": 2.5,
        "deduplicates": True,
        "allow_http": True,
        "allow_private_network": True,
        "undo": "back",
    }
    receiver = config_of(environ, crm=entry, back={"url": URL}).receivers["crm"]
    private = receiver.opened(Secrets({}).value)
    assert (private.url, private.headers) == ("https://crm.example.com/vt-1", {"authorization": "Bearer t-1"})
    assert (private.keys, receiver.undo) == ((KEY,), "back")
    assert receiver.reach == Reach(allow_http=True, allow_private_network=True)
    assert (receiver.target.method, receiver.target.timeout) == ("PATCH", 2.5)


def test_what_the_environment_says_is_not_expanded_again() -> None:
    entry = {"url": URL, "headers": {"x": "${A}"}}
    assert opened({"A": "${B}", "B": "b"}, entry).headers == {"x": "${B}"}


# --- several secrets, and secrets that are kept elsewhere -----------------------------------------------------------

NEWER_KEY = bytes(range(24, 48))
NEWER_SECRET = f"whsec_{b64encode(NEWER_KEY).decode()}"


def test_a_target_may_have_several_secrets_the_newest_first() -> None:
    private = opened({"OLD": SECRET}, {"url": URL, "secret": [NEWER_SECRET, "${OLD}"]})
    assert private.keys == (NEWER_KEY, KEY)
    assert {SECRET, NEWER_SECRET} <= set(private.confidential)


def test_a_secret_that_is_kept_elsewhere_is_read_when_it_is_first_needed() -> None:
    entry = {
        "url": "https://hooks.example.com/${env:PATH_}",
        "headers": {"authorization": "Bearer ${env:TOKEN}", "x-stage": "env:prod"},
        "secret": ["env:NEW", "${env:OLD}"],
    }
    receiver = config_of(crm=entry).receivers["crm"]
    assert set(receiver.references) == {"env:PATH_", "env:TOKEN", "env:NEW", "env:OLD"}
    assert receiver.header_names == {"authorization", "x-stage"}
    secrets = Secrets({"PATH_": "crm/p4th-t0ken", "TOKEN": "t0ken-1", "NEW": NEWER_SECRET, "OLD": SECRET})
    private = receiver.opened(secrets.value)
    assert private.url == "https://hooks.example.com/crm/p4th-t0ken"
    assert private.headers == {"authorization": "Bearer t0ken-1", "x-stage": "env:prod"}
    assert private.keys == (NEWER_KEY, KEY)
    assert {"crm/p4th-t0ken", "t0ken-1", NEWER_SECRET, SECRET} <= set(private.confidential)


def test_what_a_secret_or_the_environment_says_is_not_read_once_more() -> None:
    entry = {"url": URL, "headers": {"a": "${env:A}", "b": "${B}"}}
    private = opened({"B": "${env:C}"}, entry, {"A": "${B} and ${env:C}", "C": "c4n4ry"})
    assert private.headers == {"a": "${B} and ${env:C}", "b": "${env:C}"}


def test_the_environment_is_read_at_the_start_and_never_again() -> None:
    environ = {"TENANT": "acme-7", "TOKEN": "t0ken-1"}
    receiver = config_of(environ, crm={"url": URL, "headers": {"x": "${TENANT}", "y": "${env:TOKEN}"}}).receivers["crm"]
    environ.clear()
    assert receiver.opened(Secrets({"TOKEN": "t0ken-2"}).value).headers == {"x": "acme-7", "y": "t0ken-2"}


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ({}, "the secret env:SECRET is empty or not there"),
        ({"SECRET": "c4n4ry"}, "webhook crm: secret: a secret is whsec_"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_without_repeating_it(secret: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        opened({}, {"url": URL, "secret": "env:SECRET"}, secret)
    assert str(wrong.value).startswith(told)
    assert "c4n4ry" not in repr(wrong.value)


@pytest.mark.parametrize(
    ("entry", "field"),
    [({"url": "${env:SECRET}"}, "url"), ({"url": URL, "headers": {"x": "${env:SECRET}"}}, "headers.x")],
)
def test_what_is_kept_elsewhere_is_held_to_the_same_rules(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"webhook crm: {field}"):
        opened({}, entry, {"SECRET": "http://c4n4ry.example.com/\n"})


def test_a_target_says_what_it_bears() -> None:
    limits = {"per_second": 2.5, "at_once": 4, "failures": 3, "pause_s": 10}
    target = config_of(crm={"url": URL, "limits": limits}).receivers["crm"].target
    assert target.limits == Limits(per_second=2.5, at_once=4, failures=3, pause=10)
    assert config_of(crm={"url": URL, "limits": {}}).receivers["crm"].target.limits == Limits()


# --- what is wrong --------------------------------------------------------------------------------------------------

WRONG: list[tuple[Any, str]] = [
    ({}, "crm: url"),
    ("https://hooks.example.com/", "crm"),
    (None, "crm"),
    ([URL], "crm"),
    ({"url": URL, "uri": URL}, "crm: uri"),
    ({"url": 7}, "crm: url"),
    ({"url": None}, "crm: url"),
    ({"url": ""}, "crm: url"),
    ({"url": "hooks.example.com"}, "crm: url"),
    ({"url": "http://hooks.example.com/"}, "crm: url"),
    ({"url": "https://hooks.example.com:9/"}, "crm: url"),
    ({"url": "https://localhost/"}, "crm: url"),
    ({"url": "https://user@hooks.example.com/"}, "crm: url"),
    ({"url": "https://127.1/", "allow_private_network": True}, "crm: url"),
    ({"url": URL, "method": "GET"}, "crm: method"),
    ({"url": URL, "method": "post"}, "crm: method"),
    ({"url": URL, "method": "POST /x HTTP/1.1"}, "crm: method"),
    ({"url": URL, "headers": ["a"]}, "crm: headers"),
    ({"url": URL, "headers": {"x": 7}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": None}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x y": "z"}}, "crm: headers.x y"),
    ({"url": URL, "headers": {"x": "a\nb"}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": "ü"}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": " a"}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": "a" * 8193}}, "crm: headers.x"),
    ({"url": URL, "headers": {"Host": "evil.com"}}, "crm: headers.Host"),
    ({"url": URL, "headers": {"content-length": "1"}}, "crm: headers.content-length"),
    ({"url": URL, "headers": {"webhook-id": "1"}}, "crm: headers.webhook-id"),
    ({"url": URL, "headers": {"x": "a", "X": "b"}}, "crm: headers"),
    ({"url": URL, "secret": "plain"}, "crm: secret"),
    ({"url": URL, "secret": ""}, "crm: secret"),
    ({"url": URL, "secret": "whsec_"}, "crm: secret"),
    ({"url": URL, "secret": "whsec_c2hvcnQ="}, "crm: secret"),
    ({"url": URL, "secret": "whsec_" + "!" * 32}, "crm: secret"),
    ({"url": URL, "secret": SECRET.removeprefix("whsec_")}, "crm: secret"),
    ({"url": URL, "secret": "whsec_" + b64encode(bytes(65)).decode()}, "crm: secret"),
    ({"url": URL, "secret": 7}, "crm: secret"),
    ({"url": URL, "secret": [SECRET, "plain"]}, "crm: secret"),
    ({"url": URL, "secret": [SECRET] * 5}, "crm: secret"),
    ({"url": URL, "secret": {"new": SECRET}}, "crm: secret"),
    ({"url": URL, "secret": "vault:crm"}, "crm: secret"),
    ({"url": URL, "secret": "ssm:"}, "crm: secret: a secret is written"),
    ({"url": URL, "secret": "file:crm"}, "crm: secret: a secret is written"),
    ({"url": URL, "secret": "${secretsmanager:a b}"}, "crm: secret: a secret is written"),
    ({"url": URL, "headers": {"x": "${env:A-B}"}}, "crm: headers.x: a secret is written"),
    ({"url": URL, "headers": {"x": "${vault:crm}"}}, "crm: headers.x: a variable is written"),
    ({"url": URL, "method": "${ssm:/method}"}, "crm: method"),
    ({"url": URL, "undo": "${ssm:/undo}"}, "crm: undo"),
    ({"url": URL, "limits": 5}, "crm: limits"),
    ({"url": URL, "limits": {"per_second": 0}}, "crm: limits.per_second"),
    ({"url": URL, "limits": {"per_second": "5"}}, "crm: limits.per_second"),
    ({"url": URL, "limits": {"at_once": 0}}, "crm: limits.at_once"),
    ({"url": URL, "limits": {"at_once": 1.5}}, "crm: limits.at_once"),
    ({"url": URL, "limits": {"failures": 0}}, "crm: limits.failures"),
    ({"url": URL, "limits": {"pause_s": 301}}, "crm: limits.pause_s"),
    ({"url": URL, "limits": {"per_minute": 5}}, "crm: limits.per_minute"),
    ({"url": URL, "timeout_s": 0}, "crm: timeout_s"),
    ({"url": URL, "timeout_s": -1}, "crm: timeout_s"),
    ({"url": URL, "timeout_s": 901}, "crm: timeout_s"),
    ({"url": URL, "timeout_s": "10"}, "crm: timeout_s"),
    ({"url": URL, "timeout_s": True}, "crm: timeout_s"),
    ({"url": URL, "deduplicates": "yes"}, "crm: deduplicates"),
    ({"url": URL, "deduplicates": 1}, "crm: deduplicates"),
    ({"url": URL, "allow_http": 1}, "crm: allow_http"),
    ({"url": URL, "allow_private_network": "true"}, "crm: allow_private_network"),
    ({"url": URL, "undo": "nobody"}, "crm: undo"),
    ({"url": URL, "undo": {"url": URL}}, "crm: undo"),
    ({"url": "https://${MISSING}/"}, "crm: url: the environment variable MISSING"),
    ({"url": URL, "secret": "${EMPTY}"}, "crm: secret: the environment variable EMPTY"),
    ({"url": URL, "headers": {"x": "${MISSING}"}}, "crm: headers.x: the environment variable MISSING"),
    ({"url": URL, "headers": {"x": "${MISSING"}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": "${}"}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": "${A-B}"}}, "crm: headers.x"),
    ({"url": URL, "headers": {"x": "${WITH_END_OF_LINE}"}}, "crm: headers.x"),
]


@pytest.mark.parametrize(("entry", "told"), WRONG, ids=[f"{number}-{told}" for number, (_, told) in enumerate(WRONG)])
def test_what_is_wrong_is_told_in_one_line_with_its_target_and_field(entry: Any, told: str) -> None:
    environ = {"EMPTY": "", "WITH_END_OF_LINE": "c4n4ry\n"}
    with pytest.raises(ConfigurationError) as wrong:
        config_of(environ, crm=entry)
    assert str(wrong.value).startswith(f"webhook {told}")
    assert "\n" not in str(wrong.value)
    assert "c4n4ry" not in str(wrong.value)


@pytest.mark.parametrize(
    "field", ["url", "method", "secret", "undo", "timeout_s", "deduplicates", "allow_http", "headers"]
)
def test_what_is_wrong_is_told_without_repeating_it(field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        config_of({"SECRET": "c4n4ry"}, crm={"url": URL, field: "<${SECRET}>"})
    assert "c4n4ry" not in repr(wrong.value)


@pytest.mark.parametrize("name", ["", "CRM", "-crm", ".crm", "crm hook", "crm/x", "**", "*.", "ü", "a" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="a name matches"):
        config_of(**{name: {"url": URL}})


@pytest.mark.parametrize("name", ["a", "0", "crm", "crm-2.eu_west", "a" * 64])
def test_a_name_that_is_one_is_accepted(name: str) -> None:
    assert list(config_of(**{name: {"url": URL}}).receivers) == [name]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'{"crm": {"url": "https://a.example/", "url": "https://b.example/"}}',
        b'{"crm": {"url": "https://a.example/"}, "crm": {"url": "https://b.example/"}}',
        b'{"crm": {"url": "https://a.example/", "timeout_s": NaN}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_a_file_that_is_no_plain_object_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        parse_config(data, {})
    assert str(wrong.value).startswith("webhooks: ")
    assert "\n" not in str(wrong.value)


# --- direct URLs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "reach"),
    [
        ({"allow_direct_urls": True}, PUBLIC),
        (
            {"allow_direct_urls": True, "allow_hosts": ["a.example", "*.b.example"]},
            Reach(allow_hosts=("a.example", "*.b.example")),
        ),
        ({"allow_direct_urls": True, "allow_hosts": []}, Reach(allow_hosts=())),
        ({"allow_direct_urls": False}, None),
        ({"allow_direct_urls": False, "allow_hosts": ["a.example"]}, None),
    ],
)
def test_direct_urls_are_as_free_as_the_entry_says(entry: dict[str, Any], reach: Reach | None) -> None:
    assert config_of(**{"*": entry}).direct == reach


@pytest.mark.parametrize(
    "entry",
    [
        {},
        True,
        {"allow_direct_urls": "yes"},
        {"allow_direct_urls": 1},
        {"allow_direct_urls": True, "allow_private_network": True},
        {"allow_direct_urls": True, "allow_hosts": "a.example"},
        {"allow_direct_urls": True, "allow_hosts": ["*"]},
        {"allow_direct_urls": True, "allow_hosts": ["*."]},
        {"allow_direct_urls": True, "allow_hosts": ["*example.com"]},
        {"allow_direct_urls": True, "allow_hosts": ["a.*.example"]},
        {"allow_direct_urls": True, "allow_hosts": ["https://a.example"]},
        {"allow_direct_urls": True, "allow_hosts": ["A.example"]},
        {"allow_direct_urls": True, "allow_hosts": [7]},
    ],
)
def test_an_entry_for_direct_urls_that_is_wrong_is_refused(entry: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^webhook \*"):
        config_of(**{"*": entry})


# --- the file itself ------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_means_no_targets_unless_it_was_asked_for(tmp_path: Path) -> None:
    missing = tmp_path / "webhooks.json"
    with pytest.raises(Refused):
        Webhooks.from_file(missing, {}).target("crm")
    with pytest.raises(ConfigurationError, match="WEBHOOK_CONFIG_PATH"):
        Webhooks.from_file(missing, {}, required=True)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.json"
    path.write_text(json.dumps({"crm": {"url": URL}}))
    assert Webhooks.from_file(str(path), {}, required=True).target("crm").name == "crm"


def test_what_is_there_and_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="WEBHOOK_CONFIG_PATH"):
        Webhooks.from_file(tmp_path, {})
