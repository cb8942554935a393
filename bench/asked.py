"""What functions ask AWS for, counted on the wire: a proxy on the loopback address between them and the local engine.

Requests (all are POSTs) pass as they are, so that their signatures hold. Nothing that is measured knows of it.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

_SCOPE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/aws4_request")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Asked:
    """`requests` by service, operation and table ("" where there is none); capacity units by table; events sent."""

    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    write_units: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    read_units: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    events: int = 0

    def __add__(self, other: Asked) -> Asked:
        """What both asked for."""
        both = Asked(self.requests + other.requests, events=self.events + other.events)
        for asked in (self, other):
            for mine, its in ((both.write_units, asked.write_units), (both.read_units, asked.read_units)):
                for table, units in its.items():
                    mine[table] += units
        return both

    def of(self, service: str, *operations: str, table: str | None = None) -> int:
        """How often a service was asked, for all operations or these, of all tables or this one."""
        return sum(
            count
            for (asked, operation, its_table), count in self.requests.items()
            if asked == service and operation in (operations or (operation,)) and table in (None, its_table)
        )


class Counting:
    """Counts what passes from `begin` to `end`. For any number of threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked = Asked()

    def begin(self) -> None:
        with self._lock:
            self._asked = Asked()

    def end(self) -> Asked:
        with self._lock:
            asked, self._asked = self._asked, Asked()
            return asked

    @property
    def so_far(self) -> int:
        """Requests, to see whether there are still more."""
        with self._lock:
            return self._asked.requests.total()

    def count(self, headers: Mapping[str, str], path: str, body: bytes, answer: bytes) -> None:
        service, operation = _named(headers, path)
        said, answered = _document(body), _document(answer)
        with self._lock:
            self._asked.requests[service, operation, _table_of(said)] += 1
            if operation == "PutEvents":
                self._asked.events += len(said["Entries"])
            units = self._asked.write_units if operation in _WRITES else self._asked.read_units
            for table, consumed in _consumed(answered):
                units[table] += consumed


_WRITES = frozenset({"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"})


@contextmanager
def counting_proxy(counting: Counting, engine: Callable[[], str]) -> Iterator[str]:
    """The URL that programs are given instead of the engine's, which `engine` tells once there is one."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self._engine = HTTPConnection(engine().removeprefix("http://"))

        def finish(self) -> None:
            super().finish()
            self._engine.close()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = dict(self.headers.items())
            self._engine.request("POST", self.path, body, headers)
            answer = self._engine.getresponse()
            said = answer.read()
            counting.count({name.lower(): value for name, value in headers.items()}, self.path, body, said)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """It counts, and says nothing."""

    with _Server(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A program that ended leaves its connection behind: nothing to tell."""


def _named(headers: Mapping[str, str], path: str) -> tuple[str, str]:
    """The service, from the signature's scope; the operation, from its target or its path."""
    scope = _SCOPE.search(headers.get("authorization", ""))
    _, _, operation = headers.get("x-amz-target", "").rpartition(".")
    return (scope[1] if scope else "unsigned"), operation or path.partition("?")[0]


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _table_of(said: Mapping[str, Any]) -> str:
    return str(said.get("TableName") or next(iter(said.get("RequestItems", ())), ""))


def _consumed(answered: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    consumed = answered.get("ConsumedCapacity", [])
    for table in consumed if isinstance(consumed, list) else [consumed]:
        yield table["TableName"], table["CapacityUnits"]
