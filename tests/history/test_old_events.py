"""Events of every version ever released, as they stand in somebody's ledger, are read for ever.

Each file here is a version: lives as stored rows, and what they must read as. A file is added, never changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from domain.action import Action
from domain.events import REGISTRY
from domain.ledger import ActionMapper
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
        for version, row in enumerate(life["rows"], start=1)
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
    for version, row in enumerate(life["rows"], start=1):
        stored = StoredEvent(life["id"], version, row["topic"], row["state"].encode())
        assert mapper.to_stored_event(mapper.to_domain_event(stored)) == stored


def test_every_topic_has_its_place_in_history() -> None:
    stored = {row["topic"] for life in LIVES.values() for row in life["rows"]}
    assert stored == {*REGISTRY, *RUN_REGISTRY}
