"""What is carried out, and the plainest way to have an effect. Imports nothing of ours: the floor uses it too."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from threading import local
from typing import Any

MESSAGE: dict[str, Any] = {
    "template": "renewal_reminder",
    "recipient": "customer@example.com",
    "variables": {"customer_name": "Acme Inc.", "renewal_date": "2023-12-31"},
}
"""The parameters of every action here, or their payload."""

POST_REQUEST: dict[str, Any] = {"action_type": "bench_post", "parameters": MESSAGE}
NOTE_REQUEST: dict[str, Any] = {"action_type": "bench_note", "parameters": MESSAGE}
EMAIL_REQUEST: dict[str, Any] = {"action_type": "send_email", "parameters": MESSAGE}
WEBHOOK_REQUEST: dict[str, Any] = {
    "action_type": "call_webhook",
    "parameters": {"webhook": "sink", "payload": MESSAGE},
}


class Sender:
    """POSTs JSON over one kept connection a thread: what a careful program would do with the standard library."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._kept = local()

    def post(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The receiver's answer."""
        connection = self._connection()
        body = json.dumps(document, separators=(",", ":")).encode()
        connection.request("POST", "/", body, {"content-type": "application/json"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            connection = self._kept.connection = http.client.HTTPConnection("127.0.0.1", self._port)
            connection.connect()
            # Head and body are two writes, and the second must not wait until the first is acknowledged.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
