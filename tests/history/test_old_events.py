"""Events of every version ever released, as they stand in somebody's ledger, are read for ever.

Each file here is a version: lives as stored rows, and what they must read as. A file is added, never changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain.action import Action
from domain.events import REGISTRY, RecordedEvent
from domain.ledger import ActionMapper
from domain.lifecycle import Life
from domain.upcasts import UPCASTS, Upcasts
from domain.workflow import WorkflowRun
from domain.workflow_events import RUN_REGISTRY
from projections.history import history_of
from projections.status import response_of

HERE = Path(__file__).parent
LIVES: dict[str, dict[str, Any]] = {
    f"{file.stem}: {life['name']}": life
    for file in sorted(HERE.glob("*.json"))
    for life in json.loads(file.read_text("utf-8"))
}


@pytest.mark.parametrize("name", LIVES)
def test_a_life_of_an_old_version_reads_as_it_did(name: str) -> None:
    life = LIVES[name]
    mapper = ActionMapper(JSONTranscoder())
    events = [
        mapper.to_domain_event(StoredEvent(life["id"], version, row["topic"], row["state"].encode()))
        for version, row in enumerate(life["rows"], start=life.get("first", 1))
    ]
    action: Any = None
    for event in events:
        action = event.mutate(action)
    assert isinstance(action, Action | WorkflowRun)
    assert response_of(action).as_dict() == life["response"]
    assert history_of(events) == life["history"]


@pytest.mark.parametrize("name", LIVES)
def test_what_is_written_today_is_what_was_written_then(name: str) -> None:
    """Byte for byte, as long as the schema is the same: a changed default or order shows here first."""
    life = LIVES[name]
    mapper = ActionMapper(JSONTranscoder())
    for version, row in enumerate(life["rows"], start=life.get("first", 1)):
        stored = StoredEvent(life["id"], version, row["topic"], row["state"].encode())
        event = mapper.to_domain_event(stored)
        if schema_of(row) == event.schema:
            assert mapper.to_stored_event(event) == stored


def test_every_topic_has_its_place_in_history() -> None:
    stored = {row["topic"] for life in LIVES.values() for row in life["rows"]}
    assert stored == {*REGISTRY, *RUN_REGISTRY}


# -- schemas ----------------------------------------------------------------------------------------------------------


def schema_of(row: Mapping[str, Any]) -> int:
    schema: int = json.loads(row["state"]).get("schema", 1)
    return schema


def missing(kinds: Iterable[type[RecordedEvent]], upcasts: Upcasts, stored: Iterable[Mapping[str, Any]]) -> list[str]:
    """What somebody who has raised a schema has forgotten; and upcasts that lead nowhere."""
    shown = {(row["topic"], schema_of(row)) for row in stored}
    known = {(kind.TOPIC, schema): kind.schema for kind in kinds for schema in range(1, kind.schema + 1)}
    steps = {(topic, schema) for (topic, schema), newest in known.items() if schema < newest}
    return sorted(
        [f"no row of {topic} schema {schema} in tests/history" for topic, schema in known.keys() - shown]
        + [f"no upcast of {topic} from schema {schema}" for topic, schema in steps - upcasts.keys()]
        + [
            f"an upcast of {topic} from schema {schema}, which is not left behind"
            for topic, schema in upcasts.keys() - steps
        ]
    )


def test_every_schema_that_was_left_behind_has_an_upcast_and_rows_of_it_are_kept() -> None:
    stored = [row for life in LIVES.values() for row in life["rows"]]
    assert missing([*REGISTRY.values(), *RUN_REGISTRY.values()], UPCASTS, stored) == []


@dataclass(frozen=True, eq=False, repr=False)
class Remarked(RecordedEvent):
    """An event that nobody records. Its schema was raised twice: `text` was called `remark` once, and had no `tone`."""

    text: str
    tone: str

    life = Life.REPORTED
    schema = 3
    TOPIC = "action.remarked"


def _second(said: dict[str, Any]) -> dict[str, Any]:
    return {"at": said["at"], "text": said["remark"]}


def _third(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "tone": "neutral"}


REMARKS: Upcasts = {("action.remarked", 1): _second, ("action.remarked", 2): _third}
REMARKED: list[dict[str, Any]] = json.loads((HERE / "invented" / "remarked.json").read_text("utf-8"))


@pytest.mark.parametrize("row", REMARKED, ids=lambda row: str(row["name"]))
def test_a_row_of_any_schema_reads_as_one_of_today(row: dict[str, Any]) -> None:
    mapper = ActionMapper(JSONTranscoder(), kind_of={"action.remarked": Remarked}.get, upcasts=REMARKS)
    stored = StoredEvent("act_1", 7, row["topic"], row["state"].encode())
    read = mapper.to_domain_event(stored)
    assert history_of([read]) == [row["history"]]
    assert mapper.to_stored_event(read).state.decode() == REMARKED[-1]["state"]


@pytest.mark.parametrize(
    ("upcasts", "rows", "forgotten"),
    [
        (REMARKS, REMARKED, []),
        ({("action.remarked", 2): _third}, REMARKED, ["no upcast of action.remarked from schema 1"]),
        (REMARKS, REMARKED[1:], ["no row of action.remarked schema 1 in tests/history"]),
        (REMARKS, REMARKED[:2], ["no row of action.remarked schema 3 in tests/history"]),
        (
            {**REMARKS, ("action.remarked", 3): _third},
            REMARKED,
            ["an upcast of action.remarked from schema 3, which is not left behind"],
        ),
    ],
)
def test_whoever_raises_a_schema_is_told_what_is_missing(
    upcasts: Upcasts, rows: list[dict[str, Any]], forgotten: list[str]
) -> None:
    assert missing([Remarked], upcasts, rows) == forgotten
