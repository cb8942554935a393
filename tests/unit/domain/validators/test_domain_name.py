from __future__ import annotations

import unicodedata

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.validators.domain_name import InvalidDomainName, ascii_domain


def ascii_or_none(name: str) -> str | None:
    try:
        return ascii_domain(name)
    except InvalidDomainName:
        return None


def judged_by_idna(name: str) -> str | None:
    """What the reference says, once upper case is out of the way."""
    lowered = "".join(map(str.lower, unicodedata.normalize("NFC", name)))
    try:
        return idna.encode(lowered).decode()
    except idna.IDNAError:
        return None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("a.b", "a.b"),
        ("mail-1.example.co.uk", "mail-1.example.co.uk"),
        ("1and1.de", "1and1.de"),
        ("example.123a", "example.123a"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.DE", "xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("XN--MNCHEN-3YA.DE", "xn--mnchen-3ya.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("ΒΌΛΟς.com", "xn--nxasmm1c.com"),
        ("日本語.jp", "xn--wgv71a119e.jp"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("דוגמה.com", "xn--6dbbec0c.com"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        ("العربية١.com", "xn--mgbcd4a2b0d2b5l.com"),
        ("हिन्दी.com", "xn--j2bd4cyah0f.com"),
    ],
)
def test_a_name_travels_in_lower_case_and_ascii(name: str, expected: str) -> None:
    assert ascii_domain(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "com", "localhost", ".com", "example.", "example..com", "example.com.", "-a.com", "a-.com",
        "a_b.com", "a b.com", " a.com", "a.com ", "a.com\n", "a\t.com", "a.1", "1.2.3.4", "[1.2.3.4]", "::1",
        "a.com:25",
        "a/b.com", "a@b.com", "a,b.com", "(a).com", '"a".com', "a%2e.com", "a\\.com", "a.com\x00", "a\x7f.com",
        "a" * 64 + ".com", "ü" * 60 + ".com", ".".join(["a" * 49] * 6), "ab--c.com", "xn--.com", "xn--a.com",
        "xn--abc.com",
        "xn--MNCHEN-3ya-.com", "xn--xn--a-ua.com", "xn--9999999999.com", "xn---gi6b.com", "xn--ü.com",
        "a。com", "a．com", "a｡com", "ｅｘ.com", "ﬁ.com", "①.com", "☃.com", "i❤.ws", "👍.com", "a\u200d.com",
        "a\u200c.com",
        "a\u200b.com", "a\u00ad.com", "\u202ea.com", "a\u2066.com", "a\ufeff.com", "a\u034f.com", "a\ufe0f.com",
        "\u3164.com", "\u115f.com", "\u0301a.com", "·.com", "l·l.com", "・.com", "a\u0640.com", "אa.com", "aא.com",
        "1א.com",
        "א1٢.com", "\u0661.com", "a\ud800.com", "ü-.com", "-ü.com", "ab--ü.com", "٣א.com",
    ],
)  # fmt: skip
def test_what_cannot_be_a_domain_is_refused(name: str) -> None:
    assert ascii_or_none(name) is None


@given(st.characters(exclude_categories=["Cs"], min_codepoint=0x80), st.sampled_from(["", "a", "a1", "א", "م"]))
def test_a_character_is_taken_only_as_the_reference_takes_it(character: str, before: str) -> None:
    name = f"{before}{character}.com"
    assert ascii_or_none(name) in {None, judged_by_idna(name)}


LETTERS = (
    st.characters(categories=["Ll", "Lo", "Mn", "Nd"])
    | st.sampled_from("aß日אع٢2-ü")
    | st.characters(max_codepoint=0x7FF)
)


@given(st.text(LETTERS, min_size=1, max_size=12))
@example("xn--mnchen-3ya")
@example("ΣΑΣ")
def test_a_name_is_taken_only_as_the_reference_takes_it(label: str) -> None:
    found = ascii_or_none(f"{label}.example")
    assert found is None or found == judged_by_idna(f"{label}.example")


@given(st.text(st.sampled_from("abcxyz0189-"), min_size=1, max_size=20))
def test_no_made_up_code_for_an_international_label_passes_the_reference_by(code: str) -> None:
    name = f"xn--{code}.com"
    assert ascii_or_none(name) in {None, judged_by_idna(name)}


@given(st.text(st.characters(categories=["Ll", "Lo"], max_codepoint=0x24F), min_size=1, max_size=20))
def test_the_ascii_form_is_final(label: str) -> None:
    found = ascii_or_none(f"{label}.com")
    assert found is None or ascii_domain(found) == found


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_is_not(text: str) -> None:
    found = ascii_or_none(text)
    assert found is None or (found.isascii() and found == found.lower() and len(found) <= 253)
