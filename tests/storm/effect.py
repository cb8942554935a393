"""Three action types, one for each delivery class, whose effect is one HTTP request to the sink."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import ClassVar, TypeAlias

from domain.base_action import Attempt, BaseAction, Intent, Parameters, Prepared
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from domain.policy import Delivery
from domain.ports import World
from tests.storm.points import ANSWERED, BEFORE_CONNECT, DELIVERED, HALF_SENT, Points
from tests.storm.story import Behaviour

PATIENCE = 30.0
"""Seconds that a sender waits for a receiver. Only a broken storm needs them."""
PATIENCE_WITH_SILENCE = 0.02
"""The same once the receiver has the request, and it is known that it will not answer."""

Send: TypeAlias = Callable[[Attempt, Delivery, Behaviour], Outcome]


class EffectParameters(Parameters):
    """How the receiver is to behave, attempt by attempt, and how long an attempt may take."""

    script: list[str]
    timeout: float


class _Effect(BaseAction[EffectParameters]):
    parameters = EffectParameters

    def prepare(self, parameters: EffectParameters, intent: Intent, world: World) -> Prepared[EffectParameters]:
        return Prepared(parameters, timeout=parameters.timeout)

    def execute(self, prepared: Prepared[EffectParameters], attempt: Attempt, world: World) -> Outcome:
        script = prepared.parameters.script
        send: Send = world.extras["send"]
        return send(attempt, self.delivery, Behaviour(script[min(attempt.number, len(script)) - 1]))


class AtMostOnce(_Effect):
    """Never re-sent on a guess."""

    action_type = "storm_at_most_once"
    delivery: ClassVar[Delivery] = Delivery.AT_MOST_ONCE


class AtLeastOnce(_Effect):
    """Re-sent in doubt."""

    action_type = "storm_at_least_once"
    delivery: ClassVar[Delivery] = Delivery.AT_LEAST_ONCE


class IdempotentByKey(_Effect):
    """Re-sent in doubt, to a receiver that deduplicates."""

    action_type = "storm_idempotent_by_key"
    delivery: ClassVar[Delivery] = Delivery.IDEMPOTENT_BY_KEY


ACTIONS = (AtMostOnce, AtLeastOnce, IdempotentByKey)


class NotConnected(Exception):
    """Nothing has left."""


class Wire:
    """One request on a connection of its own, with points on its way."""

    def __init__(self, path: str, points: Points) -> None:
        self._path = path
        self._points = points

    def exchange(self, action_id: str, request: bytes, patience: float = PATIENCE) -> bytes:
        """The answer, or as much of it as came. Raises NotConnected; OSError where none came in time."""
        self._points.reach(BEFORE_CONNECT, action_id)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            try:
                connection.connect(self._path)
            except OSError as error:
                raise NotConnected(type(error).__name__) from error
            try:
                return self._exchange(connection, action_id, request, patience)
            finally:
                self._points.reach(ANSWERED, action_id)

    def _exchange(self, connection: socket.socket, action_id: str, request: bytes, patience: float) -> bytes:
        half = len(request) // 2
        connection.sendall(request[:half])
        self._points.reach(HALF_SENT, action_id)
        connection.sendall(request[half:])
        # The first byte of the answer: from here on the receiver has taken it down.
        connection.recv(1, socket.MSG_PEEK)
        self._points.reach(DELIVERED, action_id)
        connection.settimeout(patience)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


class SinkSender:
    """Sends to the sink; every answer in its class."""

    def __init__(self, path: str, points: Points) -> None:
        self._wire = Wire(path, points)

    def __call__(self, attempt: Attempt, delivery: Delivery, behaviour: Behaviour) -> Outcome:
        patience = PATIENCE_WITH_SILENCE if behaviour is Behaviour.SILENCE else PATIENCE
        try:
            answer = self._wire.exchange(attempt.action_id, _request(attempt, delivery, behaviour), patience)
        except NotConnected as error:
            return Retry("not_connected", str(error))
        except OSError as error:
            return Unknown("no_answer", type(error).__name__)
        return _outcome(answer, attempt)


def _request(attempt: Attempt, delivery: Delivery, behaviour: Behaviour) -> bytes:
    body = json.dumps({"action_id": attempt.action_id}).encode()
    head = (
        "POST /effect HTTP/1.1\r\nhost: sink\r\nconnection: close\r\n"
        f"effect-key: {attempt.effect_key}\r\nattempt: {attempt.number}\r\n"
        f"delivery: {delivery}\r\nbehaviour: {behaviour}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _outcome(answer: bytes, attempt: Attempt) -> Outcome:
    match status_of(answer):
        case 200:
            return Succeeded({"effect": attempt.effect_key}, reference=attempt.effect_key)
        case 429:
            return Retry("http_429", "not now")
        case 422:
            return Permanent("http_422", "never")
        case _:
            return Unknown("no_answer", f"{len(answer)} bytes of an answer")


def status_of(answer: bytes) -> int | None:
    """The status after the interim one, None unless the whole of it came."""
    final = answer.partition(b"\r\n\r\n")[2]
    head, end_of_head, _ = final.partition(b"\r\n\r\n")
    return int(head[9:12]) if end_of_head else None
