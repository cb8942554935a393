"""Ten thousand times the same request, from sixteen processes on one file: one action, one effect, one answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = 16
REQUESTS = 10_000
CALLER = """
import json, sys
from collections import Counter
from agents.execution_agent.agent import ExecutionAgent

answers = Counter()
with ExecutionAgent() as agent:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[1])):
        response = agent.process({
            "action_type": "call_webhook",
            "parameters": {"webhook": "sink", "payload": {"account": "ACME-1"}},
            "idempotency_key": "acme-1",
        })
        answers[json.dumps(response, sort_keys=True)] += 1
print(json.dumps(answers))
"""


class Sink(ThreadingHTTPServer):
    """Counts what arrives."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[str] = []
        super().__init__(("127.0.0.1", 0), Receiver)


class Receiver(BaseHTTPRequestHandler):
    """One request."""

    server: Sink

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(self.headers["webhook-id"])
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_ten_thousand_duplicates_are_one_effect(sink: Sink, tmp_path: Path) -> None:
    hooks = tmp_path / "webhooks.json"
    url = f"http://127.0.0.1:{sink.server_port}/"
    hooks.write_text(json.dumps({"sink": {"url": url, "allow_http": True, "allow_private_network": True}}), "utf-8")
    environ = os.environ | {
        "EXECUTION_AGENT_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "EXECUTION_AGENT_EMAIL": f"outbox:{tmp_path}/outbox",
        "WEBHOOK_CONFIG_PATH": str(hooks),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", CALLER, str(REQUESTS // PROCESSES)]
    callers = [
        subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    for caller in callers:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "ready\n"
    for caller in callers:
        assert caller.stdin is not None
        caller.stdin.write("go\n")
        caller.stdin.flush()
    outputs = [caller.communicate(timeout=240)[0] for caller in callers]

    answers: Counter[str] = Counter()
    for output in outputs:
        answers.update(json.loads(output))
    assert len(sink.received) == 1
    assert sorted(answers.values()) == [1, REQUESTS - 1]
    (first, _), (repeated, _) = sorted(answers.items(), key=lambda item: item[1])
    assert json.loads(first)["status"] == "succeeded"
    assert json.loads(repeated) == json.loads(first) | {"duplicate": True}
