"""Salesforce as its documentation tells it: logins, records by id and by external id, rules, locks, limits."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.doubles.crm import CrmDouble, Row, json_reply, said
from tests.doubles.server import Asked, Reply

CLIENT_ID = "3MVG9consumer.key"
CLIENT_SECRET = "canary-client-secret-5d41402abc4b2a76"
USERNAME = "agent@acme.example"
AUDIENCE = "https://login.salesforce.com"
KEY_FIELD = "Execution_Key__c"
NUMBER_FIELD = "Customer_Number__c"
FIELDS = {
    "Account": {"Name", "Plan__c", "Renewal_At_Risk__c", "Renewal_Risk__c", KEY_FIELD},
    "Contact": {
        "FirstName",
        "LastName",
        "Email",
        "Title",
        "Age__c",
        "OptedIn__c",
        "AccountId",
        KEY_FIELD,
        NUMBER_FIELD,
    },
    "Task": {"Subject", "WhatId", "ActivityDate", "Priority", "Description", KEY_FIELD},
    "Note__c": {"Body__c"},
}
REQUIRED = {"Account": "Name", "Contact": "LastName"}
ID_PREFIXES = {"Account": "001", "Contact": "003", "Task": "00T", "Note__c": "a01"}
EXTERNAL_IDS = {KEY_FIELD, NUMBER_FIELD}
ROOT = "/services/data/v64.0/sobjects/"
TOKEN_PATH = "/services/oauth2/token"


@cache
def key_pair() -> tuple[str, Any]:
    """A private key in PEM, and its public half. Made once: to make one takes a while."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem, key.public_key()


class Refuses(Exception):
    """An error in Salesforce's form."""

    def __init__(self, status: int, code: str, message: str = "no") -> None:
        super().__init__(code)
        self.reply = json_reply(status, [{"message": message, "errorCode": code, "fields": []}])


class SalesforceDouble(CrmDouble):
    """One organisation. `tokens` are those that are good; `rule` may refuse the values of a record, with a message."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.wall = wall
        self.objects = {name: {} for name in FIELDS}
        self.tokens: set[str] = set()
        self.logins: list[dict[str, str]] = []
        self.locked: set[str] = set()
        self.calls_left: int | None = None
        self.rule: Callable[[dict[str, Any]], str | None] = lambda _: None
        self.login_trouble: Reply | None = None
        self._count = 0

    def is_login(self, path: str) -> bool:
        return path == TOKEN_PATH

    def next_id(self, object_name: str) -> str:
        self._count += 1
        return f"{ID_PREFIXES[object_name]}Hs{self._count:010}AAA"

    def end_sessions(self) -> None:
        """Tokens that were handed out are good no more."""
        self.tokens.clear()

    def reply(self, asked: Asked) -> Reply:
        if asked.path == TOKEN_PATH:
            return self._logged_in(dict(parse_qsl(asked.body.decode())))
        try:
            self._authorize(asked)
            return self._answered(asked)
        except Refuses as refused:
            return refused.reply

    # -- logging in -------------------------------------------------------------------------------------------------

    def _logged_in(self, form: dict[str, str]) -> Reply:
        self.logins.append(form)
        if self.login_trouble is not None:
            return self.login_trouble
        problem = self._problem_with(form)
        if problem is not None:
            return json_reply(400, {"error": problem[0], "error_description": problem[1]})
        token = f"00Dxx!canary.token.{len(self.logins)}.{'k' * 40}"
        self.tokens.add(token)
        return json_reply(
            200, {"access_token": token, "instance_url": "https://elsewhere.example", "token_type": "Bearer"}
        )

    def _problem_with(self, form: dict[str, str]) -> tuple[str, str] | None:
        if form.get("grant_type") == "client_credentials":
            good = form["client_id"] == CLIENT_ID and form["client_secret"] == CLIENT_SECRET
            return None if good else ("invalid_client", "invalid client credentials")
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self._problem_with_assertion(form["assertion"])
        return "unsupported_grant_type", "grant type not supported"

    def _problem_with_assertion(self, assertion: str) -> tuple[str, str] | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        try:
            key_pair()[1].verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return "invalid_grant", "invalid assertion"
        if header != {"alg": "RS256"} or (claims["iss"], claims["sub"]) != (CLIENT_ID, USERNAME):
            return "invalid_grant", "user hasn't approved this consumer"
        if claims["aud"] != AUDIENCE:
            return "invalid_grant", "audience is invalid"
        if not self.wall() < claims["exp"] <= self.wall() + 180:
            return "invalid_grant", "expired authorization code"
        return None

    def _authorize(self, asked: Asked) -> None:
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refuses(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise Refuses(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            self.calls_left -= 1

    # -- records ----------------------------------------------------------------------------------------------------

    def _answered(self, asked: Asked) -> Reply:
        if not asked.path.startswith(ROOT):
            raise Refuses(404, "NOT_FOUND", "The requested resource does not exist")
        parts = [unquote(part) for part in asked.path.removeprefix(ROOT).split("/")]
        if parts[0] not in self.objects:
            raise Refuses(404, "NOT_FOUND", "The requested resource does not exist")
        match (asked.verb, parts):
            case ("POST", [name]):
                return self._created(name, {}, said(asked))
            case ("GET", [name, record_id]):
                return self._shown(name, self._row(name, record_id), asked)
            case ("GET", [name, field, value]):
                return self._shown(name, self._found(name, field, value), asked)
            case ("PATCH", [name, record_id]):
                return self._changed(name, self._row(name, record_id), asked)
            case ("PATCH", [name, field, value]):
                return self._upserted(name, field, value, said(asked))
            case ("DELETE", [name, record_id]):
                self._unlocked(self._row(name, record_id)).is_deleted = True
                return Reply(204, b"")
        raise Refuses(405, "METHOD_NOT_ALLOWED")

    def _row(self, name: str, record_id: str) -> Row:
        for row in self.objects[name].values():
            if row.id.startswith(record_id):
                if row.is_deleted:
                    raise Refuses(404, "ENTITY_IS_DELETED", "entity is deleted")
                return row
        raise Refuses(404, "NOT_FOUND", "The requested resource does not exist")

    def _matching(self, name: str, field: str, value: str) -> list[Row]:
        if field not in EXTERNAL_IDS or field not in FIELDS[name]:
            raise Refuses(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible")
        rows = [row for row in self.rows(name) if str(row.values.get(field, "")).lower() == value.lower()]
        if len(rows) > 1:
            paths = [f"{ROOT}{name}/{row.id}" for row in rows]
            refusal = Refuses(300, "")
            refusal.reply = json_reply(300, paths)
            raise refusal
        return rows

    def _found(self, name: str, field: str, value: str) -> Row:
        for row in self._matching(name, field, value):
            return row
        raise Refuses(404, "NOT_FOUND", "The requested resource does not exist")

    def _shown(self, name: str, row: Row, asked: Asked) -> Reply:
        shown: dict[str, Any] = {"attributes": {"type": name, "url": f"{ROOT}{name}/{row.id}"}}
        for field in asked.query["fields"].split(","):
            if field == "LastModifiedDate":
                shown[field] = row.modified.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
            elif field in FIELDS[name]:
                shown[field] = row.values.get(field)
            else:
                raise Refuses(400, "INVALID_FIELD", f"No such column '{field}' on entity '{name}'")
        return json_reply(200, {**shown, "Id": row.id})

    def _changed(self, name: str, row: Row, asked: Asked) -> Reply:
        condition = asked.headers.get("if-unmodified-since")
        if condition is not None and row.modified > parsedate_to_datetime(condition):
            return Reply(412, b"")
        self._write(name, self._unlocked(row), said(asked))
        return Reply(204, b"")

    def _upserted(self, name: str, field: str, value: str, values: dict[str, Any]) -> Reply:
        if field in values:
            raise Refuses(400, "INVALID_FIELD", f"The {field} field should not be specified in the sobject data.")
        for row in self._matching(name, field, value):
            self._write(name, self._unlocked(row), values)
            return json_reply(200, {"id": row.id, "success": True, "errors": [], "created": False})
        return self._created(name, {field: value}, values, created=True)

    def _created(self, name: str, key: dict[str, Any], values: dict[str, Any], **more: Any) -> Reply:
        if name in REQUIRED and not values.get(REQUIRED[name]):
            raise Refuses(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{REQUIRED[name]}]")
        row = Row(self.next_id(name), dict(key))
        self._write(name, row, values)
        self.objects[name][row.id] = row
        return json_reply(201, {"id": row.id, "success": True, "errors": [], **more})

    def _unlocked(self, row: Row) -> Row:
        if row.id in self.locked:
            raise Refuses(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        return row

    def _write(self, name: str, row: Row, values: dict[str, Any]) -> None:
        for field, value in values.items():
            if field not in FIELDS[name]:
                raise Refuses(400, "INVALID_FIELD", f"No such column '{field}' on sobject of type {name}")
            if field in EXTERNAL_IDS and value and [r for r in self._matching(name, field, value) if r is not row]:
                raise Refuses(400, "DUPLICATE_VALUE", f"duplicate value found: {field} duplicates value on record")
        if problem := self.rule({**row.values, **values}):
            raise Refuses(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", problem)
        stored = {name: value.lower() if name == "Email" and value else value for name, value in values.items()}
        self.write(row, stored)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def entry(double: SalesforceDouble, **changes: Any) -> dict[str, Any]:
    """How a connection to it is configured; with a client secret, unless the test says otherwise."""
    return {
        "kind": "salesforce",
        "base_url": double.url,
        "allow_http": True,
        "allow_private_network": True,
        "client_id": CLIENT_ID,
        "client_secret": "env:SALESFORCE_SECRET",
        "objects": {
            "Contact": {
                "fields": ["FirstName", "LastName", "Email", "Title", "Age__c", "OptedIn__c"],
                "external_id": KEY_FIELD,
                "match_by": [NUMBER_FIELD],
            },
            "Note__c": {"fields": ["Body__c"]},
        },
    } | changes
