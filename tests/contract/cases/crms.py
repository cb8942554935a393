"""Salesforce and HubSpot: every CRM action, in each one's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from agents.execution_agent.conformance import Answer, Means, Request, http_meaning
from domain.base_action import BaseAction
from handlers.actions.crm_create import CrmCreate
from handlers.actions.crm_delete import CrmDelete
from handlers.actions.crm_restore import CrmRestore
from handlers.actions.crm_update import CrmUpdate
from handlers.actions.crm_upsert import CrmUpsert
from tests.contract.cases.doubled import DoubledCase
from tests.crm_house import DIALECTS, SECRETS, Dialect, double_of
from tests.doubles import hubspot, salesforce
from tests.doubles.connections import connections
from tests.doubles.crm import CrmDouble, Row

OURS, THEIRS = "Chief Analyst", "Analyst"


class CrmCase(DoubledCase):
    """A CRM whose people have a title: what we make of it is one effect."""

    kind: ClassVar[str]
    asks_first = True
    secrets = (salesforce.CLIENT_SECRET, "canary.token", hubspot.TOKEN)

    def __init__(self) -> None:
        super().__init__()
        self.double: CrmDouble = double_of(self.kind)
        self.says: Dialect = DIALECTS[self.kind]
        self.count = 0

    @property
    def name(self) -> str:
        return f"{self.action.action_type}, {self.kind}"

    def world(self) -> Mapping[str, Any]:
        at = cast("Any", SimpleNamespace(url=self.provider.url))
        entry = salesforce.entry(at) if self.kind == "salesforce" else hubspot.entry(at)
        return {"connections": connections(dict(SECRETS), crm=entry)}

    def is_read(self, request: Request) -> bool:
        return request.method == "GET" or self.double.is_login(request.path)

    def key_of(self, request: Request) -> str | None:
        """The key of a creation; whatever else is written is the same however often."""
        return None

    # -- people -----------------------------------------------------------------------------------------------------

    def somebody(self, title: str) -> str:
        """The id of a new person."""
        self.count += 1
        return self.double.add(self.says.people, **{self.says.last: f"Lovelace {self.count}", self.says.title: title})

    @property
    def rows(self) -> Sequence[Row]:
        return self.double.rows(self.says.people)

    def titled(self, title: str) -> list[str]:
        return [row.id for row in self.rows if row.values.get(self.says.title) == title]


class SalesforceCase(CrmCase):
    kind = "salesforce"
    refusal = Answer(400, b'[{"errorCode": "A_WORD", "message": "no", "fields": []}]')

    def meaning(self, status: int) -> Means:
        if status in (401, 412, 420):
            return Means.RETRY
        return self.meaning_of_yes(status) if 200 <= status < 300 else http_meaning(status)

    def meaning_of_yes(self, status: int) -> Means:
        raise NotImplementedError

    def refusal_saying(self, text: str) -> Answer:
        return Answer(400, json.dumps([{"errorCode": "A_WORD", "message": text}]).encode())

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        def says(status: int, code: str) -> Answer:
            return Answer(status, json.dumps([{"errorCode": code, "message": "no", "fields": []}]).encode())

        never = (
            (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
            (400, "REQUIRED_FIELD_MISSING"),
            (400, "DUPLICATES_DETECTED"),
            (400, "INVALID_FIELD"),
            (400, "STRING_TOO_LONG"),
            (403, "INSUFFICIENT_ACCESS_OR_READONLY"),
            (405, "METHOD_NOT_ALLOWED"),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
        )
        return {
            "a record that is locked": (says(400, "UNABLE_TO_LOCK_ROW"), Means.RETRY),
            "a limit": (says(403, "REQUEST_LIMIT_EXCEEDED"), Means.RETRY),
            "a request that runs too long": (says(400, "REQUEST_RUNNING_TOO_LONG"), Means.UNKNOWN),
            "a server that breaks": (says(500, "UNKNOWN_EXCEPTION"), Means.UNKNOWN),
            "a server that is away": (says(503, "SERVER_UNAVAILABLE"), Means.UNKNOWN),
            **{code: (says(status, code), Means.PERMANENT) for status, code in never},
        }


class HubSpotCase(CrmCase):
    kind = "hubspot"
    refusal = Answer(400, b'{"status": "error", "message": "no", "category": "A_WORD"}')

    def meaning(self, status: int) -> Means:
        if status in (401, 423, 477):
            return Means.RETRY
        return self.meaning_of_yes(status) if 200 <= status < 300 else http_meaning(status)

    def meaning_of_yes(self, status: int) -> Means:
        raise NotImplementedError

    def refusal_saying(self, text: str) -> Answer:
        return Answer(400, json.dumps({"status": "error", "message": text, "category": "A_WORD"}).encode())

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        def says(status: int, category: str, **more: str) -> Answer:
            said = {"status": "error", "message": "no", "category": category, "correlationId": "c", **more}
            return Answer(status, json.dumps(said).encode())

        return {
            "a limit": (says(429, "RATE_LIMITS", policyName="TEN_SECONDLY_ROLLING"), Means.RETRY),
            "a lock": (says(423, "LOCKED"), Means.RETRY),
            "a migration": (says(477, "MIGRATION_IN_PROGRESS"), Means.RETRY),
            "a value that is none": (says(400, "VALIDATION_ERROR"), Means.PERMANENT),
            "a conflict": (says(409, "CONFLICT"), Means.PERMANENT),
            "a scope that is missing": (says(403, "MISSING_SCOPES"), Means.PERMANENT),
            "a gateway that gave up": (says(502, "BAD_GATEWAY"), Means.UNKNOWN),
            "a timeout of theirs": (says(504, "TIMEOUT"), Means.UNKNOWN),
        }


# -- the actions ------------------------------------------------------------------------------------------------------


class Creating(CrmCase):
    action = CrmCreate
    others: ClassVar[Sequence[type[BaseAction[Any]]]] = (CrmDelete,)

    def parameters(self) -> Mapping[str, Any]:
        return {"object": self.says.people, "fields": {self.says.last: "Lovelace", self.says.title: OURS}}

    def key_of(self, request: Request) -> str | None:
        """In Salesforce it is a part of the path, in HubSpot of the body."""
        if "batch/upsert" in request.path:
            return str(json.loads(request.body)["inputs"][0]["id"])
        return request.path.rpartition("/")[2] if self.says.key in request.path else None

    def effects(self) -> Sequence[object]:
        return [row.id for row in self.rows if row.values.get(self.says.key)]


class CreatingWithoutAKey(CrmCase):
    """An object that has no field for keys: nobody can tell two creations apart."""

    action = CrmCreate
    others = (CrmDelete,)
    can_be_asked = False

    @property
    def name(self) -> str:
        return f"{super().name}, without a key"

    def parameters(self) -> Mapping[str, Any]:
        return {"object": self.says.keyless, "fields": {self.says.text: "ACME-1 renews."}}

    def effects(self) -> Sequence[object]:
        return [row.id for row in self.double.rows(self.says.keyless)]


class Updating(CrmCase):
    action = CrmUpdate
    others = (CrmRestore,)
    absence_is_certain_after = timedelta(hours=1)

    def parameters(self) -> Mapping[str, Any]:
        return {"object": self.says.people, "id": self.somebody(THEIRS), "fields": {self.says.title: OURS}}

    def effects(self) -> Sequence[object]:
        return self.titled(OURS)


class Upserting(CrmCase):
    """A record that is there."""

    action = CrmUpsert
    others = (CrmRestore, CrmDelete)
    absence_is_certain_after = timedelta(hours=1)

    def parameters(self) -> Mapping[str, Any]:
        person = self.double.objects[self.says.people][self.somebody(THEIRS)]
        number = f"acme-{self.count}@example.com"
        self.double.write(person, {self.says.number: number})
        match = {"field": self.says.number, "value": number}
        return {"object": self.says.people, "match": match, "fields": {self.says.title: OURS}}

    def effects(self) -> Sequence[object]:
        return self.titled(OURS)


class UpsertingAnew(Upserting):
    """A record that is not there yet."""

    @property
    def name(self) -> str:
        return f"{super().name}, a new record"

    def parameters(self) -> Mapping[str, Any]:
        self.count += 1
        match = {"field": self.says.number, "value": f"new-{self.count}@example.com"}
        fields = {self.says.last: "Lovelace", self.says.title: OURS}
        return {"object": self.says.people, "match": match, "fields": fields}


class Deleting(CrmCase):
    action = CrmDelete
    absence_is_certain_after = timedelta(hours=1)

    def parameters(self) -> Mapping[str, Any]:
        return {"object": self.says.people, "id": self.somebody(OURS), "expected": {self.says.title: OURS}}

    def effects(self) -> Sequence[object]:
        return [row.id for row in self.double.objects[self.says.people].values() if row.is_deleted]


class Restoring(CrmCase):
    action = CrmRestore
    absence_is_certain_after = timedelta(hours=1)

    def parameters(self) -> Mapping[str, Any]:
        before, ours = {self.says.title: THEIRS}, {self.says.title: OURS}
        return {"object": self.says.people, "id": self.somebody(OURS), "before": before, "ours": ours}

    def effects(self) -> Sequence[object]:
        return self.titled(THEIRS)


# -- what a yes is ----------------------------------------------------------------------------------------------------


def only(*statuses: int) -> Any:
    """A yes has one of these; another 2xx says something that is not known here."""
    return lambda _, status: Means.SUCCEEDED if status in statuses else Means.UNKNOWN


class SalesforceCreates(Creating, SalesforceCase):
    meaning_of_yes = only(200, 201)


class SalesforceCreatesWithoutAKey(CreatingWithoutAKey, SalesforceCase):
    meaning_of_yes = only(201)


class SalesforceUpdates(Updating, SalesforceCase):
    meaning_of_yes = only(204)
    yes_has_no_body = True


class SalesforceUpdatesByKey(SalesforceUpdates):
    """It logs in by a private key, of which no line may be told."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets = ("canary.token", *salesforce.key_pair()[0].split("\n")[1:-2])

    @property
    def name(self) -> str:
        return f"{super().name}, by a private key"

    def world(self) -> Mapping[str, Any]:
        at = cast("Any", SimpleNamespace(url=self.provider.url))
        key = {"username": salesforce.USERNAME, "private_key": "env:KEY", "client_secret": None}
        return {"connections": connections({"KEY": salesforce.key_pair()[0]}, crm=salesforce.entry(at, **key))}


class SalesforceUpserts(Upserting, SalesforceCase):
    meaning_of_yes = only(200, 201)


class SalesforceUpsertsAnew(UpsertingAnew, SalesforceCase):
    meaning_of_yes = only(200, 201)


class SalesforceDeletes(Deleting, SalesforceCase):
    meaning_of_yes = only(204)
    yes_has_no_body = True


class SalesforceRestores(Restoring, SalesforceCase):
    meaning_of_yes = only(204)
    yes_has_no_body = True


class HubSpotCreates(Creating, HubSpotCase):
    meaning_of_yes = only(200, 201, 207)


class HubSpotCreatesWithoutAKey(CreatingWithoutAKey, HubSpotCase):
    meaning_of_yes = only(201)


class HubSpotUpdates(Updating, HubSpotCase):
    meaning_of_yes = only(200)


class HubSpotUpserts(Upserting, HubSpotCase):
    meaning_of_yes = only(200, 201, 207)


class HubSpotUpsertsAnew(UpsertingAnew, HubSpotCase):
    meaning_of_yes = only(200, 201, 207)


class HubSpotDeletes(Deleting, HubSpotCase):
    meaning_of_yes = only(204)
    yes_has_no_body = True


class HubSpotRestores(Restoring, HubSpotCase):
    meaning_of_yes = only(200)


CASES = (
    SalesforceCreates,
    SalesforceCreatesWithoutAKey,
    SalesforceUpdates,
    SalesforceUpserts,
    SalesforceUpsertsAnew,
    SalesforceDeletes,
    SalesforceRestores,
    HubSpotCreates,
    HubSpotCreatesWithoutAKey,
    HubSpotUpdates,
    HubSpotUpserts,
    HubSpotUpsertsAnew,
    HubSpotDeletes,
    HubSpotRestores,
)
