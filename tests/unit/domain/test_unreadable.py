"""Rows that this release cannot read: told in their place, as far as that goes, whatever they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.action import Action
from domain.errors import CorruptEvent, UnreadableEvent
from domain.events import ActionEvent, Validated
from domain.ledger import ActionMapper
from domain.lifecycle import Life
from domain.unreadable import UnknownEvent, known_of, life_in, replayed
from domain.upcasts import Upcasts
from projections.history import history_of
from tests.given import LEADING_TO, NOON, life_of

MAPPER = ActionMapper(JSONTranscoder())
NEWER = StoredEvent("act_1", 4, "action.succeeded", b'{"at":"2026-03-01T12:00:03.000000Z","schema":2,"new":1}')


def stored(*life: ActionEvent) -> list[StoredEvent]:
    return [MAPPER.to_stored_event(event) for event in life]


@pytest.mark.parametrize(
    ("topic", "state", "problem", "schema", "at"),
    [
        ("action.succeeded", b'{"at":"2026-03-01T12:00:03Z","schema":2}', "newer_schema", 2, True),
        ("action.invented", b'{"at":"2026-03-01T12:00:03Z","what":[1]}', "unknown_topic", 1, True),
        ("os:system", b"rm", "unknown_topic", None, False),
        ("action.succeeded", b'{"at":"2026-03-01T12:00:03Z"}', "corrupt", 1, True),
        ("action.succeeded", b'{"at":"noon","schema":[]}', "corrupt", None, False),
        ("action.succeeded", b'{"at":"2026-03-01T12:00:03"}', "corrupt", 1, False),
        ("action.succeeded", b"\xff", "corrupt", None, False),
        ("action.succeeded", b"[" * 100_000, "corrupt", None, False),
        ("action.succeeded", b'{"at":"2026-03-01T12:00:03Z","schema":0,"epoch":1,"result":{}}', "corrupt", 0, True),
        (
            "action.succeeded",
            b'{"at":"2026-03-01T12:00:03Z","schema":true,"epoch":1,"result":{}}',
            "corrupt",
            None,
            True,
        ),
    ],
)
def test_what_can_be_told_of_it_is_told(topic: str, state: bytes, problem: str, schema: int | None, at: bool) -> None:
    (told,) = life_in([StoredEvent("act_1", 4, topic, state)], MAPPER)
    assert isinstance(told, UnknownEvent)
    assert (told.originator_version, told.topic, told.problem, told.schema) == (4, topic, problem, schema)
    assert (told.timestamp is not None) is at


def test_it_stands_in_its_place_and_nothing_is_left_out() -> None:
    life = stored(*life_of(*LEADING_TO[Life.ATTEMPTED]))
    after = StoredEvent("act_1", 5, "action.reported", b'{"at":"2026-03-01T12:00:04.000000Z","to":"act_2"}')
    told = history_of(life_in([*life, NEWER, after], MAPPER))
    assert [(entry["version"], entry["type"]) for entry in told] == [
        (1, "requested"),
        (2, "validated"),
        (3, "attempted"),
        (4, "unknown"),
        (5, "reported"),
    ]
    assert told[3] == {
        "version": 4,
        "type": "unknown",
        "at": "2026-03-01T12:00:03.000000Z",
        "data": {"topic": "action.succeeded", "schema": 2, "problem": "newer_schema"},
    }


def test_what_is_known_is_what_was_before_it() -> None:
    life = life_of(*LEADING_TO[Life.ATTEMPTED])
    known = known_of(life_in([*stored(*life), NEWER], MAPPER))
    assert isinstance(known.as_of, Action)
    assert (known.as_of.version, str(known.as_of.status)) == (3, "attempted")
    assert known.unknown is not None
    assert known.unknown.originator_version == 4
    assert known_of(life).unknown is None
    assert known_of(life_in([NEWER], MAPPER)).as_of is None


def test_of_one_that_says_what_cannot_be_nothing_is_taken_on() -> None:
    by_pigeon = life_of(*LEADING_TO[Life.VALIDATED], ("attempted", {"delivery": "by_pigeon"}))
    known = known_of(by_pigeon)
    assert isinstance(known.as_of, Action)
    assert (known.as_of.version, known.as_of.attempts, known.as_of.epoch) == (2, 0, None)
    assert known.unknown is not None
    assert (known.unknown.originator_version, known.unknown.problem) == (3, "out_of_place")


def test_one_that_does_not_follow_is_named() -> None:
    requested, _, attempted = life_of(*LEADING_TO[Life.ATTEMPTED])
    with pytest.raises(CorruptEvent, match=f"^{requested.originator_id}: version 3 does not follow what is before it$"):
        replayed(None, [requested, attempted])


@for_all(
    state=st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode),
    topic=st.text(max_size=20),
)
def test_whatever_a_row_holds_looking_at_it_does_not_fail(state: bytes, topic: str) -> None:
    for word in (topic, "action.validated", "workflow.started"):
        (told,) = history_of(life_in([StoredEvent("act_1", 1, word, state)], MAPPER))
        assert told["version"] == 1


@pytest.mark.parametrize("broken", [lambda _: {}, lambda said: said["nothing"], lambda said: {**said, "x": 1}])
def test_an_upcast_that_does_not_fit_is_no_reading(broken: Any) -> None:
    class Raised(Validated):
        schema = 2

    upcasts: Upcasts = {("action.validated", 1): broken}
    mapper = ActionMapper(JSONTranscoder(), kind_of=lambda _: Raised, upcasts=upcasts)
    row = StoredEvent("act_1", 2, "action.validated", b'{"at":"2026-03-01T12:00:00Z"}')
    with pytest.raises(CorruptEvent, match="act_1 version 2"):
        mapper.to_domain_event(row)
    fits = ActionMapper(JSONTranscoder(), kind_of=lambda _: Raised, upcasts={("action.validated", 1): dict})
    assert fits.to_domain_event(row).timestamp == NOON
    assert issubclass(CorruptEvent, UnreadableEvent)
