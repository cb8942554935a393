"""A fresh Lambda environment: the handler's import and its first event. Argument: the action type."""

from __future__ import annotations

import json
import os
import sys

from agents.execution_agent import handler
from bench.loaded import loaded_needlessly
from bench.workload import EMAIL_REQUEST, NOTE_REQUEST

NEEDLESS = ("apsw", "boto3", "httpcore", "httpx", "moto", "s3transfer", "sqlite3")


class Context:
    """What Lambda hands over beside the event."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def send_email() -> dict[str, object]:
    return handler.invoke(EMAIL_REQUEST, Context())


def bench_note() -> dict[str, object]:
    from bench.ours import bench_agent

    return handler.answer(bench_agent(os.environ), NOTE_REQUEST, Context())


response = {"bench_note": bench_note, "send_email": send_email}[sys.argv[1]]()
if response["status"] != "succeeded":
    raise SystemExit(f"the action ended otherwise: {response}")
needs = {"bench_note": (), "send_email": ("jinja2",)}[sys.argv[1]]
print(json.dumps({"needless": [name for name in loaded_needlessly("jinja2", *NEEDLESS) if name not in needs]}))
