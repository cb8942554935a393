"""The kind `salesforce`: one organisation.

    "sales": {"kind": "salesforce", "base_url": "https://acme.my.salesforce.com", "client_id": "3MVG9...",
              "username": "agent@acme.example", "private_key": "secretsmanager:salesforce/key",
              "objects": {"Contact": {"fields": ["Email", "LastName"], "external_id": "Execution_Key__c"}}}

It logs in with a `private_key`, for a `username`, or with a `client_secret`; each is the reference of a secret.
`audience` is for sandboxes: `https://test.salesforce.com`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adapters.bearer_api import BearerApi
from adapters.crm_entry import AllowList, CrmEntry
from adapters.http import Client
from adapters.salesforce import ID_IS, RECORD_ID, Salesforce
from adapters.salesforce_login import ClientCredentials, Grant, JwtBearer, SalesforceLogin
from adapters.secrets import SecretReference, Secrets

OLDEST_VERSION = 46
"""Before, an upsert did not say whether it created a record."""

OneLine = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[!-~]+$")]


class Model(CrmEntry):
    """What an entry says."""

    kind: Literal["salesforce"]
    client_id: OneLine
    username: OneLine | None = None
    private_key: SecretReference | None = None
    client_secret: SecretReference | None = None
    audience: OneLine = "https://login.salesforce.com"
    api_version: str = Field(default="64.0", pattern=r"^[1-9][0-9]{1,2}\.0$")

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        if (self.private_key is None) == (self.client_secret is None):
            raise ValueError("give either private_key or client_secret")
        if (self.private_key is None) != (self.username is None):
            raise ValueError("a private_key logs in for a username, and only it does")
        if float(self.api_version) < OLDEST_VERSION:
            raise ValueError(f"api_version is {OLDEST_VERSION}.0 or later")
        if self.private_key is not None:
            _require_cryptography()
        return self

    @property
    def grant(self) -> Grant:
        if self.private_key is not None:
            return JwtBearer(self.client_id, self.username or "", self.audience, self.private_key)
        return ClientCredentials(self.client_id, self.client_secret or "")


def connect(name: str, entry: Model, secrets: Secrets) -> Salesforce:
    """The adapter; it logs in when it is first used."""
    title, client = f"salesforce {name}", Client()
    login = SalesforceLogin(title, entry.base_url, entry.grant, secrets, client, entry.reach)
    return Salesforce(
        name,
        BearerApi(title, entry.base_url, login, client=client, reach=entry.reach),
        AllowList(entry, record_id=RECORD_ID, id_is=ID_IS),
        api_version=entry.api_version,
        timeout=entry.timeout_s,
    )


def _require_cryptography() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise ValueError('private_key needs cryptography; install "execution-agent[salesforce]"')
