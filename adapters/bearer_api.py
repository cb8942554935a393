"""JSON over HTTP under a bearer token: each request sent once, and every way that it can end is classed.

    an answer, read to its end      an Answer: what it means is for the provider's own module to say
    401                             nothing was done: a token is asked for anew, and the request sent under it
    401 again, or no token          Retry
    none: no byte left              Retry        DNS, refused connection, TLS
    none, or unreadable             Unknown
    none: the guard refuses         Permanent

Tokens go to the configured base URL and nowhere else, and what an answer echoes of one is struck out.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.http import Client, Deadline, MaybeSent, NotSent, Reach, Request, Response, UnsafeTarget
from adapters.secrets import Secrets
from domain.errors import ConfigurationError
from domain.outcome import Failure, Permanent, Retry, Unknown

LONGEST_WORDS = 200
"""Characters of a provider's message that are kept."""
LONGEST_WAIT = 86_400.0
"""Seconds: no provider puts us off for longer than a day."""

SHORTEST_SECRET = 6

_TOKEN = re.compile(r"[!-~]{1,8192}")


class Tokens(Protocol):
    """Where access tokens come from. For any number of threads."""

    def current(self, *, timeout: float) -> str | Failure:
        """A token that was not refused yet. `timeout` is the total deadline in seconds."""
        ...

    def refused(self, token: str) -> None:
        """The provider does not take this one."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status but 401. `document` is what the body says in JSON; None where it is none."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    document: Any = field(repr=False)

    @property
    def retry_after(self) -> float | None:
        """In seconds, where the provider says so."""
        text = self.headers.get("retry-after", "")
        return min(float(text), LONGEST_WAIT) if re.fullmatch(r"[0-9]{1,9}", text) else None


class BearerApi:
    """The API at a base URL. For any number of threads."""

    def __init__(
        self,
        title: str,
        base_url: str,
        tokens: Tokens,
        *,
        client: Client,
        reach: Reach,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`title` names it to people; `base_url` has no path."""
        self.title = title
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._client = client
        self._reach = reach
        self._monotonic = monotonic

    def __repr__(self) -> str:
        return f"BearerApi({self.title})"

    def send(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Answer | Failure:
        """`path` is percent-encoded and brings its query; `timeout` is the total deadline in seconds."""
        deadline = Deadline(timeout, self._monotonic)
        try:
            for _ in range(2):
                token = self._tokens.current(timeout=deadline.left())
                if not isinstance(token, str):
                    return token
                request = self._request(method, path, document, {**(headers or {}), "authorization": f"Bearer {token}"})
                ended = self._sent(request, deadline.left(), token)
                if not isinstance(ended, Answer) or ended.status != 401:
                    return ended
                self._tokens.refused(token)
        except TimeoutError:
            return Retry("timeout", f"{self.title}: the deadline passed before anything was sent")
        return Retry("access_refused", f"{self.title} does not accept the access token")

    def _request(
        self, method: str, path: str, document: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Request:
        own = {"user-agent": "execution-agent", "accept": "application/json"}
        if document is None:
            return Request(method, self._base_url + path, {**own, **headers}, b"")
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        return Request(method, self._base_url + path, {**own, "content-type": "application/json", **headers}, body)

    def _sent(self, request: Request, timeout: float, token: str) -> Answer | Failure:
        try:
            response = self._client.send(request, timeout=timeout, reach=self._reach)
        except UnsafeTarget as unsafe:
            return Permanent(str(unsafe.code), f"{self.title}: {unsafe.message}")
        except NotSent as failure:
            return Retry(failure.code, f"{self.title}: {failure.message}")
        except MaybeSent as failure:
            return Unknown(failure.code, f"{self.title}: {failure.message}")
        return Answer(response.status, response.headers, document_of(response, token))


def document_of(response: Response, secret: str) -> Any:
    """What the body says in JSON, without `secret`; None where it is none."""
    try:
        text = response.body.decode()
        # What is shorter is no secret, and would be found in everything.
        text = text.replace(secret, "[struck out]") if len(secret) >= SHORTEST_SECRET else text
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(_: str) -> float:
    raise ValueError


def certain(failure: Failure) -> Permanent | Retry:
    """Of a question: whatever became of it, nothing was done."""
    return Retry(failure.code, failure.message, failure.retry_after) if isinstance(failure, Unknown) else failure


def words_of(text: object) -> str:
    """A provider's message, short and on one line; nothing for what is no text."""
    return " ".join(text.split())[:LONGEST_WORDS] if isinstance(text, str) else ""


def code_of(text: object, status: int) -> str:
    """A provider's code as ours: `REQUEST_LIMIT_EXCEEDED` is `request_limit_exceeded`; without one it is `http_400`."""
    known = isinstance(text, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,63}", text)
    return str(text).lower() if known else f"http_{status}"


class SecretToken:
    """A token that is itself the secret."""

    def __init__(self, secrets: Secrets, reference: str) -> None:
        self._secrets = secrets
        self._reference = reference

    def current(self, *, timeout: float) -> str | Failure:
        return token_of(self._secrets, self._reference, timeout)

    def refused(self, token: str) -> None:  # noqa: ARG002 - of the protocol
        self._secrets.forget(self._reference)


def is_token(text: object) -> bool:
    """Whether it fits into a header, as one word."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def token_of(secrets: Secrets, reference: str, timeout: float) -> str | Retry:
    """The secret, if it can be had in time and is a token. Retry tells of the reference, never of the value."""
    value = secret_of(secrets, reference, timeout)
    if isinstance(value, str) and not is_token(value):
        return Retry("secret_unusable", f"the secret {reference} is no token: printable ASCII, without white space")
    return value


def secret_of(secrets: Secrets, reference: str, timeout: float) -> str | Retry:
    """The secret, if it can be had within `timeout` seconds. Nothing was done without it."""
    try:
        return secrets.value(reference, timeout=timeout)
    except ConfigurationError as missing:
        return Retry("secret_unavailable", str(missing))
