"""One message, one SMTP connection, and an honest word on how it ended.

A message for several is for all of them or for nobody: the server is asked about each before it gets the message, and
one that it does not take ends the dialogue.

A server takes a message when it answers the line with the single dot (RFC 5321, 4.1.1.4). Whatever breaks before that
line has left: certainly not taken. Whatever breaks after it and before a whole answer: nobody knows.

Where the server offers STARTTLS, the dialogue goes on in TLS with a verified certificate or not at all; on this machine
only if the caller brings its own trust. A server that offers none is used in the clear, as relays are: there is no
login, and so no password to lose.

Not on the library's smtplib: that takes an answer that was cut off (`250` and then nothing) for a whole one, and its
time-out starts again with every byte.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from domain.outcome import Failure, Permanent, Retry, Unknown

_LONGEST_LINE = 4096
_MOST_LINES = 100
_LONGEST_WORDS = 200
_SECONDS_FOR_GOODBYE = 1.0
_REPLY = re.compile(rb"(?P<code>[2-5][0-9]{2})(?:(?P<more>-)|[ \r\n])")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect. `tls` replaces the trust of the system, and is then used on this machine too."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom, to whom; all are bare addresses in ASCII. Whoever is here gets the message, and nobody else."""

    sender: str
    recipients: Sequence[str]


def deliver(server: Server, envelope: Envelope, message: bytes, *, timeout: float) -> str | Failure:
    """The server's words when it took the message, or what became of it. `timeout` bounds the whole, in seconds;
    only the look-up of the name is bounded by the system's resolver instead."""
    deadline = time.monotonic() + timeout
    try:
        line = _Line(_connected(server, deadline), deadline)
    except (OSError, UnicodeError) as error:  # what is no name at all is a UnicodeError
        return Retry("smtp_unreachable", f"{server} cannot be reached: {_words(error)}")
    with line:
        return _offered(line, server, envelope, message) or _taken(line)


@dataclass(frozen=True, slots=True)
class _Reply:
    """A whole answer. `code` is 0 if it is no SMTP."""

    code: int
    text: str

    @property
    def kind(self) -> int:
        return self.code // 100

    def __str__(self) -> str:
        """Fit for a log."""
        text = f"{self.code} {self.text}" if self.code else self.text
        return "".join(character if character.isprintable() else " " for character in text)[:_LONGEST_WORDS]


class _Line:
    """A connection that talks in lines and ends at the deadline, however slowly the other side talks."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self.deadline = connection, deadline
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, command: str) -> _Reply:
        self.send(command.encode("ascii") + b"\r\n")
        return self.reply()

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._keep_to_deadline()
            rest = rest[self._connection.send(rest) :]

    def reply(self) -> _Reply:
        lines: list[str] = []
        while len(lines) < _MOST_LINES:
            line = self._next_line()
            match = _REPLY.match(line)
            if not match:
                return _Reply(0, line.decode("ascii", "replace").strip())
            lines.append(line[4:].decode("ascii", "replace").strip())
            if not match["more"]:
                return _Reply(int(match["code"]), "\n".join(lines))
        raise ConnectionAbortedError("the answer has no end")

    def encrypt(self, trust: ssl.SSLContext, host: str) -> None:
        if self._unread:
            raise ConnectionAbortedError("somebody talks in the clear where TLS begins")
        self._keep_to_deadline()
        self._connection = trust.wrap_socket(self._connection, server_hostname=host)

    def is_on_this_machine(self) -> bool:
        return ip_address(self._connection.getpeername()[0]).is_loopback

    def _next_line(self) -> bytes:
        while b"\n" not in self._unread:
            if len(self._unread) > _LONGEST_LINE:
                raise ConnectionAbortedError("the line has no end")
            self._keep_to_deadline()
            received = self._connection.recv(_LONGEST_LINE)
            if not received:
                raise ConnectionAbortedError("the connection was closed")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return line + b"\n"

    def _keep_to_deadline(self) -> None:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(remaining)


class _Refusal(Exception):
    """The server answered, and not with what the dialogue needs. `about` is the recipient it is about, if any."""

    def __init__(self, reply: _Reply, about: str) -> None:
        super().__init__()
        self.reply, self.about = reply, about


def _connected(server: Server, deadline: float) -> socket.socket:
    problem = OSError("the name has no address")
    for _, _, _, _, address in socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        try:
            connected = socket.create_connection((str(address[0]), server.port), remaining)
        except OSError as error:
            problem = error
        else:
            # The message and its dot are two writes, and the dot must not wait until the message is acknowledged.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
    raise problem


def _offered(line: _Line, server: Server, envelope: Envelope, message: bytes) -> Failure | None:
    """Sends everything but the line that makes the server take it: nothing is done yet, whatever breaks."""
    domain = envelope.sender.rpartition("@")[2]
    try:
        _open(line, server, domain)
        _expect({250}, line.ask(f"MAIL FROM:<{envelope.sender}>"))
        for recipient in envelope.recipients:
            _expect({250, 251}, line.ask(f"RCPT TO:<{recipient}>"), about=recipient)
        _expect({354}, line.ask("DATA"))
        line.send(_LEADING_DOT.sub(b"..", message) + (b"" if message.endswith(b"\r\n") else b"\r\n"))
    except _Refusal as refusal:
        # Of a message for one it is plain who is meant.
        return _refused(refusal.reply, _named(refusal.about, envelope))
    except ssl.SSLError as error:
        return Retry("smtp_tls_failed", f"no TLS with {server}: {error.reason or _words(error)}")
    except OSError as error:
        return Retry(_code(error), f"the connection broke before the message was sent: {_words(error)}")
    return None


def _taken(line: _Line) -> str | Failure:
    """Sends that line and reads the verdict. From its first byte on, silence proves nothing."""
    try:
        reply = line.ask(".")
    except OSError as error:
        return Unknown(_code(error), f"the message was sent and nobody answered: {_words(error)}")
    if reply.kind == 2:
        _say_goodbye(line)
        return str(reply)
    if reply.kind in {4, 5}:
        return _refused(reply)
    return Unknown("smtp_unreadable_reply", f"the message was sent and the answer makes no sense: {reply}")


def _open(line: _Line, server: Server, domain: str) -> None:
    _expect({220}, line.reply())
    offers = _greeted(line, domain)
    if "STARTTLS" in offers and (server.tls or not line.is_on_this_machine()):
        _expect({220}, line.ask("STARTTLS"))
        line.encrypt(server.tls or ssl.create_default_context(), server.host)
        _greeted(line, domain)


def _greeted(line: _Line, domain: str) -> Collection[str]:
    """What the server offers."""
    reply = line.ask(f"EHLO {domain}")
    if reply.code != 250:
        _expect({250}, line.ask(f"HELO {domain}"))
        return ()
    return [offer.strip().upper() for offer in reply.text.split("\n")]


def _expect(codes: Collection[int], reply: _Reply, about: str = "") -> None:
    if reply.code not in codes:
        raise _Refusal(reply, about)


def _named(recipient: str, envelope: Envelope) -> str:
    """Whom a refusal is about, where there are several. A copy may be blind: whoever asked is not told whose it was."""
    if not recipient or len(envelope.recipients) == 1:
        return ""
    return recipient if recipient == envelope.recipients[0] else "somebody who was to get a copy"


def _refused(reply: _Reply, about: str = "") -> Failure:
    """5xx is for good, 4xx for now. Other words came before the message had left, and so nothing was done."""
    what = f"the message, because of {about}" if about else "the message"
    if reply.kind == 5:
        return Permanent(f"smtp_{reply.code}", f"the mail server refused {what}: {reply}")
    if reply.kind == 4:
        return Retry(f"smtp_{reply.code}", f"the mail server does not take {what} now: {reply}")
    return Retry("smtp_unreadable_reply", f"the mail server's answer makes no sense: {reply}")


def _say_goodbye(line: _Line) -> None:
    """For politeness alone: the message has been taken."""
    line.deadline = min(line.deadline, time.monotonic() + _SECONDS_FOR_GOODBYE)
    with suppress(OSError):
        line.ask("QUIT")


def _code(error: OSError) -> str:
    return "smtp_timeout" if isinstance(error, TimeoutError) else "smtp_disconnected"


def _words(error: Exception) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return (words or str(error) or type(error).__name__)[:_LONGEST_WORDS]
