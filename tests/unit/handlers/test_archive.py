"""Copying and pruning: nothing is lost, nothing is done twice, and a legal hold beats any age."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.action import Action, Lease, Order
from domain.archive import Illegible, Manifest, file_of
from domain.base_action import Attempt
from domain.commit import Commit
from domain.errors import ConfigurationError, LedgerConflict, LedgerUnavailable
from domain.hold import Hold
from domain.identity import compensating_action_id, step_action_id
from domain.journal import EVERYTHING, Journal, Life, Row, Span
from domain.merkle import head_of
from domain.outcome import Permanent, Retry, Succeeded, Unknown
from domain.policy import Delivery
from domain.workflow import WorkflowRun
from domain.workflow_standing import StepStatus
from handlers.archive.holds import legal_holds
from tests.archive_house import ADA, ArchiveHouse, Died
from tests.house import greet, words

NEVER = Permanent("http_404", "no such thing")
UNKNOWN = Unknown("timed_out", "no answer")
LATER = Retry("http_429", "slow down", retry_after=86_400 * 3_000)

MakeHouse = Callable[..., ArchiveHouse]


@pytest.fixture(params=["memory", "sqlite"])
def make_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeHouse]:
    """Whatever store the ledger has."""
    houses: list[ArchiveHouse] = []

    def make(*answers: Any) -> ArchiveHouse:
        path = tmp_path / f"{len(houses)}.db" if request.param == "sqlite" else None
        houses.append(ArchiveHouse(*answers, path=path))
        return houses[-1]

    yield make
    for house in houses:
        house.agent.close()


@pytest.fixture
def house(make_house: MakeHouse) -> ArchiveHouse:
    return make_house()


def archived(house: ArchiveHouse) -> str:
    """An action of long ago that is in the archive alone."""
    action_id = house.act(idempotency_key="ada-1")
    house.years_pass()
    assert house.copy().lives == 1
    assert house.prune().pruned == 1
    return action_id


# -- what is copied ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "options", "status", "is_copied"),
    [
        ([], {}, "succeeded", True),
        ([NEVER], {}, "failed", True),
        ([], {"mode": "accept"}, "scheduled", False),
        ([LATER], {}, "retrying", False),
        ([UNKNOWN], {}, "in_doubt", False),
    ],
)
def test_what_is_over_is_copied_and_stays_where_it_is(
    make_house: MakeHouse, answers: list[Any], options: dict[str, Any], status: str, is_copied: bool
) -> None:
    house = make_house(*answers)
    action_id = house.act(options=options)
    before = house.commits(action_id)
    house.years_pass()
    report = house.copy()
    assert house.agent.status(action_id)["status"] == status
    assert (report.lives, sum(report.stay.values())) == ((1, 0) if is_copied else (0, 1))
    assert house.commits(action_id) == before
    assert house.verify().findings == () if is_copied else house.shelf.files == {}


def test_what_is_held_by_a_rule_is_not_over(house: ArchiveHouse) -> None:
    house.agent.process(greet(), hold=Hold("review", "a person looks"))
    house.years_pass()
    assert house.copy().stay == {"open": 1}


def test_what_was_rejected_is_over_too(house: ArchiveHouse) -> None:
    house.agent.process({"action_type": "greet", "parameters": {}})
    house.years_pass()
    assert house.copy().lives == 1


@pytest.mark.parametrize(("days", "lives"), [(399, 0), (401, 1)])
def test_age_is_counted_from_the_last_thing_that_happened(house: ArchiveHouse, days: int, lives: int) -> None:
    house.act()
    house.clock.pass_time(86_400 * days)
    assert house.copy().lives == lives


def test_what_was_born_long_ago_and_touched_yesterday_is_young(make_house: MakeHouse) -> None:
    house = make_house(NEVER)
    action_id = house.act()
    house.years_pass()
    house.agent.redrive(action_id, **ADA)
    house.agent.advance(action_id)
    house.clock.pass_time(86_400)
    assert (house.copy().lives, house.copy().stay) == (0, {"younger": 1})


def test_what_is_copied_is_not_copied_again_until_it_changes(make_house: MakeHouse) -> None:
    house = make_house(NEVER)
    action_id = house.act()
    house.years_pass()
    house.copy()
    again = house.copy()
    assert (again.lives, again.before, len(house.archive.places_of(action_id))) == (0, 1, 1)
    house.agent.redrive(action_id, **ADA)
    house.agent.advance(action_id)
    house.years_pass()
    changed = house.copy()
    assert (changed.lives, changed.before) == (1, 0)
    assert [place.manifest.number for place in house.archive.places_of(action_id)] == [2, 1]
    assert house.verify().findings == ()


def test_files_are_by_the_month_of_birth(house: ArchiveHouse) -> None:
    for _ in range(3):
        house.act()
        house.clock.pass_time(86_400 * 20)
    house.years_pass()
    house.copy()
    assert [name[:7] for name in house.shelf.lives] == ["2026-03", "2026-04"]
    verified = house.verify()
    assert (verified.manifests, verified.files, verified.lives, verified.findings) == (1, 2, 3, ())


def test_what_cannot_be_read_by_this_release_stays_and_what_is_damaged_is_named(house: ArchiveHouse) -> None:
    newer, damaged, sound = house.act(), house.act(), house.act()
    recorder = house.ledger.recorder
    recorder.insert_events([StoredEvent(newer, 5, "action.reported", b'{"at":"2026-03-01T12:00:00Z","schema":2}')])
    recorder.insert_events([StoredEvent(damaged, 5, "action.reported", b"{")])
    house.years_pass()
    report = house.copy()
    assert (report.lives, report.stay) == (1, {"unreadable": 1})
    assert [(finding.name, finding.problem) for finding in report.findings] == [(damaged, "version 5 is damaged")]
    assert house.archive.places_of(sound)


def test_a_step_stays_as_long_as_its_run_is_open(make_house: MakeHouse) -> None:
    house = make_house(Succeeded({}), UNKNOWN)
    definition = """
    name: greetings
    steps:
      - {id: first, uses: greet, with: {name: Ada}}
      - {id: second, uses: greet, with: {name: Eve}, needs: [first]}
    """
    run = house.agent.start_workflow_run(definition, wait=1.0)
    first, second = [step["action_id"] for step in run["steps"]]
    house.years_pass()
    assert house.copy().stay == {"its run is open": 1, "open": 2}
    house.agent.resolve(second, executed=True, **ADA)
    assert house.agent.workflow_status(run["run_id"])["status"] == "completed"
    house.years_pass()
    assert house.copy().lives == 3
    assert house.prune().stay == {"a workflow run": 1}
    assert [len(house.commits(any_id)) for any_id in (first, second)] == [1, 1]
    assert house.agent.workflow_status(run["run_id"])["status"] == "completed"


def test_a_run_stays_as_long_as_the_run_is_open_of_which_it_is_a_step(house: ArchiveHouse) -> None:
    outer, inner = run_of(house, "run_1"), run_of(house, "run_2", run="run_1", step="sub")
    inner.end_step("first", StepStatus.SUCCEEDED, at=house.clock.now())
    inner.complete(at=house.clock.now())
    inner.reported(at=house.clock.now())
    for one in (outer, inner, step_of(house, "run_2", "first")):
        house.ledger.record(one)
    house.years_pass()
    assert house.copy().stay == {"open": 1, "its run is open": 2}


def test_what_a_schedule_has_started_is_let_go_while_the_schedule_lives(house: ArchiveHouse) -> None:
    schedule, run = run_of(house, "run_1"), run_of(house, "run_2", run="run_1", step="2023-11-14T00:00:00.000000Z")
    schedule.schedule(house.clock.now(), at=house.clock.now())
    run.end_step("first", StepStatus.SUCCEEDED, at=house.clock.now())
    run.complete(at=house.clock.now())
    run.reported(at=house.clock.now())
    for one in (schedule, run, step_of(house, "run_2", "first")):
        house.ledger.record(one)
    house.years_pass()
    report = house.copy()
    assert (report.lives, report.stay) == (2, {"open": 1})
    assert house.prune().pruned == 1


def step_of(house: ArchiveHouse, run_id: str, step: str) -> Action:
    """An action that is over, and of which its run has heard."""
    at = house.clock.now()
    request = {"action_type": "greet", "parameters": {"name": "Ada"}, "workflow": {"run": run_id, "step": step}}
    action = Action.requested(step_action_id(run_id, step), request=request, fingerprint="f", effect_key="k", at=at)
    action.validate(at=at)
    action.cancel(Order("ada", "not any more"), at=at)
    action.reported(at=at)
    return action


def run_of(house: ArchiveHouse, run_id: str, **cause: str) -> WorkflowRun:
    document = {"name": "greetings", "steps": [{"id": "first", "uses": "greet", "with": {}}]}
    run = WorkflowRun.started(
        run_id,
        name="greetings",
        definition=document,
        definition_hash="0" * 64,
        inputs={},
        cause=cause,
        at=house.clock.now(),
    )
    run.begin_callback("first", None, at=house.clock.now())
    return run


def test_what_has_still_to_be_told_to_somebody_is_not_over(house: ArchiveHouse) -> None:
    """A compensation that is over is due until the action that it takes back has heard of it."""
    action_id = house.act(action_type="greet_reversibly")
    undo = compensating_action_id(action_id)
    at = house.clock.now()
    action = house.ledger.load(action_id)
    action.request_compensation(undo, Order("ada", "it was wrong"), look_at=at, at=at)
    house.ledger.record(action)
    request = {"action_type": "ungreet", "parameters": {"name": "Ada"}, "compensates": action_id}
    compensation = Action.requested(undo, request=request, fingerprint="f", effect_key="k", at=at)
    compensation.validate(at=at)
    compensation.cancel(Order("ada", "not after all"), at=at)
    house.ledger.record(compensation)
    house.years_pass()
    assert house.copy().stay == {"open": 2}
    house.agent.advance(undo)
    house.years_pass()
    assert house.copy().lives == 2


# -- what is pruned ---------------------------------------------------------------------------------------------------


def test_what_is_pruned_leaves_one_event_and_is_told_whole_where_the_archive_is_at_hand(house: ArchiveHouse) -> None:
    action_id = house.act(idempotency_key="ada-1")
    before, history = house.agent.status(action_id), house.agent.history(action_id)
    house.years_pass()
    house.copy()
    house.prune()
    assert [(commit.version, len(commit.events)) for commit in house.commits(action_id)] == [(5, 1)]
    told = house.agent.status(action_id)
    assert (told["status"], told["attempts"], told["error"]["code"]) == ("succeeded", 1, "archived")
    assert [entry["type"] for entry in house.agent.history(action_id)] == ["archived"]
    house.at_hand()
    assert house.agent.status(action_id) == before
    assert house.agent.history(action_id)[:-1] == history
    assert house.agent.history(action_id)[-1]["data"]["by"] == "retention"


def test_nothing_of_what_it_said_is_left_in_the_ledger(tmp_path: Path) -> None:
    house = ArchiveHouse(path=tmp_path / "ledger.db")
    action_id = house.act(correlation_id="case-of-ada", decision={"id": "d-1", "agent": "renewals"})
    house.years_pass()
    house.copy()
    house.prune()
    (commit,) = house.commits(action_id)
    assert b"Ada" not in commit.body
    (row,) = house.agent.list_actions()
    assert (row["status"], row["action_type"], row["version"], row["due_at"]) == ("succeeded", "greet", 5, None)
    assert "case-of-ada" not in str(row)
    assert "d-1" not in str(row)
    house.agent.close()


def test_a_chain_leads_from_the_archive_into_the_ledger(house: ArchiveHouse) -> None:
    action_id = house.act()
    head = house.commits(action_id)[-1].hash
    house.years_pass()
    house.copy()
    house.prune()
    assert house.commits(action_id)[0].previous == head
    assert [commit.version for commit in house.commits(action_id, whole=True)] == [1, 4, 5]


@pytest.mark.parametrize("at_hand", [False, True])
def test_the_key_of_what_was_pruned_is_still_taken(house: ArchiveHouse, at_hand: bool) -> None:
    action_id = archived(house)
    if at_hand:
        house.at_hand()
    told = house.agent.process(greet(idempotency_key="ada-1"))
    assert (told["action_id"], told["status"], told["duplicate"]) == (action_id, "succeeded", True)
    assert told["result"] == ({"greeting": "Hello"} if at_hand else None)
    other = house.agent.process({**greet(idempotency_key="ada-1"), "parameters": {"name": "Eve"}})
    assert other["error"]["code"] == "idempotency_mismatch"
    assert len(house.provider.attempts) == 1


def test_the_decision_of_what_was_pruned_is_still_taken(house: ArchiveHouse) -> None:
    decided = greet(decision={"id": "d-1", "agent": "renewals"})
    action_id = house.agent.process(decided)["action_id"]
    house.years_pass()
    house.copy()
    house.prune()
    assert house.agent.process(decided)["action_id"] == action_id
    assert len(house.provider.attempts) == 1


def test_whoever_would_begin_it_anew_is_refused_by_the_store_itself(house: ArchiveHouse) -> None:
    """An earlier release knows nothing of `archived`, and asks with the same condition."""
    action_id = archived(house)
    for version in (1, 2, 5):
        with pytest.raises(IntegrityError):
            house.ledger.recorder.insert_events([StoredEvent(action_id, version, "action.requested", b"{}")])
    assert len(house.commits(action_id)) == 1


def test_what_a_zombie_brings_late_is_kept_and_not_applied(house: ArchiveHouse) -> None:
    """It read the action before it was pruned, and comes after."""
    action_id = house.act()
    zombie = house.ledger.load(action_id)
    house.years_pass()
    house.copy()
    house.prune()
    zombie.succeed(Succeeded({"late": True}), epoch=3, at=house.clock.now())
    with pytest.raises(LedgerConflict):
        house.ledger.record(zombie)
    again = house.ledger.load(action_id)
    again.succeed(Succeeded({"late": True}), epoch=3, at=house.clock.now())
    house.ledger.record(again)
    assert words(house.agent, {"action_id": action_id}) == ["archived", "late_outcome"]
    assert house.agent.status(action_id)["status"] == "succeeded"


ACTS: dict[str, Callable[[ArchiveHouse, str], dict[str, Any]]] = {
    "cancel": lambda house, action_id: house.agent.cancel(action_id, **ADA),
    "redrive": lambda house, action_id: house.agent.redrive(action_id, **ADA),
    "resolve": lambda house, action_id: house.agent.resolve(action_id, executed=False, **ADA),
    "retry_now": lambda house, action_id: house.agent.retry_now(action_id, **ADA),
    "undo": lambda house, action_id: house.agent.undo(action_id, **ADA),
    "undo by force": lambda house, action_id: house.agent.undo(action_id, force=True, **ADA),
    "advance": lambda house, action_id: house.agent.advance(action_id),
}


@pytest.mark.parametrize("answer", [None, NEVER])
@pytest.mark.parametrize("act", ACTS)
def test_what_was_pruned_stays_as_it_is(make_house: MakeHouse, act: str, answer: Any) -> None:
    house = make_house(*([answer] if answer else []))
    action_id = house.act()
    house.years_pass()
    house.copy()
    house.prune()
    told = ACTS[act](house, action_id)
    assert (told["action_id"], told["error"]["code"]) == (action_id, "archived")
    assert words(house.agent, told) == ["archived"]
    assert len(house.provider.attempts) == 1


def test_a_second_prune_finds_nothing_to_do(house: ArchiveHouse) -> None:
    action_id = archived(house)
    report = house.prune()
    assert (report.pruned, report.stay, report.findings) == (0, {"pruned before": 1}, [])
    assert house.copy().lives == 0
    assert len(house.commits(action_id)) == 1


def test_pruning_may_be_later_than_copying(house: ArchiveHouse) -> None:
    house.act()
    house.years_pass()
    house.copy()
    assert house.prune(before=house.clock.now() - timedelta(days=800)).stay == {"younger": 1}
    house.years_pass()
    assert house.prune(before=house.clock.now() - timedelta(days=800)).pruned == 1


def test_what_has_changed_since_it_was_copied_stays(make_house: MakeHouse) -> None:
    house = make_house(NEVER)
    action_id = house.act()
    house.years_pass()
    house.copy()
    house.agent.redrive(action_id, **ADA)
    house.agent.advance(action_id)
    before = house.commits(action_id)
    assert house.prune().stay == {"changed since": 1}
    assert house.commits(action_id) == before


def test_a_ledger_that_gives_nothing_up_says_so(house: ArchiveHouse) -> None:
    class Keeping:
        """As DynamoDB: it has everything but a way to give up."""

    house.act()
    house.years_pass()
    house.copy()
    journal, recorder = house.journal, house.ledger.recorder
    house.ledger.recorder = Keeping()  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="SQLite"):
        house.prune(journal=journal)
    house.ledger.recorder = recorder


def test_only_the_archived_commit_may_be_superseded(house: ArchiveHouse) -> None:
    action_id = house.act()
    action = house.ledger.load(action_id)
    action.archive("a file", 0, Order("ada", "it is old"), at=house.clock.now())
    before = house.commits(action_id)
    with pytest.raises(LedgerConflict):
        house.ledger.supersede(action, before[0].hash)
    assert house.commits(action_id) == before


# -- a damaged archive ------------------------------------------------------------------------------------------------


def test_nothing_goes_that_only_a_damaged_file_would_hold(house: ArchiveHouse) -> None:
    first = house.act()
    house.clock.pass_time(86_400 * 40)
    second = house.act()
    house.years_pass()
    house.copy()
    house.shelf.damage(house.shelf.lives[0])
    report = house.prune()
    assert (report.pruned, [finding.name for finding in report.findings]) == (1, house.shelf.lives[:1])
    assert [len(house.commits(action_id)) for action_id in (first, second)] == [2, 1]


def test_nothing_goes_where_the_ledger_says_something_else(house: ArchiveHouse) -> None:
    """Somebody has edited one of the two; nobody can tell which."""
    action_id = house.act()
    house.years_pass()
    life = house.commits(action_id)
    other = [*life[:-1], Commit(action_id, 4, life[-1].at, life[-1].previous, (("action.failed", b"{}"),))]
    filed, data = file_of("2026-03", [other])
    manifest = Manifest(1, life[0].at, life[0].at, 2, head_of(c.hash for c in other), None, None, (filed,))
    house.shelf.files = {filed.name: data, manifest.name: manifest.text}
    assert house.verify().findings == ()
    assert house.prune().stay == {"changed since": 1}
    assert house.commits(action_id) == life


def _made_anew(house: ArchiveHouse) -> None:
    manifest = replace(house.archive.manifest(1), before="2020-01-01T00:00:00.000000Z")
    house.shelf.files[manifest.name] = manifest.text


def _with_another_root(house: ArchiveHouse) -> None:
    manifest = replace(house.archive.manifest(2), root=b"x" * 32)
    house.shelf.files[manifest.name] = manifest.text


DAMAGES: dict[str, tuple[Callable[[ArchiveHouse], Any], str]] = {
    "a file is missing": (lambda house: house.shelf.files.pop(house.shelf.lives[0]), "it is missing"),
    "a bit of a file is another": (lambda house: house.shelf.damage(house.shelf.lives[1]), "it is not the file"),
    "a file is empty": (lambda house: house.shelf.files.update({house.shelf.lives[0]: b""}), "it is not the file"),
    "the last manifest is missing": (lambda house: house.shelf.files.pop("00000002.manifest"), ""),
    "a manifest is missing": (lambda house: house.shelf.files.pop("00000001.manifest"), "it is missing"),
    "a bit of a manifest is another": (lambda house: house.shelf.damage("00000001.manifest", 200), ""),
    "a manifest is another one": (
        lambda house: house.shelf.files.update({"00000002.manifest": house.shelf.files["00000001.manifest"]}),
        "it is number 1",
    ),
    "a manifest was made anew": (_made_anew, "it does not bear the hash"),
    "a root is another": (_with_another_root, "its root is not"),
    "nothing is there": (lambda house: house.shelf.files.clear(), "there is no archive"),
}


def test_of_what_was_written_before_commits_were_chained_each_commit_is_compared() -> None:
    """There the last commit vouches for none of those before it."""
    house = ArchiveHouse()
    action_id = house.act()
    recorder: Any = house.ledger.recorder
    life = [replace(commit, previous=None) for commit in house.commits(action_id)]
    recorder._commits[action_id] = list(life)
    house.years_pass()
    house.copy()
    recorder._commits[action_id] = [replace(life[0], at="2020-01-01T00:00:00.000000Z"), life[1]]
    assert house.prune().stay == {"changed since": 1}
    assert len(house.commits(action_id)) == 2
    recorder._commits[action_id] = list(life)
    assert house.prune().pruned == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_wrong_with_an_archive_is_named(damage: str) -> None:
    house = ArchiveHouse()
    for _ in range(2):
        house.act()
        house.clock.pass_time(86_400 * 40)
    house.copy(house.clock.now() - timedelta(days=60))
    house.copy(house.clock.now())
    assert (house.verify().manifests, house.verify().findings) == (2, ())
    act, problem = DAMAGES[damage]
    act(house)
    verified = house.verify()
    if damage == "the last manifest is missing":
        # Nobody can know that there was one, but the files that it named are strays now.
        assert (verified.findings, verified.strays) == ((), 1)
    else:
        assert any(problem in finding.problem for finding in verified.findings)
        assert all(finding.name for finding in verified.findings)


def test_to_a_damaged_archive_nothing_is_added(house: ArchiveHouse) -> None:
    house.act()
    house.years_pass()
    house.copy()
    house.shelf.damage("00000001.manifest", 100)
    house.act()
    house.years_pass()
    files = dict(house.shelf.files)
    with pytest.raises(Illegible, match="00000001"):
        house.copy()
    with pytest.raises(Illegible, match="00000001"):
        house.prune()
    assert house.shelf.files == files


def test_to_tell_a_life_no_file_is_read_whole(house: ArchiveHouse) -> None:
    ids = [house.act(idempotency_key=f"ada-{number}") for number in range(3)]
    house.years_pass()
    house.copy()
    assert house.prune().pruned == 3
    before = list(house.shelf.read_whole)
    assert [len(house.commits(action_id, whole=True)) for action_id in ids] == [3, 3, 3]
    assert house.shelf.read_whole == before


def test_of_an_action_whose_archive_is_gone_at_least_the_end_is_told(house: ArchiveHouse) -> None:
    action_id = archived(house)
    house.at_hand()
    house.shelf.files.clear()
    told = house.agent.status(action_id)
    assert (told["status"], told["error"]["code"]) == ("succeeded", "archived")
    assert "it is missing" in told["error"]["message"]
    assert words(house.agent, told) == ["archived"]
    assert house.agent.process(greet(idempotency_key="ada-1"))["duplicate"]


def test_what_somebody_has_put_in_its_place_is_not_told(house: ArchiveHouse) -> None:
    action_id = archived(house)
    house.at_hand()
    (name,) = house.shelf.lives
    other = ArchiveHouse()
    other.clock.pass_time(1.0)
    assert other.act(idempotency_key="ada-1") == action_id
    other.years_pass()
    other.copy()
    house.shelf.files[name] = other.shelf.files[other.shelf.lives[0]]
    assert house.agent.status(action_id)["error"]["code"] == "archived"
    assert len(house.commits(action_id, whole=True)) == 1


@pytest.mark.parametrize("kind", [".gz", ".manifest"])
@pytest.mark.parametrize("place", [40, 100])
def test_a_shelf_that_does_not_keep_what_it_was_given_is_noticed_at_once(kind: str, place: int) -> None:
    house = ArchiveHouse()
    house.act()
    house.years_pass()
    put = house.shelf.put

    def forgetful(name: str, file: Any) -> bool:
        kept = put(name, file)
        if name.endswith(kind):
            house.shelf.damage(name, place)
        return kept

    house.shelf.put = forgetful  # type: ignore[method-assign]
    with pytest.raises(Illegible, match=kind):
        house.copy()
    assert (kind == ".gz") == (not any(name.endswith(".manifest") for name in house.shelf.files))


def test_a_life_of_which_nobody_can_tell_when_it_began_is_named() -> None:
    house = ArchiveHouse()
    action_id = house.act()
    recorder: Any = house.ledger.recorder
    first, last = house.commits(action_id)
    recorder._commits[action_id] = [replace(first, at="2026", previous=None), replace(last, previous=None)]
    house.years_pass()
    assert [finding.name for finding in house.copy().findings] == [action_id]


# -- legal holds ------------------------------------------------------------------------------------------------------


def place(house: ArchiveHouse, action_id: str, matter: str = "case-7") -> dict[str, Any]:
    return house.agent.place_legal_hold(action_id, matter=matter, **ADA)


def test_a_legal_hold_beats_age_until_the_last_matter_is_closed(house: ArchiveHouse) -> None:
    action_id = house.act()
    house.years_pass()
    house.copy()
    place(house, action_id, "case-7")
    place(house, action_id, "case-8")
    house.years_pass()
    assert house.copy().stay == {"legal hold": 1}
    assert house.prune().stay == {"legal hold": 1}
    house.agent.lift_legal_hold(action_id, matter="case-7", **ADA)
    house.years_pass()
    assert house.prune().stay == {"legal hold": 1}
    assert [hold["matter"] for hold in legal_holds(house.journal, house.ledger.mapper)] == ["case-8"]
    house.agent.lift_legal_hold(action_id, matter="case-8", **ADA)
    house.years_pass()
    assert (house.copy().lives, house.prune().pruned) == (1, 1)
    house.at_hand()
    assert words(house.agent, {"action_id": action_id})[-5:] == [
        "legal_hold_placed",
        "legal_hold_placed",
        "legal_hold_lifted",
        "legal_hold_lifted",
        "archived",
    ]


def taken_back(house: ArchiveHouse) -> tuple[str, str]:
    """An action that was taken back, and the one that took it back; both are in the archive, too."""
    action_id = house.act(action_type="greet_reversibly")
    assert house.agent.undo(action_id, **ADA)["status"] == "compensated"
    house.years_pass()
    assert house.copy().lives == 2
    return action_id, compensating_action_id(action_id)


def test_what_takes_back_an_action_on_legal_hold_stays_with_it(house: ArchiveHouse) -> None:
    action_id, compensation = taken_back(house)
    place(house, action_id)
    house.years_pass()
    assert house.prune().stay == {"legal hold": 2}
    assert house.copy().stay == {"legal hold": 2}
    house.agent.lift_legal_hold(action_id, matter="case-7", **ADA)
    house.years_pass()
    assert house.prune().stay == {"changed since": 1, "what it takes back is here": 1}
    house.copy()
    assert [house.prune().pruned for _ in range(3)] == [1, 1, 0]
    assert [len(house.commits(any_id)) for any_id in (action_id, compensation)] == [1, 1]


def test_behind_a_hold_on_what_was_pruned_the_compensation_stays(house: ArchiveHouse) -> None:
    action_id, compensation = taken_back(house)
    house.agent.place_legal_hold(compensation, matter="case-8", **ADA)
    assert house.prune().stay == {"legal hold": 1}
    place(house, action_id)
    house.agent.lift_legal_hold(compensation, matter="case-8", **ADA)
    house.years_pass()
    assert house.copy().stay == {"legal hold": 1}


@pytest.mark.parametrize("text", [b'{"at":"2026-03-01T12:00:00Z","schema":2}', b"{"])
def test_what_takes_back_what_cannot_be_read_may_be_held(house: ArchiveHouse, text: bytes) -> None:
    action_id, _ = taken_back(house)
    last = house.commits(action_id)[-1].last
    house.ledger.recorder.insert_events([StoredEvent(action_id, last + 1, "action.reported", text)])
    report = house.prune()
    assert (report.pruned, report.stay["legal hold"]) == (0, 1)


class Interrupted:
    """A journal between whose reading and the ledger's giving up somebody else does something."""

    def __init__(self, journal: Journal, then: Callable[[], Any], *, after: int) -> None:
        self.parts = journal.parts
        self._journal, self._then, self._left = journal, then, after

    def life(self, action_id: str) -> Life | None:
        life = self._journal.life(action_id)
        self._left -= 1
        if self._left == 0:
            self._then()
        return life

    def lives(self, span: Span = EVERYTHING, *, part: int | None = None, after: str | None = None) -> Iterator[Life]:
        return self._journal.lives(span, part=part, after=after)

    def written(self, since: Any) -> Iterator[Row]:
        return self._journal.written(since)


@pytest.mark.parametrize("after", [1, 2])
def test_a_hold_that_is_placed_while_it_is_pruned_is_first_or_is_recorded_behind(
    house: ArchiveHouse, after: int
) -> None:
    action_id = house.act()
    house.years_pass()
    house.copy()
    report = house.prune(journal=Interrupted(house.journal, lambda: place(house, action_id), after=after))
    assert report.pruned == 0
    assert sum(report.stay.values()) == 1
    assert words(house.agent, {"action_id": action_id})[-2:] == ["succeeded", "legal_hold_placed"]


def test_of_what_was_pruned_already_the_hold_is_recorded_all_the_same(house: ArchiveHouse) -> None:
    action_id = archived(house)
    told = place(house, action_id)
    assert (told["action_id"], told["error"]["code"]) == (action_id, "archived")
    assert words(house.agent, told) == ["archived", "legal_hold_placed"]
    (hold,) = legal_holds(house.journal, house.ledger.mapper, "case-7")
    assert (hold["action_id"], hold["by"], hold["why"]) == (action_id, "ada", "a customer went to court")
    house.agent.lift_legal_hold(action_id, matter="case-7", **ADA)
    assert list(legal_holds(house.journal, house.ledger.mapper)) == []
    house.at_hand()
    assert house.agent.status(action_id)["error"] is None


def test_a_hold_may_be_placed_on_what_is_still_going_on() -> None:
    def meanwhile(attempt: Attempt) -> Any:
        asked.agent.place_legal_hold(attempt.action_id, matter="case-7", **ADA)
        return Succeeded({})

    asked = ArchiveHouse(provider=meanwhile)
    action_id = asked.act()
    assert words(asked.agent, {"action_id": action_id}) == [
        "requested",
        "validated",
        "attempted",
        "legal_hold_placed",
        "succeeded",
    ]


@pytest.mark.parametrize(
    ("matter", "actor", "field"),
    [("", "ada", "matter"), ("x\n", "ada", "matter"), (None, "ada", "matter"), ("x", "", "actor")],
)
def test_a_hold_says_for_what_by_whom_and_why(house: ArchiveHouse, matter: Any, actor: str, field: str) -> None:
    action_id = house.act()
    for act in (house.agent.place_legal_hold, house.agent.lift_legal_hold):
        told = act(action_id, matter=matter, actor=actor, reason="x")
        assert (told["error"]["code"], told["error"]["details"][0]["field"]) == ("missing_field", field)


def test_a_hold_is_placed_once_and_only_what_is_held_is_let_go(house: ArchiveHouse) -> None:
    action_id = house.act()
    assert house.agent.lift_legal_hold(action_id, matter="case-7", **ADA)["error"]["code"] in ("conflict", "too_late")
    assert place(house, action_id)["error"] is None
    before = house.agent.history(action_id)
    assert place(house, action_id)["error"] is not None
    assert house.agent.history(action_id) == before
    assert place(house, "act_nobody")["error"]["code"] == "not_found"


# -- whoever archives dies --------------------------------------------------------------------------------------------


def steps_of(act: Callable[[ArchiveHouse], Any]) -> int:
    house = of_three_months()
    house.shelf.steps = 0
    act(house)
    return house.shelf.steps


def of_three_months() -> ArchiveHouse:
    house = ArchiveHouse()
    for _ in range(3):
        house.act()
        house.clock.pass_time(86_400 * 40)
    house.years_pass()
    return house


def copy_and_prune(house: ArchiveHouse) -> None:
    house.copy()
    house.prune()


@pytest.mark.parametrize("before", [True, False])
def test_whenever_it_dies_nothing_is_lost_and_the_next_one_ends_it(before: bool) -> None:
    for step in range(1, steps_of(copy_and_prune) + 1):
        house = of_three_months()
        ids = [row["action_id"] for row in house.agent.list_actions()]
        lives = {action_id: house.commits(action_id) for action_id in ids}
        house.shelf.dies_at, house.shelf.before, house.shelf.steps = step, before, 0
        with pytest.raises(Died):
            copy_and_prune(house)
        house.shelf.dies_at = None
        for action_id in ids:
            assert house.commits(action_id, whole=True)[: len(lives[action_id])] == lives[action_id], step
        copy_and_prune(house)
        assert house.verify().findings == (), step
        assert [len(house.commits(action_id)) for action_id in ids] == [1, 1, 1], step
        for action_id in ids:
            assert house.commits(action_id, whole=True)[:-1] == lives[action_id], step


@pytest.mark.parametrize("before", [True, False])
def test_a_store_that_dies_while_it_gives_up_has_given_up_all_or_nothing(make_house: MakeHouse, before: bool) -> None:
    house = make_house()
    action_id = house.act()
    life = house.commits(action_id)
    house.years_pass()
    house.copy()
    supersede = house.ledger.supersede

    def die(*told: Any) -> None:
        if not before:
            supersede(*told)
        raise Died

    house.ledger.supersede = die  # type: ignore[method-assign]
    with pytest.raises(Died):
        house.prune()
    house.ledger.supersede = supersede  # type: ignore[method-assign]
    assert len(house.commits(action_id)) == (2 if before else 1)
    assert house.commits(action_id, whole=True)[:2] == life
    assert house.prune().pruned == int(before)
    assert house.commits(action_id, whole=True)[:-1] == life


def test_of_two_copies_at_once_both_are_in_the_archive() -> None:
    house = of_three_months()
    put, rival = house.shelf.put, iter([True])

    def be_second(name: str, file: Any) -> bool:
        if name.endswith(".manifest") and next(rival, False):
            house.clock.pass_time(1.0)
            house.copy()
        return put(name, file)

    house.shelf.put = be_second  # type: ignore[method-assign]
    house.copy()
    verified = house.verify()
    assert (verified.manifests, verified.findings) == (2, ())
    assert house.prune().pruned == 3


def test_whoever_is_never_first_gives_up() -> None:
    house = of_three_months()
    put = house.shelf.put

    def never(name: str, file: Any) -> bool:
        return put(name, file) if name.endswith(".gz") else False

    house.shelf.put = never  # type: ignore[method-assign]
    with pytest.raises(LedgerUnavailable, match="others have put"):
        house.copy()


def test_an_attempt_that_is_running_is_never_pruned(house: ArchiveHouse) -> None:
    """Whatever its age: its process may be asleep, and wake up."""
    action = Action.requested("act_1", request=greet(), fingerprint="f", effect_key="act_1-r0", at=house.clock.now())
    action.validate(at=house.clock.now())
    action.begin_attempt(Lease(house.clock.now()), delivery=Delivery.AT_MOST_ONCE, at=house.clock.now())
    house.ledger.record(action)
    house.years_pass()
    assert (house.copy().lives, house.copy().stay) == (0, {"open": 1})
