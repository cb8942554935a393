"""The receiver of a deployed agent's webhooks, in the hands of the test."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event

from tests.receivers import Delivery, Receiver, answer

SINK = "sink"
"""The target that the receiver is."""
SECONDS = 3
"""Its deadline, and with it how long a dead attempt's lease lasts."""


def targets(file: Path, receiver: Receiver, *, seconds: int = SECONDS) -> str:
    """Writes the file of webhook targets, and returns its path. `seconds` is the deadline of a call."""
    target = {"url": receiver.url(), "allow_http": True, "allow_private_network": True, "timeout_s": seconds}
    file.write_text(json.dumps({SINK: target}), "utf-8")
    return str(file)


def takes(connection: socket.socket) -> None:
    """Every call is welcome."""
    connection.sendall(answer(200, b'{"ok":true}', content_type="application/json"))


def refuses(times: int) -> Callable[[socket.socket], None]:
    """So many calls come too early."""
    left = iter(range(times))

    def refuse(connection: socket.socket) -> None:
        if next(left, None) is None:
            takes(connection)
        else:
            connection.sendall(answer(503))

    return refuse


def refuses_each_once(receiver: Receiver) -> Callable[[socket.socket], None]:
    """The first call of each effect comes too early."""
    seen: set[str] = set()

    def refuse_once(connection: socket.socket) -> None:
        [effect] = effects(receiver.deliveries[-1:])
        if effect in seen:
            takes(connection)
        else:
            connection.sendall(answer(503))
        seen.add(effect)

    return refuse_once


def refuses_what_says(word: str, receiver: Receiver) -> Callable[[socket.socket], None]:
    """Calls whose body says this word never come at the right time; the others are welcome."""

    def refuse(connection: socket.socket) -> None:
        if word.encode() in receiver.deliveries[-1].body:
            connection.sendall(answer(503))
        else:
            takes(connection)

    return refuse


def holds(held: Event) -> Callable[[socket.socket], None]:
    """The first call is left without an answer for as long as its caller stays; `held` says that it is there."""

    def hold(connection: socket.socket) -> None:
        if held.is_set():
            takes(connection)
            return
        held.set()
        while connection.recv(65536):
            pass

    return hold


def effects(deliveries: list[Delivery]) -> list[str]:
    """The webhook-id of each call."""
    return [delivery.headers["webhook-id"] for delivery in deliveries]
