"""One HTTP/1.1 exchange on one new connection. Import it where it is used: httpcore is heavy.

httpcore speaks the protocol (and h11 bounds the headers); the network below it is ours, since only there can an address
be pinned, a deadline be total, and be known whether a byte has left.
"""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from ssl import SSLContext
from typing import Any

import h11
import httpcore

from adapters.http import (
    LARGEST_ANSWER,
    LARGEST_BODY,
    Deadline,
    MaybeSent,
    NotSent,
    Request,
    Response,
    Target,
    TransportError,
)


def exchange(request: Request, target: Target, *, ssl_context: SSLContext | None, deadline: Deadline) -> Response:
    """Sends once and reads the whole answer. Raises NotSent or MaybeSent."""
    wire = _Wire(target, deadline)
    connection = httpcore.HTTPConnection(_origin(target), ssl_context=ssl_context, network_backend=wire)
    try:
        return _response(connection.handle_request(_message(request, target)), wire)
    except _FAILURES as error:
        raise wire.failure(error) from None
    finally:
        connection.close()
        wire.close()


def _origin(target: Target) -> httpcore.Origin:
    return httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)


def _message(request: Request, target: Target) -> httpcore.Request:
    headers = [
        ("host", target.authority),
        *request.headers.items(),
        ("accept-encoding", "identity"),
        ("connection", "close"),
        ("content-length", str(len(request.body))),
    ]
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    return httpcore.Request(request.method, url, headers=headers, content=request.body)


# --- the answer -----------------------------------------------------------------------------------------------------


class _Unreadable(Exception):
    """The answer came, and cannot be trusted as far as it can be read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


# h11's errors come as httpcore's for the most part, and now and then as they are.
_FAILURES = (OSError, httpcore.ProtocolError, h11.ProtocolError, zlib.error, _Unreadable)


def _response(answer: httpcore.Response, wire: _Wire) -> Response:
    headers = _headers(answer)
    body = _decoded(answer.iter_stream(), headers.get("content-encoding", ""))
    if wire.cut_short and answer.status < 300:
        raise _Unreadable("request_cut_short", "the receiver said yes before it had the whole request")
    return Response(answer.status, headers, body)


def _headers(answer: httpcore.Response) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in answer.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


# zlib's `wbits`. Nothing was asked to be compressed, but a server may do so; what else it may do is not understood.
_ENCODINGS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


def _decoded(chunks: Iterable[bytes], encoding: str) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _within_bounds(chunks)
    if encoding not in _ENCODINGS:
        raise _Unreadable("undecodable_answer", "the answer's encoding is unknown")
    return _within_bounds(_inflated(chunks, _ENCODINGS[encoding]))


def _within_bounds(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _Unreadable("answer_too_large", f"the answer's body has more than {LARGEST_BODY} bytes")
    return bytes(body)


def _inflated(chunks: Iterable[bytes], wbits: int) -> Iterable[bytes]:
    """At most one byte more than a body may have from each chunk, so that a bomb never unfolds."""
    inflater = zlib.decompressobj(wbits)
    empty = True
    for chunk in chunks:
        empty = False
        yield inflater.decompress(chunk, LARGEST_BODY + 1)
    if not empty and (not inflater.eof or inflater.unused_data):
        raise _Unreadable("undecodable_answer", "the answer's compressed body has no proper end")


# --- the network ----------------------------------------------------------------------------------------------------


class _Stage(Enum):
    CONNECTING = auto()
    SECURING = auto()
    EXCHANGING = auto()


_LOST = {
    _Stage.CONNECTING: ("connect_failed", "no connection to the receiver"),
    _Stage.SECURING: ("tls_failed", "no TLS with the receiver: its certificate or its protocol is not acceptable"),
    _Stage.EXCHANGING: ("connection_lost", "the connection was lost"),
}


class _Wire(httpcore.NetworkBackend, httpcore.NetworkStream):
    """The one connection of an exchange: to a checked address, whatever name it is asked for."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._target = target
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._stage = _Stage.CONNECTING
        self._received = 0
        self.cut_short = False
        """Whether a part of the request could not be written."""

    def failure(self, error: Exception) -> TransportError:
        """What `error` means, by how far the request had come."""
        kind = MaybeSent if self._stage is _Stage.EXCHANGING else NotSent
        if isinstance(error, _Unreadable):
            return kind(error.code, error.message)
        if isinstance(error, TimeoutError):
            return kind("timeout", f"the deadline passed while {self._stage.name.lower()}")
        if isinstance(error, OSError):
            return kind(*_LOST[self._stage])
        if isinstance(error, zlib.error):
            return kind("undecodable_answer", "the answer's compressed body is broken")
        return kind("protocol_error", f"the answer is not one whole HTTP/1.1 message ({type(error).__name__})")

    def connect_tcp(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """To the first address that answers; each may take its share of the time that is left."""
        addresses = self._target.addresses
        for position, address in enumerate(addresses):
            try:
                self._connect(address, share=len(addresses) - position)
            except OSError:
                if position == len(addresses) - 1:
                    raise
            else:
                break
        return self

    def _connect(self, address: str, share: int) -> None:
        self.close()
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self._socket.settimeout(self._deadline.left() / share)
        self._socket.connect((address, self._target.port))
        # Head and body are two writes, and the second must not wait until the first is acknowledged.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is total
    ) -> httpcore.NetworkStream:
        self._stage = _Stage.SECURING
        # An end without TLS's own goodbye is an error: without a length, only that tells a whole answer from a cut one.
        # Some builds of Python let OpenSSL overlook it.
        ssl_context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # OpenSSL 1.1.1 has none
        self._socket = ssl_context.wrap_socket(
            self._timed(), server_hostname=server_hostname, suppress_ragged_eofs=False
        )
        return self

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline is total
        rest = memoryview(buffer)
        while rest:
            connected = self._timed()
            self._stage = _Stage.EXCHANGING
            rest = rest[self._sent(connected, rest) :]

    def _sent(self, connected: socket.socket, data: memoryview) -> int:
        try:
            return connected.send(data)
        except TimeoutError:
            raise
        except OSError:
            # httpcore looks for an answer then: a receiver may refuse a request that it has not read to its end.
            self.cut_short = True
            raise httpcore.WriteError from None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline is total
        data = self._timed().recv(max_bytes)
        if not data and not self._received:
            raise ConnectionResetError
        self._received += len(data)
        if self._received > LARGEST_ANSWER:
            raise _Unreadable("answer_too_large", f"the answer has more than {LARGEST_ANSWER} bytes")
        return data

    def _timed(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionError
        self._socket.settimeout(self._deadline.left())
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
