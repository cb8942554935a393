"""Secrets by reference: what a configuration names, and where its value comes from when it is first needed.

    env:NAME               a variable of the environment
    file:PATH              a file, without the line end
    secretsmanager:NAME    AWS Secrets Manager
    ssm:NAME               AWS Systems Manager, Parameter Store, decrypted

A value is kept in memory until a provider refuses it; then it is asked for anew. It stands in no event, log, error or
repr: errors name the reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Annotated

from pydantic import AfterValidator

from adapters.aws import AwsService
from domain.errors import ConfigurationError

TIMEOUT = 5.0
"""Seconds, for a store to tell a value."""
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


class Secrets:
    """Resolves references, late, and remembers what it found. For any number of threads."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, service: Callable[[str, str], AwsService] | None = None
    ) -> None:
        """`service` makes the AWS service of this botocore name and title."""
        self._environ = os.environ if environ is None else environ
        self._service = service or (lambda name, title: AwsService(name, title=title))
        self._values: dict[str, str] = {}
        self._lock = Lock()

    def value(self, reference: str) -> str:
        """The secret. Raises ConfigurationError, one line that names the reference and no value."""
        with self._lock:
            if reference not in self._values:
                self._values[reference] = self._found(reference)
            return self._values[reference]

    def forget(self, reference: str) -> None:
        """A provider refused it: the next one who needs it asks where it comes from."""
        with self._lock:
            self._values.pop(reference, None)

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} known)"

    def _found(self, reference: str) -> str:
        scheme, _, name = reference.partition(":")
        value = _SOURCES[scheme](self, name)
        if not value:
            raise ConfigurationError(f"the secret {reference} is empty or not there")
        return value

    def _from_environment(self, name: str) -> str:
        return self._environ.get(name, "")

    def _from_file(self, path: str) -> str:
        try:
            with Path(path).open("rb") as file:
                return file.read(LARGEST_VALUE).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the secret file:{path} cannot be read: {type(error).__name__}") from None

    def _from_secrets_manager(self, name: str) -> str:
        service = self._service("secretsmanager", "Secrets Manager")
        answer = service.call("get_secret_value", timeout=TIMEOUT, SecretId=name)
        if not isinstance(answer, Mapping):
            raise ConfigurationError(f"the secret secretsmanager:{name} cannot be read: {answer.code}")
        return str(answer.get("SecretString") or "")

    def _from_parameter_store(self, name: str) -> str:
        service = self._service("ssm", "Parameter Store")
        answer = service.call("get_parameter", timeout=TIMEOUT, Name=name, WithDecryption=True)
        if not isinstance(answer, Mapping):
            raise ConfigurationError(f"the secret ssm:{name} cannot be read: {answer.code}")
        return str(answer.get("Parameter", {}).get("Value") or "")


_SOURCES: Mapping[str, Callable[[Secrets, str], str]] = {
    "env": Secrets._from_environment,
    "file": Secrets._from_file,
    "secretsmanager": Secrets._from_secrets_manager,
    "ssm": Secrets._from_parameter_store,
}
