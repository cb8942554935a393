"""The connections of an AWS client, held to one deadline: to connect, send, wait and read, all together.

botocore's own time-outs start again with every byte, so that an endpoint that drips is waited for as long as it likes.
Here each step gets what is left of the call's time. Pooled connections are reused as ever; what botocore makes of a
time-out stays the same, too: before the request has left, it could not connect; afterwards, it was not answered.

Import it where it is used: botocore is heavy.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from adapters.http import Deadline

if TYPE_CHECKING:
    from botocore.client import BaseClient

_PIECE = 256 * 1024
"""Bytes that are sent under one time-out."""

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """What is asked of a client meanwhile, by this thread, ends in time; so does reading a body that is handed out."""
    before = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(before)


def keep_deadlines(client: BaseClient) -> None:
    """Makes the client's connections heed `within`. Raises ValueError where this botocore is built otherwise."""
    try:
        # There is no public way to the classes that a client connects with.
        made: dict[str, Any] = client._endpoint.http_session._pool_classes_by_scheme  # type: ignore[attr-defined]
    except AttributeError:
        raise ValueError("this release of botocore is not known; its calls cannot be held to a deadline") from None
    made |= {"http": _Pool, "https": _SecurePool}


class _Answer(HTTPResponse):
    """Reads from its socket in the time that is left."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        if (deadline := _deadline.get()) is not None:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, deadline))


class _TimedReader(io.RawIOBase):
    """The socket's own reader, behind the deadline."""

    def __init__(self, reader: Any, connected: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._reader, self._socket, self._deadline = reader, connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._deadline.left())
        count: int | None = self._reader.readinto(buffer)
        return count

    def close(self) -> None:
        self._reader.close()
        super().close()


# Why types are ignored: a mix-in is checked by itself, and urllib3 wants to be handed connections of its own.


class _Timed:
    """What is the same in the clear and in TLS. Mixed into botocore's connections, which have the rest."""

    response_class: Any = _Answer
    timeout: Any
    host: str
    port: int
    sock: socket.socket | None
    socket_options: Any
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        """Connects to the first address that answers; each may take its share of the time that is left."""
        deadline = _deadline.get()
        if deadline is None:
            return super()._new_conn()  # type: ignore[misc, no-any-return]
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        problem: OSError = OSError("the name has no address")
        for position, (*_, address) in enumerate(found):
            try:
                self.timeout = min(self.timeout, deadline.left() / (len(found) - position))
                return self._connected(str(address[0]), deadline)
            except OSError as error:
                problem = error
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from problem
        raise NewConnectionError(self, f"no connection to {self.host}: {problem}") from problem  # type: ignore[arg-type]

    def _connected(self, address: str, deadline: Deadline) -> socket.socket:
        connected = create_connection((address, self.port), self.timeout, None, self.socket_options)
        try:
            # For TLS: its handshake has one time-out as a whole.
            connected.settimeout(deadline.left())
        except TimeoutError:
            connected.close()
            raise
        return connected

    def send(self, data: Any) -> None:
        deadline = _deadline.get()
        if deadline is None or not isinstance(data, bytes):
            super().send(data)  # type: ignore[misc]
            return
        for begin in range(0, len(data), _PIECE):
            if self.sock is not None:
                self.sock.settimeout(deadline.left())
            super().send(data[begin : begin + _PIECE])  # type: ignore[misc]


class _Connection(_Timed, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _SecureConnection(_Timed, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection
