"""JSON to a URL that is itself the secret, as chats hand them out: whoever has it may post there.

    the answer                        the outcome
    2xx, read to its end              itself: what it means is for the provider's own module to say
    401                               Retry        nothing was done; the URL is asked for anew
    403, 404, 410                     Permanent    and the same: another URL may have taken its place
    every other                       as `adapters.refusal` tells it
    none: no byte left                Retry        DNS, refused connection, TLS; the URL came too late
    none, or unreadable               Unknown
    none: the guard refuses           Permanent

No outcome repeats the URL: it is named by its reference.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.bearer_api import secret_of
from adapters.http import PUBLIC, Client, Deadline, MaybeSent, NotSent, Reach, Request, Response, UnsafeTarget
from adapters.refusal import refusal_of
from adapters.secrets import Secrets
from domain.outcome import Failure, Permanent, Retry, Unknown

_LEADS_NOWHERE = (401, 403, 404, 410)


@dataclass(frozen=True, slots=True)
class SecretUrl:
    """`title` names what is behind the URL to people; `reference` names the secret."""

    title: str
    reference: str
    secrets: Secrets = field(repr=False)
    client: Client = field(repr=False)
    reach: Reach = PUBLIC
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)

    def post(
        self, document: Mapping[str, Any], *, headers: Mapping[str, str] | None = None, timeout: float
    ) -> Response | Failure:
        """Posts once: the answer of a 2xx, or what else became of it. `timeout` is the total deadline in seconds."""
        deadline = Deadline(timeout, self.monotonic)
        url = secret_of(self.secrets, self.reference, timeout)
        if isinstance(url, Retry):
            return url
        own = {"content-type": "application/json; charset=utf-8", "user-agent": "execution-agent"}
        request = Request("POST", url, {**own, **(headers or {})}, json.dumps(document).encode())
        try:
            response = self.client.send(request, timeout=deadline.left(), reach=self.reach)
        except TimeoutError:
            return Retry("timeout", f"{self.title}: the deadline passed before anything was sent")
        except UnsafeTarget as unsafe:
            return Permanent(str(unsafe.code), f"{self.title}: {unsafe.message}")
        except NotSent as failure:
            return Retry(failure.code, f"{self.title}: {failure.message}")
        except MaybeSent as failure:
            return Unknown(failure.code, f"{self.title}: {failure.message}")
        return response if 200 <= response.status < 300 else self._refusal(response)

    def not_accepted(self, code: str) -> Retry:
        """The URL is not valid (any more), so nothing was done: the next one who needs it asks for it anew."""
        self.secrets.forget(self.reference)
        return Retry(code, f"{self.title} does not take the URL {self.reference}")

    def _refusal(self, response: Response) -> Failure:
        if response.status == 401:
            return self.not_accepted("http_401")
        if response.status in _LEADS_NOWHERE:
            self.secrets.forget(self.reference)
        return refusal_of(self.title, response.status, _seconds(response.headers.get("retry-after", "")))


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10 else None
