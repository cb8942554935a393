"""What is found in one action, and that it is named by what was done, once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from domain.checkpoint import Leaf, Listed
from domain.commit import NOTHING, Commit
from domain.journal import Damaged, Row
from projections.evidence import Coverage, Judgement, Trouble, judged
from tests.evidence_house import life_of

LIFE = life_of("act_1", 3, 1, 2, 1)
"""Commits at versions 1, 4, 5 and 7."""
LATER = Coverage("2027-01-01T00:00:00.000000Z")
"""Long after all of them."""


def listed(commits: list[Commit]) -> list[Listed]:
    return [
        Listed(place, 1, Leaf(commit.action_id, commit.version, commit.hash, commit.previous is not None))
        for place, commit in enumerate(commits)
    ]


def found(
    rows: list[Row], known: list[Commit] | None = None, coverage: Coverage = LATER
) -> list[tuple[Trouble, int | None]]:
    """Beside leaves of `known`; with the chain alone where there is none."""
    judgement = judged("act_1", rows, listed(known or []), coverage if known else Coverage())
    return [(finding.trouble, finding.version) for finding in judgement.findings]


def edited(commit: Commit) -> Commit:
    return replace(commit, events=(("action.noted", b'{"note":"forged"}'), *commit.events[1:]), body=b"")


def rechained(life: list[Commit]) -> list[Commit]:
    """As one who knows how would leave it: each bears the hash of the one before."""
    chained: list[Commit] = []
    for commit in life:
        previous = chained[-1].hash if chained else NOTHING
        chained.append(replace(commit, previous=previous))
    return chained


def test_nothing_is_found_in_what_was_committed() -> None:
    judgement = judged("act_1", LIFE, listed(LIFE), LATER)
    assert judgement == Judgement(findings=[], places=[0, 1, 2, 3], commits=4, events=7)


@pytest.mark.parametrize("place", range(3))
def test_the_chain_breaks_behind_a_commit_that_was_edited(place: int) -> None:
    life = [*LIFE[:place], edited(LIFE[place]), *LIFE[place + 1 :]]
    assert found(life) == [(Trouble.CHAIN_BROKEN, LIFE[place + 1].version)]


@pytest.mark.parametrize("place", range(4))
def test_a_checkpoint_names_the_commit_that_was_edited_and_no_other(place: int) -> None:
    life = [*LIFE[:place], edited(LIFE[place]), *LIFE[place + 1 :]]
    assert found(life, LIFE) == [(Trouble.ALTERED, LIFE[place].version)]


@pytest.mark.parametrize("place", range(4))
def test_a_life_that_was_rewritten_to_its_end_is_found_by_a_checkpoint_alone(place: int) -> None:
    life = rechained([*LIFE[:place], edited(LIFE[place]), *LIFE[place + 1 :]])
    assert found(life) == []
    assert found(life, LIFE) == [(Trouble.ALTERED, commit.version) for commit in LIFE[place:]]


@pytest.mark.parametrize("field", ["at", "action_id", "previous"])
def test_whatever_else_of_a_commit_is_altered_is_found(field: str) -> None:
    other = {"at": "2026-03-01T12:00:00.000001Z", "action_id": "act_2", "previous": bytes(32)}[field]
    changed = replace(LIFE[1], **{field: other})
    assert found([LIFE[0], changed, *LIFE[2:]], LIFE) == [(Trouble.ALTERED, 4)]


@pytest.mark.parametrize("place", range(3))
def test_a_commit_that_was_deleted_is_named_by_a_checkpoint_and_its_gap_by_the_chain(place: int) -> None:
    life = LIFE[:place] + LIFE[place + 1 :]
    assert found(life) == [(Trouble.VERSIONS_MISSING, LIFE[place + 1].version)]
    assert found(life, LIFE) == [(Trouble.DELETED, LIFE[place].version)]


@pytest.mark.parametrize("place", range(1, 4))
def test_an_end_that_was_cut_off_is_found_by_a_checkpoint_alone(place: int) -> None:
    assert found(LIFE[:place]) == []
    assert found(LIFE[:place], LIFE) == [(Trouble.TRUNCATED, commit.version) for commit in LIFE[place:]]


def test_commits_that_changed_places_are_told_as_such() -> None:
    first, second, third, *rest = life_of("act_1", 1, 1, 1, 1)
    swapped = [first, replace(third, version=2), replace(second, version=3), *rest]
    assert found(swapped, [first, second, third, *rest]) == [(Trouble.REORDERED, 2), (Trouble.REORDERED, 3)]
    assert found(swapped) == [(Trouble.CHAIN_BROKEN, version) for version in (2, 3, 4)]


def test_a_commit_that_was_put_in_between_is_found() -> None:
    inserted = replace(LIFE[3], version=3)
    assert found([LIFE[0], edited(inserted), *LIFE[1:]], LIFE) == [(Trouble.INSERTED, 3)]
    assert found([LIFE[0], edited(inserted), *LIFE[1:]]) == [(Trouble.VERSIONS_REPEATED, 3)]


def test_a_commit_that_was_put_behind_the_others_is_found_where_it_says_that_it_is_old() -> None:
    inserted = edited(Commit("act_1", 8, LIFE[3].at, LIFE[3].hash, LIFE[3].events))
    assert found([*LIFE, inserted], LIFE) == [(Trouble.INSERTED, 8)]


def test_a_commit_before_one_that_a_checkpoint_holds_was_put_in_whatever_time_it_says() -> None:
    """A checkpoint takes in a life up to where it goes."""
    assert found(LIFE, [LIFE[0], LIFE[2]], Coverage(LIFE[0].at)) == [(Trouble.INSERTED, 4)]


def test_a_commit_that_was_repeated_is_told_as_such() -> None:
    repeated = Commit("act_1", 8, LIFE[1].at, LIFE[3].hash, LIFE[1].events)
    assert found([*LIFE, repeated], LIFE) == [(Trouble.DUPLICATED, 8)]


def test_what_is_newer_than_the_last_checkpoint_is_counted_and_no_finding() -> None:
    coverage = Coverage(LIFE[2].at)
    judgement = judged("act_1", LIFE, listed(LIFE[:2]), coverage)
    assert (judgement.findings, judgement.uncovered) == ([], 2)


def test_where_a_checkpoint_is_not_at_hand_nobody_can_tell_what_was_put_in() -> None:
    judgement = judged("act_1", LIFE, listed(LIFE[:2]), Coverage(None))
    assert (judgement.findings, judgement.uncovered) == ([], 2)


def test_what_earlier_checkpoints_vouch_for_is_not_looked_for() -> None:
    judgement = judged("act_1", LIFE, listed(LIFE[2:]), Coverage(LATER.until, since=LIFE[2].at))
    assert (judgement.findings, judgement.uncovered) == ([], 0)


def test_a_row_that_is_no_commit_is_told_and_hides_no_other() -> None:
    damaged = Damaged("act_1", 4, "it cannot be read")
    broken = edited(LIFE[2])
    assert found([LIFE[0], damaged, broken, LIFE[3]]) == [(Trouble.DAMAGED, 4), (Trouble.CHAIN_BROKEN, 7)]
    assert found([LIFE[0], damaged, LIFE[2], broken], LIFE)[0] == (Trouble.DAMAGED, 4)


def test_a_first_commit_that_names_one_before_it_is_found() -> None:
    assert found([replace(LIFE[0], previous=bytes(32))]) == [(Trouble.CHAIN_BROKEN, 1)]


def test_a_life_that_begins_late_is_found() -> None:
    assert found(LIFE[1:]) == [(Trouble.VERSIONS_MISSING, 4)]


def test_a_life_may_begin_at_version_0() -> None:
    zero = Commit("act_1", 0, LIFE[0].at, NOTHING, LIFE[0].events[:1])
    assert found([zero, replace(LIFE[0], previous=zero.hash)]) == []
    assert found([zero, LIFE[0]]) == [(Trouble.CHAIN_BROKEN, 1)]


def test_commits_from_before_commits_were_chained_are_counted() -> None:
    old = [replace(commit, previous=None) for commit in LIFE[:2]]
    life = [*old, replace(LIFE[2], previous=old[-1].hash)]
    judgement = judged("act_1", life, [], Coverage())
    assert (judgement.findings, judgement.unchained) == ([], 2)


def test_a_chain_that_was_taken_off_is_found() -> None:
    assert found([*LIFE[:2], replace(LIFE[2], previous=None), LIFE[3]])[0] == (Trouble.CHAIN_LOST, 5)


def test_a_commit_that_was_sealed_unchained_is_what_it_was() -> None:
    """An earlier release beside this one wrote it: told once, when it is sealed, and not for ever."""
    loose = replace(LIFE[2], previous=None)
    life = [*LIFE[:2], loose, replace(LIFE[3], previous=loose.hash)]
    assert found(life) == [(Trouble.CHAIN_LOST, 5)]
    assert found(life, life) == []
    assert found([*LIFE[:2], loose, LIFE[3]], LIFE)[0] == (Trouble.ALTERED, 5)


def said_at(*times: str | None, at: str = "2026-03-01T12:00:05.000000Z") -> Commit:
    states = [json.dumps({"note": "x"} if time is None else {"at": time, "note": "x"}).encode() for time in times]
    return Commit("act_1", 1, at, NOTHING, tuple(("action.noted", state) for state in states))


@pytest.mark.parametrize(
    ("times", "agree"),
    [
        (("2026-03-01T12:00:05.000000Z",), True),
        (("2026-03-01T12:00:04.000000Z", "2026-03-01T12:00:05.000000Z"), True),
        (("2020-03-01T12:00:05.000000Z",), False),
        (("2026-03-01T12:00:05.000000Z", "2020-03-01T12:00:05.000000Z"), False),
        (("2026-03-01T12:00:06.000000Z", "2026-03-01T12:00:05.000000Z"), True),  # a clock that was set back
        (("2026-03-01T13:00:06.000000Z", "2026-03-01T12:00:05.000000Z"), False),
        ((None,), True),
        (("2026-03-01T12:00:05.000000Z", None), True),
    ],
)
def test_a_commit_is_of_the_time_of_its_last_event(times: tuple[str | None, ...], agree: bool) -> None:
    commit = said_at(*times)
    expected = [] if agree else [(Trouble.TIMES_DISAGREE, 1)]
    assert found([commit]) == found([commit], [commit]) == expected


@pytest.mark.parametrize(
    ("state", "agree"),
    [
        (b'{"at":"2026-03-01T12:00:05.000000Z","note":"x"}', True),
        (b'{"at":"2026-03-01T12:00:05.000000Z","note":{"at":"2020"}}', True),
        (b'{"at":"2026-03-01T12:00:05.000000Z","at":"2020"}', False),
        (b'{"at":"2026-03-01T12:00:05.000000Z","\\u0061t":"2020"}', False),
        (b"no JSON", True),
        (b"[" * 100_000, True),
        (b'["at"]', True),
        (b'{"at":2020}', True),
    ],
)
def test_the_time_of_an_event_is_the_one_that_its_readers_read(state: bytes, agree: bool) -> None:
    commit = replace(said_at(None), events=(("action.noted", state),), body=b"")
    assert found([commit]) == ([] if agree else [(Trouble.TIMES_DISAGREE, 1)])


def test_a_first_commit_whose_chain_was_taken_off_is_found_by_a_checkpoint() -> None:
    """Its hash is the same: the leaf list knows."""
    loose = replace(LIFE[0], previous=None)
    assert loose.hash == LIFE[0].hash
    assert found([loose, *LIFE[1:]], LIFE) == [(Trouble.ALTERED, 1)]
