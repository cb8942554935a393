from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.email import SmtpSender
from adapters.smtp_dialogue import Server, _connected
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from domain.ports import Email
from tests.certificates import self_signed
from tests.mail_servers import CUT_OFF, DRIP, DROP, RESET, SILENCE, MailServer, ScriptedMailServer

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "act_01m87gb1k7e4sb6d1n6rvkge9g-r0"
MESSAGE_ID = f"<{KEY}@example.com>"
PATIENT, SHORT = 5.0, 0.25
"""Seconds."""


def send(
    server: MailServer | ScriptedMailServer,
    message: bytes | None = None,
    *,
    timeout: float = PATIENT,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    sender = SmtpSender(server.host, server.port, "Acme <renewals@example.com>", tls=tls)
    if message is None:
        message = sender.compose(Email("ada@example.org", "Hi", ".\n..\nHello Zoë\n.", "<p>"), effect_key=KEY, at=NOON)
    return sender.send(message, recipient="ada@example.org", effect_key=KEY, timeout=timeout)


def test_a_real_server_takes_the_message_as_it_was_composed() -> None:
    with MailServer() as server:
        outcome = send(server, message := b"Subject: x\r\n\r\n.\r\n..\r\n.leading\r\n\r\n")
        assert outcome == Succeeded(
            {"message_id": MESSAGE_ID, "reply": "250 2.0.0 Ok: queued as 4XyZ"}, reference=MESSAGE_ID
        )
        (received,) = server.received
        assert received.message == message
        assert (received.sender, received.recipients) == ("renewals@example.com", ("ada@example.org",))


def test_a_message_cannot_end_early_and_start_another() -> None:
    smuggled = (
        b"Subject: x\r\n\r\n\r\n.\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nevil\r\n"
    )
    with MailServer() as server:
        assert isinstance(send(server, smuggled), Succeeded)
        assert [received.message for received in server.received] == [smuggled]


def test_a_message_without_a_line_end_gets_one() -> None:
    with MailServer() as server:
        assert isinstance(send(server, b"Subject: x\r\n\r\nend"), Succeeded)
        assert [received.message for received in server.received] == [b"Subject: x\r\n\r\nend\r\n"]


def test_an_international_domain_is_asked_for_in_ascii() -> None:
    with MailServer() as server:
        SmtpSender(server.host, server.port, "a@example.com").send(
            b"Subject: x\r\n\r\n", recipient="ada@münchen.de", effect_key=KEY, timeout=PATIENT
        )
        assert [received.recipients for received in server.received] == [("ada@xn--mnchen-3ya.de",)]


# Several recipients

COPIES = ("bob@example.com", "archive@example.com")


def send_copies(server: MailServer | ScriptedMailServer) -> Outcome:
    sender = SmtpSender(server.host, server.port, "a@example.com")
    return sender.send(
        b"Subject: x\r\n\r\nHello\r\n", recipient="ada@example.org", copies=COPIES, effect_key=KEY, timeout=PATIENT
    )


def test_whoever_gets_a_copy_is_on_the_envelope() -> None:
    with MailServer() as server:
        assert isinstance(send_copies(server), Succeeded)
        (received,) = server.received
        assert received.recipients == ("ada@example.org", *COPIES)


class Choosy(ScriptedMailServer):
    """Refuses one recipient of several."""

    said: tuple[bytes, ...] = ()

    def _says(self, stage: str) -> bytes:
        count = self.stages.count("RCPT")
        return self.said[count - 1] if stage == "RCPT" and count <= len(self.said) else super()._says(stage)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(("says", "kind"), [(b"550 nobody\r\n", Permanent), (b"450 busy\r\n", Retry), (DROP, Retry)])
def test_a_mail_is_for_all_of_its_recipients_or_for_nobody(place: int, says: bytes, kind: type[Any]) -> None:
    with Choosy({}) as server:
        server.said = (*[b"250 ok\r\n"] * place, says)
        outcome = send_copies(server)
        assert isinstance(outcome, kind)
        # Of copies, which may be blind, nobody is told whose it was.
        assert says == DROP or ("ada@example.org" if place == 0 else "a copy") in outcome.message
        assert not any(copy in outcome.message for copy in COPIES)
        assert "DATA" not in server.stages
        assert server.contents == []


def test_the_dot_does_not_wait_for_the_message_to_be_acknowledged() -> None:
    """Without TCP_NODELAY the last small write of a send is held back: 40 ms, where the other side delays its ACKs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        connected = _connected(Server("127.0.0.1", port), time.monotonic() + PATIENT)
        with connected:
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


BEFORE = ["greeting", "EHLO", "MAIL", "RCPT", "DATA"]


def at(stage: str, says: bytes) -> dict[str, bytes]:
    return {"EHLO": says, "HELO": says} if stage == "EHLO" else {stage: says}


@pytest.mark.parametrize("stage", [*BEFORE, "content"])
@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (b"451 4.3.0 later\r\n", Retry("smtp_451", "the mail server does not take the message now: 451 4.3.0 later")),
        (b"421 closing\r\n", Retry("smtp_421", "the mail server does not take the message now: 421 closing")),
        (b"550 5.1.1 no\r\n", Permanent("smtp_550", "the mail server refused the message: 550 5.1.1 no")),
        (b"554-no\r\n554 and\x07 no\r\n", Permanent("smtp_554", "the mail server refused the message: 554 no and  no")),
    ],
)
def test_a_server_that_says_no_is_taken_at_its_word(stage: str, says: bytes, expected: Outcome) -> None:
    with ScriptedMailServer(at(stage, says)) as server:
        assert send(server) == expected


@pytest.mark.parametrize("stage", BEFORE)
@pytest.mark.parametrize(
    ("says", "code"),
    [
        (DROP, "smtp_disconnected"),
        (RESET, "smtp_disconnected|smtp_unreachable"),
        (CUT_OFF, "smtp_disconnected"),
        (b"250-and so on\r\n" * 200, "smtp_disconnected"),
        (b"what?\r\n", "smtp_unreadable_reply"),
        (b"299 fine\r\n", "smtp_unreadable_reply"),
        (b"2" * 9000, "smtp_disconnected"),
    ],
)
def test_whatever_breaks_before_the_message_has_left_did_nothing(stage: str, says: bytes, code: str) -> None:
    with ScriptedMailServer(at(stage, says)) as server:
        outcome = send(server)
        assert isinstance(outcome, Retry)
        assert outcome.code in code.split("|")
        assert server.contents == []


@pytest.mark.parametrize(
    "says", [DROP, RESET, CUT_OFF, b"what?\r\n", b"399 what?\r\n", b"2" * 9000, b"\xff\xfe\r\n", b"\r\n"]
)
def test_whatever_breaks_after_the_message_has_left_is_unknown(says: bytes) -> None:
    with ScriptedMailServer({"content": says}) as server:
        outcome = send(server)
        assert isinstance(outcome, Unknown)
        assert outcome.code in {"smtp_disconnected", "smtp_unreadable_reply"}
        assert len(server.contents) == 1


@pytest.mark.parametrize("silence", [SILENCE, DRIP])
@pytest.mark.parametrize("stage", [*BEFORE, "content"])
def test_a_server_that_never_comes_to_the_point_is_left_in_time(stage: str, silence: bytes) -> None:
    with ScriptedMailServer(at(stage, silence)) as server:
        started = time.monotonic()
        outcome = send(server, timeout=SHORT)
        assert SHORT * 0.8 < time.monotonic() - started < SHORT + 1
        assert isinstance(outcome, Unknown if stage == "content" else Retry)
        assert outcome.code == "smtp_timeout"


def test_a_large_message_that_breaks_on_its_way_did_nothing() -> None:
    with ScriptedMailServer({}, reads_content=False) as server:
        outcome = send(server, b"Subject: x\r\n\r\n" + b"x" * 70 * 400_000)
        assert isinstance(outcome, Retry)


@pytest.mark.parametrize("goodbye", [DROP, RESET, b"500 what?\r\n", b"what?\r\n"])
def test_a_message_that_was_taken_is_taken_whatever_follows(goodbye: bytes) -> None:
    with ScriptedMailServer({"QUIT": goodbye}) as server:
        assert isinstance(send(server), Succeeded)


def test_a_server_that_does_not_say_goodbye_is_not_waited_for() -> None:
    with ScriptedMailServer({"QUIT": SILENCE}) as server:
        started = time.monotonic()
        assert isinstance(send(server), Succeeded)
        assert time.monotonic() - started < 3


def test_a_server_that_only_knows_helo_is_greeted_so() -> None:
    with ScriptedMailServer({"EHLO": b"502 what?\r\n"}) as server:
        assert isinstance(send(server), Succeeded)
        assert server.stages[:3] == ["greeting", "EHLO", "HELO"]


def test_every_message_has_its_own_connection_and_is_offered_once() -> None:
    with ScriptedMailServer({}) as server:
        send(server)
        assert server.stages == ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "QUIT"]
        send(server)
        assert server.stages.count("greeting") == server.stages.count("DATA") == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.invalid", "a..b", "x" * 70 + ".example"])
def test_a_server_that_cannot_be_reached_did_nothing(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sender = SmtpSender(host, port, "a@example.com")
    outcome = sender.send(b"x", recipient="ada@example.org", effect_key=KEY, timeout=PATIENT)
    assert isinstance(outcome, Retry)
    assert outcome.code == "smtp_unreachable"
    assert host in outcome.message


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_an_offer_of_tls_is_taken(certificate: Path) -> None:
    with MailServer(tls_context=server_side(certificate)) as server:
        assert isinstance(send(server, tls=ssl.create_default_context(cafile=certificate)), Succeeded)
        assert [received.encrypted for received in server.received] == [True]


def test_on_this_machine_an_offer_of_tls_needs_no_trust(certificate: Path) -> None:
    with MailServer(tls_context=server_side(certificate)) as server:
        assert isinstance(send(server), Succeeded)
        assert [received.encrypted for received in server.received] == [False]


def test_a_server_that_nobody_vouches_for_gets_nothing(certificate: Path) -> None:
    with MailServer(tls_context=server_side(certificate)) as server:
        outcome = send(server, tls=ssl.create_default_context())
        assert isinstance(outcome, Retry)
        assert outcome.code == "smtp_tls_failed"
        assert server.received == []


OFFER = {"EHLO": b"250-mail.example.com\r\n250 STARTTLS\r\n"}


@pytest.mark.parametrize("says", [b"454 not now\r\n", DROP, b"220 go ahead\r\nthis is no TLS"])
def test_tls_that_fails_is_never_done_without(certificate: Path, says: bytes) -> None:
    with ScriptedMailServer(OFFER | {"STARTTLS": says}) as server:
        assert isinstance(send(server, tls=ssl.create_default_context(cafile=certificate)), Retry)
        assert "MAIL" not in server.stages


def test_words_from_before_tls_do_not_count(certificate: Path) -> None:
    """Somebody on the way adds replies in the clear, to be read as if they had come encrypted."""
    injected = b"220 go ahead\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 ok\r\n250 taken by eve\r\n"
    script = OFFER | {"STARTTLS": injected}
    with ScriptedMailServer(script, tls=server_side(certificate)) as server:
        outcome = send(server, tls=ssl.create_default_context(cafile=certificate))
        assert not isinstance(outcome, Succeeded) or outcome.result["reply"] == "250 2.0.0 queued"


@pytest.mark.parametrize("stage", ["MAIL", "content"])
def test_the_deadline_holds_inside_tls_too(certificate: Path, stage: str) -> None:
    script = OFFER | {stage: DRIP}
    with ScriptedMailServer(script, tls=server_side(certificate)) as server:
        started = time.monotonic()
        outcome = send(server, timeout=SHORT, tls=ssl.create_default_context(cafile=certificate))
        assert time.monotonic() - started < SHORT + 1
        assert isinstance(outcome, Unknown if stage == "content" else Retry)
