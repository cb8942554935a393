"""Connections: the systems that a configuration names, found by what they can do.

An action type asks for a port, and for a name where there may be several:

    crm = world.connections.of(Crm, parameters.connection)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from domain.errors import Code, FieldError, Refused

Port = TypeVar("Port")

SETTING = "EXECUTION_AGENT_CONNECTIONS"
"""What names the file of connections."""


class Connections(Protocol):
    """The configured connections."""

    def of(self, port: type[Port], name: str | None = None) -> Port:
        """The connection of this name, or the only one that there is for this port. Raises Refused."""
        ...


class NoConnections:
    """The port without a connection."""

    def of(self, port: type[Port], name: str | None = None) -> Port:
        del port  # whatever it is
        asked = "no connection" if name is None else f"no connection {_told(name)}: none"
        raise _refused(f"{asked} is configured; set {SETTING}")


def unknown_connection(port: str, name: str | None, known: Sequence[str], kinds: Sequence[str]) -> Refused:
    """What is said to whoever asks for a connection that is not in the file, or for one of several.

    `known` are the names of those that have the port, `kinds` what an entry may be that has it.
    """
    there = f"there are: {', '.join(sorted(known))}"
    if name is None and known:
        return _refused(f"say which connection; {there}")
    asked = "no connection" if name is None else f"no connection {_told(name)}"
    wanted = f"of kind {' or '.join(sorted(kinds))}" if kinds else f"for {port}"
    return _refused(f"{asked} {wanted}; {there}" if known else f"{asked} {wanted} is in the file of {SETTING}")


def _told(name: str) -> str:
    return f"{name[:64]!a}"


def _refused(message: str) -> Refused:
    return Refused(message, details=[FieldError("parameters.connection", Code.INVALID_PARAMETERS, message)])
