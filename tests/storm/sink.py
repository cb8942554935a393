"""The receiver of every effect: a process of its own that counts what reaches it, by effect key, and never dies.

HTTP over a Unix socket: a storm would run out of TCP ports. A request's `behaviour` header says what becomes of it, or
its `script` header what becomes of the first that comes under its key, the second, ... A request is taken down before
anything is answered. Where the delivery class is idempotent by key, a known key takes no effect.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from domain.policy import Delivery
from tests.storm.processes import end, fork
from tests.storm.story import TAKES_EFFECT, Behaviour, word_for

BACKLOG = 4_096
IN_PROGRESS = b"HTTP/1.1 102 Processing\r\n\r\n"
"""Said as soon as a request is taken down: from here on its effect is there, or not, whatever the sender learns."""
_ANSWERS: Mapping[Behaviour, bytes] = {
    Behaviour.ANSWER: IN_PROGRESS + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    Behaviour.CUT: IN_PROGRESS + b"HTTP/1.1 200 OK\r\ncontent-le",
    Behaviour.SILENCE: IN_PROGRESS,
    Behaviour.DROP: b"",
    Behaviour.REFUSE: IN_PROGRESS + b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
    Behaviour.DENY: IN_PROGRESS + b"HTTP/1.1 422 Unprocessable Content\r\ncontent-length: 0\r\n\r\n",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came whole. `attempt` is what it said, or its number under its key; `number` is that among all."""

    attempt: int
    behaviour: str
    took_effect: bool
    number: int


@dataclass(frozen=True)
class Sink:
    """Where the sink listens, and what can be asked of it."""

    path: str

    def take(self, effect_keys: Iterable[str]) -> dict[str, list[Seen]]:
        """What was seen under these keys; it is forgotten with that."""
        return self._ask(list(effect_keys))

    def take_all(self) -> dict[str, list[Seen]]:
        """What nobody has asked for."""
        return self._ask(None)

    def count(self) -> int:
        """Requests seen since it began, forgotten ones too."""
        total: int = self._exchange({"count": True})["count"]
        return total

    def _ask(self, effect_keys: list[str] | None) -> dict[str, list[Seen]]:
        answer = self._exchange({"take": effect_keys})["seen"]
        return {key: [Seen(*seen) for seen in requests] for key, requests in answer.items()}

    def _exchange(self, question: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(question).encode()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            connection.sendall(b"POST /ask HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        said: dict[str, Any] = json.loads(answer)
        return said


@contextmanager
def running_sink(directory: Path) -> Iterator[Sink]:
    """A sink that lives as long as the context. `directory` must have a short name."""
    path = str(directory / "sink")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(BACKLOG)
    parent = os.getpid()
    child = fork(lambda _: _Server(listening).serve_while_child_of(parent), patience=None)
    listening.close()
    try:
        yield Sink(path)
    finally:
        end(child)


@dataclass
class _Server:
    listening: socket.socket
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    total: int = 0

    def serve_while_child_of(self, parent: int) -> None:
        self._received: dict[socket.socket, bytearray] = {}
        self._questions: list[tuple[socket.socket, dict[str, Any]]] = []
        self._selector = selectors.DefaultSelector()
        self.listening.setblocking(False)
        self._selector.register(self.listening, selectors.EVENT_READ)
        while os.getppid() == parent:
            self._turn()

    def _turn(self) -> None:
        ready = self._selector.select(0 if self._questions else 1)
        if not ready:
            # Questions are answered when everything that came before them is taken down.
            self._answer_questions()
        for key, _ in ready:
            if key.fileobj is self.listening:
                self._accept()
            else:
                assert isinstance(key.fileobj, socket.socket)
                self._read(key.fileobj)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                connection, _ = self.listening.accept()
                connection.setblocking(False)
                self._received[connection] = bytearray()
                self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._hang_up(connection)
            return
        received = self._received[connection]
        received += data
        head, end_of_head, body = bytes(received).partition(b"\r\n\r\n")
        if end_of_head and len(body) >= int(_headers(head)["content-length"]):
            received.clear()
            self._take_down(connection, _headers(head), body)

    def _take_down(self, connection: socket.socket, headers: Mapping[str, str], body: bytes) -> None:
        if "effect-key" not in headers:
            self._questions.append((connection, json.loads(body)))
            return
        earlier = self.seen[headers["effect-key"]]
        attempt = int(headers.get("attempt", len(earlier) + 1))
        behaviour = Behaviour(headers.get("behaviour") or word_for(attempt, headers["script"].split(",")))
        is_known = headers["delivery"] == Delivery.IDEMPOTENT_BY_KEY and any(seen.took_effect for seen in earlier)
        self.total += 1
        earlier.append(Seen(attempt, behaviour, behaviour in TAKES_EFFECT and not is_known, self.total))
        with suppress(OSError):
            connection.sendall(_ANSWERS[behaviour])
        if behaviour is not Behaviour.SILENCE:
            self._hang_up(connection)

    def _answer_questions(self) -> None:
        for connection, question in self._questions:
            if connection not in self._received:
                continue
            connection.setblocking(True)
            with suppress(OSError):
                connection.sendall(json.dumps(self._answer(question)).encode())
            self._hang_up(connection)
        self._questions.clear()

    def _answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        if "count" in question:
            return {"count": self.total}
        wanted = list(self.seen) if question["take"] is None else question["take"]
        taken = {key: self.seen.pop(key) for key in wanted if key in self.seen}
        return {"seen": {key: [astuple(one) for one in seen] for key, seen in taken.items()}}

    def _hang_up(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._received[connection]
        connection.close()


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("ascii").split("\r\n")[1:]
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}
