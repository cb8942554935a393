"""What an entry of a CRM may say, and the allow-list that comes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.connections import read_connections
from adapters.connections.hubspot import Model as HubSpotModel
from adapters.connections.salesforce import Model as SalesforceModel
from adapters.crm_entry import AllowList
from adapters.hubspot import ID_IS, RECORD_ID
from domain.connections import Port
from domain.crm import Crm, Where
from domain.errors import ConfigurationError, Refused
from tests.doubles.connections import connections

CONTACT = {"fields": ["Title"], "external_id": "Key__c", "match_by": ["Number__c"]}
SALESFORCE: dict[str, Any] = {
    "kind": "salesforce",
    "base_url": "https://acme.my.salesforce.com",
    "client_id": "3MVG9",
    "client_secret": "env:SECRET",
    "objects": {"Contact": CONTACT},
}
HUBSPOT: dict[str, Any] = {"kind": "hubspot", "token": "env:TOKEN", "objects": {"contacts": CONTACT}}
SIGNING = {"client_secret": None, "private_key": "file:/key.pem", "username": "agent@acme.example"}


def crm(**entries: Any) -> Any:
    port: type[Port] = Crm  # type: ignore[type-abstract,valid-type]
    return connections(**entries).of(port)


def test_both_kinds_are_crms_found_by_name_or_alone() -> None:
    found = connections(sales=SALESFORCE, marketing=HUBSPOT)
    assert found.of(Crm, "sales").name == "sales"  # type: ignore[type-abstract]
    assert repr(found.of(Crm, "marketing")) == "HubSpot(marketing)"  # type: ignore[type-abstract]
    assert crm(sales=SALESFORCE).name == "sales"
    with pytest.raises(Refused, match="say which connection; there are: marketing, sales"):
        found.of(Crm)  # type: ignore[type-abstract]


def test_what_is_not_said_has_a_default() -> None:
    salesforce, hubspot = SalesforceModel.model_validate(SALESFORCE), HubSpotModel.model_validate(HUBSPOT)
    assert (salesforce.api_version, salesforce.audience) == ("64.0", "https://login.salesforce.com")
    assert (hubspot.api_version, hubspot.base_url) == ("2026-03", "https://api.hubapi.com")
    assert (salesforce.timeout_s, hubspot.reach.allow_http) == (30.0, False)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (SALESFORCE | {"client_secret": None}, "give either private_key or client_secret"),
        (SALESFORCE | SIGNING | {"client_secret": "env:SECRET"}, "give either private_key or client_secret"),
        (SALESFORCE | SIGNING | {"username": None}, "logs in for a username"),
        (SALESFORCE | {"username": "ada"}, "logs in for a username"),
        (SALESFORCE | {"client_secret": "canary"}, "a secret is written env:NAME"),
        (SALESFORCE | {"api_version": "45.0"}, "api_version is 46.0 or later"),
        (SALESFORCE | {"api_version": "../64.0"}, "api_version"),
        (SALESFORCE | {"base_url": "http://acme.my.salesforce.com"}, "the scheme is not https"),
        (SALESFORCE | {"base_url": "https://acme.my.salesforce.com/services"}, "neither path nor query"),
        (SALESFORCE | {"base_url": "https://localhost"}, "a name of a local network"),
        (SALESFORCE | {"base_url": "https://ada:x@acme.example"}, "names no user"),
        (SALESFORCE | {"objects": {}}, "objects"),
        (SALESFORCE | {"objects": {"Contact": {"fields": []}}}, "objects.Contact.fields"),
        (SALESFORCE | {"objects": {"../query": CONTACT}}, "objects"),
        (SALESFORCE | {"objects": {"Contact": {"fields": ["Account.Name"]}}}, "objects.Contact.fields.0"),
        (SALESFORCE | {"objects": {"Contact": {"fields": ["Id,Name"]}}}, "objects.Contact.fields.0"),
        (SALESFORCE | {"objects": {"Contact": CONTACT | {"external_id": "Title"}}}, "external_id takes effect keys"),
        (
            SALESFORCE | {"objects": {"Contact": CONTACT | {"external_id": "Number__c"}}},
            "external_id takes effect keys",
        ),
        (SALESFORCE | {"unknown": 1}, "unknown"),
        (SALESFORCE | {"timeout_s": 0}, "timeout_s"),
        (HUBSPOT | {"token": "pat-na1-canary"}, "a secret is written env:NAME"),
        (HUBSPOT | {"api_version": "v1"}, "api_version"),
        (HUBSPOT | {"base_url": "https://api.hubapi.com?x=1"}, "neither path nor query"),
    ],
)
def test_a_wrong_entry_is_one_clear_line_without_a_value(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_connections(json.dumps({"crm": entry}).encode())
    message = str(refused.value)
    assert message.startswith("connection crm: ")
    assert complaint in message
    assert "canary" not in message
    assert "\n" not in message


def allowed() -> AllowList:
    return AllowList(HubSpotModel.model_validate(HUBSPOT), record_id=RECORD_ID, id_is=ID_IS)


def test_what_is_allowed_passes() -> None:
    allowed().check("contacts", ["Title"], record_id="430001", match_by="Number__c")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        allowed().check("contacts", ["Title", "Salary"], record_id="x", match_by="Title", fields_in="before")
    assert [(detail.field, detail.code) for detail in refused.value.details] == [
        ("parameters.id", "invalid_parameters"),
        ("parameters.match.field", "invalid_parameters"),
        ("parameters.before.Salary", "invalid_parameters"),
    ]
    assert refused.value.details[2].message.endswith("there are: Title")


def test_a_key_has_its_place_where_the_object_has_a_field_for_it() -> None:
    assert allowed().keyed("contacts", "act_1-r0") == Where("contacts", "act_1-r0", "Key__c")
    without = {**HUBSPOT, "objects": {"contacts": {"fields": ["Title"]}}}
    keyless = AllowList(HubSpotModel.model_validate(without), record_id=RECORD_ID, id_is=ID_IS)
    assert keyless.keyed("contacts", "act_1-r0") is None
