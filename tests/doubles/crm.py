"""What doubles of CRMs share: records that people change too, a clock that moves, and troubles of writes only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.doubles.server import Asked, Double, Reply

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Row:
    """A record. `values` hold what has a value."""

    id: str
    values: dict[str, Any] = field(default_factory=dict)
    modified: datetime = NOON
    is_deleted: bool = False


class CrmDouble(Double):
    """`troubles` befall writes, in order; `reading_troubles` what is read. Each change takes a minute."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.objects: dict[str, dict[str, Row]] = {}
        self.reading_troubles: list[Any] = []
        self.before_writes: list[Any] = []
        """Called without arguments, one ahead of each write: what somebody else does in that moment."""

    def writes(self) -> list[Asked]:
        """The requests that were to change a record."""
        return [asked for asked in self.asked if asked.verb != "GET" and not self.is_login(asked.path)]

    def reads(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.verb == "GET"]

    def is_login(self, path: str) -> bool:
        return False

    def rows(self, object_name: str) -> list[Row]:
        """The records that are there."""
        return [row for row in self.objects[object_name].values() if not row.is_deleted]

    def add(self, object_name: str, **values: Any) -> str:
        """Somebody creates a record; its id."""
        row = Row(self.next_id(object_name))
        self.objects[object_name][row.id] = row
        self.write(row, values)
        return row.id

    def change(self, object_name: str, record_id: str, **values: Any) -> None:
        """Somebody changes a record."""
        self.write(self.objects[object_name][record_id], values)

    def remove(self, object_name: str, record_id: str) -> None:
        """Somebody deletes a record."""
        self.objects[object_name][record_id].is_deleted = True

    def write(self, row: Row, values: Mapping[str, Any]) -> None:
        self.now += timedelta(minutes=1)
        row.modified = self.now
        merged = {**row.values, **values}
        row.values = {name: value for name, value in merged.items() if value not in (None, "")}

    def next_id(self, object_name: str) -> str:
        raise NotImplementedError

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            self.troubles.insert(0, self.reading_troubles.pop(0) if self.reading_troubles else None)
        elif self.is_login(handler.path):
            self.troubles.insert(0, None)
        elif self.before_writes:
            self.before_writes.pop(0)()
        super()._serve(handler)


def json_reply(status: int, said: Any, **headers: str) -> Reply:
    return Reply(status, json.dumps(said).encode(), {"Content-Type": "application/json", **headers})


def said(asked: Asked) -> Any:
    """The body of a request, in JSON."""
    assert asked.headers["content-type"] == "application/json"
    return json.loads(asked.body)
