"""Webhooks: configured targets, called through the guard, signed by the Standard Webhooks specification.

    the answer                                     the outcome
    2xx, read to its end                           Succeeded
    3xx                                            Permanent    a redirect is never followed
    401, and its secrets are kept elsewhere        Retry        they are read anew for the next attempt
    425, 429                                       Retry        the receiver says that it did not act
    other 4xx                                      Permanent    409 too: what there conflicts will conflict again
    408                                            Unknown      a gateway says so after it passed the request on
    5xx and every other status                     Unknown      503 too: the request was sent whole
    none: no byte left                             Retry        DNS, refused connection, TLS
    none, or unreadable                            Unknown
    none: the guard refuses                        Permanent
    none: a secret of the target cannot be read    Retry        or not in time

A retry carries the same `webhook-id`, the effect key, by which a receiver recognises what it has had already.
A receiver that acts and then redirects is taken for one that refused: `fallback` is not for such a receiver.

No outcome repeats the URL or a header, and where a receiver echoes one whole, or a secret, it is struck out of its
answer. A part of one (the path of the URL, a header's last word) is not recognised.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.guard import locate
from adapters.http import Client, Deadline, MaybeSent, NotSent, Request, Response, UnsafeTarget
from adapters.secrets import Secrets
from adapters.webhook_config import WebhookConfig, read_config
from adapters.webhook_receiver import DEFAULT_TIMEOUT, Private, Receiver
from domain.canonical import canonical
from domain.errors import Code, ConfigurationError, FieldError, MalformedRequest, Refused
from domain.json_text import read_text
from domain.outcome import Outcome, Permanent, Retry, Succeeded, Unknown
from domain.ports import WebhookTarget
from domain.validators.call_webhook import check_headers

LONGEST_RESULT = 8 * 1024
"""Bytes of an answer's body that go into the ledger."""
LONGEST_WAIT = 86_400.0
"""Seconds: no receiver puts us off for longer than a day."""


@dataclass(frozen=True, slots=True)
class _DirectTarget(WebhookTarget):
    """A target that an action brought itself. It is named by its host: the URL may hold a token."""

    url: str = field(repr=False, kw_only=True)


class Webhooks:
    """The port `domain.ports.Webhooks`."""

    def __init__(
        self,
        config: WebhookConfig,
        client: Client,
        secrets: Secrets | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._client = client
        self._secrets = secrets or Secrets()
        self._monotonic = monotonic

    @classmethod
    def from_file(
        cls, path: str | Path, environ: Mapping[str, str], client: Client | None = None, *, required: bool = False
    ) -> Webhooks:
        """The targets of a file as `adapters.webhook_config` tells it; none when it is missing and not `required`.

        Raises ConfigurationError.
        """
        return cls(read_config(path, environ, required=required), client or Client(), Secrets(environ))

    def target(self, name: str) -> WebhookTarget:
        """Raises Refused (invalid_parameters) when no target has this name."""
        return self._receiver(name).target

    def direct(self, url: str) -> WebhookTarget:
        """A target that is its own URL. Raises Refused unless direct URLs are allowed, UnsafeTarget for a bad one."""
        reach = self._config.direct
        if reach is None:
            raise _refused("url", "direct URLs are not allowed here: name a configured webhook")
        name = f"direct:{locate(url, allow_hosts=reach.allow_hosts).host}"
        return _DirectTarget(name, "POST", deduplicates=False, timeout=DEFAULT_TIMEOUT, url=url)

    def check(self, target: WebhookTarget, headers: Mapping[str, str]) -> None:
        """Whether an action may bring these headers to this target. Raises Refused (invalid_parameters)."""
        check_headers(headers, configured=self._receiver_of(target).header_names)

    def body(self, target: WebhookTarget, payload: Mapping[str, Any]) -> object:
        """What a call says: what the target's template makes of the payload, or the payload itself.

        Raises MissingVariable or InvalidVariable.
        """
        template = self._receiver_of(target).template
        return payload if template is None else template.body(payload)

    def call(
        self,
        target: WebhookTarget,
        body: object,
        *,
        headers: Mapping[str, str],
        effect_key: str,
        at: datetime,
        timeout: float,
    ) -> Outcome:
        """Sends once. `timeout` is the total deadline in seconds. Never raises for what the receiver says."""
        receiver, deadline = self._receiver_of(target), Deadline(timeout, self._monotonic)
        try:
            self.check(target, headers)
            content = canonical(body)
            private = receiver.opened(lambda reference: self._secrets.value(reference, timeout=deadline.left()))
            time_left = deadline.left()
        except Refused as refusal:
            return Permanent(str(refusal.code), refusal.message)
        except ConfigurationError as unreadable:
            return Retry("secret_unavailable", str(unreadable))
        except TimeoutError:
            return Retry("timeout", f"webhook {target.name}: the deadline passed before anything was sent")
        except (TypeError, ValueError):
            return Permanent(Code.INVALID_PARAMETERS, "the payload has no form in JSON")
        request = Request(target.method, private.url, _headers(private, headers, content, effect_key, at), content)
        return self._send(request, receiver, private, at, time_left)

    def _send(self, request: Request, receiver: Receiver, private: Private, at: datetime, timeout: float) -> Outcome:
        name = receiver.target.name
        try:
            response = self._client.send(request, timeout=timeout, reach=receiver.reach)
        except UnsafeTarget as unsafe:
            return Permanent(str(unsafe.code), f"webhook {name}: {unsafe.message}")
        except NotSent as failure:
            return Retry(failure.code, f"webhook {name}: {failure.message}")
        except MaybeSent as failure:
            return Unknown(failure.code, f"webhook {name}: {failure.message}")
        if response.status == 401 and receiver.references:
            return self._with_other_secrets(receiver)
        return _outcome(response, receiver, private, at)

    def _with_other_secrets(self, receiver: Receiver) -> Retry:
        """They may have been changed since they were read. A 401 says that nothing was done."""
        for reference in receiver.references:
            self._secrets.forget(reference)
        return Retry("http_401", f"webhook {receiver.target.name} answered 401: its secrets are read anew")

    def _receiver_of(self, target: WebhookTarget) -> Receiver:
        if isinstance(target, _DirectTarget) and self._config.direct is not None:
            private = Private(target.url)
            return Receiver(target, lambda _: private, reach=self._config.direct)
        return self._receiver(target.name)

    def _receiver(self, name: str) -> Receiver:
        receiver = self._config.receivers.get(name)
        if receiver is None:
            names = ", ".join(sorted(self._config.receivers)) or "none"
            raise _refused("webhook", f"no webhook is called {name[:64]!a} in WEBHOOK_CONFIG_PATH; there are: {names}")
        return receiver


def _refused(field_name: str, message: str) -> Refused:
    detail = FieldError(f"parameters.{field_name}", Code.INVALID_PARAMETERS, message)
    return Refused(f"{detail.field}: {message}", details=[detail])


# --- the request ----------------------------------------------------------------------------------------------------


def _headers(
    private: Private, brought: Mapping[str, str], body: bytes, effect_key: str, at: datetime
) -> Mapping[str, str]:
    timestamp = str(int(at.timestamp()))
    headers = {"user-agent": "execution-agent"}
    headers |= {name.lower(): value for name, value in (*brought.items(), *private.headers.items())}
    headers |= {
        "content-type": "application/json",
        "idempotency-key": effect_key,
        "webhook-id": effect_key,
        "webhook-timestamp": timestamp,
    }
    if private.keys:
        headers["webhook-signature"] = " ".join(_signature(key, effect_key, timestamp, body) for key in private.keys)
    return headers


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


# --- the outcome ----------------------------------------------------------------------------------------------------


def _outcome(response: Response, receiver: Receiver, private: Private, at: datetime) -> Outcome:
    status = response.status
    code, message = f"http_{status}", f"webhook {receiver.target.name} answered {status}"
    wait = _retry_after(response.headers.get("retry-after", ""), at)
    if 200 <= status < 300:
        return Succeeded(
            _result(response, private.confidential), undo={"webhook": receiver.undo} if receiver.undo else None
        )
    if 300 <= status < 400:
        return Permanent("redirect_refused", f"{message}: redirects are not followed")
    if status in _DID_NOT_ACT:
        return Retry(code, message, wait)
    if 400 <= status < 500 and status != 408:
        return Permanent(code, message)
    return Unknown(code, message, wait)


_DID_NOT_ACT = (425, 429)


def _retry_after(text: str, at: datetime) -> float | None:
    """Seconds, from 0 to a day, of either form of the header; None when there is no sense in it."""
    if re.fullmatch(r"-?[0-9]+", text):
        seconds: float | None = float(text[:10])
    else:
        seconds = _seconds_until(text, at) if text else None
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds_until(text: str, at: datetime) -> float | None:
    from email.utils import parsedate_to_datetime  # seldom needed, and 17 ms

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - at).total_seconds()


def _result(response: Response, confidential: Sequence[str]) -> Mapping[str, Any]:
    """A JSON object as one if it is as plain as a request must be, anything else as text; what is cut says so."""
    if len(response.body) <= LONGEST_RESULT:
        return {"status": response.status, "body": _struck(_readable(response.body), confidential)}
    text = _struck(_text(response.body), confidential).encode()[:LONGEST_RESULT].decode("utf-8", "ignore")
    return {"status": response.status, "body": text, "truncated": True}


def _readable(body: bytes) -> object:
    try:
        return read_text(body)
    except MalformedRequest:
        return _text(body)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _struck(value: Any, confidential: Sequence[str]) -> Any:
    """`value` without what a receiver has echoed of the configuration: the ledger is for ever."""
    if isinstance(value, str):
        for text in confidential:
            value = value.replace(text, "[struck out]")
        return value
    if isinstance(value, dict):
        return {_struck(name, confidential): _struck(member, confidential) for name, member in value.items()}
    if isinstance(value, list):
        return [_struck(member, confidential) for member in value]
    return value
