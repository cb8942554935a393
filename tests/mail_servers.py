"""Mail servers on 127.0.0.1: one that is real, and one that misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Received:
    """A message as a server took it."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes
    encrypted: bool


class MailServer:
    """aiosmtpd, for as long as the `with` lasts."""

    def __init__(self, **options: Any) -> None:
        self.received: list[Received] = []
        self.host, self.port = LOOPBACK, 0
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._ready = Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        taken = Received(
            envelope.mail_from or "",
            tuple(envelope.rcpt_tos),
            envelope.original_content or b"",
            session.ssl is not None,
        )
        self.received.append(taken)
        return "250 2.0.0 Ok: queued as 4XyZ"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._protocol, LOOPBACK, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    def _protocol(self) -> SMTP:
        return SMTP(self, loop=self._loop, hostname="mail.example.com", **self._options)


DROP: Final = b"<hang up>"
CUT_OFF: Final = b"<a good answer, without its end>"
SILENCE: Final = b"<say nothing>"
DRIP: Final = b"<one byte, and then the next>"
RESET: Final = b"<tear the connection down>"

WELL_BEHAVED: Mapping[str, bytes] = {
    "greeting": b"220 mail.example.com\r\n",
    "EHLO": b"250-mail.example.com\r\n250 SIZE 10000000\r\n",
    "HELO": b"250 mail.example.com\r\n",
    "STARTTLS": b"220 go ahead\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go ahead\r\n",
    "content": b"250 2.0.0 queued\r\n",
    "QUIT": b"221 bye\r\n",
}


@dataclass
class ScriptedMailServer:
    """Says what the script says at each stage, and serves one connection after the other."""

    script: Mapping[str, bytes]
    reads_content: bool = True
    tls: ssl.SSLContext | None = None
    host: str = LOOPBACK
    stages: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, suppress(OSError, EOFError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        with ExitStack() as closing:
            self._talk(connection, closing)

    def _talk(self, connection: socket.socket, closing: ExitStack) -> None:
        self._answer(connection, "greeting")
        lines = closing.enter_context(connection.makefile("rb"))
        while line := lines.readline():
            verb = line.split()[0].decode("ascii").upper()
            self._answer(connection, verb)
            if verb == "STARTTLS" and self.tls:
                lines.close()
                connection = closing.enter_context(self.tls.wrap_socket(connection, server_side=True))
                lines = closing.enter_context(connection.makefile("rb"))
            if verb == "DATA" and self._says("DATA").startswith(b"354"):
                if not self.reads_content:
                    return
                self.contents.append(_until_the_dot(lines))
                self._answer(connection, "content")

    def _says(self, stage: str) -> bytes:
        return {**WELL_BEHAVED, **self.script}[stage]

    def _answer(self, connection: socket.socket, stage: str) -> None:
        self.stages.append(stage)
        said = self._says(stage)
        if said == DROP:
            raise EOFError
        if said == CUT_OFF:
            connection.sendall({"greeting": b"220", "DATA": b"354"}.get(stage, b"250"))
            raise EOFError
        if said == RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            raise EOFError
        if said == SILENCE:
            _wait_until_gone(connection)
        if said == DRIP:
            while True:
                connection.sendall(b"2")
                time.sleep(0.02)
        connection.sendall(said)


def _until_the_dot(lines: Any) -> bytes:
    content: list[bytes] = []
    while (line := lines.readline()) != b".\r\n":
        if not line:
            raise EOFError
        content.append(line)
    return b"".join(content)


def _wait_until_gone(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass
    raise EOFError
