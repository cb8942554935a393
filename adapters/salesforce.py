"""Salesforce, by its REST API (`/services/data/vNN.0/sobjects`), through the guarded client.

Not by simple-salesforce: it sets no deadline, leaves the machine by a client of its own, and costs 0.2 s to import.

    the answer                                                   the outcome
    201, 200 of an upsert; 204                                   done
    UNABLE_TO_LOCK_ROW, REQUEST_LIMIT_EXCEEDED, 420, 425, 429    Retry      it did nothing, and may do it later
    412                                                          Retry      changed since it was read: read again
    404 NOT_FOUND, ENTITY_IS_DELETED                             absent, where that is an answer
    300                                                          Permanent  several records have this value
    other 3xx and 4xx: rules, duplicates, permissions, names     Permanent
    408, REQUEST_RUNNING_TOO_LONG, 5xx, every other status       Unknown
    2xx that does not say what it must                           Unknown

An update holds if nobody has changed the record since it was read (`If-Unmodified-Since`, to the second, by its
`LastModifiedDate`). An upsert and a deletion cannot be held to that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from adapters.bearer_api import Answer, BearerApi, certain, code_of, words_of
from adapters.crm_entry import AllowList, ConfiguredCrm
from adapters.crm_values import plain_fields
from domain.crm import Absent, Fields, Record, Where, Written
from domain.outcome import Failure, Permanent, Retry, Unknown

RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
ID_IS = "15 or 18 letters and digits"
VERSION_FIELD = "LastModifiedDate"
LIMIT_WAIT = 300.0
"""Seconds. The limit is of a day that slides: capacity comes back bit by bit, and nobody says when."""

_NOT_NOW = {"UNABLE_TO_LOCK_ROW": None, "REQUEST_LIMIT_EXCEEDED": LIMIT_WAIT}
_NOT_NOW_STATUSES = (420, 425, 429)
_NOT_THERE = ("NOT_FOUND", "ENTITY_IS_DELETED")


class Salesforce(ConfiguredCrm):
    """The port `domain.crm.Crm`."""

    def __init__(self, name: str, api: BearerApi, allowed: AllowList, *, api_version: str, timeout: float) -> None:
        super().__init__(name, api, allowed, timeout=timeout)
        self._root = f"/services/data/v{api_version}/sobjects"

    def read(self, where: Where, fields: Collection[str], *, timeout: float) -> Record | Absent | Permanent | Retry:
        wanted = ",".join((*fields, VERSION_FIELD))
        answer = self._api.send("GET", f"{self._path(where)}?fields={wanted}", timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 200:
            return self._record(answer.document, fields)
        if isinstance(answer, Answer) and _is_absent(answer):
            return Absent()
        return certain(self._failure(answer))

    def create(self, object_name: str, fields: Fields, *, timeout: float) -> Written | Failure:
        answer = self._api.send("POST", f"{self._root}/{quote(object_name, safe='')}", fields, timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 201:
            return self._written(answer, fields)
        return self._failure(answer)

    def upsert(self, where: Where, fields: Fields, *, timeout: float) -> Written | Failure:
        answer = self._api.send("PATCH", self._path(where), fields, timeout=timeout)
        if isinstance(answer, Answer) and answer.status in (200, 201):
            return self._written(answer, fields)
        return self._failure(answer)

    def update(self, where: Where, fields: Fields, *, version: str | None, timeout: float) -> Written | Failure:
        answer = self._api.send("PATCH", self._path(where), fields, headers=_unless_modified(version), timeout=timeout)
        if isinstance(answer, Answer) and answer.status == 204:
            return Written(where.value, created=False, fields=fields)
        return self._failure(answer)

    def delete(self, where: Where, *, timeout: float) -> Absent | Failure:
        answer = self._api.send("DELETE", self._path(where), timeout=timeout)
        if isinstance(answer, Answer) and (answer.status == 204 or _is_absent(answer)):
            return Absent()
        return self._failure(answer)

    def _path(self, where: Where) -> str:
        parts = (where.object, *([where.field] if where.field else []), where.value)
        return "/".join((self._root, *(quote(part, safe="") for part in parts)))

    # -- what an answer says ----------------------------------------------------------------------------------------

    def _record(self, document: Any, fields: Collection[str]) -> Record | Permanent | Retry:
        record_id = _id_in(document)
        if record_id is None:
            return Retry("unreadable_answer", f"{self._api.title} answered, and what it said is no record")
        read = plain_fields(document, fields)
        if isinstance(read, str):
            return Permanent("field_not_plain", f"{self._api.title}: {read} cannot be read as a plain value")
        version = document.get(VERSION_FIELD)
        return Record(record_id, read, version if isinstance(version, str) else None)

    def _written(self, answer: Answer, fields: Fields) -> Written | Unknown:
        document = answer.document
        record_id = _id_in(document)
        if record_id is None or document.get("success") is not True:
            return Unknown("unreadable_answer", f"{self._api.title} answered {answer.status}, and not what was done")
        return Written(record_id, document.get("created", answer.status == 201) is True, fields)

    def _failure(self, answer: Answer | Failure) -> Failure:
        if not isinstance(answer, Answer):
            return answer
        error, status = _error_of(answer), answer.status
        named = str(error.get("errorCode"))
        code = code_of(error.get("errorCode"), status)
        message = f"{self._api.title} answered {status} {code}: {words_of(error.get('message'))}".removesuffix(": ")
        if status == 412:
            return Retry("changed_meanwhile", f"{message}; the record was changed since it was read", retry_after=0.0)
        if 400 <= status < 500 and (status in _NOT_NOW_STATUSES or named in _NOT_NOW):
            return Retry(code, message, answer.retry_after or _NOT_NOW.get(named))
        if status == 300:
            return Permanent("several_match", f"{message}; more than one record has this value")
        if 300 <= status < 500 and status != 408 and named != "REQUEST_RUNNING_TOO_LONG":
            return Permanent(code, message)
        return Unknown(code, message, answer.retry_after)


def _id_in(document: Any) -> str | None:
    found = (document.get("id") or document.get("Id")) if isinstance(document, dict) else None
    return found if isinstance(found, str) and RECORD_ID.fullmatch(found) else None


def _error_of(answer: Answer) -> Mapping[str, Any]:
    """The first of the errors; they come as an array."""
    document = answer.document
    first = document[0] if isinstance(document, list) and document else document
    return first if isinstance(first, dict) else {}


def _is_absent(answer: Answer) -> bool:
    return answer.status == 404 and _error_of(answer).get("errorCode") in _NOT_THERE


def _unless_modified(version: str | None) -> Mapping[str, str]:
    try:
        moment = datetime.fromisoformat(version or "").astimezone(UTC)
    except ValueError:
        return {}
    return {"if-unmodified-since": format_datetime(moment, usegmt=True)}
