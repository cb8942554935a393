from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Code, InvalidRecipient
from domain.validators.recipient import check_recipient


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Lovelace@Example.COM", "Ada.Lovelace@example.com"),
        ("o'brien+news_2024%x-y@sub.example.co.uk", "o'brien+news_2024%x-y@sub.example.co.uk"),
        ("1@2b.co", "1@2b.co"),
        ("a-@example.com", "a-@example.com"),
        ("ada@münchen.de", "ada@xn--mnchen-3ya.de"),
        ("ada@пример.рф", "ada@xn--e1afmkfd.xn--p1ai"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_a_bare_address_is_taken_with_its_domain_in_ascii(value: str, expected: str) -> None:
    assert check_recipient(value) == expected


REFUSED: list[Any] = [
    None, 5, True, ["ada@example.com"], {"email": "ada@example.com"}, b"ada@example.com", "", "@", "ada", "ada@",
    "@example.com",
    "ada@localhost", "ada@example", "ada@127.0.0.1", "ada@[127.0.0.1]", "ada@[IPv6:::1]", "ada@example.com.",
    "Ada <ada@example.com>", "<ada@example.com>", '"ada"@example.com', '"a b"@example.com', "ada(x)@example.com",
    "ada@example.com (Ada)", "ada@example.com, bob@example.com", "ada@example.com;bob@example.com",
    "ada@bob@example.com",
    "mailto:ada@example.com", "ada@example.com?cc=bob@example.com", " ada@example.com", "ada@example.com ",
    "a da@example.com",
    "ada@exam ple.com", "ada\t@example.com", "ada@example.com\n", "ada@example.com\r\nBcc: bob@example.com",
    "ada\x00@example.com",
    ".ada@example.com", "ada.@example.com", "a..da@example.com", "-ada@example.com", "+ada@example.com",
    "'ada@example.com",
    "_ada@example.com", "%ada@example.com", "ada!bob@example.com", "ada/bob@example.com", "ada=bob@example.com",
    "ada\\@example.com", "ada`x`@example.com", "$ada@example.com", "ada|x@example.com", "a&b@example.com",
    "ädä@example.com",
    "аda@example.com", "ada\u200b@example.com", "\u202eada@example.com", "\ufeffada@example.com",
    "ada@exam\u00adple.com",
    "ada@example.com\u200e", "ada＠example.com", "ada@example。com", "ada@ex_ample.com", "ada@-example.com",
    "ada@example..com",
    "a" * 65 + "@example.com", "ada@" + "a" * 64 + ".com", "ada@" + ".".join(["a" * 60] * 5),
    "=?utf-8?q?a?=@example.com",
    "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".example",
    "a" * 64 + "@" + ".".join(["é" * 30 + "字" * 6] * 4) + ".example",
    "a" * 1_000_000, "a." * 1_000_000, "@" * 1_000_000,
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:40])
def test_anything_around_or_instead_of_one_address_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRecipient) as caught:
        check_recipient(value)
    (detail,) = caught.value.details
    assert (detail.field, detail.code) == ("parameters.recipient", Code.INVALID_RECIPIENT)
    assert caught.value.code == Code.INVALID_RECIPIENT
    assert len(detail.message) < 200


def test_the_longest_address_has_254_characters() -> None:
    domain = ".".join(["d" * 61] * 3) + ".com"
    longest = "a" * (254 - len(domain) - 1) + "@" + domain
    assert len(check_recipient(longest)) == 254
    with pytest.raises(InvalidRecipient):
        check_recipient("a" + longest)


LOCAL_PARTS = st.from_regex(r"[A-Za-z0-9](?:[._%+'-]?[A-Za-z0-9]){0,15}", fullmatch=True)
DOMAINS = st.from_regex(r"[a-z0-9](?:[a-z0-9]{0,10}\.[a-z]{2,6})", fullmatch=True)


@given(LOCAL_PARTS, DOMAINS)
def test_ordinary_addresses_are_taken_as_they_are(local_part: str, domain: str) -> None:
    assert check_recipient(f"{local_part}@{domain}") == f"{local_part}@{domain}"


@given(LOCAL_PARTS, DOMAINS, st.characters(), st.integers(0, 40))
def test_whatever_is_put_into_an_address_it_stays_one_bare_address(
    local_part: str, domain: str, character: str, position: int
) -> None:
    address = f"{local_part}@{domain}"
    try:
        taken = check_recipient(address[:position] + character + address[position:])
    except InvalidRecipient:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._%+'-]*@[a-z0-9.-]+\.[a-z0-9-]+", taken)
    assert check_recipient(taken) == taken


@given(st.text(max_size=60) | st.text(st.sampled_from("ab@.<>, \"'\n;é-"), max_size=20))
def test_any_text_is_taken_or_refused_and_nothing_else_happens(text: str) -> None:
    try:
        taken = check_recipient(text)
    except InvalidRecipient:
        return
    assert taken.count("@") == 1
    assert taken.isascii()
