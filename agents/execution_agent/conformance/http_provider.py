"""A provider over HTTP on 127.0.0.1: it does what its documentation says, and what befalls it as networks do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Self, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from agents.execution_agent.conformance.case import Sent

ROOM_FOR_CALLS = 4
"""Enough to fill the shortest queue that a system makes of one without room."""
PATIENCE = 3.0
"""Seconds, for a caller to say the next thing, or to go."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it goes."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Telling: TypeAlias = Callable[[socket.socket, Answer], None]
"""How an answer goes over the wire, or does not."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What becomes of a request: whether the provider acts on it, and what its caller sees of that.

    `refuses`: it says that it did nothing, in a way that lets its caller ask again at once, as a 401 does.
    """

    acts: bool
    tells: Telling
    refuses: bool = False


class HttpProvider:
    """Listens while the `with` lasts, and serves one connection after the other.

    `reply` acts as documented and answers; `is_read` tells questions from what may have an effect; `key_of` finds the
    key of an effect in its request. Ahead of `reply`, `trouble` befalls what may have an effect, and `reading_trouble`
    the questions, as long as it is set.
    """

    def __init__(
        self,
        reply: Callable[[Request], Answer],
        *,
        is_read: Callable[[Request], bool],
        key_of: Callable[[Request], str | None],
    ) -> None:
        self._reply, self._is_read, self._key_of = reply, is_read, key_of
        self.trouble: Trouble | None = None
        self.reading_trouble: Trouble | None = None
        self.requests: list[Request] = []
        self.sent: list[Sent] = []
        self.port = 0
        self._broken: Exception | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._listening = _bound(0)
        self.port = self._listening.getsockname()[1]
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        """Raises what `reply`, `is_read` or `key_of` raised: then the case is wrong, and nothing else is known."""
        self._close()
        if self._broken is not None:
            raise self._broken

    @contextmanager
    def befallen_by(self, trouble: Trouble) -> Iterator[None]:
        """Whatever may have an effect ends like this."""
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = None

    @contextmanager
    def questions_befallen_by(self, trouble: Trouble) -> Iterator[None]:
        """Every question ends like this."""
        self.reading_trouble = trouble
        try:
            yield
        finally:
            self.reading_trouble = None

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens. The port is kept, so that nobody else does."""
        self._close()
        self._listening = _bound(self.port)
        try:
            yield
        finally:
            self._open()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """It is called, and takes no call: as many wait as there is room for, and the next one gets no answer."""
        self._close()
        self._listening = _bound(self.port)
        self._listening.listen(0)
        try:
            with ExitStack() as waiting:
                for _ in range(ROOM_FOR_CALLS):
                    caller = waiting.enter_context(socket.socket())
                    caller.setblocking(False)
                    caller.connect_ex(("127.0.0.1", self.port))
                yield
        finally:
            self._listening.close()
            self._listening = _bound(self.port)
            self._open()

    # -- the network ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._listening.listen()
        self._serving = Thread(target=self._serve, daemon=True)
        self._serving.start()

    def _close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._serving.join(2 * PATIENCE)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self._serve_one(connection)

    def _serve_one(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        try:
            self._answer(connection, _read(connection))
        except (OSError, EOFError):
            pass  # a caller who has gone is no trouble of the provider's
        except Exception as error:  # noqa: BLE001 - it is told when the case is closed
            self._broken = self._broken or error

    def _answer(self, connection: socket.socket, request: Request) -> None:
        self.requests.append(request)
        is_read = self._is_read(request)
        trouble = self.reading_trouble if is_read else self.trouble
        answer = self._reply(request) if trouble is None or trouble.acts else Answer()
        if not is_read:
            # Ahead of the answer: whoever has got it may look at once.
            refused = answer.status == 401 if trouble is None else trouble.refuses
            self.sent.append(Sent(self._key_of(request), refused=refused))
        (tell if trouble is None else trouble.tells)(connection, answer)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _read(connection: socket.socket) -> Request:
    """Raises EOFError, OSError when it does not come whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    while len(body) < int(headers.get("content-length", "0")):
        body += _received(connection)
    method, target, _ = line.split(" ")
    return Request(method, target, headers, body)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise EOFError
    return data


# --- how an answer goes over the wire, or does not ------------------------------------------------------------------


def tell(connection: socket.socket, answer: Answer) -> None:
    """As it is, whole."""
    connection.sendall(_whole(answer))


def _whole(answer: Answer) -> bytes:
    fields = {"content-length": len(answer.body), "connection": "close", **answer.headers}
    lines = [f"HTTP/1.1 {answer.status:03d} Reason", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body


def says(answer: Answer) -> Telling:
    """Another answer than the provider's own."""
    return lambda connection, _: tell(connection, answer)


def under(status: int) -> Telling:
    """The provider's own answer, under another status."""
    return lambda connection, answer: tell(connection, replace(answer, status=status))


def with_body(body: bytes, **headers: str) -> Telling:
    """The provider's own answer, with another body."""
    return lambda connection, answer: tell(
        connection, replace(answer, body=body, headers={**answer.headers, **headers})
    )


def raw(data: bytes) -> Telling:
    """These bytes, and the end."""
    return lambda connection, _: connection.sendall(data)


def hang(connection: socket.socket, _: Answer) -> None:
    """Nothing, until the caller goes."""
    connection.recv(1)


def drip(connection: socket.socket, answer: Answer) -> None:
    """The beginning of the answer, a byte every fifth of a second, for as long as the caller stays."""
    connection.settimeout(0.2)
    for byte in _whole(answer)[: int(PATIENCE / 0.2)]:
        connection.sendall(bytes([byte]))
        with suppress(TimeoutError):
            if not connection.recv(1):
                return


def hang_up(connection: socket.socket, _: Answer) -> None:
    """Nothing, and the end."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket, _: Answer) -> None:
    """Nothing, and the connection is torn down."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def cut_off(connection: socket.socket, answer: Answer) -> None:
    """The answer without its last byte."""
    connection.sendall(_whole(answer)[:-1])
