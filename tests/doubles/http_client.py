"""A client that keeps what it was to send, and answers or fails as it was told."""

from __future__ import annotations

from typing import cast

from adapters.http import PUBLIC, Client, Reach, Request, Response


class ScriptedClient:
    """Answers from a script; the last answer is given for ever. `sent` are the requests, with deadline and reach."""

    def __init__(self, *script: Response | Exception) -> None:
        self._script = list(script)
        self.sent: list[tuple[Request, float, Reach]] = []

    @classmethod
    def answering(cls, status: int, body: bytes = b"", **headers: str) -> ScriptedClient:
        """One answer. Header names are given with `_` for `-`."""
        return cls(Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body))

    @property
    def as_client(self) -> Client:
        return cast("Client", self)

    def send(self, request: Request, *, timeout: float, reach: Reach = PUBLIC) -> Response:
        self.sent.append((request, timeout, reach))
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer
