"""Connections: the systems that a configuration names, found by what they can do.

An action type asks for a port, and for a name where there may be several:

    crm = world.connections.of(Crm, parameters.connection)
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from domain.errors import Code, FieldError, Refused

Port = TypeVar("Port")


class Connections(Protocol):
    """The configured connections."""

    def of(self, port: type[Port], name: str | None = None) -> Port:
        """The connection of this name, or the only one that there is for this port. Raises Refused."""
        ...


class NoConnections:
    """The port without a connection."""

    def of(self, port: type[Port], name: str | None = None) -> Port:
        raise unknown_connection(port.__name__, name, ())


def unknown_connection(port: str, name: str | None, known: tuple[str, ...]) -> Refused:
    """What is said to whoever asks for a connection that is not there, or for one of several."""
    there = f"there are: {', '.join(sorted(known))}" if known else "none is configured, set EXECUTION_AGENT_CONNECTIONS"
    asked = "say which connection" if name is None and known else f"no connection {(name or '')[:64]!a} for {port}"
    message = f"{asked}; {there}"
    return Refused(message, details=[FieldError("parameters.connection", Code.INVALID_PARAMETERS, message)])
