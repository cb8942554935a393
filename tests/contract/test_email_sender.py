"""What every sender of e-mail promises, whoever carries the message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from adapters.email import OutboxSender, SesSender, SmtpSender
from domain.errors import InvalidMessage, InvalidRecipient
from domain.mail import Attachment
from domain.outcome import Outcome, Succeeded
from domain.ports import Email, EmailSender
from tests.engines import Engine
from tests.mail_servers import MailServer

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
FROM = "Acme Renewals <renewals@example.com>"


@dataclass
class Carrier:
    """A sender, and what has arrived behind it."""

    sender: EmailSender
    arrived: Callable[[], list[bytes]]

    def carry(self, email: Email, effect_key: str = KEY) -> Outcome:
        message = self.sender.compose(email, effect_key=effect_key, at=NOON)
        return self.sender.send(message, recipient=email.recipient, effect_key=effect_key, timeout=20)


@pytest.fixture
def outbox(tmp_path: Path) -> Carrier:
    return Carrier(OutboxSender(tmp_path, FROM), lambda: [path.read_bytes() for path in sorted(tmp_path.glob("*.eml"))])


@pytest.fixture
def smtp() -> Iterator[Carrier]:
    with MailServer() as server:
        yield Carrier(SmtpSender(server.host, server.port, FROM), lambda: [taken.message for taken in server.received])


@pytest.fixture
def ses(moto: Engine) -> Iterator[Carrier]:
    import boto3
    from moto.ses.models import ses_backends

    with closing(boto3.client("sesv2", endpoint_url=moto.url, region_name="eu-central-1")) as client:
        client.create_email_identity(EmailIdentity="example.com")
    messages = ses_backends["123456789012"]["eu-central-1"].sent_messages
    before = len(messages)
    with closing(SesSender(FROM, region="eu-central-1", endpoint_url=moto.url)) as sender:
        yield Carrier(sender, lambda: [message.raw_data.encode() for message in messages[before:]])


@pytest.fixture(params=["outbox", "smtp", "ses"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    found: Carrier = request.getfixturevalue(request.param)
    return found


EMAIL = Email("ada@example.org", "Zoë's renewal — 31 December", "Hello Zoë,\n.\n\nBye\n", "<p>Hello Zoë</p>\n")


def test_a_message_arrives_as_it_was_meant(carrier: Carrier) -> None:
    outcome = carrier.carry(EMAIL)
    assert isinstance(outcome, Succeeded)
    (raw,) = carrier.arrived()
    message = message_from_bytes(raw, EmailMessage, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert (message["Subject"], message["To"], message["X-Effect-Key"]) == (EMAIL.subject, EMAIL.recipient, KEY)
    text, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    assert (text, html) == (EMAIL.text, EMAIL.html)


def test_files_and_copies_arrive_and_blind_ones_are_not_told(carrier: Carrier) -> None:
    pdf = Attachment("terms.pdf", "application/pdf", b"%PDF-1.7\n\x00\xff")
    email = replace(EMAIL, cc=("bob@example.com",), attachments=(pdf,))
    message = carrier.sender.compose(email, effect_key=KEY, at=NOON)
    copies = ("bob@example.com", "blind@example.com")
    outcome = carrier.sender.send(message, recipient=email.recipient, copies=copies, effect_key=KEY, timeout=20)
    assert isinstance(outcome, Succeeded)
    (raw,) = carrier.arrived()
    assert b"blind@example.com" not in raw
    read = message_from_bytes(raw, EmailMessage, policy=SMTP)
    assert str(read["Cc"]) == "bob@example.com"
    (part,) = read.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("terms.pdf", pdf.content)


def test_success_comes_with_a_reference(carrier: Carrier) -> None:
    outcome = carrier.carry(EMAIL)
    assert isinstance(outcome, Succeeded)
    assert outcome.reference == outcome.result["message_id"]
    assert outcome.reference


def test_two_effects_are_two_messages(carrier: Carrier) -> None:
    assert isinstance(carrier.carry(EMAIL, "effect-1"), Succeeded)
    assert isinstance(carrier.carry(EMAIL, "effect-2"), Succeeded)
    assert len(carrier.arrived()) == 2


@pytest.mark.parametrize("recipient", ["", "ada", "Ada <ada@example.org>", "ada@example.org\r\nBcc: bob@example.org"])
def test_nothing_is_sent_to_what_is_no_address(carrier: Carrier, recipient: str) -> None:
    with pytest.raises(InvalidRecipient):
        carrier.sender.compose(Email(recipient, "x", "y"), effect_key=KEY, at=NOON)
    assert carrier.arrived() == []


def test_a_message_that_would_be_read_otherwise_is_not_composed(carrier: Carrier) -> None:
    for subject in ("a\r\nBcc: bob@example.org", "=?utf-8?q?=0ABcc:?=", ""):
        with pytest.raises(InvalidMessage):
            carrier.sender.compose(Email("ada@example.org", subject, "y"), effect_key=KEY, at=NOON)
