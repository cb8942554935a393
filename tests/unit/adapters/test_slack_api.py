"""What each answer of Slack means: never more certain than Slack's own documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http import PUBLIC, MaybeSent, NotSent, UnsafeTarget
from adapters.secrets import Secrets
from adapters.slack_api import NEVER, NOT_NOW, TOKEN_REFUSED, SlackApi
from domain.outcome import Failure, Permanent, Retry, Unknown
from tests.doubles.http_client import ScriptedClient

TOKEN = "xoxb-canary"
UNCERTAIN = ("internal_error", "fatal_error", "service_unavailable")

DOCUMENTED = re.findall(
    r"[a-z_]+",
    """
    access_denied accesslimited account_inactive as_user_not_supported attachment_payload_limit_exceeded
    cannot_reply_to_message channel_not_found deprecated_endpoint duplicate_channel_not_found
    duplicate_message_not_found ekm_access_denied enterprise_is_restricted fatal_error internal_error invalid_arg_name
    invalid_arguments invalid_array_arg invalid_auth invalid_blocks invalid_blocks_format invalid_charset
    invalid_form_data invalid_metadata_format invalid_metadata_schema invalid_post_type is_archived
    markdown_text_conflict message_limit_exceeded messages_tab_disabled metadata_must_be_sent_from_app
    metadata_too_large method_deprecated missing_file_data missing_post_type missing_scope msg_blocks_too_long
    msg_too_long no_permission no_text not_allowed_token_type not_authed not_in_channel org_login_required rate_limited
    ratelimited request_timeout restricted_action restricted_action_non_threadable_channel
    restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel
    service_unavailable slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked
    slack_connect_lists_sharing_blocked team_access_not_granted team_added_to_org team_not_found token_expired
    token_revoked too_many_attachments too_many_contact_cards two_factor_setup_required cant_delete_message
    compliance_exports_prevent_deletion message_not_found
    """,
)
"""The errors of chat.postMessage and of chat.delete."""


def said(status: int = 200, body: bytes = b"", **headers: str) -> Mapping[str, Any] | Failure:
    return asked(ScriptedClient.answering(status, body, **headers))


def asked(client: ScriptedClient, secrets: Secrets | None = None) -> Mapping[str, Any] | Failure:
    secrets = secrets or Secrets({"TOKEN": TOKEN})
    api = SlackApi("https://slack.com", "env:TOKEN", secrets, client.as_client, PUBLIC)
    return api.call("chat.postMessage", {"channel": "C1"}, timeout=7.0)


def refused(error: object, **headers: str) -> Failure:
    failure = said(body=json.dumps({"ok": False, "error": error}).encode(), **headers)
    assert not isinstance(failure, Mapping)
    return failure


@pytest.mark.parametrize("error", DOCUMENTED)
def test_every_documented_error_is_classed_by_what_it_says_of_the_effect(error: str) -> None:
    failure = refused(error)
    expected = Retry if error in NOT_NOW | TOKEN_REFUSED else Unknown if error in UNCERTAIN else Permanent
    assert (type(failure), failure.code) == (expected, error)


def test_only_what_surely_did_nothing_is_tried_again() -> None:
    assert {*NOT_NOW} == {
        "message_limit_exceeded",
        "org_login_required",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "team_added_to_org",
    }
    assert {*TOKEN_REFUSED} == {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
    assert {*DOCUMENTED} >= NOT_NOW | TOKEN_REFUSED
    assert NEVER - {*DOCUMENTED} == {"invalid_json", "json_not_object"}  # of JSON in the body, for every method
    assert not NEVER & (NOT_NOW | TOKEN_REFUSED | {*UNCERTAIN})


ANYTHING = st.text() | st.from_regex("[a-z_]{1,20}", fullmatch=True) | st.none() | st.integers() | st.lists(st.text())


@given(ANYTHING.filter(lambda error: str(error) not in {*DOCUMENTED, *NEVER}))
def test_an_error_that_is_not_documented_leaves_a_doubt(error: object) -> None:
    failure = refused(error)
    assert isinstance(failure, Unknown)
    assert failure.code in ("slack_unknown_error", error)


def test_slack_says_when_to_come_back_in_either_way() -> None:
    assert refused("ratelimited", retry_after="12") == Retry("ratelimited", "Slack answered ratelimited", 12.0)
    assert said(429, b"", retry_after="30") == Retry("http_429", "Slack answered 429", 30.0)


def test_no_status_is_taken_for_more_certain_than_it_is() -> None:
    classes = {status: type(said(status, b"not JSON")) for status in range(1000)}
    assert {status for status, kind in classes.items() if kind is Retry} == {401, 425, 429}
    permanent = {status for status, kind in classes.items() if kind is Permanent}
    assert permanent == {*range(300, 500)} - {401, 408, 425, 429}
    assert {*classes.values()} == {Retry, Permanent, Unknown}


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_refusal_that_a_gateway_brings_is_not_believed(status: int) -> None:
    assert isinstance(said(status, b'{"ok":false,"error":"channel_not_found"}'), Unknown)


@given(
    st.binary() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_a_body_that_is_no_answer_leaves_a_doubt(body: bytes) -> None:
    assert isinstance(said(body=body), Unknown)


@pytest.mark.parametrize("ok", [None, 1, 0, "true", "false", [], {}])
def test_only_true_and_false_are_an_answer(ok: object) -> None:
    assert isinstance(said(body=json.dumps({"ok": ok, "error": "channel_not_found"}).encode()), Unknown)


def test_a_yes_is_the_answer_itself() -> None:
    assert said(body=b'{"ok":true,"ts":"1.000000"}') == {"ok": True, "ts": "1.000000"}


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (NotSent("connect_failed", "no connection"), Retry("connect_failed", "Slack: no connection")),
        (MaybeSent("timeout", "the deadline passed"), Unknown("timeout", "Slack: the deadline passed")),
        (UnsafeTarget("the scheme is not https"), Permanent("unsafe_target", "Slack: the scheme is not https")),
    ],
)
def test_without_an_answer_it_counts_whether_a_byte_has_left(trouble: Exception, expected: Failure) -> None:
    assert asked(ScriptedClient(trouble)) == expected


@pytest.mark.parametrize("error", sorted(TOKEN_REFUSED))
def test_a_token_that_is_refused_is_forgotten(error: str) -> None:
    environ = {"TOKEN": TOKEN}
    secrets = Secrets(environ)
    client = ScriptedClient.answering(200, json.dumps({"ok": False, "error": error}).encode())
    failure = asked(client, secrets)
    environ["TOKEN"] = "xoxb-another"
    assert isinstance(failure, Retry)
    assert TOKEN not in failure.message
    assert secrets.value("env:TOKEN") == "xoxb-another"


def test_an_error_never_repeats_the_token() -> None:
    failure = refused(TOKEN)
    assert failure == Unknown("slack_unknown_error", "Slack answered slack_unknown_error")


def test_what_is_sent_is_json_under_the_token() -> None:
    client = ScriptedClient.answering(200, b'{"ok":true}')
    asked(client)
    [(request, timeout, reach)] = client.sent
    assert (request.method, request.url) == ("POST", "https://slack.com/api/chat.postMessage")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(request.body) == {"channel": "C1"}
    assert (round(timeout), reach) == (7, PUBLIC)
