"""Whatever an HTTP library raises, and when: once a byte may have left, the action is in doubt, and never failed."""

from __future__ import annotations

import inspect
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import h11
import httpcore
import httpx
import pytest

from adapters.http import Client
from adapters.webhooks import Webhooks
from tests.contract.cases.webhooks import CallsReceiver
from tests.fakes import fake_world
from tests.house import agent_with

SYSTEM: list[type[Exception]] = [
    *(ConnectionResetError, ConnectionAbortedError, ConnectionRefusedError, BrokenPipeError, TimeoutError),
    *(InterruptedError, socket.gaierror, ssl.SSLError, ssl.SSLEOFError, ssl.SSLZeroReturnError, OSError),
    *(RuntimeError, ValueError, KeyError, UnicodeDecodeError, RecursionError, MemoryError, EOFError),
]


def exceptions() -> Iterator[type[Exception]]:
    """Every type of an exception that these libraries have, and those of the system below them."""
    yield from SYSTEM
    for library in (httpcore, httpx, h11):
        for _, kind in inspect.getmembers(library, inspect.isclass):
            if issubclass(kind, Exception):
                yield kind


def made(kind: type[Exception]) -> Exception:
    """One of this type, without what its words would need."""
    error = kind.__new__(kind)
    Exception.__init__(error, "it broke")
    return error


class Clock:
    """Monotonic seconds, asked before each thing that is done with a connection: at the last of `calls` it breaks."""

    def __init__(self, calls: int, error: Exception) -> None:
        self._left, self._error = calls, error

    def __call__(self) -> float:
        self._left -= 1
        if self._left == 0:
            raise self._error
        return time.monotonic()


@pytest.fixture(scope="module")
def case() -> Iterator[CallsReceiver]:
    receiver = CallsReceiver()
    with receiver.provider:
        yield receiver


def ended_when(case: CallsReceiver, file: Path, calls: int, error: Exception) -> tuple[str, str]:
    """Where the action stands when the client breaks so at this call of its clock, and its effect key."""
    webhooks = Webhooks.from_file(file, {}, Client(monotonic=Clock(calls, error)))
    with agent_with(world=fake_world(webhooks=webhooks), actions=[CallsReceiver.action]) as agent:
        request = {"action_type": "call_webhook", "parameters": {"webhook": "crm", "payload": {"calls": calls}}}
        keyed = {"idempotency_key": f"{type(error).__module__}.{type(error).__name__}-{calls}"}
        response = agent.process({**request, **keyed, "options": {"retry_policy": "none"}})
        return response["status"], f"{response['action_id']}-r0"


@pytest.mark.parametrize("kind", sorted(set(exceptions()), key=lambda kind: f"{kind.__module__}.{kind.__name__}"))
def test_what_breaks_after_a_byte_has_left_is_in_doubt(
    case: CallsReceiver, tmp_path: Path, kind: type[Exception]
) -> None:
    file = tmp_path / "webhooks.json"
    local = {"allow_http": True, "allow_private_network": True}
    file.write_text(json.dumps({"crm": {"url": f"{case.provider.url}/hook", **local}}), "utf-8")
    ended: list[tuple[str, str]] = []
    while not ended or ended[-1][0] != "succeeded":
        assert len(ended) < 20, "the clock is asked only so often"
        ended.append(ended_when(case, file, len(ended) + 1, made(kind)))
    # The provider serves one after the other: it has seen by now whatever it was sent.
    taken = [sent.key for sent in case.provider.sent]
    assert {status for status, key in ended if key in taken} == {"in_doubt", "succeeded"}
    assert [key for _, key in ended if taken.count(key) > 1] == []


def test_there_are_as_many_exceptions_as_there_should_be() -> None:
    assert len(set(exceptions())) > 60
