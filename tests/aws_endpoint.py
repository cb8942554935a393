"""An endpoint of AWS on 127.0.0.1 that says what a test has written down for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any


@dataclass
class Endpoint:
    """`script` are the answers, `(status, body)`, the last of which is given for ever; `asked` what came in."""

    url: str
    script: list[tuple[int, Any]]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def next_answer(self) -> tuple[int, Any]:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def aws_endpoint(*script: tuple[int, Any]) -> Iterator[Endpoint]:
    """Of a service that speaks JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, said = found.next_answer()
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Endpoint(f"http://127.0.0.1:{server.server_port}", list(script))
        serving = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        try:
            yield found
        finally:
            server.shutdown()
            serving.join()
