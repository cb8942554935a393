"""Records of a CRM, and what may be done with them: the port, and the values that it speaks in.

A record belongs to an object (`Contact`) and has fields. It is found by the id that the CRM gave it, or by a field in
which no two records have the same value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

from domain.outcome import Failure, Permanent, Retry

if TYPE_CHECKING:
    from decimal import Decimal

Value: TypeAlias = str | int | float | bool | None
Fields: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Where:
    """Which record of `object`: the one with the id `value`, or the one whose `field` has this value."""

    object: str
    value: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What was read: the fields that were asked for. `version` is another one after every change; None: not told."""

    id: str
    fields: Fields = field(repr=False)
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such record: it never was, it was deleted or archived, or it may not be seen."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record was created, or else changed. `fields` are what was written, as the CRM tells it where it does."""

    id: str
    created: bool
    fields: Fields = field(repr=False)


class Crm(Protocol):
    """One configured CRM. What it does is done once for each call; nothing here raises for what the CRM says."""

    @property
    def name(self) -> str:
        """Of the connection."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds, the total deadline of an attempt."""
        ...

    def check(
        self,
        object_name: str,
        fields: Collection[str],
        *,
        record_id: str | None = None,
        match_by: str | None = None,
        fields_in: str = "fields",
    ) -> None:
        """Whether all of this is on the allow-list, and the id is one. Raises Refused (invalid_parameters).

        `fields_in` is the parameter that names the fields.
        """
        ...

    def keyed(self, object_name: str, effect_key: str) -> Where | None:
        """Where the record is that was created under this key; None where the object keeps no keys."""
        ...

    def read(self, where: Where, fields: Collection[str], *, timeout: float) -> Record | Absent | Permanent | Retry:
        """The record as it is now. To read changes nothing, so there is no doubt about it."""
        ...

    def create(self, object_name: str, fields: Fields, *, timeout: float) -> Written | Failure:
        """Another record, each time."""
        ...

    def upsert(self, where: Where, fields: Fields, *, timeout: float) -> Written | Failure:
        """The record whose field has this value is changed, or created where there is none. Twice is once."""
        ...

    def update(self, where: Where, fields: Fields, *, version: str | None, timeout: float) -> Written | Failure:
        """Sets these fields of the record with this id. Twice is once.

        Where the CRM can hold to it, only if the record is still of this version: else it answers Retry.
        """
        ...

    def delete(self, where: Where, *, timeout: float) -> Absent | Failure:
        """Deletes or archives the record with this id. One that is not there is as good as deleted."""
        ...


def differing(now: Fields, meant: Fields) -> list[str]:
    """The fields in `meant` that have another value now, in order."""
    return [name for name, value in meant.items() if not same(now.get(name), value)]


def same(one: Value, other: Value) -> bool:
    """Whether a CRM means the same by both: it tells numbers, booleans and moments in a way of its own.

    Nothing is the same as an empty text; an e-mail address is the same in any case.
    """
    if one in (None, "") or other in (None, ""):
        return one in (None, "") and other in (None, "")
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _same_text(one, other)
    return _number(one) is not None and _number(one) == _number(other)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def _same_text(one: str, other: str) -> bool:
    if _ADDRESS.fullmatch(one) and _ADDRESS.fullmatch(other):
        return one.casefold() == other.casefold()
    moment = _moment(one)
    return moment is not None and moment == _moment(other)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None


def _number(value: Value) -> Decimal | None:
    from decimal import Decimal, InvalidOperation  # seldom needed, and 1 ms

    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
