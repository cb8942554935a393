"""One HTTP request to one checked target, within one deadline: sent once, never again.

    send ── guard ──► connect to a checked address ── TLS by the name ──► write ──► read ──► Response
              │                  │                         │                │         │
         UnsafeTarget            └───────── NotSent ───────┘                └ MaybeSent ┘

Each call opens a connection of its own. A kept one may be closed by its server in the moment in which it is used again,
and then nobody can tell whether the request was taken: doubt about an effect is dearer than a handshake. Nor would a
kept connection lead to the addresses that were checked just now.

Redirects are not followed. Proxies, `.netrc` and certificate settings of the environment are not read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from adapters.guard import Resolve, Target, Unresolved, guard
from domain.errors import ExecutionAgentError, UnsafeTarget

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "PUBLIC",
    "Client",
    "Deadline",
    "MaybeSent",
    "NotSent",
    "Reach",
    "Request",
    "Response",
    "Target",
    "TransportError",
    "UnsafeTarget",
    "guard",
]

LARGEST_BODY = 1024 * 1024
"""Bytes of an answer's body, decompressed."""
LARGEST_ANSWER = LARGEST_BODY + 256 * 1024
"""Bytes of an answer as they come over the wire: headers, informational answers, chunk sizes and all."""


class TransportError(ExecutionAgentError):
    """There is no answer. `code` is a word for programs; the message holds nothing of the request or the target."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotSent(TransportError):
    """Not one byte of the request has left: the receiver cannot have acted on it."""


class MaybeSent(TransportError):
    """Some of the request may have left: the receiver may have acted on it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a request may go, in the words of `guard`."""

    allow_http: bool = False
    allow_private_network: bool = False
    allow_hosts: tuple[str, ...] | None = None


PUBLIC = Reach()
"""The public internet, over TLS."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. Names and values of `headers` are printable ASCII; framing, Host and Accept-Encoding are ours."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end. Header names are in lower case, values of one name joined; `body` is decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Deadline:
    """The end of the whole of something, however slowly its parts drip."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than none. Raises TimeoutError when there are none."""
        seconds = self._end - self._monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


def system_addresses(name: str) -> Sequence[str]:
    """The addresses of a name, as this machine sees it. Raises OSError. Nothing is kept: the guard sees each answer."""
    import socket

    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Client:
    """Sends requests, each on its own; safe for many threads. `ssl_context` verifies certificates by name."""

    def __init__(
        self,
        *,
        resolve: Resolve = system_addresses,
        ssl_context: SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._ssl_context = ssl_context
        self._monotonic = monotonic

    def send(self, request: Request, *, timeout: float, reach: Reach = PUBLIC) -> Response:
        """The answer, whatever its status. `timeout` is the total deadline, in seconds.

        Raises UnsafeTarget, NotSent or MaybeSent.
        """
        deadline = Deadline(timeout, self._monotonic)
        target = self._checked(request.url, reach, deadline)
        from adapters.exchange import exchange  # httpcore: 60 ms

        return exchange(request, target, ssl_context=self._verifying(target), deadline=deadline)

    def _checked(self, url: str, reach: Reach, deadline: Deadline) -> Target:
        try:
            return guard(
                url,
                _in_time(self._resolve, deadline),
                allow_http=reach.allow_http,
                allow_private_network=reach.allow_private_network,
                allow_hosts=reach.allow_hosts,
            )
        except Unresolved as unresolved:
            raise NotSent("dns_failed", unresolved.message) from None

    def _verifying(self, target: Target) -> SSLContext | None:
        if target.scheme == "https" and self._ssl_context is None:
            self._ssl_context = _public_authorities()
        return self._ssl_context


def _public_authorities() -> SSLContext:
    """Trusts what certifi lists. Made by hand: `ssl.create_default_context` would obey SSLKEYLOGFILE."""
    import ssl

    import certifi

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    return context


def _in_time(resolve: Resolve, deadline: Deadline) -> Resolve:
    """`getaddrinfo` takes no timeout, so it is asked by a thread that may be left behind; it ends on its own."""

    def ask(name: str) -> Sequence[str]:
        left = deadline.left()
        answers: SimpleQueue[Sequence[str]] = SimpleQueue()
        Thread(target=_answer, args=(resolve, name, answers), daemon=True).start()
        try:
            return answers.get(timeout=left)
        except Empty:
            raise TimeoutError from None

    return ask


def _answer(resolve: Resolve, name: str, answers: SimpleQueue[Sequence[str]]) -> None:
    try:
        answers.put(resolve(name))
    except OSError:
        answers.put(())
