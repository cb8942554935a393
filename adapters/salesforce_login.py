"""How this program logs in to Salesforce: OAuth 2.0 for servers, by a signed JWT or by client credentials.

    jwt                 the connected app trusts a certificate; we sign for a user with its private key (RS256)
    client credentials  the connected app has a user of its own; we show its secret

Either way the token endpoint is that of the organisation's own domain. A token is kept in memory until it is refused;
Salesforce does not say how long it lives. Nothing but a login has happened when there is none: that is always Retry.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlencode

from adapters.bearer_api import code_of, document_of, is_token, secret_of, words_of
from adapters.http import Client, Deadline, MaybeSent, NotSent, Reach, Request, Response, UnsafeTarget
from adapters.secrets import Secrets
from domain.outcome import Failure, Permanent, Retry

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
ASSERTION_LIFE = 120
"""Seconds. Salesforce takes an assertion that ends within three minutes."""


class Grant(Protocol):
    """What is shown to the token endpoint."""

    @property
    def reference(self) -> str:
        """Of the secret in it."""
        ...

    def form(self, secret: str, now: float) -> Mapping[str, str]:
        """The form to post. Raises ValueError for a secret that cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """`reference` names the connected app's secret."""

    client_id: str
    reference: str

    def form(self, secret: str, now: float) -> Mapping[str, str]:  # noqa: ARG002 - of the protocol
        return {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": secret}


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """`reference` names the private key, in PEM; `audience` is `https://login.salesforce.com`, or a sandbox's."""

    client_id: str
    username: str
    audience: str
    reference: str

    def form(self, secret: str, now: float) -> Mapping[str, str]:
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience,
            "exp": int(now) + ASSERTION_LIFE,
        }
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": _signed(claims, secret),
        }


def _signed(claims: Mapping[str, Any], pem: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError
    signed = f"{_base64({'alg': 'RS256'})}.{_base64(claims)}"
    signature = key.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{_unpadded(signature)}"


def _base64(part: Mapping[str, Any]) -> str:
    return _unpadded(json.dumps(part).encode())


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class SalesforceLogin:
    """The access token of one connection: `adapters.bearer_api.Tokens`."""

    title: str
    base_url: str
    grant: Grant
    secrets: Secrets = field(repr=False)
    client: Client = field(repr=False)
    reach: Reach
    now: Callable[[], float] = field(default=time.time, repr=False)
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)
    _token: str | None = field(default=None, init=False, repr=False)
    _logging_in: Lock = field(default_factory=Lock, init=False, repr=False)

    def current(self, *, timeout: float) -> str | Failure:
        token: str | Failure | None = self._token
        if token is not None:
            return token
        deadline = Deadline(timeout, self.monotonic)
        if not self._logging_in.acquire(timeout=timeout):
            return Retry("login_busy", f"{self.title}: another thread is logging in, and takes too long")
        try:
            token = self._token or self._new_token(deadline)
        except TimeoutError:
            return Retry("login_busy", f"{self.title}: the deadline passed before there was a token")
        finally:
            self._logging_in.release()
        return token

    def refused(self, token: str) -> None:
        # Not under the lock: nobody waits here for the login of another. At worst there is one login more.
        if self._token == token:
            self._token = None

    def _new_token(self, deadline: Deadline) -> str | Failure:
        """Raises TimeoutError."""
        secret = secret_of(self.secrets, self.grant.reference, deadline.left())
        if not isinstance(secret, str):
            return secret
        try:
            form = self.grant.form(secret, self.now())
        except ValueError:
            self.secrets.forget(self.grant.reference)
            return Retry("secret_unusable", f"the secret {self.grant.reference} is no private RSA key in PEM")
        response = self._posted(form, deadline.left())
        if not isinstance(response, Response):
            return response
        token = self._token_in(response, secret)
        if isinstance(token, str):
            self._token = token
        return token

    def _posted(self, form: Mapping[str, str], timeout: float) -> Response | Failure:
        headers = {
            "user-agent": "execution-agent",
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
        }
        url = self.base_url.rstrip("/") + TOKEN_PATH
        request = Request("POST", url, headers, urlencode(form).encode())
        try:
            return self.client.send(request, timeout=timeout, reach=self.reach)
        except UnsafeTarget as unsafe:
            return Permanent(str(unsafe.code), f"{self.title}: {unsafe.message}")
        except (NotSent, MaybeSent) as failure:
            return Retry(failure.code, f"{self.title}, logging in: {failure.message}")

    def _token_in(self, response: Response, secret: str) -> str | Retry:
        document = document_of(response, secret)
        said = document if isinstance(document, dict) else {}
        token = said.get("access_token")
        if response.status == 200 and is_token(token):
            return str(token)
        # Whoever changes the secret in its store need not restart us.
        self.secrets.forget(self.grant.reference)
        code = code_of(said.get("error"), response.status)
        words = words_of(said.get("error_description"))
        return Retry(code, f"{self.title} refuses to log in: {response.status} {code} {words}".rstrip())
