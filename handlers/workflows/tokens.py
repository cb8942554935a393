"""Callback tokens: who knows one may end the step that waits for it, once.

run_01m8...  .  approval  .  HMAC-SHA256 of both, under a key of the operator's
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from domain.errors import ConfigurationError
from domain.identity import is_run_id

SETTING = "EXECUTION_AGENT_CALLBACK_KEY"
LONGEST_TOKEN = 400


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says; whether it is true is for `Tokens.is_genuine`."""

    run_id: str
    step: str
    seal: str


class Tokens:
    """Makes and checks tokens. `key` gives the secret when it is first needed, None where none is configured."""

    def __init__(self, key: Callable[[], bytes] | None) -> None:
        self._key = key

    @property
    def is_configured(self) -> bool:
        return self._key is not None

    def token(self, run_id: str, step: str) -> str:
        """Raises ConfigurationError where there is no key, or it cannot be read."""
        return f"{run_id}.{step}.{self._seal(run_id, step)}"

    def is_genuine(self, claim: Claim) -> bool:
        """Raises as `token` does."""
        return hmac.compare_digest(claim.seal, self._seal(claim.run_id, claim.step))

    def _seal(self, run_id: str, step: str) -> str:
        if self._key is None:
            raise ConfigurationError(f"set {SETTING} to the secret that callback tokens are made with")
        digest = hmac.new(self._key(), b"\x00".join((b"callback", run_id.encode(), step.encode())), sha256).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")


def read_token(token: object) -> Claim | None:
    """None for what is no token at all."""
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not token.isascii():
        return None
    run_id, _, rest = token.partition(".")
    step, _, seal = rest.rpartition(".")
    return Claim(run_id, step, seal) if is_run_id(run_id) and step and seal else None
