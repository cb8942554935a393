"""HubSpot, by its CRM objects API (`/crm/objects/2026-03/contacts`), through the guarded client.

    the answer                                            the outcome
    200 of an update, 201, 204                            done
    200, 201, 207 of an upsert: our record in `results`   done
    the same: an error in `errors`                        as its category says
    423, 425, 429, 477                                    Retry      it did nothing, and may do it later
    404                                                   absent, where that is an answer
    other 3xx and 4xx: values, conflicts, scopes          Permanent
    408, 5xx, every other status                          Unknown    502 and 504 too: nobody says that it did nothing
    2xx that does not say what it must                    Unknown

An upsert is a batch of one, since HubSpot has no other. HubSpot has no conditional writes: between reading a record and
changing it there is a moment in which somebody else's change is not seen. Its properties are texts; an empty one is
none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from adapters.bearer_api import Answer, BearerApi, certain, code_of, words_of
from adapters.crm_entry import AllowList, ConfiguredCrm
from adapters.crm_values import plain_fields
from domain.canonical import canonical
from domain.crm import Absent, Fields, Record, Value, Where, Written
from domain.outcome import Failure, Permanent, Retry, Unknown

RECORD_ID = re.compile(r"[0-9]{1,20}")
ID_IS = "digits"

_NOT_NOW = (423, 425, 429, 477)
LOCK_WAIT = 2.0
"""Seconds that a lock (423) lasts."""
LIMIT_WAITS: Mapping[str, float] = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
"""Seconds, by the name of the limit, where HubSpot does not say. The day ends at midnight of a place unknown to us."""

_REFUSED = frozenset(
    {"VALIDATION_ERROR", "CONFLICT", "OBJECT_ALREADY_EXISTS", "OBJECT_NOT_FOUND", "MISSING_SCOPES", "BANNED"}
)
_LIMITED = frozenset({"RATE_LIMIT", "RATE_LIMITS"})
"""Categories of an error in a batch. One that is not known says nothing certain."""


class HubSpot(ConfiguredCrm):
    """The port `domain.crm.Crm`."""

    def __init__(self, name: str, api: BearerApi, allowed: AllowList, *, api_version: str, timeout: float) -> None:
        super().__init__(name, api, allowed, timeout=timeout)
        self._root = "/crm/v3/objects" if api_version == "v3" else f"/crm/objects/{api_version}"

    def read(self, where: Where, fields: Collection[str], *, timeout: float) -> Record | Absent | Permanent | Retry:
        by = f"&idProperty={where.field}" if where.field else ""
        answer = self._api.send("GET", f"{self._path(where)}?properties={','.join(fields)}{by}", timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 200:
            return self._record(answer.document, where, fields)
        if isinstance(answer, Answer) and _is_absent(answer):
            return Absent()
        return certain(self._failure(answer))

    def create(self, object_name: str, fields: Fields, *, timeout: float) -> Written | Failure:
        path = f"{self._root}/{quote(object_name, safe='')}"
        answer = self._api.send("POST", path, {"properties": _texts(fields)}, timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 201:
            return self._written(answer, answer.document, fields, created=True)
        return self._failure(answer)

    def upsert(self, where: Where, fields: Fields, *, timeout: float) -> Written | Failure:
        path = f"{self._root}/{quote(where.object, safe='')}/batch/upsert"
        given = {"id": where.value, "idProperty": where.field, "properties": _texts(fields)}
        answer = self._api.send("POST", path, {"inputs": [given]}, timeout=timeout)
        if isinstance(answer, Answer) and answer.status in (200, 201, 207):
            return self._upserted(answer, fields)
        return self._failure(answer)

    def update(
        self,
        where: Where,
        fields: Fields,
        *,
        version: str | None,  # noqa: ARG002 - HubSpot cannot hold to it
        timeout: float,
    ) -> Written | Failure:
        answer = self._api.send("PATCH", self._path(where), {"properties": _texts(fields)}, timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 200:
            return self._written(answer, answer.document, fields, created=False)
        return self._failure(answer)

    def delete(self, where: Where, *, timeout: float) -> Absent | Failure:
        answer = self._api.send("DELETE", self._path(where), timeout=timeout)
        if isinstance(answer, Answer) and (answer.status == 204 or _is_absent(answer)):
            return Absent()
        return self._failure(answer)

    def _path(self, where: Where) -> str:
        return f"{self._root}/{quote(where.object, safe='')}/{quote(where.value, safe='')}"

    # -- what an answer says ----------------------------------------------------------------------------------------

    def _record(self, document: Any, where: Where, fields: Collection[str]) -> Record | Permanent | Retry:
        record_id = _id_in(document)
        if record_id is None or not isinstance(document.get("properties"), dict):
            return Retry("unreadable_answer", f"{self._api.title} answered, and what it said is no record")
        if where.field is None and record_id != where.value:
            return Permanent("record_merged", f"{self._api.title}: this record became a part of another one")
        read = plain_fields(document["properties"], fields, default=None)
        if isinstance(read, str):
            return Permanent("field_not_plain", f"{self._api.title}: {read} cannot be read as a plain value")
        version = document.get("updatedAt")
        return Record(record_id, read, version if isinstance(version, str) else None)

    def _written(self, answer: Answer, told: Any, fields: Fields, *, created: bool) -> Written | Unknown:
        """`told` is what the answer says of our record."""
        record_id = _id_in(told)
        if record_id is None:
            return self._unreadable(answer)
        properties = told.get("properties")
        known = properties if isinstance(properties, dict) else {}
        taken = plain_fields(known, [name for name in fields if name in known])
        return Written(record_id, created, {**fields, **taken} if isinstance(taken, dict) else fields)

    def _upserted(self, answer: Answer, fields: Fields) -> Written | Failure:
        result, error = _first(answer.document, "results"), _first(answer.document, "errors")
        if isinstance(result.get("new"), bool):
            return self._written(answer, result, fields, created=result["new"])
        return self._refused_in_batch(error) if error else self._unreadable(answer)

    def _refused_in_batch(self, error: Mapping[str, Any]) -> Failure:
        category = str(error.get("category"))
        code = code_of(error.get("category"), 207)
        message = f"{self._api.title} refused the record: {words_of(error.get('message'))}".removesuffix(": ")
        if category in _REFUSED:
            return Permanent(code, message)
        return Retry(code, message) if category in _LIMITED else Unknown(code, message)

    def _unreadable(self, answer: Answer) -> Unknown:
        return Unknown("unreadable_answer", f"{self._api.title} answered {answer.status}, and not what was done")

    def _failure(self, answer: Answer | Failure) -> Failure:
        if not isinstance(answer, Answer):
            return answer
        said = answer.document if isinstance(answer.document, dict) else {}
        status = answer.status
        code = code_of(said.get("category") or said.get("errorType"), status)
        message = f"{self._api.title} answered {status} {code}: {words_of(said.get('message'))}".removesuffix(": ")
        if status in _NOT_NOW:
            return Retry(code, message, answer.retry_after or _wait(status, said.get("policyName")))
        if 300 <= status < 500 and status != 408:
            return Permanent(code, message)
        return Unknown(code, message, answer.retry_after)


def _wait(status: int, limit: object) -> float | None:
    return LOCK_WAIT if status == 423 else LIMIT_WAITS.get(str(limit))


def _first(document: Any, name: str) -> Mapping[str, Any]:
    """The only member of an array in the answer to a batch; nothing where there is none."""
    members = document.get(name) if isinstance(document, dict) else None
    first = members[0] if isinstance(members, list) and members else None
    return first if isinstance(first, dict) else {}


def _id_in(document: Any) -> str | None:
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) and RECORD_ID.fullmatch(found) else None


def _is_absent(answer: Answer) -> bool:
    """HubSpot says so in its own form: a 404 of whatever stands before it says nothing of a record."""
    return answer.status == 404 and isinstance(answer.document, dict) and "correlationId" in answer.document


def _texts(fields: Fields) -> dict[str, str]:
    return {name: _text(value) for name, value in fields.items()}


def _text(value: Value) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical(value).decode()
