"""The file of webhook targets: what it may say, and how it is told what is wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from adapters.http import PUBLIC, Reach
from adapters.webhook_config import parse_config
from adapters.webhooks import Webhooks
from domain.errors import ConfigurationError, Refused

URL = "https://hooks.example.com/crm"
KEY = bytes(range(24))
SECRET = f"whsec_{b64encode(KEY).decode()}"


def config_of(environ: dict[str, str] | None = None, **entries: Any) -> Any:
    return parse_config(json.dumps(entries).encode(), environ or {})


def test_a_target_needs_no_more_than_a_url() -> None:
    receiver = config_of(crm={"url": URL}).receivers["crm"]
    assert (receiver.url, receiver.headers, receiver.key, receiver.undo) == (URL, {}, None, None)
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
    assert (receiver.url, receiver.headers) == ("https://crm.example.com/vt-1", {"authorization": "Bearer t-1"})
    assert (receiver.key, receiver.undo) == (KEY, "back")
    assert receiver.reach == Reach(allow_http=True, allow_private_network=True)
    assert (receiver.target.method, receiver.target.timeout) == ("PATCH", 2.5)


def test_what_the_environment_says_is_not_expanded_again() -> None:
    entry = {"url": URL, "headers": {"x": "${A}"}}
    assert config_of({"A": "${B}", "B": "b"}, crm=entry).receivers["crm"].headers == {"x": "${B}"}


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
