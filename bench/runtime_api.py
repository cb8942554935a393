"""Lambda's Runtime API on the loopback address: a function's process asks it for events and hands in its answers.

The process is the real runtime client on an unpacked package, and the wait is what its caller would wait.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic, time
from typing import IO, Any

from tests.lambda_runtime import command, import_path

TIMEOUT = 30
"""Seconds that an invocation may take, as the function is told."""

_API = "/2018-06-01/runtime/invocation"


@dataclass
class ExecutionEnvironment:
    """One process of a function. It is asked one event at a time."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    events: Queue[str | None]
    answers: Queue[tuple[str, bytes]]

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The function's answer. Raises RuntimeError when it fails, dies or says nothing, with its last words."""
        self.events.put(json.dumps(event))
        kind, body = self._answer()
        if kind != "response":
            raise RuntimeError(f"the function failed: {body.decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _answer(self) -> tuple[str, bytes]:
        deadline = monotonic() + TIMEOUT
        while self.process.poll() is None and monotonic() < deadline:
            with suppress(Empty):
                return self.answers.get(timeout=0.1)
        self.log.seek(0)
        raise RuntimeError(f"the function did not answer: {self.log.read().decode(errors='replace')}")


@contextmanager
def execution_environment(
    handler: str, code: Path, runtime: Path, environ: Mapping[str, str]
) -> Iterator[ExecutionEnvironment]:
    """Starts a function's process, which ends with the context. Its first answer is that of a cold start."""
    events: Queue[str | None] = Queue()
    answers: Queue[tuple[str, bytes]] = Queue()
    with _serving(_api(events, answers)) as port, tempfile.TemporaryFile() as log:
        told = _told_by_lambda(handler, code, runtime, port)
        process = subprocess.Popen(
            command(handler), cwd=code, env={**os.environ, **told, **environ}, stdout=log, stderr=log
        )
        try:
            yield ExecutionEnvironment(process, log, events, answers)
        finally:
            process.kill()
            process.wait()
            events.put(None)


def _told_by_lambda(handler: str, code: Path, runtime: Path, port: int) -> dict[str, str]:
    return {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "LAMBDA_TASK_ROOT": str(code),
        "PYTHONPATH": import_path(code, runtime),
        # On Lambda a function cannot write to its code: what the package does not bring compiled is compiled each time.
        "PYTHONDONTWRITEBYTECODE": "1",
        "_HANDLER": handler,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A function that was killed leaves its connection behind: nothing to tell."""


@contextmanager
def _serving(api: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), api) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def _api(events: Queue[str | None], answers: Queue[tuple[str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            event = events.get() if self.path == f"{_API}/next" else None
            if event is None:
                self._say(404)
            else:
                self._say(200, event.encode(), {"Lambda-Runtime-Deadline-Ms": str(int((time() + TIMEOUT) * 1000))})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._say(202)
            answers.put((self.path.rpartition("/")[2], body))

        def _say(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
            said = {
                "Content-Length": str(len(body)),
                # The native half of the runtime client crashes on an event without these two.
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": "bench",
                **(headers or {}),
            }
            self.send_response(status)
            for name, value in said.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The bench has words of its own."""

    return RuntimeApi
