"""A life as an export has it: a record for each event, redacted, and one for each thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from domain.field_class import FieldClass
from domain.standing import PROBE
from projections.audit_attempts import action_type_on
from projections.audit_trail import findings_of
from projections.field_shapes import Shapes
from projections.reading import UNFIT, Entry, Reading
from projections.redaction import Redactor, Shape


@dataclass(frozen=True, slots=True)
class Record:
    """One event of a life, in plain JSON values; None where it says nothing of the kind.

    `problem` names a finding: versions_missing, versions_repeated, damaged, corrupt, unknown_topic or newer_schema. The
    metadata of a field are what a schema says of it.
    """

    action_id: str = field(metadata={"says": "the action, or the workflow run"})
    version: int = field(metadata={"says": "the event's place in its life, from 1 on"})
    at: str | None = field(default=None, metadata={"says": "when, in UTC; null for what cannot be read"})
    type: str | None = field(default=None, metadata={"says": "the event, as the table of an action's life names it"})
    action_type: str | None = field(default=None, metadata={"says": "of the route that is taken; of a run, its name"})
    agent: str | None = field(default=None, metadata={"says": "the agent that decided"})
    actor: str | None = field(default=None, metadata={"says": "the person who acted"})
    decision_id: str | None = field(default=None, metadata={"says": "the decision that it came of"})
    correlation_id: str | None = field(default=None, metadata={"says": "the caller's thread through many actions"})
    run: str | None = field(default=None, metadata={"says": "the workflow run that it is a step of"})
    step: str | None = field(default=None, metadata={"says": "the step of the workflow"})
    attempt: int | None = field(default=None, metadata={"says": "the number of the attempt that it belongs to"})
    route: int | None = field(default=None, metadata={"says": "0 is the request's own, above are its fallbacks"})
    outcome: str | None = field(default=None, metadata={"says": "succeeded, permanent, retry or unknown"})
    code: str | None = field(default=None, metadata={"says": "what went wrong, as a word"})
    data: Any = field(default=None, metadata={"says": "all that the event says, redacted by the class of each field"})
    commit_version: int | None = field(default=None, metadata={"says": "the first version of the commit it stands in"})
    commit_hash: str | None = field(default=None, metadata={"says": "the commit's RFC 6962 leaf hash, SHA-256, in hex"})
    previous_hash: str | None = field(default=None, metadata={"says": "the hash in it of the commit before, in hex"})
    problem: str | None = field(default=None, metadata={"says": "what is wrong with this place of the ledger, a word"})
    message: str | None = field(default=None, metadata={"says": "the same for people"})

    def as_dict(self) -> dict[str, Any]:
        """By the names of its fields, all of them."""
        return {name: getattr(self, name) for name in COLUMNS}


CORRUPT = "corrupt"

COLUMNS = tuple(column.name for column in fields(Record))
SAYS: Mapping[str, str] = {column.name: column.metadata["says"] for column in fields(Record)}


def records_of(reading: Reading, shapes: Shapes, redactor: Redactor) -> list[Record]:
    """In the order of versions; a finding stands in its place."""
    records = list(_Story(reading, shapes, redactor).records())
    last_of = {record.version: place for place, record in enumerate(records)}
    for finding in findings_of(reading):
        named = {"problem": finding["problem"], "message": _text(finding["message"])}
        place = last_of.get(finding["version"])
        if place is None:
            records.append(Record(reading.action_id, finding["version"], **named))
        else:
            records[place] = replace(records[place], **named)
    return sorted(records, key=lambda record: record.version)


class _Story:
    """Goes through a life, and knows at each event what those before have said."""

    def __init__(self, reading: Reading, shapes: Shapes, redactor: Redactor) -> None:
        self._reading = reading
        self._shapes = shapes
        self._redactor = redactor
        self._accepted = any(entry.word == "validated" for entry in reading.entries)
        self._hashes: dict[int, str] = {}
        self._request: Mapping[str, Any] = {}
        self._cause: dict[str, Any] = {}
        self._attempt: int | None = None
        self._route = 0

    def records(self) -> Iterator[Record]:
        for entry in self._reading.entries:
            if entry.problem is not None:
                yield self._unreadable(entry)
                continue
            try:
                yield self._record(entry)
            except UNFIT:
                yield replace(
                    self._unreadable(entry), problem=CORRUPT, message=f"{entry.topic}: it says what cannot be"
                )

    def _record(self, entry: Entry) -> Record:
        said = entry.data
        self._listen(entry.word, said)
        data = {name: self._shown(name, value) for name, value in said.items()}
        if not self._cause:
            self._cause = _cause_of(data)
        if self._route:
            self._cause["action_type"] = _text(self._action_type)
        return Record(
            actor=None if said.get("by") == PROBE else _text(said.get("by")),
            attempt=self._attempt,
            route=self._route if self._attempt else None,
            outcome=_outcome_of(entry.word, said),
            code=_text(said.get("code")),
            data=data,
            **self._cause,
            **self._envelope(entry),
        )

    def _listen(self, word: str, said: Mapping[str, Any]) -> None:
        if word == "requested":
            self._request = said["request"]
        elif word == "attempted":
            self._attempt, self._route = int(said["attempt"]), int(said.get("route", 0))

    def _shown(self, name: str, value: object) -> Any:
        return self._redactor.shown(value, self._shape_of(name))

    def _shape_of(self, name: str) -> Shape:
        if name != "request":
            return self._shapes.of_field(name, self._action_type)
        return self._shapes.of_request(self._request) if self._accepted else self._shapes.of_refused(self._request)

    @property
    def _action_type(self) -> object:
        return action_type_on(self._request, self._route)

    def _unreadable(self, entry: Entry) -> Record:
        """All that it says, as what nobody has declared."""
        data = self._redactor.shown(entry.data, FieldClass.UNDECLARED)
        return Record(data=data, **self._cause, **self._envelope(entry))

    def _envelope(self, entry: Entry) -> dict[str, Any]:
        commit = entry.commit
        if commit.version not in self._hashes:
            self._hashes[commit.version] = commit.hash.hex()
        return {
            "action_id": self._reading.action_id,
            "version": entry.version,
            "at": entry.at,
            "type": entry.word,
            "commit_version": commit.version,
            "commit_hash": self._hashes[commit.version],
            "previous_hash": commit.previous.hex() if commit.previous else None,
        }


def _cause_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of what came of what, as far as it is shown."""
    request, cause = _object(data.get("request")), _object(data.get("cause"))
    decision, workflow = _object(request.get("decision")), _object(request.get("workflow"))
    told = {
        "action_type": request.get("action_type", data.get("name", data.get("action_type"))),
        "agent": decision.get("agent"),
        "decision_id": decision.get("id"),
        "correlation_id": request.get("correlation_id", cause.get("correlation_id")),
        "run": workflow.get("run", cause.get("run")),
        "step": workflow.get("step", cause.get("step")),
    }
    return {name: _text(value) for name, value in told.items()}


def _outcome_of(word: str, said: Mapping[str, Any]) -> str | None:
    """The class of what the world answered, where this event tells of an answer."""
    if word == "attempt_failed":
        return str(said["failure"])
    if word == "late_outcome":
        return str(said["outcome"])
    return {"succeeded": "succeeded", "in_doubt": "unknown"}.get(word)


def _text(value: object) -> str | None:
    """A text of whole characters; None for what is none."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
