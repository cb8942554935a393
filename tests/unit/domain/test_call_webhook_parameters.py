"""What an action may say of a webhook call."""

from __future__ import annotations

from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from domain.validators.call_webhook import LARGEST_HEADERS, CallWebhookParameters, check_headers
from domain.validators.parameters import read_parameters

VALID = {"webhook": "crm", "payload": {"a": 1}}


def read(**changes: Any) -> CallWebhookParameters:
    members = {name: value for name, value in (VALID | changes).items() if value != "left out"}
    return read_parameters(CallWebhookParameters, members)


def test_a_call_names_a_webhook_and_brings_a_payload() -> None:
    parameters = read(headers={"X-Trace": "t-1"})
    assert (parameters.webhook, parameters.url) == ("crm", None)
    assert (parameters.payload, parameters.headers) == ({"a": 1}, {"X-Trace": "t-1"})


def test_a_call_may_bring_its_own_url() -> None:
    assert read(webhook="left out", url="https://a.example/").url == "https://a.example/"
    assert read(webhook=None, url="https://a.example/").url == "https://a.example/"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"webhook": "left out"}, "parameters"),
        ({"webhook": None}, "parameters"),
        ({"url": "https://a.example/"}, "parameters"),
        ({"webhook": 7}, "parameters.webhook"),
        ({"webhook": "left out", "url": 7}, "parameters.url"),
        ({"payload": "left out"}, "parameters.payload"),
        ({"payload": None}, "parameters.payload"),
        ({"payload": [1]}, "parameters.payload"),
        ({"payload": "{}"}, "parameters.payload"),
        ({"headers": None}, "parameters.headers"),
        ({"headers": ["x"]}, "parameters.headers"),
        ({"headers": {"x": 1}}, "parameters.headers.x"),
        ({"headers": {"host": "evil.com"}}, "parameters.headers"),
        ({"method": "GET"}, "parameters.method"),
    ],
)
def test_anything_else_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        read(**changes)
    assert refused.value.code == "invalid_parameters"
    assert [detail.field for detail in refused.value.details] == [field]


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *(
            "host",
            "Host",
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "expect",
            "date",
        ),
        *("content-length", "Content-Type", "content-encoding", "content-disposition", "accept-encoding"),
        *("webhook-id", "webhook-timestamp", "webhook-signature", "webhook-anything", "Idempotency-Key"),
        *("proxy-authorization", "proxy-connection", "sec-fetch-site", "user-agent", "origin", "referer"),
        *(
            "authorization",
            "x-authorization",
            "cookie",
            "cookie2",
            "set-cookie",
            "x-api-key",
            "api-key",
            "x-auth-token",
        ),
        *("x-access-token", "x-csrf-token", "forwarded", "via", "x-forwarded-for", "X-Forwarded-Host", "x-real-ip"),
        *("true-client-ip", "cf-connecting-ip", "x-amz-security-token", "x-amzn-trace-id", "x-original-url"),
        *("x-rewrite-url", "x-http-method-override", "x-method-override", "x-hub-signature-256", "x-slack-signature"),
        *("if-match", "range", "", " ", "x y", "x:", "x\r\ny", "x\x00", "ü", "x(", "a" * 65),
    ],
)
def test_a_header_that_is_not_an_actions_to_set_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_headers({name: "canary"})
    assert refused.value.code == "invalid_parameters"
    assert "canary" not in repr([refused.value, refused.value.details])


@pytest.mark.parametrize(
    "value", ["a\r\nb", "a\nb", "a\rb", "a\x00b", "a\tb", "\x7f", "ü", "\u20ac", " a", "a ", "a" * LARGEST_HEADERS]
)
def test_a_value_that_would_break_the_message_is_refused(value: str) -> None:
    with pytest.raises(Refused):
        check_headers({"x-trace": value})


@pytest.mark.parametrize(
    "headers", [{}, {"x-trace": ""}, {"X-Trace": "a b"}, {"accept": "*/*"}, {"traceparent": "00-1-2-01"}]
)
def test_a_header_of_no_consequence_is_allowed(headers: dict[str, str]) -> None:
    check_headers(headers)


def test_a_header_of_the_configuration_stays_as_it_is() -> None:
    with pytest.raises(Refused):
        check_headers({"X-Tenant": "theirs"}, configured={"x-tenant"})


def test_a_header_is_given_once() -> None:
    with pytest.raises(Refused):
        check_headers({"x-trace": "a", "X-Trace": "b"})


def test_every_header_to_repair_is_told() -> None:
    with pytest.raises(Refused) as refused:
        check_headers({"host": "a", "x-trace": "b", "cookie": "c"})
    assert [detail.field for detail in refused.value.details] == [
        "parameters.headers.host",
        "parameters.headers.cookie",
    ]


def test_all_headers_together_have_a_size() -> None:
    check_headers({f"x-{number}": "a" * 90 for number in range(80)})
    with pytest.raises(Refused):
        check_headers({f"x-{number}": "a" * 90 for number in range(90)})


@given(
    st.dictionaries(
        st.text(st.characters(max_codepoint=127), max_size=6), st.text(st.characters(max_codepoint=255), max_size=6)
    )
)
def test_what_is_allowed_is_fit_for_the_wire(headers: dict[str, str]) -> None:
    try:
        check_headers(headers)
    except Refused:
        return
    sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    h11.Request(method="POST", target="/", headers=[(b"host", b"a.example"), *sent])
