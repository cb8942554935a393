from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidVariable
from domain.mail import Unsubscribe
from domain.mail_policy import InvalidPolicy, Leaving, MailPolicy
from tests.template_files import refusal_of

URL = "https://news.example.com/u/{{ token }}?list={{list}}"


def leaving(**said: Any) -> Leaving:
    policy = MailPolicy.read({"unsubscribe": said})
    assert policy.unsubscribe
    return policy.unsubscribe


def test_what_is_not_mentioned_is_not_allowed() -> None:
    policy = MailPolicy.read({})
    assert (policy.cc.at_most, policy.bcc.at_most, policy.attachments.at_most) == (0, 0, 0)
    assert not policy.reply_to.admits("ada@example.com")
    assert policy.unsubscribe is None


def test_addresses_are_allowed_by_name_or_by_their_very_domain() -> None:
    cc = MailPolicy.read({"cc": {"addresses": ["legal@example.org"], "domains": ["München.example"]}}).cc
    assert cc.admits("legal@example.org")
    assert cc.admits("ada@xn--mnchen-3ya.example")
    others = ("eve@example.org", "ada@a.xn--mnchen-3ya.example", "ada@evil-xn--mnchen-3ya.example", "ada@example")
    assert not any(cc.admits(address) for address in others)
    assert not cc.admits("eve%example.net@xn--mnchen-3ya.example")


WRONG: list[tuple[Any, str]] = [
    (None, "email: "),
    ([], "email: "),
    ({"ccs": {}}, "email.ccs: is not known"),
    ({"cc": {"adresses": []}}, "email.cc.adresses: is not known"),
    ({"cc": {"at_most": "2"}}, "email.cc.at_most: "),
    ({"cc": {"at_most": 50}}, "email.cc.at_most: "),
    ({"cc": {"at_most": True}}, "email.cc.at_most: "),
    ({"cc": {"addresses": "ada@example.com"}}, "email.cc.addresses: "),
    ({"cc": {"addresses": ["Ada <ada@example.com>"]}}, "email.cc.addresses.0: "),
    ({"bcc": {"always": ["ada@example.com\r\nX: y"]}}, "email.bcc.always.0: "),
    ({"bcc": {"domains": ["*.example.com"]}}, "email.bcc.domains.0: "),
    ({"bcc": {"domains": ["example"]}}, "email.bcc.domains.0: "),
    ({"reply_to": {"default": "=?utf-8?q?ada?= <ada@example.com>"}}, "email.reply_to.default: "),
    ({"attachments": {"files": ["../terms.pdf"]}}, "email.attachments.files.0: "),
    ({"attachments": {"always": ["terms.exe"]}}, "email.attachments.always.0: "),
    ({"attachments": {"stores": ["/srv"]}}, "email.attachments.stores.0: "),
    ({"attachments": {"stores": ["invoices\n"]}}, "email.attachments.stores.0: "),
    ({"attachments": {"types": ["exe"]}}, "email.attachments.types.0: "),
    ({"attachments": {"largest_bytes_in_all": 40_000_000}}, "email.attachments.largest_bytes_in_all: "),
    ({"unsubscribe": {}}, "email.unsubscribe: needs a url or a mailto"),
    ({"unsubscribe": {"one_click": True}}, "email.unsubscribe: needs a url or a mailto"),
    *(
        ({"unsubscribe": {"url": url}}, "email.unsubscribe.url: ")
        for url in (
            "http://news.example.com/u",
            "https://ada:secret@news.example.com/u",
            "https://ada@news.example.com/u",
            "https://{{ host }}/u",
            "https://{{ host }}.example.com/u",
            "https://news.example.com",
            "https://news.example.com:{{ port }}/",
            "https://127.0.0.1/u",
            "https://localhost/u",
            "https://news.example.com/u#top",
            "https://news.example.com/u\r\nBcc: eve@example.net",
            "https://news.example.com/u> <mailto:eve@example.net",
            "https://news.example.com/{% if x %}",
            "https://news.example.com/{{ token | upper }}",
            "https://news.example.com/{{ token.x }}",
            "https://news.example.com/" + "u" * 900,
            "javascript:alert(1)",
            "//news.example.com/u",
            "https://news.example.com\\@evil.example/",
        )
    ),
    *(
        ({"unsubscribe": {"mailto": mailto}}, "email.unsubscribe.mailto: ")
        for mailto in (
            "nobody",
            "mailto:ada@example.com",
            "{{ name }}@example.com",
            "ada@example.com?bcc=eve@example.net",
            "ada@example.com?subject=x&bcc=eve@example.net",
            "ada@example.com, eve@example.net",
            "Ada <ada@example.com>",
            "ada@example.com\r\nBcc: eve@example.net",
        )
    ),
    ({"inline_css": "no"}, "email.inline_css: "),
]


@pytest.mark.parametrize(("said", "told"), WRONG)
def test_whatever_is_wrong_is_one_line_that_names_the_member(said: Any, told: str) -> None:
    with pytest.raises(InvalidPolicy) as wrong:
        MailPolicy.read(said)
    assert str(wrong.value).startswith(told)
    assert len(str(wrong.value).splitlines()) == 1


def test_a_way_out_is_made_for_one_recipient() -> None:
    filled = leaving(url=URL, mailto="off@example.com?subject={{ token }}").filled({"token": "n7/Q x", "list": 5})
    assert filled == Unsubscribe(
        ("https://news.example.com/u/n7%2FQ%20x?list=5", "mailto:off@example.com?subject=n7%2FQ%20x"), one_click=True
    )


def test_without_a_url_nothing_is_done_by_one_click() -> None:
    assert leaving(mailto="o'neil+off%x@example.com").filled({}) == Unsubscribe(("mailto:o'neil+off%25x@example.com",))
    assert not leaving(url=URL, one_click=False).filled({"token": "a", "list": "b"}).one_click


def test_the_variables_of_a_way_out_are_known() -> None:
    assert leaving(url=URL, mailto="off@example.com?subject={{ name }}").variables() == {"token", "list", "name"}


@pytest.mark.parametrize("value", ["", " ", ".", "..", "x" * 257])
def test_a_value_that_leads_elsewhere_or_nowhere_is_refused(value: str) -> None:
    with pytest.raises(InvalidVariable) as refused:
        leaving(url=URL).filled({"token": value, "list": "a"})
    assert "parameters.variables.token" in {detail.field for detail in refused.value.details}


@given(st.text(max_size=300), st.text(max_size=20))
def test_no_value_ever_changes_where_a_url_leads(token: str, name: str) -> None:
    filled: list[Unsubscribe] = []
    try:
        refused = refusal_of(lambda: filled.append(leaving(url=URL).filled({"token": token, "list": name})))
    except UnicodeEncodeError:
        return  # half of a surrogate pair, which no request brings
    assert refused is None or isinstance(refused, InvalidVariable)
    for (uri,) in (one.uris for one in filled):
        found = urlsplit(uri)
        assert (found.scheme, found.netloc) == ("https", "news.example.com")
        assert found.path.split("/")[:2] == ["", "u"]
        assert len(found.path.split("/")) == 3
        assert unquote(found.path.split("/")[2]) == token
        assert uri.isascii()
        assert uri.isprintable()
