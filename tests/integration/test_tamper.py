"""Whatever is done to a stored ledger is found, and named. `make tamper` does the same to every bit of 1,000 events."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from eventsourcing.persistence import InfrastructureFactory

from adapters.dynamodb_events import DynamoDBRecorder
from adapters.dynamodb_journal import DynamoDBJournal
from adapters.leaf_index import temporary_leaf_index
from domain.commit import Commit
from domain.journal import EVERYTHING
from handlers.evidence.seal import Seal
from handlers.evidence.verify import Verify
from projections.evidence import Coverage, judged
from tests import tamper
from tests.engines import Engine
from tests.evidence_house import FakeJournal, House, told
from tests.sqlite_ledger import commit
from tests.wire import on_the_wire, refused

Item: TypeAlias = dict[str, Any]


def test_no_attack_on_a_ledger_in_sqlite_is_missed(tmp_path: Path) -> None:
    lines: list[str] = []

    tally = tamper.campaign(tmp_path, actions=2, bits_of=1, tell=lines.append)

    assert lines == ["2 actions, 8 commits, 12 events, in SQLite"]
    assert tally.missed == []
    assert {f"a bit of `{column}`" for column in tamper.COLUMNS} < set(tally.made)
    assert {f"another type of `{column}`" for column in ("events", "last", "at", "previous")} < set(tally.made)
    assert sum(tally.made.values()) > 5_000
    assert set(tally.words["swap the contents of two commits"]) == {"reordered"}
    assert set(tally.words["append a copy"]) == {"duplicated"}
    assert set(tally.words["cut the tail"]) == {"truncated"}
    assert len(list(tamper.report(tally))) == len(tally.made) + 1


# -- DynamoDB ---------------------------------------------------------------------------------------------------------

OPERATIONAL = {"token", "due_shard", "due_at"}
"""What says when to look at an action again, or which call wrote it, is no part of its history."""


FIRST_DAY = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""A journal asks for each day that a ledger may have had."""


@pytest.fixture
def recorder(moto: Engine) -> Iterator[DynamoDBRecorder]:
    factory = InfrastructureFactory.construct(moto.new_ledger())
    recorder = factory.aggregate_recorder()
    assert isinstance(recorder, DynamoDBRecorder)
    for action_id in ("act_1", "act_2"):
        recorder.insert_events(commit(action_id, 1, b'{"a":1}', b'{"b":2}'), at=FIRST_DAY)
        recorder.insert_events(commit(action_id, 3, b'{"c":3}'), at=FIRST_DAY)
    yield recorder
    factory.close()


def journal_of(recorder: DynamoDBRecorder) -> DynamoDBJournal:
    """As it was two hours later."""
    return DynamoDBJournal(recorder.dynamodb, now=lambda: FIRST_DAY + timedelta(hours=2))


def items_of(recorder: DynamoDBRecorder, action_id: str) -> list[Item]:
    found = recorder.dynamodb.query(
        KeyConditionExpression="pk = :id", ExpressionAttributeValues={":id": {"S": action_id}}, ConsistentRead=True
    )
    return [dict(item) for item in found]


def put(recorder: DynamoDBRecorder, item: Item) -> None:
    recorder.dynamodb.call("PutItem", TableName=recorder.dynamodb.table, Item=item)


def delete(recorder: DynamoDBRecorder, item: Item) -> None:
    key = {"pk": item["pk"], "sk": item["sk"]}
    recorder.dynamodb.call("DeleteItem", TableName=recorder.dynamodb.table, Key=key)


def values_in(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Each place in an attribute where a text, a number or bytes stand: what holds it, and its key there."""
    for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
        if isinstance(value, dict | list):
            yield from values_in(value)
        else:
            yield holder, key


def changed(value: Any, kind: str) -> Any:
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"\x00"
    return str(int(value) + 1) if kind == "N" else value[:-1] + chr(ord(value[-1]) ^ 1)


def changes_of(item: Item) -> Iterator[tuple[str, Item]]:
    """An item with one thing changed, taken away or doubled, and what that is."""
    for name in set(item) - OPERATIONAL - {"pk", "sk"}:
        yield f"without {name}", {key: value for key, value in item.items() if key != name}
        for number in range(len(list(values_in(item[name])))):
            copy = deepcopy(item)
            holder, key = list(values_in(copy[name]))[number]
            holder[key] = changed(holder[key], key)
            yield f"another {name} ({number})", copy
    events = item["events"]["L"]
    yield "an event twice", item | {"events": {"L": [*events, events[-1]]}, "count": {"N": str(len(events) + 1)}}
    yield "events in another order", item | {"events": {"L": events[::-1]}} if len(events) > 1 else {}
    yield "without events", item | {"events": {"L": []}, "count": {"N": "0"}}


def test_no_attack_on_an_item_of_dynamodb_is_missed(recorder: DynamoDBRecorder) -> None:
    journal, house = journal_of(recorder), House(FakeJournal(), now=FIRST_DAY + timedelta(hours=2))
    Seal(journal, house.store, house.checkpoints(), house.signer, temporary_leaf_index, lambda: house.now).seal()
    attacks = 0
    with temporary_leaf_index() as index:
        assert Verify(journal, house.checkpoints(), index).verify().is_sound
        for item in items_of(recorder, "act_1"):
            for what, tampered in changes_of(item):
                if not tampered:
                    continue
                put(recorder, tampered)
                life = journal.life("act_1")
                rows = life.rows if life else ()
                findings = judged("act_1", rows, index.of("act_1"), Coverage("2027")).findings
                assert [finding.action_id for finding in findings][:1] == ["act_1"], what
                attacks += 1
            put(recorder, item)
    assert attacks > 40


def test_what_is_deleted_moved_or_put_in_on_dynamodb_is_named(recorder: DynamoDBRecorder) -> None:
    journal, house = journal_of(recorder), House(FakeJournal(), now=FIRST_DAY + timedelta(hours=2))
    Seal(journal, house.store, house.checkpoints(), house.signer, temporary_leaf_index, lambda: house.now).seal()

    def found() -> list[tuple[str, str | None, int | None]]:
        with temporary_leaf_index() as index:
            findings = Verify(journal, house.checkpoints(), index).verify().examined.findings
        return [(str(finding.trouble), finding.action_id, finding.version) for finding in findings]

    first, second = items_of(recorder, "act_1")
    assert found() == []

    delete(recorder, second)
    assert found() == [("truncated", "act_1", 3)]
    delete(recorder, first)
    assert found() == [("deleted", "act_1", 1), ("deleted", "act_1", 3)]

    put(recorder, first | {"sk": {"N": "3"}})
    put(recorder, second | {"sk": {"N": "1"}})
    assert {action_id for _, action_id, _ in found()} == {"act_1"}

    put(recorder, first)
    put(recorder, second)
    put(recorder, second | {"pk": {"S": "act_2"}, "sk": {"N": "4"}})
    assert [(action_id, version) for _, action_id, version in found()] == [("act_2", 4)]


@pytest.mark.parametrize(
    "indexed",
    [{}, {"born": "2026-01-01#99", "written": "2026-01-01#99"}, {"born": "2025-12-31#1"}, {"born": "2026-01-09#1"}],
)
def test_what_no_index_leads_to_is_named(recorder: DynamoDBRecorder, indexed: dict[str, str]) -> None:
    journal, house = journal_of(recorder), House(FakeJournal(), now=FIRST_DAY + timedelta(hours=2))
    Seal(journal, house.store, house.checkpoints(), house.signer, temporary_leaf_index, lambda: house.now).seal()
    for item in items_of(recorder, "act_1"):
        said = {name: value for name, value in item.items() if name not in ("born", "written")}
        said |= {name: {"S": value} for name, value in indexed.items() if name in item}
        put(recorder, said | {"pk": {"S": "act_forged"}})

    with temporary_leaf_index() as index:
        verified = Verify(journal, house.checkpoints(), index).verify()

    assert [told(finding) for finding in verified.examined.findings] == [
        ("inserted", "act_forged", 1),
        ("inserted", "act_forged", 3),
    ]
    assert verified.notices == ()


def test_what_a_checkpoint_holds_is_judged_though_no_index_leads_to_it(recorder: DynamoDBRecorder) -> None:
    journal, house = journal_of(recorder), House(FakeJournal(), now=FIRST_DAY + timedelta(hours=2))
    Seal(journal, house.store, house.checkpoints(), house.signer, temporary_leaf_index, lambda: house.now).seal()
    put(recorder, {name: value for name, value in items_of(recorder, "act_1")[0].items() if name != "born"})

    with temporary_leaf_index() as index:
        verified = Verify(journal, house.checkpoints(), index).verify()

    assert [told(finding) for finding in verified.examined.findings] == [("damaged", "act_1", 1)]


def test_where_nobody_may_look_for_what_no_index_leads_to_that_is_said(recorder: DynamoDBRecorder) -> None:
    journal, house = journal_of(recorder), House(FakeJournal(), now=FIRST_DAY + timedelta(hours=2))
    Seal(journal, house.store, house.checkpoints(), house.signer, temporary_leaf_index, lambda: house.now).seal()
    on_the_wire(recorder.dynamodb.client, "Scan", refused("AccessDeniedException", "dynamodb:Scan"))

    with temporary_leaf_index() as index:
        verified = Verify(journal, house.checkpoints(), index).verify()

    assert verified.is_sound
    assert verified.notices == ("rows that no index leads to were not looked for: it takes dynamodb:Scan",)


def test_a_checkpoint_on_dynamodb_finds_what_is_new_by_an_index(recorder: DynamoDBRecorder) -> None:
    journal, house = journal_of(recorder), House(FakeJournal(), now=FIRST_DAY + timedelta(hours=2))
    seal = Seal(journal, house.store, house.checkpoints(), house.signer, temporary_leaf_index, lambda: house.now)
    assert seal.seal().header.size == 4
    recorder.insert_events(commit("act_2", 4, b"{}"), at=FIRST_DAY + timedelta(hours=2))
    recorder.insert_events(commit("act_3", 1, b"{}"), at=FIRST_DAY + timedelta(hours=2))

    assert seal.seal().header.size == 2

    lives = [row for life in journal.lives(EVERYTHING) for row in life.rows]
    assert all(isinstance(row, Commit) for row in lives)
    with temporary_leaf_index() as index:
        assert Verify(journal, house.checkpoints(), index).verify().is_sound
