"""The file of connections, read once and strictly; the adapter behind a connection is built when it is first used.

    {
      "workspace": {"kind": "slack", "token": "env:SLACK_BOT_TOKEN", "channels": {"renewals": "C0123ABCD"}},
      "sales":     {"kind": "salesforce", ...}
    }

Every entry has a `kind` of the closed list KINDS; the rest of it is the kind's own. Secrets are references, as
`adapters.secrets` tells them. Nothing is imported for a kind that the file does not name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.secrets import Secrets
from domain.connections import SETTING, Port, unknown_connection
from domain.errors import ConfigurationError, MalformedRequest
from domain.json_text import read_text

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Entry(BaseModel):
    """The base of every kind's entry: strict, closed, frozen. Its repr tells nothing."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind})"

    __str__ = __repr__


class KindModule(Protocol):
    """What a module `adapters.connections.<kind>` has."""

    Model: type[Entry]
    """What an entry of this kind says."""

    def connect(self, name: str, entry: Any, secrets: Secrets) -> Any:
        """The adapter. Imports its provider's library; connects to nothing yet."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind is told (a `KindModule`), and the names of the ports that such a connection has."""

    module: str
    ports: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "step_functions": Kind("adapters.connections.step_functions", ("Workflows",)),
    "event_bus": Kind("adapters.connections.event_bus", ("EventBus",)),
    "queue": Kind("adapters.connections.queue", ("MessageChannel",)),
    "topic": Kind("adapters.connections.topic", ("MessageChannel",)),
    "function": Kind("adapters.connections.function", ("Function",)),
    "slack": Kind("adapters.connections.slack", ("Chat", "ErasableChat")),
    "slack_webhook": Kind("adapters.connections.slack_webhook", ("Chat",)),
    "teams": Kind("adapters.connections.teams", ("Cards",)),
    "sms": Kind("adapters.connections.sms", ("TextMessages",)),
    "salesforce": Kind("adapters.connections.salesforce", ("Crm",)),
    "hubspot": Kind("adapters.connections.hubspot", ("Crm",)),
    "directory": Kind("adapters.connections.directory", ("FileStore",)),
    "s3": Kind("adapters.connections.s3", ("FileStore",)),
}
"""Every kind that there is: the closed list."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry of the file."""

    name: str
    kind: str
    entry: Entry

    @property
    def ports(self) -> tuple[str, ...]:
        return KINDS[self.kind].ports


class ConfiguredConnections:
    """The port `domain.connections.Connections`."""

    def __init__(self, connections: Mapping[str, Connection], secrets: Secrets) -> None:
        self._connections = connections
        self._secrets = secrets
        self._adapters: dict[str, Any] = {}
        self._lock = Lock()

    @classmethod
    def from_file(cls, path: str | Path, secrets: Secrets) -> ConfiguredConnections:
        """Raises ConfigurationError, one line that names the file, the connection and the field, and no value."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{SETTING}: cannot read {path}: {error.strerror}") from None
        try:
            return cls(read_connections(data), secrets)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None

    def of(self, port: type[Port], name: str | None = None) -> Port:
        fitting = {one.name: one for one in self._connections.values() if port.__name__ in one.ports}
        if name is None and len(fitting) == 1:
            (name,) = fitting
        if name is None or name not in fitting:
            kinds = [kind for kind, told in KINDS.items() if port.__name__ in told.ports]
            raise unknown_connection(port.__name__, name, tuple(fitting), kinds)
        return cast("Port", self._adapter(fitting[name]))

    def _adapter(self, connection: Connection) -> Any:
        with self._lock:
            if connection.name not in self._adapters:
                module = _module(connection.kind)
                self._adapters[connection.name] = module.connect(connection.name, connection.entry, self._secrets)
            return self._adapters[connection.name]


def read_connections(data: bytes) -> Mapping[str, Connection]:
    """The entries of the file. Raises ConfigurationError."""
    try:
        entries = read_text(data)
    except MalformedRequest as malformed:
        raise ConfigurationError(f"connections: {malformed.message}") from None
    return {name: _connection(name, entry) for name, entry in entries.items()}


def _connection(name: str, entry: object) -> Connection:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"connection {name[:64]!r}: a name matches {_NAME.pattern}")
    kind = entry.get("kind") if isinstance(entry, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigurationError(f"connection {name}: kind must be one of {', '.join(sorted(KINDS))}")
    try:
        return Connection(name, kind, _module(kind).Model.model_validate(entry))
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    told = (f"connection {name}", ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))
    raise ConfigurationError(": ".join(filter(None, told)))


def _module(kind: str) -> KindModule:
    return cast("KindModule", import_module(KINDS[kind].module))
