"""Receivers on 127.0.0.1 that do what receivers do: answer, drip, lie, hang up, or say nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import Self, TypeAlias

Behaviour: TypeAlias = Callable[[socket.socket], None]
"""What becomes of a connection once its request is read; afterwards it is closed."""


@dataclass(frozen=True)
class Delivery:
    """A request as it came over the wire."""

    line: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """Listens while the `with` lasts. `deliveries` are the requests that came whole."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    reads: bool = True
    host: str = "127.0.0.1"
    deliveries: list[Delivery] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server((self.host, 0))
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=5)
        assert not self._thread.is_alive()

    def url(self, path: str = "/hook", *, scheme: str = "http", host: str | None = None) -> str:
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self._receive(connection)

    def _receive(self, plain: socket.socket) -> None:
        try:
            connection = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
            with connection:
                if self.reads:
                    self._read_request(connection)
                self.behaviour(connection)
        except OSError:
            pass  # the caller went away

    def _read_request(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        while len(body) < int(headers["content-length"]):
            body += _received(connection)
        self.deliveries.append(Delivery(line, headers, body))


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def answers(data: bytes) -> Behaviour:
    """Sends these bytes and closes."""
    return lambda connection: connection.sendall(data)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer. Header names are given with `_` for `-`."""
    fields = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def hangs(connection: socket.socket) -> None:
    """Says nothing until the caller has gone."""
    while connection.recv(65536):
        pass


def drips(data: bytes, every: float = 0.05) -> Behaviour:
    """One byte, and then the next, for as long as the caller stays."""

    def drip(connection: socket.socket) -> None:
        connection.settimeout(every)
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    return drip


def resets_after(data: bytes = b"") -> Behaviour:
    """Sends these bytes, and then breaks the connection instead of closing it."""

    def reset(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    return reset
