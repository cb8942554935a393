"""The parameters of the CRM actions: names that are no paths and no queries, and plain values within bounds.

Which objects and fields there are is the connection's to say, and what an id looks like the CRM's.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base_action import Parameters
from domain.canonical import canonical
from domain.field_class import FieldClass, Personal, Technical

MOST_FIELDS = 50
"""Of one action. Their names fit into a URL, by which they are read."""
LARGEST_FIELDS = 64 * 1024
"""Bytes of all names and values together, as JSON. What was there before is kept beside them, in one event."""

OBJECT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$"
FIELD_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,99}$"

_FIELD_NAME = re.compile(FIELD_NAME.strip("^$"))
_PLAIN = (str, int, float, bool, type(None))


def _plain_fields(given: object) -> object:
    if not isinstance(given, dict):
        return given
    if not given or len(given) > MOST_FIELDS:
        raise _unfit(f"give 1 to {MOST_FIELDS} fields")
    for name, value in given.items():
        if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
            raise _unfit(f"{ascii(name)[:80]}: the name of a field is made of letters, digits and _")
        if type(value) not in _PLAIN:
            raise _unfit(f"{name}: a value is a string, a number, true, false or null")
    if len(canonical(given)) > LARGEST_FIELDS:
        raise _unfit(f"at most {LARGEST_FIELDS} bytes in all")
    return given


def _unfit(problem: str) -> PydanticCustomError:
    return PydanticCustomError("unfit_fields", "{problem}", {"problem": problem})


def _one_segment(value: str) -> str:
    """It will be a part of a URL: percent-encoding keeps most things there, but not dots and not every slash."""
    if not value.isprintable() or value.strip(".") == "" or set(value) & {"/", "\\"}:
        raise PydanticCustomError("unfit_value", "a value to match by is printable, without / and \\")
    return value


FieldValues: TypeAlias = Annotated[
    dict[str, str | int | float | bool | None], BeforeValidator(_plain_fields), FieldClass.PERSONAL
]
ConnectionName: TypeAlias = Annotated[
    str | None,
    FieldClass.TECHNICAL,
    Field(description="The name of the configured CRM, where there are several.", examples=["sales"]),
]
ObjectName: TypeAlias = Annotated[
    str,
    FieldClass.TECHNICAL,
    Field(
        pattern=OBJECT_NAME,
        description="The kind of record, as the CRM's API calls it.",
        examples=["Contact"],
    ),
]
RecordId: TypeAlias = Annotated[
    str,
    FieldClass.TECHNICAL,
    Field(pattern=r"^[A-Za-z0-9]{1,32}$", description="The CRM's own id of the record.", examples=["003Hs00001AbCdE"]),
]


class CrmCreateParameters(Parameters):
    """A new record of `object` with these `fields`."""

    connection: ConnectionName = None
    object: ObjectName
    fields: FieldValues = Field(description="What the record holds, by field.", examples=[{"LastName": "Lovelace"}])


class CrmUpdateParameters(Parameters):
    """The record `id` of `object` gets these `fields`; null empties one, the others stay."""

    connection: ConnectionName = None
    object: ObjectName
    id: RecordId
    fields: FieldValues = Field(description="What to set, by field; null empties one.", examples=[{"Title": "CTO"}])


class Match(BaseModel):
    """The record whose `field` has this `value`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    field: str = Field(pattern=FIELD_NAME, description="A field whose values are unique.")
    value: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_one_segment)] = Field(
        description="Its value."
    )


class CrmUpsertParameters(Parameters):
    """The record of `object` that `match` finds gets these `fields`; where there is none, it is created."""

    connection: ConnectionName = None
    object: ObjectName
    match: Personal[Match] = Field(
        description="How the record is found.", examples=[{"field": "Account_Number__c", "value": "ACME-1"}]
    )
    fields: FieldValues = Field(description="What to set, by field.", examples=[{"Name": "Acme Inc."}])

    @model_validator(mode="after")
    def _found_and_set_are_two(self) -> CrmUpsertParameters:
        if self.match.field in self.fields:
            raise PydanticCustomError(
                "found_and_set", "the field that the record is found by is not among those to set"
            )
        return self


class CrmDeleteParameters(Parameters):
    """The record `id` of `object` is deleted, or archived, as long as it holds what is `expected`.

    With `ask_first` a person approves it before.
    """

    connection: ConnectionName = None
    object: ObjectName
    id: RecordId
    expected: FieldValues = Field(
        description="What the record holds; if it holds something else by now, a person is asked.",
        examples=[{"LastName": "Lovelace"}],
    )
    ask_first: Technical[bool] = Field(
        default=False, description="Whether a person is asked in any case: it is not certain whose the record is."
    )


class CrmRestoreParameters(Parameters):
    """The record `id` of `object` gets back what was there `before`, where it still holds what is `ours`."""

    connection: ConnectionName = None
    object: ObjectName
    id: RecordId
    before: FieldValues = Field(description="What to put back, by field.", examples=[{"Title": "Analyst"}])
    ours: FieldValues = Field(
        description="What took its place; if a field holds something else by now, a person is asked.",
        examples=[{"Title": "CTO"}],
    )

    @model_validator(mode="after")
    def _of_the_same_fields(self) -> CrmRestoreParameters:
        if self.before.keys() != self.ours.keys():
            raise PydanticCustomError("same_fields", "before and ours name the same fields")
        return self
