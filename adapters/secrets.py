"""Secrets by reference: what a configuration names, and where its value comes from when it is first needed.

    env:NAME               a variable of the environment
    file:PATH              a file, without the line end
    secretsmanager:NAME    AWS Secrets Manager
    ssm:NAME               AWS Systems Manager, Parameter Store, decrypted

A value is kept in memory until a provider refuses it; then it is asked for anew. That it cannot be had is kept for a
second: those who wait for it together are told together. It stands in no event, log, error or repr: errors name the
reference.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated

from pydantic import AfterValidator

from adapters.aws import AwsService
from domain.errors import ConfigurationError

TIMEOUT = 5.0
"""Seconds, for a store to tell a value: no one waits longer."""
FAILURE_KEPT = 1.0
"""Seconds."""
LARGEST_VALUE = 64 * 1024
"""Bytes of a file that holds a secret."""

_REFERENCE = re.compile(
    r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00\n]+|(?:secretsmanager|ssm):[A-Za-z0-9/_+=.@-]{1,512})"
)


def checked_reference(reference: str) -> str:
    """The reference itself. Raises ValueError, and repeats nothing of it: somebody may have put the secret there."""
    if not _REFERENCE.fullmatch(reference):
        raise ValueError("a secret is written env:NAME, file:/PATH, secretsmanager:NAME or ssm:NAME")
    return reference


SecretReference = Annotated[str, AfterValidator(checked_reference)]
"""A field of a configuration that names a secret."""


@dataclass(slots=True)
class _Known:
    """What is known of one reference. Whoever asks its store holds the lock."""

    asking: Lock = field(default_factory=Lock)
    value: str | None = None
    failure: str = ""
    failed_until: float = 0.0


class Secrets:
    """Resolves references, late, and remembers what it found. For any number of threads."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        service: Callable[[str, str], AwsService] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`service` makes the AWS service of this botocore name and title."""
        self._environ = os.environ if environ is None else environ
        self._service = service or (lambda name, title: AwsService(name, title=title))
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._adding = Lock()

    def value(self, reference: str, *, timeout: float = TIMEOUT) -> str:
        """The secret. `timeout` are the seconds that the caller can wait, for others who ask for it as well.

        Raises ConfigurationError, one line that names the reference and no value.
        """
        known = self._known_of(reference)
        value = known.value
        return self._asked_for(reference, known, min(timeout, TIMEOUT)) if value is None else value

    def forget(self, reference: str) -> None:
        """A provider refused it: the next one who needs it asks where it comes from."""
        # Not under the lock of the reference: nobody waits here for its store.
        self._known_of(reference).value = None

    def __repr__(self) -> str:
        return f"Secrets({sum(known.value is not None for known in list(self._known.values()))} known)"

    def _known_of(self, reference: str) -> _Known:
        with self._adding:
            return self._known.setdefault(reference, _Known())

    def _asked_for(self, reference: str, known: _Known, timeout: float) -> str:
        end = self._monotonic() + timeout
        if not known.asking.acquire(timeout=max(timeout, 0.0)):
            raise _too_late(reference)
        try:
            return known.value or self._found(reference, known, end)
        finally:
            known.asking.release()

    def _found(self, reference: str, known: _Known, end: float) -> str:
        now = self._monotonic()
        if now < known.failed_until:
            raise ConfigurationError(known.failure)
        if now >= end:
            raise _too_late(reference)
        try:
            value = self._read(reference, end - now)
        except ConfigurationError as failure:
            known.failure, known.failed_until = str(failure), self._monotonic() + FAILURE_KEPT
            raise
        known.value = value
        return value

    def _read(self, reference: str, timeout: float) -> str:
        scheme, _, name = reference.partition(":")
        value = _SOURCES[scheme](self, name, timeout)
        if not value:
            raise ConfigurationError(f"the secret {reference} is empty or not there")
        return value

    def _from_environment(self, name: str, timeout: float) -> str:  # noqa: ARG002 - of all sources
        return self._environ.get(name, "")

    def _from_file(self, path: str, timeout: float) -> str:  # noqa: ARG002 - of all sources
        try:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST_VALUE + 1)
            if len(data) > LARGEST_VALUE:
                raise ConfigurationError(f"the secret file:{path} has more than {LARGEST_VALUE} bytes")
            return data.decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the secret file:{path} cannot be read: {type(error).__name__}") from None

    def _from_secrets_manager(self, name: str, timeout: float) -> str:
        service = self._service("secretsmanager", "Secrets Manager")
        answer = service.call("get_secret_value", timeout=timeout, SecretId=name)
        if not isinstance(answer, Mapping):
            raise ConfigurationError(f"the secret secretsmanager:{name} cannot be read: {answer.code}")
        return str(answer.get("SecretString") or "")

    def _from_parameter_store(self, name: str, timeout: float) -> str:
        service = self._service("ssm", "Parameter Store")
        answer = service.call("get_parameter", timeout=timeout, Name=name, WithDecryption=True)
        if not isinstance(answer, Mapping):
            raise ConfigurationError(f"the secret ssm:{name} cannot be read: {answer.code}")
        return str(answer.get("Parameter", {}).get("Value") or "")


def _too_late(reference: str) -> ConfigurationError:
    return ConfigurationError(f"the secret {reference} cannot be read: it takes too long")


_SOURCES: Mapping[str, Callable[[Secrets, str, float], str]] = {
    "env": Secrets._from_environment,
    "file": Secrets._from_file,
    "secretsmanager": Secrets._from_secrets_manager,
    "ssm": Secrets._from_parameter_store,
}
