"""A provider on 127.0.0.1, over real sockets: it answers as its documentation says, and as networks do."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Self
from urllib.parse import parse_qsl, urlsplit


class Trouble(Enum):
    """What becomes of a request: whether the provider acts on it, and what the caller sees of that."""

    HANGS_BEFORE = (False, "hangs")
    HANGS_AFTER = (True, "hangs")
    HANGS_UP_BEFORE = (False, "hangs up")
    HANGS_UP_AFTER = (True, "hangs up")
    CUT_OFF_AFTER = (True, "cut off")
    UNREADABLE_AFTER = (True, "unreadable")
    FAILS_BEFORE = (False, "fails")
    FAILS_AFTER = (True, "fails")
    RATE_LIMITED = (False, "rate limited")

    @property
    def acts(self) -> bool:
        return self.value[0]

    @property
    def seen(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


SEEN = {
    "unreadable": Reply(200, b"<html>Please sign in</html>"),
    "fails": Reply(503, b"upstream connect error"),
    "rate limited": Reply(429, b"", {"Retry-After": "30"}),
}


class Double:
    """Listens while the `with` lasts. `troubles` befall the next requests, one each; `asked` are all that came."""

    def __init__(self) -> None:
        self.troubles: list[Trouble | Reply | None] = []
        self.asked: list[Asked] = []

    def reply(self, asked: Asked) -> Reply:
        """What the provider does and says. Each double has its own."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        double = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True  # head and body are two writes

            def do_POST(self) -> None:
                double._serve(self)

            def do_GET(self) -> None:
                double._serve(self)

            do_PATCH = do_DELETE = do_POST  # noqa: N815 - as the library calls them

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
        assert not self._thread.is_alive()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        place = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.command, place.path, dict(parse_qsl(place.query)), headers, body)
        self.asked.append(asked)
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, Reply):
            _answer(handler, trouble)
        elif trouble is None:
            _answer(handler, self.reply(asked))
        else:
            reply = self.reply(asked) if trouble.acts else None
            _befall(handler, trouble.seen, reply)


def _befall(handler: BaseHTTPRequestHandler, seen: str, reply: Reply | None) -> None:
    if seen == "hangs":
        handler.connection.settimeout(10)
        handler.connection.recv(1)  # until the caller goes
    elif seen == "hangs up":
        handler.connection.shutdown(socket.SHUT_RDWR)
    elif seen == "cut off":
        assert reply is not None
        _answer(handler, reply, length=len(reply.body) + 7)
    else:
        _answer(handler, SEEN[seen])
    handler.close_connection = True


def _answer(handler: BaseHTTPRequestHandler, reply: Reply, length: int | None = None) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(reply.body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(reply.body)
