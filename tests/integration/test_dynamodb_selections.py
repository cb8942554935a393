"""Reading back any part of any history, against a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dynamodb import DynamoDB
from adapters.dynamodb_events import DynamoDBRecorder
from tests.engines import Engine


class Selection(TypedDict):
    gt: int | None
    lte: int | None
    desc: bool
    limit: int | None


SIZES_OF_COMMITS = st.lists(st.integers(1, 4), max_size=5)
VERSIONS = st.none() | st.integers(-1, 22)
SELECTIONS = st.lists(
    st.fixed_dictionaries(
        {"gt": VERSIONS, "lte": VERSIONS, "desc": st.booleans(), "limit": st.none() | st.integers(0, 9)}
    ),
    min_size=6,
    max_size=12,
)


@pytest.fixture(scope="module")
def recorder(moto: Engine) -> Iterator[DynamoDBRecorder]:
    recorder = DynamoDBRecorder(DynamoDB(moto.new_ledger()["DYNAMODB_TABLE"], endpoint_url=moto.url))
    recorder.create_table()
    yield recorder
    recorder.dynamodb.close()


def selected(
    history: list[StoredEvent], gt: int | None, lte: int | None, desc: bool, limit: int | None
) -> list[StoredEvent]:
    """The model."""
    above = [event for event in history if gt is None or event.originator_version > gt]
    within = [event for event in above if lte is None or event.originator_version <= lte]
    return (within[::-1] if desc else within)[:limit]


@settings(max_examples=25, deadline=None)
@given(from_zero=st.booleans(), sizes=SIZES_OF_COMMITS, selections=SELECTIONS)
def test_any_selection_of_any_history_is_what_the_model_says(
    recorder: DynamoDBRecorder, from_zero: bool, sizes: list[int], selections: list[Selection]
) -> None:
    action_id = f"act_{uuid4().hex}"
    history: list[StoredEvent] = []
    for size in [1, *sizes] if from_zero else sizes:
        first = len(history) + (0 if from_zero else 1)
        commit = [StoredEvent(action_id, first + place, "action.noted", b"%d" % place) for place in range(size)]
        recorder.insert_events(commit)
        history += commit

    for selection in selections:
        assert recorder.select_events(action_id, **selection) == selected(history, **selection), selection
