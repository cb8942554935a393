"""HubSpot as its documentation tells it: objects with text properties, batches, conflicts, limits, merges."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from tests.doubles.crm import CrmDouble, Row, json_reply, said
from tests.doubles.server import Asked, Reply

TOKEN = "pat-na1-canary-7215ee9c7d9dc229d2921a40e899ec5f"
KEY = "execution_key"
PROPERTIES = {
    "contacts": {"email", "firstname", "lastname", "jobtitle", "age", "opted_in", "plan", KEY},
    "2-123456": {"body"},
}
UNIQUE = {"email", KEY}
PLANS = ("free", "pro")


class Refuses(Exception):
    """An error in HubSpot's form."""

    def __init__(self, status: int, category: str, message: str = "no", **more: Any) -> None:
        super().__init__(category)
        self.error = {
            "status": "error",
            "message": message,
            "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf",
            "category": category,
            **more,
        }
        self.reply = json_reply(status, self.error)


class HubSpotDouble(CrmDouble):
    """One account. `refusal` is what every request gets, if there is one; `merged` leads from an old id to the new."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = {name: {} for name in PROPERTIES}
        self.token = TOKEN
        self.refusal: Reply | None = None
        self.merged: dict[str, str] = {}
        self.refuses_batches_whole = False
        self._count = 430000

    def next_id(self, object_name: str) -> str:
        self._count += 1
        return str(self._count)

    def merge(self, record_id: str, into: str) -> None:
        """Somebody merges two contacts: the first one's id leads to the other."""
        self.merged[record_id] = into
        self.remove("contacts", record_id)

    def reply(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return Refuses(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.").reply
        if self.refusal is not None:
            return self.refusal
        try:
            return self._answered(asked)
        except Refuses as refused:
            return refused.reply

    def _answered(self, asked: Asked) -> Reply:
        root = "/crm/v3/objects/" if asked.path.startswith("/crm/v3/") else "/crm/objects/2026-03/"
        name, *rest = [unquote(part) for part in asked.path.removeprefix(root).split("/")]
        if name not in self.objects:
            raise Refuses(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        match (asked.verb, rest):
            case ("POST", []):
                return json_reply(201, self._shown(self._created(name, {}, said(asked)["properties"])))
            case ("POST", ["batch", "upsert"]):
                return self._batch(name, said(asked)["inputs"])
            case ("GET", [value]):
                row = self._found(name, value, asked.query.get("idProperty"))
                return json_reply(200, self._shown(row, asked.query["properties"].split(",")))
            case ("PATCH", [value]):
                row = self._found(name, value, asked.query.get("idProperty"))
                self._write(name, row, said(asked)["properties"])
                return json_reply(200, self._shown(row))
            case ("DELETE", [value]):
                self._found(name, value, None).is_deleted = True
                return Reply(204, b"")
        raise Refuses(405, "METHOD_NOT_ALLOWED")

    def _batch(self, name: str, inputs: list[dict[str, Any]]) -> Reply:
        results, errors = [], []
        for given in inputs:
            try:
                results.append(self._upserted(name, given))
            except Refuses as refused:
                if self.refuses_batches_whole:
                    raise
                errors.append(refused.error)
        answer = {"status": "COMPLETE", "results": results, "startedAt": "", "completedAt": ""}
        if errors:
            return json_reply(207, {**answer, "errors": errors, "numErrors": len(errors)})
        return json_reply(200, answer)

    def _upserted(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        if given["idProperty"] not in UNIQUE:
            raise Refuses(400, "VALIDATION_ERROR", f"Unable to upsert by non-unique property {given['idProperty']}")
        rows = self._matching(name, given["idProperty"], given["id"])
        if rows:
            self._write(name, rows[0], given["properties"])
        row = rows[0] if rows else self._created(name, {given["idProperty"]: given["id"]}, given["properties"])
        return {**self._shown(row), "new": not rows}

    def _matching(self, name: str, prop: str, value: str) -> list[Row]:
        return [row for row in self.rows(name) if str(row.values.get(prop, "")).lower() == value.lower()]

    def _found(self, name: str, value: str, prop: str | None) -> Row:
        rows = self._matching(name, prop, value) if prop else self._by_id(name, value)
        for row in rows:
            return row
        raise Refuses(404, "OBJECT_NOT_FOUND", "Object not found.")

    def _by_id(self, name: str, value: str) -> list[Row]:
        return [row for row in self.rows(name) if row.id == self.merged.get(value, value)]

    def _created(self, name: str, key: dict[str, str], properties: dict[str, Any]) -> Row:
        row = Row(self.next_id(name), dict(key))
        self._write(name, row, properties)
        self.objects[name][row.id] = row
        return row

    def _write(self, name: str, row: Row, properties: dict[str, Any]) -> None:
        for prop, value in properties.items():
            assert isinstance(value, str)
            if prop not in PROPERTIES[name]:
                raise Refuses(400, "VALIDATION_ERROR", f'Property "{prop}" does not exist')
            if prop == "plan" and value not in ("", *PLANS):
                raise Refuses(400, "VALIDATION_ERROR", f"{value} was not one of the allowed options")
            if prop in UNIQUE and value and [other for other in self._matching(name, prop, value) if other is not row]:
                raise Refuses(409, "OBJECT_ALREADY_EXISTS", "Contact already exists. Existing ID: 1")
        self.write(row, {name: value.lower() if name == "email" else value for name, value in properties.items()})

    def _shown(self, row: Row, properties: list[str] | None = None) -> dict[str, Any]:
        wanted = row.values if properties is None else properties
        return {
            "id": row.id,
            "properties": {"hs_object_id": row.id, **{name: row.values.get(name) for name in wanted}},
            "createdAt": "2026-03-01T12:00:00Z",
            "updatedAt": row.modified.isoformat(),
            "archived": False,
        }


def entry(double: HubSpotDouble, **changes: Any) -> dict[str, Any]:
    """How a connection to it is configured."""
    return {
        "kind": "hubspot",
        "base_url": double.url,
        "allow_http": True,
        "allow_private_network": True,
        "token": "env:HUBSPOT_TOKEN",
        "objects": {
            "contacts": {
                "fields": ["email", "firstname", "lastname", "jobtitle", "age", "opted_in", "plan"],
                "external_id": KEY,
                "match_by": ["email"],
            },
            "2-123456": {"fields": ["body"]},
        },
    } | changes
