"""A channel or chat of Microsoft Teams, by the webhook of a workflow ("When a Teams webhook request is received").

    {"kind": "teams", "url": "env:TEAMS_WORKFLOW_URL"}

The URL is a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.connections import Entry
from adapters.secrets import SecretReference, Secrets

if TYPE_CHECKING:
    from adapters.teams import Teams


class Model(Entry):
    """An entry of kind `teams`."""

    url: SecretReference
    allow_http: bool = False
    allow_private_network: bool = False


def connect(name: str, entry: Model, secrets: Secrets) -> Teams:
    from adapters.http import Reach
    from adapters.teams import Teams, Workflow

    reach = Reach(allow_http=entry.allow_http, allow_private_network=entry.allow_private_network)
    return Teams(Workflow(name, entry.url, reach), secrets)
