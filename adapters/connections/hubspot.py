"""The kind `hubspot`: one account, by the access token of a private app.

    "marketing": {"kind": "hubspot", "token": "env:HUBSPOT_TOKEN",
                  "objects": {"contacts": {"fields": ["email", "lastname"], "external_id": "execution_key",
                                           "match_by": ["email"]}}}

`external_id` and `match_by` are properties that were created with `hasUniqueValue`, or `email` of a contact.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adapters.bearer_api import BearerApi, SecretToken
from adapters.crm_entry import AllowList, CrmEntry
from adapters.http import Client
from adapters.hubspot import ID_IS, RECORD_ID, HubSpot
from adapters.secrets import SecretReference, Secrets


class Model(CrmEntry):
    """What an entry says."""

    kind: Literal["hubspot"]
    base_url: str = "https://api.hubapi.com"
    token: SecretReference
    api_version: str = Field(default="2026-03", pattern=r"^(?:v3|20[0-9]{2}-[0-9]{2})$")


def connect(name: str, entry: Model, secrets: Secrets) -> HubSpot:
    """The adapter. Its token is asked for when it is first needed."""
    title = f"hubspot {name}"
    api = BearerApi(title, entry.base_url, SecretToken(secrets, entry.token), client=Client(), reach=entry.reach)
    return HubSpot(
        name,
        api,
        AllowList(entry, record_id=RECORD_ID, id_is=ID_IS),
        api_version=entry.api_version,
        timeout=entry.timeout_s,
    )
