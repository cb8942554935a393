"""An HTTP client that a test holds in its hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from adapters.http import PUBLIC, Reach, Request, Response

Scripted: TypeAlias = Response | Exception | Callable[[Request], Response]


class ScriptedClient:
    """Answers from a script, in order, the last answer again and again; an exception in it is raised."""

    def __init__(self, *answers: Scripted) -> None:
        self._answers = list(answers)
        self.sent: list[Request] = []
        self.timeouts: list[float] = []

    def send(self, request: Request, *, timeout: float, reach: Reach = PUBLIC) -> Response:
        self.sent.append(request)
        self.timeouts.append(timeout)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else answer(request)


def answered(status: int, said: Any = None, **headers: str) -> Response:
    """An answer in JSON; None is an empty body. Header names are given with `_` for `-`."""
    body = b"" if said is None else json.dumps(said).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
