"""Rows made anew beside those that are there, in a file to which others write: complete, or nothing of it is seen."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TextIO

import apsw
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from adapters.sqlite_events import SQLiteRecorder
from adapters.sqlite_rebuild import SQLiteRebuild
from agents.execution_agent.rebuilding import Account, rebuild, repair
from agents.execution_agent.replaying import slices
from domain.journal import EVERYTHING, Span
from projections.rebuild import Anew, Comparison, Views, anew_of, look_into
from projections.replay import BEGINNING, Finding, Place, tell
from tests.given import NOON, REQUESTED, SUCCEEDED
from tests.recorded_lives import (
    ENDED,
    EVERY_LIFE,
    WAITS,
    act_until_told,
    append,
    commits_of,
    record,
    sqlite_ledger,
)

SPAWN = get_context("spawn")
LATER = NOON + timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with thirty actions, whose rows are as they should be."""
    path = str(tmp_path_factory.mktemp("thirty") / "ledger.db")
    with sqlite_ledger(path, count=30):
        return path


@pytest.fixture
def recorder(path: str, thirty: str) -> Iterator[SQLiteRecorder]:
    """A copy of it, for the test alone."""
    shutil.copy(thirty, path)
    with sqlite_ledger(path) as recorder:
        yield recorder


@pytest.fixture
def by_hand(path: str, recorder: SQLiteRecorder) -> Iterator[apsw.Connection]:
    """Somebody who opens the file with another program."""
    with closing(apsw.Connection(path)) as connection:
        yield connection


def rebuilt(recorder: SQLiteRecorder, *, most: int = 4, stop_after: int | None = None) -> Account:
    """The rows made anew, in slices of so many actions, or as far as somebody lets it go."""
    journal, kept = recorder.journal(), []
    return rebuild(
        journal,
        recorder.upkeep(),
        lambda places: slices(journal, Views, EVERYTHING, places, most),
        stop=lambda: stop_after is not None and len(kept) >= stop_after,
        tell=kept.append,
    )


def rows(connection: apsw.Connection) -> list[Any]:
    """Byte for byte, as they are stored."""
    return connection.execute("SELECT * FROM actions ORDER BY action_id").fetchall()


def shape(connection: apsw.Connection) -> set[Any]:
    """All that there is in the file; indexes by what they are of, for their names go to and fro."""
    named = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    return {
        (kind, sql.partition(" ON ")[2].replace('"', "")) if kind == "index" else (kind, name)
        for kind, name, sql in named
        if sql is not None
    }


def standing(recorder: SQLiteRecorder) -> dict[str, Any]:
    told = recorder.upkeep().standing(recorder.journal(), LATER).as_dict()
    return {name: value for name, value in told.items() if value not in (0, 0.0, None, False)}


WELL = {"rows": 30, "actions": 30, "is_well": True}


# -- what comes of it ------------------------------------------------------------------------------------------------


def test_rows_that_are_right_are_the_same_afterwards(recorder: SQLiteRecorder, by_hand: apsw.Connection) -> None:
    before, was = rows(by_hand), shape(by_hand)
    account = rebuilt(recorder)
    assert account.comparison == Comparison(rows=30)
    assert account.comparison.agrees
    assert rows(by_hand) == before
    assert shape(by_hand) == was
    assert standing(recorder) == WELL


def test_it_can_be_done_again_and_again_and_whoever_opens_the_file_finds_nothing_missing(
    path: str, recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    before, was = rows(by_hand), shape(by_hand)
    for _ in range(3):
        assert rebuilt(recorder).is_complete
        with sqlite_ledger(path):
            assert (rows(by_hand), shape(by_hand)) == (before, was)


@pytest.mark.parametrize(
    ("damage", "told", "compared"),
    [
        pytest.param(
            "DELETE FROM actions WHERE rowid_ IN (3, 4)",
            {"rows": 28, "actions": 30, "missing": 2, "behind": 3},
            Comparison(30, missing=2),
            id="lost",
        ),
        pytest.param(
            "UPDATE actions SET version = version - 1 WHERE rowid_ = 3",
            {"rows": 30, "actions": 30, "behind": 1},
            Comparison(30, changed=1),
            id="behind",
        ),
        pytest.param(
            "UPDATE actions SET version = 99 WHERE rowid_ = 3",
            {"rows": 30, "actions": 30, "ahead": 1},
            Comparison(30, changed=1),
            id="ahead",
        ),
        pytest.param(
            "INSERT INTO actions (action_id, version, status, action_type, born, updated, searchable)"
            " SELECT 'act_stray', 1, 'failed', 'greet', born, updated, 1 FROM actions WHERE rowid_ = 3",
            {"rows": 31, "actions": 30, "stray": 1},
            Comparison(30, stray=1),
            id="stray",
        ),
        pytest.param(
            "UPDATE actions SET agent = NULL, searchable = 0 WHERE rowid_ = 3",
            {"rows": 30, "actions": 30, "unsearchable": 1},
            Comparison(30, changed=1),
            id="of an earlier release",
        ),
    ],
)
def test_what_is_wrong_with_rows_is_noticed_and_mended(
    damage: str, told: dict[str, Any], compared: Comparison, recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    before = rows(by_hand)
    by_hand.execute(_of_ids(damage))
    found = standing(recorder)
    assert found.pop("lag_s", 0) >= 0
    assert found == told
    account = rebuilt(recorder)
    assert (account.is_complete, account.comparison) == (True, compared)
    assert rows(by_hand) == before
    assert standing(recorder) == WELL


def _of_ids(statement: str) -> str:
    """`rowid_` is the number of an action, for the table has no rowid."""
    return statement.replace("rowid_", "CAST(substr(action_id, 5) AS INTEGER)")


def test_a_row_that_says_something_else_is_told_apart_by_the_comparison_alone(
    recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    before = rows(by_hand)
    by_hand.execute("UPDATE actions SET status = 'failed', agent = 'somebody' WHERE status = 'succeeded'")
    changed = by_hand.changes()
    assert standing(recorder) == WELL
    assert rebuilt(recorder).comparison == Comparison(30, changed=changed)
    assert rows(by_hand) == before


def test_an_action_whose_row_was_lost_is_looked_at_again(path: str) -> None:
    with sqlite_ledger(path, count=1, lives=[WAITS]) as recorder, closing(apsw.Connection(path)) as by_hand:
        (place,) = recorder.line(LATER, 9)
        by_hand.execute("DELETE FROM actions")
        assert recorder.line(LATER, 9) == []
        told = standing(recorder)
        assert (told["missing"], told["behind"]) == (1, 2)
        assert told["lag_s"] == pytest.approx(86_400, abs=10)
        rebuilt(recorder)
        assert recorder.line(LATER, 9) == [place]


def test_rows_can_be_put_in_their_places_one_by_one(recorder: SQLiteRecorder, by_hand: apsw.Connection) -> None:
    before = rows(by_hand)
    by_hand.execute(_of_ids("DELETE FROM actions WHERE rowid_ < 5"))
    by_hand.execute("UPDATE actions SET status = 'failed'")
    journal = recorder.journal()
    account = repair(
        recorder.upkeep(),
        lambda places: slices(journal, Views, EVERYTHING, places, 7),
        stop=lambda: False,
        tell=lambda _: None,
    )
    assert (account.is_complete, account.actions) == (True, 30)
    assert rows(by_hand) == before


def test_a_row_that_is_newer_keeps_its_place(recorder: SQLiteRecorder) -> None:
    record(recorder, "act_1", *WAITS)
    (old,) = look_into(recorder.journal())(["act_1"]).rows
    append(recorder, list(commits_of("act_1", (*WAITS, ("attempted", {"attempt": 2}))))[-1])
    recorder.upkeep().put([old])
    assert standing(recorder) == {"rows": 31, "actions": 31, "is_well": True}


def test_a_time_that_is_no_text_tells_no_lag_and_hides_nothing(
    recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    ((action_id,),) = by_hand.execute("SELECT min(action_id) FROM actions")
    by_hand.execute("DELETE FROM actions WHERE action_id = ?", (action_id,))
    by_hand.execute("UPDATE commits SET at = CAST(x'ff' AS TEXT) WHERE action_id = ?", (action_id,))
    found = standing(recorder)
    assert (found["missing"], found.get("lag_s", 0)) == (1, 0)


def test_how_many_actions_there_may_be_is_known_at_a_glance(recorder: SQLiteRecorder) -> None:
    record(recorder, "act_tomorrow", *SUCCEEDED, at=LATER)
    extent = recorder.upkeep().extent
    assert (extent(EVERYTHING), extent(Span(until=NOON.date())), extent(Span(since=LATER.date()))) == (31, 30, 1)


# -- what cannot be read ---------------------------------------------------------------------------------------------


def test_where_an_action_cannot_be_read_its_row_stays_and_it_is_named(
    recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    before = rows(by_hand)
    damaged, lost = f"act_{3:026d}", f"act_{4:026d}"
    by_hand.execute("UPDATE commits SET events = X'00' WHERE action_id IN (?, ?) AND version = 1", (damaged, lost))
    by_hand.execute("DELETE FROM actions WHERE action_id = ?", (lost,))
    account = rebuilt(recorder)
    assert account.is_complete
    assert [finding.action_id for finding in account.findings] == [damaged, lost]
    assert rows(by_hand) == [row for row in before if row[0] != lost]
    assert standing(recorder)["missing"] == 1


def test_a_row_that_a_newer_release_wrote_stays_as_it_wrote_it(
    recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    recorder.insert_events([StoredEvent(f"act_{0:026d}", 2, "action.of_tomorrow", b"{}")])
    by_hand.execute(_of_ids("UPDATE actions SET version = 2, status = 'of_tomorrow' WHERE rowid_ = 0"))
    before = rows(by_hand)
    (finding,) = rebuilt(recorder).findings
    assert finding.action_id == f"act_{0:026d}"
    assert rows(by_hand) == before


# -- interrupted -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(thirty: str, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The rows that a rebuild makes of nothing but the commits."""
    path = str(tmp_path_factory.mktemp("whole") / "ledger.db")
    shutil.copy(thirty, path)
    with sqlite_ledger(path) as recorder, closing(apsw.Connection(path)) as by_hand:
        by_hand.execute("DELETE FROM actions")
        rebuilt(recorder)
        return rows(by_hand)


@pytest.mark.parametrize("kept", [1, 2, 5, 7])
def test_what_was_interrupted_goes_on_and_comes_to_the_same(
    kept: int, path: str, thirty: str, uninterrupted: list[Any]
) -> None:
    shutil.copy(thirty, path)
    with sqlite_ledger(path) as first, closing(apsw.Connection(path)) as by_hand:
        by_hand.execute("DELETE FROM actions")
        stopped = rebuilt(first, stop_after=kept)
        assert (stopped.is_complete, stopped.resumed) == (False, False)
        assert standing(first)["is_rebuilt"]
    with sqlite_ledger(path) as second, closing(apsw.Connection(path)) as by_hand:
        assert rows(by_hand) == []
        account = rebuilt(second)
        assert (account.is_complete, account.resumed) == (True, True)
        assert stopped.actions + account.actions == 30
        assert rows(by_hand) == uninterrupted
        assert not standing(second).get("is_rebuilt")


def test_what_was_begun_in_parts_goes_on_in_parts(recorder: SQLiteRecorder, by_hand: apsw.Connection) -> None:
    before, journal = rows(by_hand), recorder.journal()
    by_hand.execute("DELETE FROM actions")
    anew = recorder.upkeep().rebuild(journal)
    anew.begin()
    told = tell(journal, Views(), EVERYTHING, 5, BEGINNING, 2)
    anew.keep(told.part, told.place, anew_of(told))
    account = rebuilt(recorder)
    assert (account.is_complete, account.resumed, told.actions + account.actions) == (True, True, 30)
    assert rows(by_hand) == before


def test_what_was_found_before_an_interruption_is_told_after_it(
    recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    by_hand.execute("UPDATE commits SET events = X'00' WHERE version = 1")
    stopped = rebuilt(recorder, stop_after=2)
    account = rebuilt(recorder)
    assert 0 < len(stopped.findings) < len(account.findings) == 30


def test_an_interrupted_rebuild_can_be_forgotten(recorder: SQLiteRecorder, by_hand: apsw.Connection) -> None:
    before, was = rows(by_hand), shape(by_hand)
    rebuilt(recorder, stop_after=3)
    recorder.upkeep().rebuild(recorder.journal()).abandon()
    assert (rows(by_hand), shape(by_hand)) == (before, was)
    assert not rebuilt(recorder).resumed


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE actions ADD COLUMN mood TEXT", "CREATE INDEX actions_by_mood ON actions (updated)"],
)
def test_where_rows_got_another_shape_meanwhile_it_begins_anew(
    change: str, recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    rebuilt(recorder, stop_after=3)
    by_hand.execute(change)
    was = {entry for entry in shape(by_hand) if entry[0] == "index"}
    account = rebuilt(recorder)
    assert (account.is_complete, account.resumed) == (True, False)
    assert {entry for entry in shape(by_hand) if entry[0] == "index"} <= was
    assert standing(recorder) == WELL


# -- while others write ----------------------------------------------------------------------------------------------


def begins(recorder: SQLiteRecorder) -> None:
    record(recorder, "act_new", *WAITS)


def goes_on(recorder: SQLiteRecorder) -> None:
    append(recorder, next(commits_of(f"act_{0:026d}", (REQUESTED, ("validated", {}))))[1:])


def is_written_by_an_earlier_release(recorder: SQLiteRecorder) -> None:
    """It knows fewer columns, and nothing of a table that is made."""
    with closing(apsw.Connection(recorder.path)) as other:
        other.set_busy_timeout(5_000)
        other.execute("BEGIN IMMEDIATE")
        other.execute(
            "INSERT INTO commits (action_id, version, events, last, at) SELECT 'act_old', version, events, last, at"
            " FROM commits WHERE action_id = ?",
            (f"act_{1:026d}",),
        )
        other.execute(
            "INSERT INTO actions (action_id, version, status, action_type, due_at, born, updated)"
            " SELECT 'act_old', version, status, action_type, due_at, born, updated FROM actions WHERE action_id = ?",
            (f"act_{1:026d}",),
        )
        other.execute("COMMIT")


@pytest.mark.parametrize("happens", [begins, goes_on, is_written_by_an_earlier_release])
@pytest.mark.parametrize("when", ["begun", "kept one", "kept all", "caught up", "compared"])
def test_what_happens_meanwhile_is_in_the_new_rows(
    when: str, happens: Callable[[SQLiteRecorder], None], path: str, recorder: SQLiteRecorder
) -> None:
    journal = recorder.journal()
    look, anew = look_into(journal), recorder.upkeep().rebuild(journal)
    with sqlite_ledger(path) as other:
        list(anew.begin())
        _if(when == "begun", happens, other)
        for told in slices(journal, Views, EVERYTHING, {}, 10):
            anew.keep(told.part, told.place, anew_of(told))
            _if(when == "kept one" and told.place.after == json.dumps(f"act_{9:026d}"), happens, other)
        _if(when == "kept all", happens, other)
        left = anew.catch_up(look)
        _if(when == "caught up", happens, other)
        compared = anew.compare()
        _if(when == "compared", happens, other)
        anew.switch(look)
    assert left == 0
    assert compared.missing == compared.stray == 0
    assert standing(recorder).pop("is_well")
    with closing(apsw.Connection(path)) as by_hand:
        kept = rows(by_hand)
        rebuilt(recorder)
        assert rows(by_hand) == kept


def _if(so: bool, happens: Callable[[SQLiteRecorder], None], recorder: SQLiteRecorder) -> None:
    if so:
        happens(recorder)


def test_an_older_slice_that_is_kept_late_takes_nothing_back(recorder: SQLiteRecorder) -> None:
    journal = recorder.journal()
    anew, look = recorder.upkeep().rebuild(journal), look_into(journal)
    anew.begin()
    read_early = list(slices(journal, Views, EVERYTHING, {}, 100))
    goes_on(recorder)
    anew.catch_up(look)
    for told in read_early:
        anew.keep(told.part, told.place, anew_of(told))
    anew.switch(look)
    assert standing(recorder) == WELL


def test_few_are_looked_at_while_writers_wait(recorder: SQLiteRecorder) -> None:
    journal = recorder.journal()
    anew = SQLiteRebuild(recorder._file, batch=4)
    anew.begin()
    for number in range(10):
        record(recorder, f"act_new_{number}", REQUESTED)
    looked: list[int] = []

    def look(ids: Any) -> Any:
        looked.append(len(ids))
        return look_into(journal)(ids)

    assert [anew.catch_up(look), anew.catch_up(look), anew.catch_up(look)] == [6, 2, 0]
    assert looked == [4, 4, 2]


def test_a_switch_that_fails_has_changed_nothing(recorder: SQLiteRecorder, by_hand: apsw.Connection) -> None:
    journal = recorder.journal()
    anew = recorder.upkeep().rebuild(journal)
    anew.begin()
    begins(recorder)
    before, was = rows(by_hand), shape(by_hand)

    def look(_: Any) -> Any:
        raise OperationalError("the disk is gone")

    with pytest.raises(OperationalError):
        anew.switch(look)
    assert (rows(by_hand), shape(by_hand)) == (before, was)
    assert rebuilt(recorder).is_complete


def test_processes_that_write_meanwhile_lose_nothing_and_nobody_is_forgotten(path: str) -> None:
    with sqlite_ledger(path, count=20, lives=[WAITS, ENDED]) as recorder, ExitStack() as ends:
        # Given two processes at work
        over = SPAWN.Event()
        answers = [ends.enter_context(started(path, over)) for _ in range(2)]
        answered = [lines.readline() for lines in answers]
        # When the rows are made anew, again and again
        accounts = [rebuilt(recorder, most=10) for _ in range(3)]
        over.set()
        answered += [line for lines in answers for line in lines]
        # Then every commit that was answered is in its row
        assert all(account.is_complete for account in accounts)
        assert standing(recorder)["is_well"]
        last = {action_id: int(version) for action_id, version in (line.split() for line in answered)}
        there = {view.action_id: view for view in recorder.views(None, 1_000_000)}
        assert {action_id: there[action_id].version for action_id in last} == last
        # and whoever waits will be looked at
        waiting = {view.action_id for view in there.values() if view.status == "retrying"}
        assert {place.action_id for place in recorder.line(LATER, 1_000_000)} >= waiting
        assert len(waiting) > 10
        with closing(apsw.Connection(path)) as connection:
            assert connection.pragma("integrity_check") == "ok"


@contextmanager
def started(path: str, over: Any) -> Iterator[TextIO]:
    """A process that acts until it is told to stop; the lines in which it names what it did."""
    reader, writer = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=act_until_told, args=(path, over, writer))
    process.start()
    writer.close()
    with closing(reader), os.fdopen(os.dup(reader.fileno())) as lines:
        try:
            yield lines
        finally:
            over.set()
        process.join(60)
        assert process.exitcode == 0
    process.close()


def test_every_life_is_among_those_that_were_made_anew() -> None:
    assert len(EVERY_LIFE) <= 30, "thirty actions are too few for one of each life"


def test_a_finding_is_taken_back_when_its_action_can_be_read_again(
    recorder: SQLiteRecorder, by_hand: apsw.Connection
) -> None:
    journal = recorder.journal()
    anew, look = recorder.upkeep().rebuild(journal), look_into(journal)
    anew.begin()
    broken = Finding(f"act_{0:026d}", 1, "it could not be read")
    anew.keep(0, Place(), Anew([], [broken]))
    assert anew.findings() == [broken]
    by_hand.execute("INSERT INTO rebuild_heard VALUES (?)", (broken.action_id,))
    anew.catch_up(look)
    assert anew.findings() == []
