"""An endpoint of AWS on 127.0.0.1 that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, TypeAlias
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Answer: TypeAlias = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Asked:
    """One request. `operation` is what its target header, its form or its path names."""

    operation: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass
class ScriptedAws:
    """Answers in the order of `answers`; the last one stays."""

    url: str
    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)

    def begin(self, *answers: Answer) -> None:
        """Another script, and nothing asked yet."""
        self.answers = list(answers)
        self.asked.clear()

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def of(self, operation: str) -> list[Asked]:
        """What was asked for this operation."""
        return [one for one in self.asked if one.operation == operation]


@contextmanager
def scripted_aws(*answers: Answer) -> Iterator[ScriptedAws]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            found.asked.append(_asked(self, data))
            found.next_answer()(self)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = ScriptedAws(f"http://127.0.0.1:{server.server_port}", list(answers))
        serving = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        yield found
        server.shutdown()
        serving.join()


def _asked(handler: BaseHTTPRequestHandler, data: bytes) -> Asked:
    headers = {name.lower(): value for name, value in handler.headers.items()}
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    if _is_form(handler.headers):
        body = {name: values[-1] for name, values in parse_qs(data.decode()).items()}
        return Asked(body.pop("Action"), headers, body)
    return Asked(target or handler.path.rpartition("/")[2], headers, json.loads(data))


def says(status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> Answer:
    """This answer. Header names are given with `_` for `-`; there is a request id, as always of AWS."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(data)), "x_amzn_RequestId": "r-1"} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def refuses(status: int, code: str, message: str = "Something about it.", **headers: str) -> Answer:
    """An error, as services tell it: in XML to whoever asked by a form, in JSON to others."""
    as_json = says(status, {"__type": code, "message": message}, x_amzn_ErrorType=code, **headers)
    xml = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    as_xml = says(status, xml.encode(), **headers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (as_xml if _is_form(handler.headers) else as_json)(handler)

    return answer


def _is_form(headers: Message) -> bool:
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    """Without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def stays_silent(handler: BaseHTTPRequestHandler) -> None:
    """Until the caller has gone."""
    handler.connection.settimeout(5)
    handler.connection.recv(1)
