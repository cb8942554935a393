"""What happened is told once more: whole lives to a projection, what is wrong with the others by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent

from adapters.memory_events import MemoryRecorder
from domain.action import Action, Order
from domain.commit import Commit
from domain.journal import EVERYTHING, Damaged, Life, Row
from domain.ledger import ActionMapper
from projections.counts import Counts
from projections.rebuild import Anew, Views, look_into
from projections.replay import BEGINNING, Place, Projection, Slice, Story, only, tell, told_of
from projections.rows import Rows
from projections.status import view_of
from projections.view import ActionView, row_of
from tests.given import LEADING_TO, NOON, REQUESTED, SUCCEEDED, VALIDATED
from tests.recorded_lives import EVERY_LIFE, many, record

HOUR = timedelta(hours=1)


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder()


def told(recorder: MemoryRecorder, projection: Projection) -> Slice:
    """The whole ledger, told to it."""
    return tell(recorder.journal(), projection, EVERYTHING, 0, BEGINNING, 10_000)


def lives(recorder: MemoryRecorder, **rows: Sequence[Row]) -> Iterator[Life]:
    """What is in the ledger, where somebody has put other rows in the place of some lives."""
    for life in recorder.journal().lives():
        yield replace(life, rows=tuple(rows.get(life.action_id, life.rows)))


def commits(recorder: MemoryRecorder, action_id: str) -> list[Commit]:
    life = recorder.journal().life(action_id)
    assert life is not None
    return [row for row in life.rows if isinstance(row, Commit)]


# -- counts ----------------------------------------------------------------------------------------------------------


def test_it_counts_who_came_to_which_status_in_which_hour(recorder: MemoryRecorder) -> None:
    record(recorder, "act_1", *SUCCEEDED)
    record(recorder, "act_2", *SUCCEEDED, at=NOON + HOUR)
    record(recorder, "act_3", REQUESTED, VALIDATED)
    counted = {
        (row["hour"], row["action_type"], row["status"]): row["count"] for row in told(recorder, Counts()).result
    }
    assert counted == {
        ("2026-03-01T12", "greet", "requested"): 2,
        ("2026-03-01T12", "greet", "scheduled"): 2,
        ("2026-03-01T12", "greet", "attempted"): 1,
        ("2026-03-01T12", "greet", "succeeded"): 1,
        ("2026-03-01T13", "greet", "requested"): 1,
        ("2026-03-01T13", "greet", "scheduled"): 1,
        ("2026-03-01T13", "greet", "attempted"): 1,
        ("2026-03-01T13", "greet", "succeeded"): 1,
    }


def test_what_came_to_no_other_status_is_not_counted(recorder: MemoryRecorder) -> None:
    record(recorder, "act_1", REQUESTED, VALIDATED, ("brought_forward", {}), ("deferred", {"reason": "busy"}))
    assert [row["status"] for row in told(recorder, Counts()).result] == ["requested", "scheduled"]


def test_the_number_of_events_is_told_beside(recorder: MemoryRecorder) -> None:
    record(recorder, "act_1", *SUCCEEDED)
    record(recorder, "act_2", REQUESTED)
    whole = told(recorder, Counts())
    assert (whole.actions, whole.events, whole.findings) == (2, 5, ())


# -- rows ------------------------------------------------------------------------------------------------------------


def test_rows_made_of_events_are_the_rows_that_were_kept(recorder: MemoryRecorder) -> None:
    many(recorder, len(EVERY_LIFE))
    kept = [row_of(view) for view in recorder.views(None, 1_000, oldest_first=True)]
    assert len(kept) == len(LEADING_TO) - 1
    assert told(recorder, Rows()).result == kept
    assert sorted(told(recorder, Views()).result, key=lambda view: view.born) == recorder.views(
        None, 1_000, oldest_first=True
    )


def test_rows_of_some_actions_are_made_of_what_is_there_now(recorder: MemoryRecorder) -> None:
    record(recorder, "act_1", *SUCCEEDED)
    record(recorder, "act_2", REQUESTED)
    assert look_into(recorder.journal())(["act_2", "act_unknown"]) == Anew(recorder.views("requested", 1))


@pytest.fixture
def pruned(recorder: MemoryRecorder) -> ActionView:
    """The row of an action whose life is in an archive, but for the event that says so."""
    record(recorder, "act_1", *SUCCEEDED)
    action = Story("act_1", commits(recorder, "act_1")).standing
    assert isinstance(action, Action)
    action.archive("2026-03.jsonl", 0, Order("ada", "it is old"), at=NOON + HOUR)
    archived: Any = action.pending_events[-1]
    view = view_of(archived.mutate(None))
    head = commits(recorder, "act_1")[-1].hash
    stored = ActionMapper(JSONTranscoder()).to_stored_event(archived)
    recorder.supersede_events([stored], head=head, at=NOON + HOUR, view=view)
    return view


def test_a_life_whose_beginning_is_in_an_archive_has_its_row_and_is_not_counted_as_if_it_were_all(
    recorder: MemoryRecorder, pruned: ActionView
) -> None:
    assert told(recorder, Views()).result == [pruned]
    counted = told(recorder, Counts())
    (finding,) = counted.findings
    assert (counted.result, finding.problem) == ([], "what was before version 5 is in an archive")


# -- what is wrong with some hides no other ----------------------------------------------------------------------------


class Failing:
    """Made for a test: it stumbles over one action, and says what that action said."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def apply(self, story: Story) -> None:
        if story.action_id == "act_2":
            raise RuntimeError(f"{story.first}")
        self.told.append(story.action_id)

    def result(self) -> list[str]:
        return self.told

    def add(self, result: Any) -> None:
        self.told += result


def test_an_action_that_a_projection_stumbles_over_is_named_and_the_others_are_told(recorder: MemoryRecorder) -> None:
    for number in range(1, 4):
        record(recorder, f"act_{number}", *SUCCEEDED)
    whole = told(recorder, Failing())
    assert whole.result == ["act_1", "act_3"]
    (finding,) = whole.findings
    assert finding.as_dict() == {"action_id": "act_2", "version": 1, "problem": "it cannot be told (RuntimeError)"}


def test_a_damaged_row_is_named_and_its_action_left_out(recorder: MemoryRecorder) -> None:
    for number in range(1, 4):
        record(recorder, f"act_{number}", *SUCCEEDED)
    first, _ = commits(recorder, "act_2")
    rows = lives(recorder, act_2=(first, Damaged("act_2", 4, "it cannot be read")))
    whole = told_of(rows, Rows(), 0, BEGINNING, 10)
    assert [row["action_id"] for row in whole.result] == ["act_1", "act_3"]
    assert [(finding.action_id, finding.version, finding.problem) for finding in whole.findings] == [
        ("act_2", 4, "it cannot be read")
    ]
    assert (whole.actions, whole.events) == (3, 8)


@pytest.mark.parametrize(
    ("kept", "version"),
    [pytest.param([1], 4, id="the first is gone"), pytest.param([0, 2], 5, id="one between is gone")],
)
def test_a_life_with_a_gap_is_not_told(recorder: MemoryRecorder, kept: list[int], version: int) -> None:
    record(recorder, "act_1", *LEADING_TO[next(life for life in LEADING_TO if life == "failed")])
    rows = commits(recorder, "act_1")
    whole = told_of(lives(recorder, act_1=[rows[place] for place in kept]), Counts(), 0, BEGINNING, 10)
    assert (whole.result, [finding.version for finding in whole.findings]) == ([], [version])


def test_a_commit_that_comes_twice_is_a_gap_too(recorder: MemoryRecorder) -> None:
    record(recorder, "act_1", *SUCCEEDED)
    first, second = commits(recorder, "act_1")
    whole = told_of(lives(recorder, act_1=[first, second, second]), Counts(), 0, BEGINNING, 10)
    assert [finding.problem for finding in whole.findings] == ["the commit at version 4 does not follow version 4"]


@pytest.mark.parametrize(
    "state", [b"{", b'{"at": "yesterday"}', b'{"at": "2026-03-01T12:00:00.000000Z", "schema": 99}'], ids=str
)
def test_an_event_that_cannot_be_read_is_named_by_the_ledgers_own_error(recorder: MemoryRecorder, state: bytes) -> None:
    record(recorder, "act_1", REQUESTED)
    recorder.insert_events([StoredEvent("act_1", 2, "action.validated", state)])
    record(recorder, "act_2", REQUESTED)
    whole = told(recorder, Rows())
    assert [row["action_id"] for row in whole.result] == ["act_2"]
    (finding,) = whole.findings
    assert "version 2" in finding.problem


@pytest.mark.parametrize(
    ("topic", "state", "problem"),
    [
        ("action.teleported", b"{}", "no event is registered"),
        ("action.cancelled", b'{"at": "2026-03-01T12:00:00.000000Z", "schema": 9}', "has schema 9"),
        ("action.cancelled", b"{", "cannot be read"),
        ("action.cancelled", b"", "cannot be read"),
    ],
)
def test_who_only_counts_events_does_not_count_what_is_unknown(
    recorder: MemoryRecorder, topic: str, state: bytes, problem: str
) -> None:
    record(recorder, "act_1", REQUESTED)
    recorder.insert_events([StoredEvent("act_1", 2, topic, state)])
    whole = told(recorder, Counts())
    assert whole.result == []
    (finding,) = whole.findings
    assert (finding.action_id, "version 2" in finding.problem, problem in finding.problem) == ("act_1", True, True)


def test_a_row_of_an_action_that_cannot_be_read_stays(recorder: MemoryRecorder) -> None:
    record(recorder, "act_1", REQUESTED)
    recorder.insert_events([StoredEvent("act_1", 2, "action.unheard_of", b"{}")])
    anew = look_into(recorder.journal())(["act_1"])
    assert (anew.rows, [finding.action_id for finding in anew.findings]) == ([], ["act_1"])


# -- slices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3, 7, 8])
def test_slices_tell_all_of_it_once(recorder: MemoryRecorder, most: int) -> None:
    many(recorder, 7)
    place, pieces = BEGINNING, []
    while not place.is_over:
        pieces.append(tell(recorder.journal(), Views(), EVERYTHING, 0, place, most))
        place = pieces[-1].place
    rows = [view for piece in pieces for view in piece.result]
    assert rows == told(recorder, Views()).result
    assert sum(piece.actions for piece in pieces) == 7


def test_a_slice_that_ends_with_a_finding_is_not_told_again(recorder: MemoryRecorder) -> None:
    for number in range(1, 5):
        record(recorder, f"act_{number}", REQUESTED)
    first = tell(recorder.journal(), Failing(), EVERYTHING, 0, BEGINNING, 2)
    rest = tell(recorder.journal(), Failing(), EVERYTHING, 0, first.place, 10)
    assert [finding.action_id for finding in (*first.findings, *rest.findings)] == ["act_2"]
    assert (first.result, rest.result) == (["act_1"], ["act_3", "act_4"])


@pytest.mark.parametrize("made", [Counts, Rows])
def test_what_slices_made_is_added_up(recorder: MemoryRecorder, made: type[Projection]) -> None:
    many(recorder, 9)
    half = tell(recorder.journal(), made(), EVERYTHING, 0, BEGINNING, 4)
    rest = tell(recorder.journal(), made(), EVERYTHING, 0, half.place, 100)
    whole = made()
    whole.add(half.result)
    whole.add(rest.result)
    assert whole.result() == told(recorder, made()).result


def test_a_place_behind_all_that_there_is_has_nothing_left(recorder: MemoryRecorder) -> None:
    many(recorder, 2)
    end = tell(recorder.journal(), Counts(), EVERYTHING, 0, BEGINNING, 2).place
    assert not end.is_over
    assert tell(recorder.journal(), Counts(), EVERYTHING, 0, end, 2).place == Place(end.after, is_over=True)


def test_one_action_is_told_alone(recorder: MemoryRecorder) -> None:
    many(recorder, 3)
    (life,) = only(recorder.journal(), f"act_{1:026d}")
    story = Story(life.action_id, commits(recorder, life.action_id))
    assert view_of(story.standing) == next(view for view in recorder.views(None, 9) if view.action_id == life.action_id)
    assert list(only(recorder.journal(), "act_unknown")) == []
