from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.email import Sender
from adapters.email_message import check_message, compose
from domain.errors import ConfigurationError, InvalidMessage, InvalidRecipient
from domain.mail import Attachment, Unsubscribe
from domain.ports import Email
from tests.template_files import refusal_of

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
SENDER = Sender("Acme Renewals", "renewals@example.com")
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Effect-Key"]


def composed(
    subject: str = "Your renewal",
    text: str = "Hello\n",
    html: str | None = None,
    *,
    recipient: str = "ada@example.org",
    sender: Sender = SENDER,
    effect_key: str = KEY,
    at: datetime = NOON,
) -> bytes:
    return compose(Email(recipient, subject, text, html), sender=sender, effect_key=effect_key, at=at)


def parsed(message: bytes) -> EmailMessage:
    read = message_from_bytes(message, EmailMessage, policy=SMTP)
    assert isinstance(read, EmailMessage)
    return read


def names_of_raw_headers(message: bytes) -> list[str]:
    """The header names as bytes on the wire, without any library."""
    head = message.partition(b"\r\n\r\n")[0].decode("ascii")
    return [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]


def test_a_message_carries_what_it_should() -> None:
    message = parsed(
        composed(html="<p>Hello</p>\n", at=datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1))))
    )
    assert {name: str(message[name]) for name in HEADERS} == {
        "From": "Acme Renewals <renewals@example.com>",
        "To": "ada@example.org",
        "Subject": "Your renewal",
        "Date": "Sun, 01 Mar 2026 12:00:00 +0000",
        "Message-ID": f"<{KEY}@example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Effect-Key": KEY,
    }
    assert message.get_content_type() == "multipart/alternative"
    assert [(part.get_content_type(), part.get_content()) for part in message.iter_parts()] == [
        ("text/plain", "Hello\r\n"),
        ("text/html", "<p>Hello</p>\r\n"),
    ]


def test_a_message_without_html_is_plain() -> None:
    message = parsed(composed())
    assert (message.get_content_type(), message.get_content()) == ("text/plain", "Hello\r\n")


def test_the_same_effect_is_the_same_message() -> None:
    assert composed(html="<p>") == composed(html="<p>")


def test_lines_are_short_seven_bit_and_end_as_mail_does() -> None:
    message = composed("Größe " * 100, "語" * 5000 + "\n.\n..\nFrom x", "<p>" * 5000)
    lines = message.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert message.isascii()
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@pytest.mark.parametrize(
    "subject",
    ["", " ", "\n", "a\nb", "a\r\nBcc: eve@example.net", "a\rb", "a\tb", "a\x00", "a\x7fb", "a\x85b", "a\u2028b",
     "a\u2029b",
     "=?utf-8?q?x?=", "=?utf-8?q?=0D=0ABcc=3A_eve@example.net?=", "a=?b", "x" * 999, "a\ud800"],
)  # fmt: skip
def test_a_subject_that_is_more_than_a_line_of_text_is_refused(subject: str) -> None:
    with pytest.raises(InvalidMessage):
        composed(subject)


@pytest.mark.parametrize(
    "subject",
    [
        "a", "  a  b  ", "Zoë's renewal", "日本語の件名" * 20, "👩‍💻 " * 40, "x" * 998, "語" * 998, "a " * 400 + "z",
        'Re: [x] (y) <z> @ , ; : \\ "',
        'longlonglonglonglonglongwordlonglonglongé "aß ;é', "e\u0301" * 200, "\u3000x", "x\u00a0", "=", "?=", "= ?x",
        "_=20_",
    ],
)  # fmt: skip
def test_a_subject_of_one_line_arrives_as_it_is(subject: str) -> None:
    assert str(parsed(composed(subject))["Subject"]) == subject


@pytest.mark.parametrize("text", ["\ud800", "a\rb", "\r"])
def test_a_body_that_would_not_arrive_as_it_is_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage):
        composed(text=text)
    with pytest.raises(InvalidMessage):
        composed(html=text)


@pytest.mark.parametrize(
    "effect_key", ["", "../x", "a/b", "a b", "a\nb", "a@b", "<a>", "é", ".a", "a.b", "-a", "a" * 129, "a\x00"]
)
def test_an_effect_key_that_is_no_name_is_refused(effect_key: str) -> None:
    with pytest.raises(InvalidMessage):
        composed(effect_key=effect_key)


def test_a_recipient_that_is_not_one_address_is_refused() -> None:
    with pytest.raises(InvalidRecipient):
        composed(recipient="Ada <ada@example.org>")


def test_the_longest_addresses_are_not_broken_up() -> None:
    domain = ".".join(["d" * 60] * 3) + ".example"
    recipient = f"{'a' * 60}@{domain}"
    assert str(parsed(composed(recipient=recipient, sender=Sender("", recipient)))["To"]) == recipient


def test_an_international_recipient_is_addressed_in_ascii() -> None:
    assert str(parsed(composed(recipient="ada@münchen.de"))["To"]) == "ada@xn--mnchen-3ya.de"


@pytest.mark.parametrize(
    ("setting", "name", "address"),
    [
        ("renewals@example.com", "", "renewals@example.com"),
        ("Acme Renewals <renewals@Example.com>", "Acme Renewals", "renewals@example.com"),
        ("Äcme, Inc. (EU) <renewals@example.com>", "Äcme, Inc. (EU)", "renewals@example.com"),
        ("O'Neil @ Acme; Sales<renewals@example.com>", "O'Neil @ Acme; Sales", "renewals@example.com"),
        ("日本 会社 <renewals@münchen.de>", "日本 会社", "renewals@xn--mnchen-3ya.de"),
    ],
)  # fmt: skip
def test_the_sender_may_have_a_name(setting: str, name: str, address: str) -> None:
    sender = Sender.parse(setting)
    assert sender == Sender(name, address)
    (read,) = parsed(composed(sender=sender))["From"].addresses
    assert (read.display_name, read.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "setting",
    ["", "acme", "acme@localhost", "Acme renewals@example.com", "Acme <renewals>", "<a@example.com", "a@example.com>",
     "A <a@b.co> B",
     "A <a@b.co>, B <b@b.co>", "A\nBcc: x <a@example.com>", "A <a@example.com>\r\nBcc: x@y.zz",
     "=?utf-8?q?x?= <a@example.com>",
     '"A" <a@example.com>', "A\\ <a@example.com>", "x" * 61 + " <a@example.com>", "a@example.com\n"],
)  # fmt: skip
def test_a_sender_that_is_no_sender_is_a_wrong_setting(setting: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Sender.parse(setting)
    assert len(str(caught.value).splitlines()) == 1


def headers_of(message: bytes) -> dict[str, str]:
    read = message_from_bytes(message)
    return {name: value for name, value in read.items() if not name.startswith("Content-")}


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (b"To: ada@", b"To: eve@"),
        (b"To: ada@", b"Bcc: eve@example.net\r\nTo: ada@"),
        (b"X-Effect-Key: act", b"X-Effect-Key: cat"),
        (b"X-Effect-Key", b"X-Other-Key"),
        (b"=?utf-8?b?", b"=?latin-1?b?"),
        (b"=?utf-8?b?", b"=?nonsense?b?"),
        (b"=?utf-8?b?", b"=?utf-8?b?="),
        (b"=?utf-8?b?", b"x=?utf-8?b?"),
        (b"Hello Zo=C3=AB", b"Hello Zo=C3=AC"),
        (b"Hello Zo=C3=AB", b"Hello Zo=FF"),
        (b"<p>", b"<P>"),
        (b"text/html", b"text/plain"),
        (b"text/html", b"image/png"),
        (b"quoted-printable\r\n\r\nHello", b"7bit\r\n\r\nHello"),
        (b"\r\nTo:", b"\nTo:"),
        (b"\r\nTo:", b"\r\rTo:"),
        (b"<p>", b"<p>" + b" " * 1000),
        (b"Hello Zo=C3=AB\r\n", b"Hello Zo=C3=AB\r\n--=_" + KEY.encode() + b"\r\n\r\nAnother part\r\n"),
        (b"--=_" + KEY.encode() + b"\r\n", b""),
    ],
)
def test_a_message_that_reads_otherwise_than_it_was_meant_is_refused(found: bytes, instead: bytes) -> None:
    email = Email("ada@example.org", "Zoë's renewal", "Hello Zoë\n", "<p>Hello</p>\n")
    message = compose(email, sender=SENDER, effect_key=KEY, at=NOON)
    check_message(message, headers_of(message), email)
    assert found in message
    with pytest.raises(InvalidMessage):
        check_message(message.replace(found, instead, 1), headers_of(message), email)


@pytest.mark.parametrize("change", [{"subject": "Zoe's renewal"}, {"text": "Bye"}, {"html": None}, {"html": "<b>"}])
def test_a_message_for_another_mail_is_refused(change: dict[str, Any]) -> None:
    email = Email("ada@example.org", "Zoë's renewal", "Hello Zoë\n", "<p>Hello</p>\n")
    message = compose(email, sender=SENDER, effect_key=KEY, at=NOON)
    with pytest.raises(InvalidMessage):
        check_message(message, headers_of(message), replace(email, **change))


# What a mail has besides its words

PDF = Attachment("terms.pdf", "application/pdf", b"%PDF-1.7\r\n\x00\xff" * 40)
NOTE = Attachment("note.txt", "text/plain", b"From x\n.\n--=_" + KEY.encode() + b"\n")
LEAVING = Unsubscribe(("https://news.example.com/u/n7", "mailto:off@example.com"), one_click=True)
WHOLE = Email(
    "ada@example.org",
    "Zo\u00eb's renewal",
    "Hello\n",
    "<p>Hello</p>\n",
    cc=("bob@example.com", "eve@m\u00fcnchen.de"),
    reply_to="replies@example.com",
    unsubscribe=LEAVING,
    attachments=(PDF, NOTE),
)


def whole(**changes: Any) -> bytes:
    return compose(replace(WHOLE, **changes), sender=SENDER, effect_key=KEY, at=NOON)


def test_a_whole_mail_carries_what_it_should() -> None:
    message = parsed(whole())
    assert str(message["Cc"]) == "bob@example.com, eve@xn--mnchen-3ya.de"
    assert str(message["Reply-To"]) == "replies@example.com"
    assert str(message["List-Unsubscribe"]) == "<https://news.example.com/u/n7>, <mailto:off@example.com>"
    assert str(message["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    words, *files = message.iter_parts()
    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in words.iter_parts()] == ["text/plain", "text/html"]
    read = [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in files]
    assert read == [(file.name, file.content_type, file.content) for file in WHOLE.attachments]
    assert not any(part.defects for part in message.walk())


def test_files_come_without_html_too() -> None:
    words, *files = parsed(whole(html=None)).iter_parts()
    assert (words.get_content_type(), len(files)) == ("text/plain", 2)


def test_a_way_out_by_mail_alone_is_not_done_by_one_click() -> None:
    message = parsed(whole(unsubscribe=Unsubscribe(("mailto:off@example.com",))))
    assert message["List-Unsubscribe-Post"] is None


def test_many_copies_are_folded() -> None:
    many = tuple(f"{'a' * 50}{number}@example.com" for number in range(49))
    message = whole(cc=many)
    assert max(map(len, message.split(b"\r\n"))) <= 90
    assert [address.addr_spec for address in parsed(message)["Cc"].addresses] == [*many]


ADDRESSES = ["", "Ada <ada@example.org>", "a@example.org\r\nBcc: eve@example.net", "=?utf-8?q?a?=@example.org", "a@b"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_copy_or_a_reply_to_what_is_no_address_is_refused(address: str) -> None:
    for changes in ({"cc": ("bob@example.com", address)}, {"reply_to": address}):
        with pytest.raises(InvalidRecipient):
            whole(**changes)


@pytest.mark.parametrize(
    "uri",
    ["", "http://news.example.com/u", "https://news.example.com/u\r\nBcc: eve@example.net", "https://a/> <https://b/",
     "https://a/ b", "https://a/\u00e9", "ftp://a/b", "https://a/\x00", 'https://a/"', "javascript:alert(1)"],
)  # fmt: skip
def test_a_way_out_that_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(InvalidMessage):
        whole(unsubscribe=Unsubscribe((uri,)))


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.pdf\r\nX: y", "application/pdf"),
        ('a"; x="y.pdf', "application/pdf"),
        ("../a.pdf", "application/pdf"),
        ("a/b.pdf", "application/pdf"),
        ("", "application/pdf"),
        ("=?utf-8?q?a?=.pdf", "application/pdf"),
        ("\u00e4.pdf", "application/pdf"),
        ("a" * 120 + ".pdf", "application/pdf"),
        ("a.pdf", "application/pdf\r\nX: y"),
        ("a.pdf", 'application/pdf; name="x"'),
        ("a.pdf", "pdf"),
        ("a.pdf", ""),
    ],
)
def test_a_file_whose_name_or_type_is_not_plain_is_refused(name: str, content_type: str) -> None:
    with pytest.raises(InvalidMessage):
        whole(attachments=(Attachment(name, content_type, b"x"),))


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (b"Cc: bob@", b"Cc: eve@"),
        (b"Cc: bob@", b"Bcc: bob@"),
        (b"Reply-To: replies@", b"Reply-To: eve@"),
        (b"<https://news.", b"<https://evil."),
        (b"List-Unsubscribe-Post", b"List-Unsubscribe-Pest"),
        (b'filename="terms.pdf"', b'filename="terms.exe"'),
        (b"attachment;", b"inline;"),
        (b"application/pdf", b"application/zip"),
        (b"JVBERi0xLjcNCgD", b"JVBERi0xLjcNCgE"),
        (b"multipart/mixed", b"multipart/other"),
        (b"--=_+" + KEY.encode() + b"--", b"--=_+" + KEY.encode() + b"\r\n\r\nAnother part\r\n"),
    ],
)
def test_a_whole_mail_that_reads_otherwise_than_it_was_meant_is_refused(found: bytes, instead: bytes) -> None:
    message = whole()
    assert found in message
    with pytest.raises(InvalidMessage):
        check_message(message.replace(found, instead, 1), headers_of(message), WHOLE)


@pytest.mark.parametrize("change", [{"attachments": (PDF,)}, {"attachments": (NOTE, PDF)}, {"html": None}])
def test_a_whole_mail_for_another_is_refused(change: dict[str, Any]) -> None:
    message = whole()
    with pytest.raises(InvalidMessage):
        check_message(message, headers_of(message), replace(WHOLE, **change))


HOSTILE = st.text(
    st.characters() | st.sampled_from("\r\n\t :=?_<>,;\"'\\.éß語😀\u2028\x85\x0b") | st.characters(max_codepoint=0x7F),
    max_size=90,
)
INJECTIONS = st.sampled_from(
    [
        "\r\nBcc: eve@example.net",
        "\nX: y",
        "=?utf-8?q?=0A?=",
        "=?utf-8?b?Cg==?=",
        "\r\n\r\n<script>",
        "--=_" + KEY,
        "\r\n.\r\nMAIL FROM:<x>",
    ]
)
TEXTS = st.lists(HOSTILE | INJECTIONS, max_size=4).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.none() | TEXTS)
@example("=?utf-8?q?=0ABcc:_eve@example.net?= é" + "x" * 80, "", None)
@example("é" * 30 + " =" + "?utf-8?q?a?=", "--=_" + KEY + "--\n", "--=_" + KEY + "--\n")
def test_no_value_ever_adds_a_header_or_a_part(subject: str, text: str, html: str | None) -> None:
    messages: list[bytes] = []
    refused = refusal_of(lambda: messages.append(composed(subject, text, html)))
    assert refused is None or isinstance(refused, InvalidMessage)
    for message in messages:
        mime = ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
        assert [name for name in names_of_raw_headers(message) if name not in mime] == HEADERS
        read = parsed(message)
        assert str(read["Subject"]) == subject
        assert len([*read.walk()]) == (1 if html is None else 3)
        assert not read.defects
