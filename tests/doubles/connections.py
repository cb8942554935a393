"""A file of connections, as a test writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapters.connections import ConfiguredConnections, read_connections
from adapters.secrets import Secrets

LOCAL = {"allow_http": True, "allow_private_network": True}


def connections(environ: dict[str, str] | None = None, **entries: Mapping[str, Any]) -> ConfiguredConnections:
    """The connections of these names; the environment holds their secrets."""
    return ConfiguredConnections(read_connections(json.dumps(entries).encode()), Secrets(environ or {}))
