"""What a ledger promises, whatever store is behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from domain import outcome
from domain.action import Action, Lease
from domain.errors import (
    ActionNotFound,
    CorruptEvent,
    EventTooLarge,
    LedgerConflict,
    NewerSchema,
    UnknownTopic,
)
from domain.ledger import ActionLedger
from domain.lifecycle import Status
from domain.policy import Delivery, RetryAt
from projections.history import history_of
from projections.status import view_of
from tests.engines import new_ledger
from tests.given import NOON

LATER = NOON + timedelta(minutes=1)
OpenLedger = Callable[[], ActionLedger]


@pytest.fixture(params=["memory", "sqlite", pytest.param("moto", marks=pytest.mark.xdist_group("moto"))])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """Opens the same ledger each time it is called: another process, as far as the ledger can tell."""
    opened: list[ActionLedger] = []
    environment = new_ledger(request, tmp_path)

    def opener() -> ActionLedger:
        if environment["PERSISTENCE_MODULE"] == "adapters.memory_events" and opened:
            return opened[0]
        opened.append(ActionLedger(environment, view_of=view_of))
        return opened[-1]

    yield opener
    for ledger in opened:
        ledger.close()


def new_action(action_id: str = "act_1", **parameters: Any) -> Action:
    request = {"action_type": "greet", "parameters": parameters}
    return Action.requested(action_id, request=request, fingerprint="f" * 64, effect_key=f"{action_id}-r0", at=NOON)


def begun(action_id: str = "act_1") -> Action:
    action = new_action(action_id)
    action.validate(at=NOON)
    action.begin_attempt(Lease(LATER), delivery=Delivery.AT_MOST_ONCE, facts={"a": 1}, at=NOON)
    return action


def test_what_was_recorded_is_read_back_by_anybody(open_ledger: OpenLedger) -> None:
    action = begun()
    open_ledger().record(action)
    action.succeed(outcome.Succeeded({"ok": "ä€😀"}, reference="p1"), epoch=3, at=LATER)
    open_ledger().record(action)
    read = open_ledger().load("act_1")
    assert read == action
    assert (read.status, read.version, read.result) == (Status.SUCCEEDED, 4, {"ok": "ä€😀"})


def test_the_history_is_whole_and_in_order(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    action = begun()
    ledger.record(action)
    action.fail_attempt(outcome.Retry("refused", "nobody"), RetryAt(LATER), epoch=3, at=NOON)
    ledger.record(action)
    history = history_of(open_ledger().events_of("act_1"))
    assert [(entry["version"], entry["type"]) for entry in history] == [
        (1, "requested"),
        (2, "validated"),
        (3, "attempted"),
        (4, "attempt_failed"),
    ]
    assert history[2]["at"] == "2026-03-01T12:00:00.000000Z"
    assert history[2]["data"]["facts"] == {"a": 1}
    assert json.loads(json.dumps(history)) == history


def test_an_action_nobody_recorded_is_not_found(open_ledger: OpenLedger) -> None:
    with pytest.raises(ActionNotFound, match="act_9"):
        open_ledger().load("act_9")
    with pytest.raises(ActionNotFound, match="act_9"):
        open_ledger().events_of("act_9")


def test_an_id_is_taken_once(open_ledger: OpenLedger) -> None:
    open_ledger().record(begun())
    with pytest.raises(LedgerConflict):
        open_ledger().record(new_action())
    assert open_ledger().load("act_1").version == 3


def test_of_two_writers_that_saw_the_same_the_second_is_told(open_ledger: OpenLedger) -> None:
    open_ledger().record(begun())
    one, other = open_ledger(), open_ledger()
    first, second = one.load("act_1"), other.load("act_1")
    first.succeed(outcome.Succeeded({}), epoch=3, at=LATER)
    second.fail_attempt(outcome.Retry("refused", "nobody"), RetryAt(LATER), epoch=3, at=LATER)
    one.record(first)
    with pytest.raises(LedgerConflict):
        other.record(second)
    assert open_ledger().load("act_1").status is Status.SUCCEEDED


def test_a_commit_is_whole_or_not_at_all(open_ledger: OpenLedger) -> None:
    open_ledger().record(new_action())
    stale = begun()
    with pytest.raises(LedgerConflict):
        open_ledger().record(stale)
    assert [event.life.value for event in open_ledger().events_of("act_1")] == ["requested"]


def test_a_writer_that_skipped_what_it_did_not_see_is_refused(open_ledger: OpenLedger) -> None:
    open_ledger().record(new_action())
    beyond = StoredEvent("act_1", 5, "action.validated", b'{"at":"2026-03-01T12:00:00.000000Z"}')
    with pytest.raises(Exception, match="act_1"):
        open_ledger().recorder.insert_events([beyond])
    assert open_ledger().load("act_1").version == 1


def test_an_event_too_large_is_refused_before_anything_is_written(open_ledger: OpenLedger) -> None:
    with pytest.raises(EventTooLarge, match="350000"):
        open_ledger().record(new_action(text="x" * 350_001))
    with pytest.raises(ActionNotFound):
        open_ledger().load("act_1")


def test_sixteen_writers_of_one_id_have_one_winner(open_ledger: OpenLedger) -> None:
    ledgers = [open_ledger() for _ in range(4)]

    def try_to_record(writer: int) -> bool:
        try:
            ledgers[writer % 4].record(begun("act_race"))
        except LedgerConflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(try_to_record, range(16))) == 1
    assert open_ledger().load("act_race").version == 3


HOSTILE_ROWS = {
    "a topic that names a module": ("os:system", b"{}", UnknownTopic),
    "a topic that names a class": ("domain.events:Validated", b"{}", UnknownTopic),
    "a topic of nobody": ("action.invented", b"{}", UnknownTopic),
    "no JSON": ("action.validated", b"\xff\x00", CorruptEvent),
    "JSON of another form": ("action.validated", b"[1]", CorruptEvent),
    "a field nobody knows": ("action.validated", b'{"at":"2026-03-01T12:00:00Z","surprise":1}', CorruptEvent),
    "no time": ("action.validated", b"{}", CorruptEvent),
    "a later schema": ("action.validated", b'{"at":"2026-03-01T12:00:00Z","schema":99}', NewerSchema),
}


@pytest.mark.parametrize("row", HOSTILE_ROWS)
def test_a_row_that_cannot_be_read_is_named_and_imports_nothing(open_ledger: OpenLedger, row: str) -> None:
    topic, state, error = HOSTILE_ROWS[row]
    ledger = open_ledger()
    ledger.record(new_action())
    ledger.recorder.insert_events([StoredEvent("act_1", 2, topic, state)])
    with pytest.raises(error, match="act_1 version 2"):
        ledger.load("act_1")


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_whoever_keeps_rows_apart_is_told_of_what_is_recorded_and_of_nothing_else(store: str, tmp_path: Path) -> None:
    environment = {"PERSISTENCE_MODULE": f"adapters.{store}_events", "SQLITE_DBNAME": str(tmp_path / "ledger.db")}
    told: list[tuple[int, str, int]] = []

    def keep(row: Any) -> None:
        told.append((row.version, row.status, ledger.load(row.action_id).version))

    ledger = ActionLedger(environment, view_of=view_of, keep=keep)
    ledger.record(begun())
    first, second = ledger.load("act_1"), ledger.load("act_1")
    first.succeed(outcome.Succeeded({}), epoch=3, at=LATER)
    second.fail_attempt(outcome.Retry("refused", "nobody"), RetryAt(LATER), epoch=3, at=LATER)
    ledger.record(first)
    with pytest.raises(LedgerConflict):
        ledger.record(second)
    assert told == [(3, "attempted", 3), (4, "succeeded", 4)]
    ledger.close()
