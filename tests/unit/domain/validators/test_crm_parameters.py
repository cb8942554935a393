"""The parameters of the CRM actions: plain values, and names that are no paths and no queries."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import Refused
from domain.validators.crm import (
    LARGEST_FIELDS,
    MOST_FIELDS,
    CrmCreateParameters,
    CrmRestoreParameters,
    CrmUpdateParameters,
    CrmUpsertParameters,
)
from domain.validators.parameters import read_parameters

ADA = "003Hs0000000001AAA"


def create(**changes: Any) -> CrmCreateParameters:
    return read_parameters(CrmCreateParameters, {"object": "Contact", "fields": {"LastName": "King"}} | changes)


def refused(**changes: Any) -> Refused:
    with pytest.raises(Refused) as error:
        create(**changes)
    return error.value


def test_plain_values_of_every_kind_stay_what_they_are() -> None:
    fields = {"A": "x", "B": 1, "C": 1.5, "D": True, "E": None, "F__c": "two\nlines\r\n"}
    assert create(fields=fields).fields == fields
    assert type(create(fields={"D": True}).fields["D"]) is bool


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, f"give 1 to {MOST_FIELDS} fields"),
        ({f"F{number}": 1 for number in range(MOST_FIELDS + 1)}, f"give 1 to {MOST_FIELDS} fields"),
        ({"Account.Name": "x"}, "the name of a field is made of"),
        ({"Name, (SELECT Id FROM Contacts)": "x"}, "the name of a field is made of"),
        ({"": "x"}, "the name of a field is made of"),
        ({"1st": "x"}, "the name of a field is made of"),
        ({"Näme": "x"}, "the name of a field is made of"),
        ({"X" * 101: "x"}, "the name of a field is made of"),
        ({"Address": {"street": "x"}}, "Address: a value is a string"),
        ({"Tags": ["a"]}, "Tags: a value is a string"),
        ({"A": "x" * LARGEST_FIELDS}, f"at most {LARGEST_FIELDS} bytes"),
    ],
)
def test_unfit_fields_are_refused_with_a_reason(fields: dict[str, Any], complaint: str) -> None:
    error = refused(fields=fields)
    assert (error.code, error.details[0].field) == ("invalid_parameters", "parameters.fields")
    assert complaint in error.details[0].message
    assert "xxxxxxxxxx" not in error.details[0].message


@pytest.mark.parametrize("fields", ["x", 1, None, ["a"]])
def test_fields_are_an_object(fields: Any) -> None:
    assert refused(fields=fields).details[0].message == "must be an object"


@pytest.mark.parametrize("name", ["", "../query", "Contact/1", "Contact?x", "a b", "Contact\n", "x" * 81, "-x", "Ünit"])
def test_the_name_of_an_object_is_no_path(name: str) -> None:
    assert refused(object=name).details[0].field == "parameters.object"


@pytest.mark.parametrize("record_id", ["", "a b", "1/2", "1'--", "..", "1\n", "x" * 33, "%31"])
def test_an_id_is_no_query(record_id: str) -> None:
    with pytest.raises(Refused) as error:
        read_parameters(CrmUpdateParameters, {"object": "Contact", "id": record_id, "fields": {"A": 1}})
    assert error.value.details[0].field == "parameters.id"


@pytest.mark.parametrize("value", ["ACME-1", "ada@example.com", "Zoë", "a b", "1.2.3", "%2e%2e"])
def test_a_value_to_match_by_may_be_whatever_is_one_segment(value: str) -> None:
    asked = {"object": "Account", "match": {"field": "Number__c", "value": value}, "fields": {"A": 1}}
    assert read_parameters(CrmUpsertParameters, asked).match.value == value


@pytest.mark.parametrize("value", ["", ".", "..", "...", "a/b", "a\\b", "a\tb", "a\u2028b", "x" * 256, 7])
def test_a_value_that_is_no_segment_is_refused(value: Any) -> None:
    with pytest.raises(Refused) as error:
        read_parameters(
            CrmUpsertParameters, {"object": "Account", "match": {"field": "N", "value": value}, "fields": {"A": 1}}
        )
    assert error.value.details[0].field == "parameters.match.value"


def test_what_is_put_back_and_what_took_its_place_are_of_the_same_fields() -> None:
    with pytest.raises(Refused, match="before and ours name the same fields"):
        read_parameters(CrmRestoreParameters, {"object": "A", "id": ADA, "before": {"A": 1}, "ours": {"B": 1}})


def test_the_field_that_finds_the_record_is_not_set() -> None:
    asked = {"object": "Account", "match": {"field": "N", "value": "1"}, "fields": {"N": "2"}}
    with pytest.raises(Refused, match="found by is not among those to set"):
        read_parameters(CrmUpsertParameters, asked)


def test_what_is_not_named_is_refused() -> None:
    assert refused(soql="SELECT Id").details[0].code == "unknown_field"
