"""What the entries of all CRMs say alike, and the allow-list that comes of it.

    "objects": {"Contact": {"fields": ["Email", "LastName", "Title"],
                            "external_id": "Execution_Key__c",
                            "match_by": ["Customer_Number__c"]}}

`fields` may be written and read. `external_id` is a field with unique values that nobody else writes: it takes the
effect key of a creation, and makes it one that twice is once. `match_by` are fields with unique values by which
`crm_upsert` may find a record. What is not named here is out of reach.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.bearer_api import BearerApi
from adapters.connections import Entry
from adapters.guard import locate
from adapters.http import Reach, UnsafeTarget
from domain.crm import Where
from domain.errors import Code, FieldError, Refused
from domain.validators.crm import FIELD_NAME, OBJECT_NAME

LONGEST_TIMEOUT = 900.0
"""Seconds; no Lambda lives longer."""
DEFAULT_TIMEOUT = 30.0

FieldName = Annotated[str, Field(pattern=FIELD_NAME)]
ObjectName = Annotated[str, Field(pattern=OBJECT_NAME)]


class ObjectEntry(BaseModel):
    """One object of the allow-list."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    fields: list[FieldName] = Field(min_length=1)
    external_id: FieldName | None = None
    match_by: list[FieldName] = Field(default_factory=list)

    @model_validator(mode="after")
    def _keys_are_ours_alone(self) -> Self:
        if self.external_id in (*self.fields, *self.match_by):
            raise ValueError("external_id takes effect keys, so it is neither in fields nor in match_by")
        return self


class CrmEntry(Entry):
    """The base of an entry that names a CRM."""

    base_url: str
    objects: dict[ObjectName, ObjectEntry] = Field(min_length=1)
    timeout_s: float = Field(default=DEFAULT_TIMEOUT, gt=0, le=LONGEST_TIMEOUT)
    allow_http: bool = False
    allow_private_network: bool = False

    @property
    def reach(self) -> Reach:
        return Reach(allow_http=self.allow_http, allow_private_network=self.allow_private_network)

    @model_validator(mode="after")
    def _base_url_is_one(self) -> Self:
        try:
            location = locate(
                self.base_url, allow_http=self.allow_http, allow_private_network=self.allow_private_network
            )
        except UnsafeTarget as unsafe:
            raise ValueError(f"base_url: {unsafe.message}") from None
        if location.path != "/":
            raise ValueError("base_url: it has neither path nor query")
        return self


class AllowList:
    """The objects and fields of one connection, and what its ids look like."""

    def __init__(self, entry: CrmEntry, *, record_id: re.Pattern[str], id_is: str) -> None:
        """`id_is` says in words what `record_id` matches."""
        self._objects: Mapping[str, ObjectEntry] = entry.objects
        self._record_id = record_id
        self._id_is = id_is

    def check(
        self,
        object_name: str,
        fields: Collection[str],
        *,
        record_id: str | None = None,
        match_by: str | None = None,
        fields_in: str = "fields",
    ) -> None:
        """`domain.crm.Crm.check`: raises Refused with a detail for each thing to repair."""
        problems = list(
            self._problems(object_name, {f"{fields_in}.{name}": name for name in fields}, record_id, match_by)
        )
        if problems:
            raise Refused(f"{problems[0].field}: {problems[0].message}", details=problems)

    def keyed(self, object_name: str, effect_key: str) -> Where | None:
        """Where the record of this effect key is; None where the object keeps none."""
        field_name = self._objects[object_name].external_id
        return Where(object_name, effect_key, field_name) if field_name else None

    def _problems(
        self, object_name: str, fields: Mapping[str, str], record_id: str | None, match_by: str | None
    ) -> Iterator[FieldError]:
        if object_name not in self._objects:
            yield _problem("object", f"the connection allows no {object_name!a}; {_there_are(self._objects)}")
            return
        known = self._objects[object_name]
        if record_id is not None and not self._record_id.fullmatch(record_id):
            yield _problem("id", f"an id is {self._id_is}")
        if match_by is not None and match_by not in known.match_by:
            yield _problem("match.field", f"records are not found by {match_by!a}; {_there_are(known.match_by)}")
        for path, name in fields.items():
            if name not in known.fields:
                yield _problem(path, f"the connection does not allow this field; {_there_are(known.fields)}")


class ConfiguredCrm:
    """What the adapters of all CRMs are alike in: half of the port `domain.crm.Crm`."""

    def __init__(self, name: str, api: BearerApi, allowed: AllowList, *, timeout: float) -> None:
        self._name = name
        self._api = api
        self._timeout = timeout
        self.check = allowed.check
        self.keyed = allowed.keyed

    @property
    def name(self) -> str:
        return self._name

    @property
    def timeout(self) -> float:
        return self._timeout

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name})"


def _there_are(names: Collection[str]) -> str:
    return f"there are: {', '.join(sorted(names)) or 'none'}"


def _problem(field_name: str, message: str) -> FieldError:
    return FieldError(f"parameters.{field_name}", Code.INVALID_PARAMETERS, message)
