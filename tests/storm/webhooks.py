"""The webhooks of the storm: the agent's own adapter and configuration, whose requests reach the sink."""

from __future__ import annotations

import json
from typing import Any

from adapters.http import PUBLIC, Client, MaybeSent, NotSent, Reach, Request, Response
from adapters.webhook_config import parse_config
from adapters.webhooks import Webhooks
from domain.policy import Delivery
from tests.storm.effect import NotConnected, Wire, status_of
from tests.storm.points import Points

FOR_GOOD = "for_good"
"""The target that declares no undo."""
TIMEOUT = 30.0
"""Seconds: on a busy disk, an intent may take long to record."""


def webhooks_to(sink: str, points: Points) -> Webhooks:
    """A target for each delivery class that a webhook can have, each with one that takes its calls back."""
    targets = {FOR_GOOD: _target(Delivery.AT_LEAST_ONCE)}
    for delivery in (Delivery.AT_LEAST_ONCE, Delivery.IDEMPOTENT_BY_KEY):
        targets[str(delivery)] = {**_target(delivery), "undo": f"undo_{delivery}"}
        targets[f"undo_{delivery}"] = _target(delivery)
    return Webhooks(parse_config(json.dumps(targets).encode(), {}), SinkClient(sink, points))


def _target(delivery: Delivery) -> dict[str, Any]:
    return {
        "url": "http://sink/",
        "headers": {"delivery": str(delivery)},
        "timeout_s": TIMEOUT,
        "deduplicates": delivery is Delivery.IDEMPOTENT_BY_KEY,
        "allow_http": True,
        "allow_private_network": True,
    }


class SinkClient(Client):
    """Sends over the sink's socket. The payload says how the sink is to behave."""

    def __init__(self, path: str, points: Points) -> None:
        super().__init__()
        self._wire = Wire(path, points)

    def send(self, request: Request, *, timeout: float, reach: Reach = PUBLIC) -> Response:
        action_id = request.headers["webhook-id"].rpartition("-r")[0]
        try:
            answer = self._wire.exchange(action_id, _as_bytes(request))
        except NotConnected as error:
            raise NotSent("connection_refused", str(error)) from error
        except OSError as error:
            raise MaybeSent("no_answer", type(error).__name__) from error
        status = status_of(answer)
        if status is None:
            raise MaybeSent("no_answer", f"{len(answer)} bytes of an answer")
        return Response(status, {}, b"{}")


def _as_bytes(request: Request) -> bytes:
    payload = json.loads(request.body)
    script = payload["payload"]["undos"] if "undo_of" in payload else payload["calls"]
    head = (
        "POST /effect HTTP/1.1\r\nhost: sink\r\nconnection: close\r\n"
        f"effect-key: {request.headers['webhook-id']}\r\ndelivery: {request.headers['delivery']}\r\n"
        f"script: {','.join(script)}\r\ncontent-length: {len(request.body)}\r\n\r\n"
    )
    return head.encode() + request.body
