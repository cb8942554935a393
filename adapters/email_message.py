"""A message in the form of RFC 5322 and MIME: written here, then read back by the standard library as a receiver would.

The library's own composer loses spaces of long international subjects and, in releases that are still in use, lets an
encoded word inject header lines. What is written here is little: a few header lines, one or two bodies of text, and
files.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from domain.errors import Code, FieldError, InvalidMessage
from domain.ports import Email
from domain.validators.recipient import check_recipient

if TYPE_CHECKING:
    from adapters.email import Sender
    from domain.mail import Attachment, Unsubscribe

LONGEST_SUBJECT = 998

_EFFECT_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN_SUBJECT = re.compile(r"[!-~](?:[ -~]{0,64}[!-~])?")
# RFC 2047, 2: a line with an encoded word has at most 76 characters, "Subject: " among them.
_BYTES_OF_AN_ENCODED_WORD = 39
_URI = re.compile(r"(?:https://|mailto:)[!#-;=?-~]{1,900}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=-]{0,99}")
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LONGEST_LINE = 998


def compose(email: Email, *, sender: Sender, effect_key: str, at: datetime) -> bytes:
    """The whole message. The same arguments give the same bytes. Raises InvalidMessage or InvalidRecipient."""
    headers = {
        "From": formataddr((sender.name, sender.address)),
        "To": check_recipient(email.recipient),
        **_copied(email),
        "Subject": _subject(email.subject),
        "Date": format_datetime(at.astimezone(UTC)),
        "Message-ID": sender.message_id(check_effect_key(effect_key)),
        **_leaving(email.unsubscribe),
        "Auto-Submitted": "auto-generated",
        "X-Effect-Key": effect_key,
        "MIME-Version": "1.0",
    }
    try:
        message = _head(headers) + _content(email, boundary=f"=_{effect_key[:60]}")
    except UnicodeEncodeError:
        _refuse("has a character that no message can hold")
    check_message(message, headers, email)
    return message


def check_effect_key(effect_key: str) -> str:
    """The key, if it is fit for a Message-ID, a tag and a file name. Raises InvalidMessage."""
    if not _EFFECT_KEY.fullmatch(effect_key):
        _refuse("has an effect key that is not made of letters, digits, - and _")
    return effect_key


def _head(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def _copied(email: Email) -> dict[str, str]:
    copied = {"Cc": ",\r\n ".join(check_recipient(address) for address in email.cc)} if email.cc else {}
    replies = {"Reply-To": check_recipient(email.reply_to)} if email.reply_to is not None else {}
    return copied | replies


def _leaving(unsubscribe: Unsubscribe | None) -> dict[str, str]:
    """How to get off the list (RFC 2369), for machines, too (RFC 8058)."""
    if unsubscribe is None:
        return {}
    if not all(map(_URI.fullmatch, unsubscribe.uris)):
        _refuse("has a way to unsubscribe that is no URI")
    ways = {"List-Unsubscribe": ",\r\n ".join(f"<{uri}>" for uri in unsubscribe.uris)}
    return {**ways, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if unsubscribe.one_click else ways


def _subject(subject: str) -> str:
    """As it is, if it is short and plain; else in encoded words, spaces and all, so that none is lost."""
    if not subject.strip() or len(subject) > LONGEST_SUBJECT or _CONTROL.search(subject) or "=?" in subject:
        _refuse(f'must have a subject of one line, at most {LONGEST_SUBJECT} characters and no "=?"')
    if _PLAIN_SUBJECT.fullmatch(subject):
        return subject
    return "\r\n ".join(f"=?utf-8?b?{b64encode(part.encode()).decode()}?=" for part in _parts(subject))


def _parts(text: str) -> Iterator[str]:
    """Pieces that fit into an encoded word. No character is split between two."""
    part = ""
    for character in text:
        if len((part + character).encode()) > _BYTES_OF_AN_ENCODED_WORD:
            yield part
            part = ""
        part += character
    yield part


def _content(email: Email, boundary: str) -> bytes:
    """The words, alone or with files behind them."""
    words = _bodies(email, boundary)
    if not email.attachments:
        return words
    # No boundary may begin with another: an effect key has no plus.
    return _parts_of("mixed", f"{boundary[:2]}+{boundary[2:]}", [words, *map(_file, email.attachments)])


def _bodies(email: Email, boundary: str) -> bytes:
    """The plain text, alone or with the HTML as its better alternative."""
    plain = _body("plain", email.text)
    if email.html is None:
        return plain
    return _parts_of("alternative", boundary, [plain, _body("html", email.html)])


def _parts_of(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    head = _head({"Content-Type": f'multipart/{kind};\r\n boundary="{boundary}"'})
    mark = f"--{boundary}".encode()
    return b"%b\r\n%b\r\n%b--\r\n" % (head, b"\r\n".join(b"%b\r\n%b" % (mark, part) for part in parts), mark)


def _file(attachment: Attachment) -> bytes:
    if not _FILE_NAME.fullmatch(attachment.name) or not _CONTENT_TYPE.fullmatch(attachment.content_type):
        _refuse("has a file whose name or type is not plain")
    head = {
        "Content-Type": attachment.content_type,
        "Content-Disposition": f'attachment;\r\n filename="{attachment.name}"',
        "Content-Transfer-Encoding": "base64",
    }
    return _head(head) + b"\r\n" + encodebytes(attachment.content).replace(b"\n", b"\r\n")


def _body(kind: str, text: str) -> bytes:
    """Quoted-printable: seven bits, short lines, and no line that could be taken for a boundary, which has a `=_`."""
    head = {"Content-Type": f'text/{kind}; charset="utf-8"', "Content-Transfer-Encoding": "quoted-printable"}
    lines = "\r\n".join([*_lines(text), ""])
    return _head(head) + b"\r\n" + b2a_qp(lines.encode(), istext=True)


def check_message(message: bytes, headers: Mapping[str, str], email: Email) -> None:
    """Raises InvalidMessage unless a receiver reads these headers, as they are written, and this e-mail."""
    if _BARE_LINE_END.search(message) or max(map(len, message.split(b"\r\n"))) > _LONGEST_LINE:
        _refuse("has a line that mail servers read differently")
    try:
        read = BytesParser().parsebytes(message)
        subject = str(make_header(decode_header(read["Subject"])))
        parts = [_read_part(part) for part in read.walk()]
    except (MessageError, LookupError, ValueError) as error:
        _refuse(f"cannot be read back: {type(error).__name__}")
    found = [(name, value) for name, value in read.items() if not name.startswith("Content-")]
    if subject != email.subject or found != [*headers.items()]:
        _refuse("has other headers than were meant")
    if parts != _meant_parts(email):
        _refuse("has another body than was meant")


_Part: TypeAlias = tuple[str, str | None, str | None, list[str] | bytes]
"""Its type, its disposition, its file name and what is in it: lines, or the bytes of a file; nothing, of what holds
other parts."""


def _read_part(part: Message) -> _Part:
    if part.is_multipart():
        return part.get_content_type(), part.get_content_disposition(), part.get_filename(), []
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    disposition = part.get_content_disposition()
    read = _lines(content.decode()) if disposition is None else content
    return part.get_content_type(), disposition, part.get_filename(), read


def _meant_parts(email: Email) -> list[_Part]:
    parts: list[_Part] = [("multipart/mixed", None, None, [])] if email.attachments else []
    if email.html is None:
        parts.append(("text/plain", None, None, _lines(email.text)))
    else:
        parts.append(("multipart/alternative", None, None, []))
        parts.append(("text/plain", None, None, _lines(email.text)))
        parts.append(("text/html", None, None, _lines(email.html)))
    return parts + [(file.content_type, "attachment", file.name, file.content) for file in email.attachments]


def _lines(text: str) -> list[str]:
    """A body's lines. The end of the last one may be added on the way."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _refuse(reason: str) -> NoReturn:
    details = [FieldError("parameters", Code.INVALID_VARIABLE, f"the message {reason}")]
    raise InvalidMessage(f"the message {reason}", details=details)
