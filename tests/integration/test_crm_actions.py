"""CRM actions from end to end, over real sockets: once, with what was there before, and taken back with care."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agents.execution_agent.config import ACTIONS
from domain.base_action import Attempt, Inquiry, Intent
from domain.outcome import NotExecuted, Retry
from domain.validators.crm import CrmUpsertParameters
from domain.validators.parameters import read_parameters
from handlers.actions.crm_records import NOT_READ_YET, SETTLED_AFTER
from handlers.actions.crm_upsert import CrmUpsert
from tests.crm_house import ADA, DAY, DIALECTS, CrmHouse, double_of
from tests.doubles.crm import CrmDouble
from tests.doubles.server import Trouble

DOUBTFUL = [
    Trouble.HANGS_UP_AFTER,
    Trouble.CUT_OFF_AFTER,
    Trouble.UNREADABLE_AFTER,
    Trouble.FAILS_AFTER,
    Trouble.HANGS_UP_BEFORE,
    Trouble.FAILS_BEFORE,
]


@pytest.fixture(params=list(DIALECTS))
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def double(kind: str) -> Iterator[CrmDouble]:
    with double_of(kind) as started:
        yield started


@pytest.fixture
def house(kind: str, double: CrmDouble) -> CrmHouse:
    return CrmHouse(double, DIALECTS[kind])


@pytest.fixture
def hasty(kind: str, double: CrmDouble) -> CrmHouse:
    """One that does not try again."""
    return CrmHouse(double, DIALECTS[kind], retries=0)


# --- creating -------------------------------------------------------------------------------------------------------


def test_a_creation_is_found_again_by_its_effect_key(house: CrmHouse) -> None:
    done = house.create(title="CTO")
    assert done["status"] == "succeeded", done
    [person] = house.people
    assert done["result"] == {"object": house.says.people, "id": person.id, "created": True}
    assert house.person(person.id) == {"last": "Lovelace", "title": "CTO", "email": None}
    assert person.values[house.says.key] == f"{done['action_id']}-r0"
    assert house.said(done, "attempted")["delivery"] == "idempotent_by_key"


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_whatever_becomes_of_a_creation_it_is_one_record(house: CrmHouse, trouble: Trouble) -> None:
    house.double.troubles = [trouble]
    done = house.create()
    assert (done["status"], done["attempts"]) == ("succeeded", 2), done
    assert [person.id for person in house.people] == [done["result"]["id"]]
    assert done["result"]["created"] is True
    assert len(house.double.writes()) == (1 if trouble.acts else 2)
    assert len({write.body + write.path.encode() for write in house.double.writes()}) == 1


@pytest.mark.parametrize("trouble", [Trouble.HANGS_AFTER, Trouble.HANGS_BEFORE])
def test_a_creation_that_gets_no_answer_in_time_is_one_record(kind: str, double: CrmDouble, trouble: Trouble) -> None:
    house = CrmHouse(double, DIALECTS[kind], {"timeout_s": 0.7})
    double.troubles = [trouble]
    done = house.create()
    assert (done["status"], done["attempts"], len(house.people)) == ("succeeded", 2, 1), done
    assert house.said(done, "attempt_failed")["code"] == "timeout"


def test_a_creation_whose_process_died_is_one_record(house: CrmHouse) -> None:
    fields = {house.says.last: "Lovelace"}
    action_id = house.ask_and_die("crm_create", object=house.says.people, fields=fields)
    assert len(house.people) == 1
    house.agent.advance(action_id)
    house.work(after=DAY)
    done = house.agent.status(action_id)
    assert (done["status"], done["attempts"], len(house.people)) == ("succeeded", 2, 1)
    assert house.undo(done)["status"] == "compensated"
    assert house.people == []


def test_a_creation_that_is_found_again_is_not_written_over_what_somebody_has_changed_since(house: CrmHouse) -> None:
    fields = {house.says.last: "Lovelace", house.says.title: "CTO"}
    action_id = house.ask_and_die("crm_create", object=house.says.people, fields=fields)
    [person] = house.people
    house.somebody_changes(person.id, title="CEO")
    done = house.go_on(action_id)
    assert done["result"] == {"object": house.says.people, "id": person.id, "created": True}
    assert (done["status"], house.person(person.id)["title"]) == ("succeeded", "CEO")
    assert house.undo(done)["status"] == "compensating"
    assert house.compensation(done)["result"]["held"]["rule"] == "changed_since"


def test_a_creation_that_cannot_be_looked_for_again_is_not_written_either(house: CrmHouse) -> None:
    action_id = house.ask_and_die("crm_create", object=house.says.people, fields={house.says.last: "Lovelace"})
    house.double.reading_troubles = [Trouble.FAILS_BEFORE, Trouble.RATE_LIMITED]
    done = house.go_on(action_id)
    assert (done["status"], done["attempts"], len(house.double.writes())) == ("succeeded", 4, 1), done


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_without_a_field_for_the_key_a_creation_in_doubt_stays_there(house: CrmHouse, trouble: Trouble) -> None:
    house.double.troubles = [trouble]
    done = house.ask("crm_create", object=house.says.keyless, fields={house.says.text: "called"})
    assert (done["status"], done["attempts"]) == ("in_doubt", 1)
    assert house.said(done, "attempted")["delivery"] == "at_most_once"
    house.work(after=DAY)
    assert house.said(done, "probed")["finding"] == "cannot_tell"
    assert len(house.double.rows(house.says.keyless)) == int(trouble.acts)


def test_a_creation_in_doubt_is_looked_for_by_its_key(hasty: CrmHouse) -> None:
    hasty.double.troubles = [Trouble.FAILS_AFTER]
    done = hasty.create()
    assert done["status"] == "in_doubt"
    hasty.work(after=61.0)
    found = hasty.status(done)
    assert (found["status"], found["result"]["id"]) == ("succeeded", hasty.people[0].id)
    assert hasty.said(done, "resolved")["evidence"]["value"] == f"{done['action_id']}-r0"
    assert hasty.undo(done)["status"] == "compensated"


def test_a_creation_that_cannot_be_found_stays_in_doubt(hasty: CrmHouse) -> None:
    hasty.double.troubles = [Trouble.HANGS_UP_BEFORE]
    done = hasty.create()
    hasty.work(after=DAY)
    assert hasty.status(done)["status"] == "in_doubt"
    assert hasty.said(done, "probed")["finding"] == "cannot_tell"


def test_without_a_key_it_can_be_created_and_taken_back_all_the_same(house: CrmHouse) -> None:
    done = house.ask("crm_create", object=house.says.keyless, fields={house.says.text: "called"})
    assert (done["status"], len(house.double.rows(house.says.keyless))) == ("succeeded", 1)
    assert house.undo(done)["status"] == "compensated"
    assert house.double.rows(house.says.keyless) == []


# --- changing -------------------------------------------------------------------------------------------------------


def test_an_update_keeps_what_was_there_and_touches_nothing_else(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst", email="ada@example.com")
    done = house.update(ada, title="CTO", last="King")
    assert done["result"]["id"] == ada
    assert house.person(ada) == {"last": "King", "title": "CTO", "email": "ada@example.com"}
    before = {house.says.title: "Analyst", house.says.last: "Lovelace"}
    assert house.said(done, "attempted")["facts"]["before"] == before
    assert house.said(done, "succeeded")["undo"]["before"] == before


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_whatever_becomes_of_an_update_its_image_is_of_before_the_first_attempt(
    house: CrmHouse, trouble: Trouble
) -> None:
    ada = house.somebody_adds(title="Analyst")
    house.double.troubles = [trouble]
    done = house.update(ada, title="CTO")
    assert done["status"] == "succeeded", done
    assert len(house.double.writes()) == (1 if trouble.acts else 2)
    assert house.said(done, "succeeded")["undo"]["before"] == {house.says.title: "Analyst"}
    assert house.undo(done)["status"] == "compensated"
    assert house.person(ada)["title"] == "Analyst"


def test_an_image_survives_the_death_of_its_process_and_a_reader_that_fails(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst", email="ada@example.com")
    fields = {house.says.title: "CTO", house.says.last: "King"}
    action_id = house.ask_and_die("crm_update", object=house.says.people, id=ada, fields=fields)
    house.somebody_changes(ada, last="Byron")
    house.double.reading_troubles = [Trouble.FAILS_BEFORE, Trouble.RATE_LIMITED]
    house.agent.advance(action_id)
    for _ in range(3):
        house.work(after=DAY)
    done = house.agent.status(action_id)
    assert (done["status"], done["attempts"]) == ("succeeded", 4), done
    assert house.person(ada) == {"last": "King", "title": "CTO", "email": "ada@example.com"}
    undo = house.said(done, "succeeded")["undo"]
    assert undo["before"] == {house.says.title: "Analyst", house.says.last: "Byron"}


def test_an_update_of_a_record_that_cannot_be_read_does_nothing_and_tries_again(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    house.double.reading_troubles = [Trouble.FAILS_BEFORE, Trouble.UNREADABLE_AFTER, Trouble.HANGS_UP_BEFORE]
    done = house.update(ada, title="CTO")
    assert (done["status"], done["attempts"]) == ("succeeded", 4), done
    assert len(house.double.writes()) == 1
    failures = [e["data"]["failure"] for e in house.agent.history(done["action_id"]) if e["type"] == "attempt_failed"]
    assert failures == ["retry"] * 3


def test_an_update_in_doubt_is_looked_for_in_the_record(hasty: CrmHouse) -> None:
    ada = hasty.somebody_adds(title="Analyst")
    hasty.double.troubles = [Trouble.FAILS_AFTER]
    done = hasty.update(ada, title="CTO")
    assert done["status"] == "in_doubt"
    hasty.work(after=61.0)
    assert hasty.status(done)["status"] == "succeeded"
    assert hasty.said(done, "resolved")["evidence"]["now"] == {hasty.says.title: "CTO"}
    assert hasty.undo(done)["status"] == "compensated"
    assert hasty.person(ada)["title"] == "Analyst"


def test_a_record_that_nobody_has_touched_was_not_updated(hasty: CrmHouse) -> None:
    ada = hasty.somebody_adds(title="Analyst")
    hasty.double.troubles = [Trouble.FAILS_BEFORE]
    done = hasty.update(ada, title="CTO")
    hasty.work(after=61.0)
    assert hasty.status(done)["status"] == "in_doubt"
    hasty.work(after=SETTLED_AFTER.total_seconds())
    assert hasty.status(done)["status"] == "failed"
    assert hasty.said(done, "resolved")["verdict"] == "not_executed"
    assert hasty.person(ada)["title"] == "Analyst"


def test_a_record_that_somebody_has_touched_tells_nothing_of_an_update(hasty: CrmHouse) -> None:
    ada = hasty.somebody_adds(title="Analyst")
    hasty.double.troubles = [Trouble.FAILS_BEFORE]
    done = hasty.update(ada, title="CTO")
    hasty.somebody_changes(ada, title="Poet")
    hasty.work(after=DAY)
    assert hasty.status(done)["status"] == "in_doubt"
    assert hasty.said(done, "probed")["evidence"]["now"] == {hasty.says.title: "Poet"}


def test_an_effect_that_somebody_has_overwritten_is_not_taken_for_none(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    house.double.troubles = [Trouble.FAILS_AFTER, Trouble.FAILS_BEFORE]
    parameters = {"object": house.says.people, "id": ada, "fields": {house.says.title: "CTO"}}
    options = {"mode": "accept", "max_retries": 1}
    done = house.agent.process({"action_type": "crm_update", "parameters": parameters, "options": options})
    house.agent.advance(done["action_id"])
    house.somebody_changes(ada, title="Poet")
    house.work(after=60.0)
    assert (house.status(done)["status"], house.status(done)["attempts"]) == ("in_doubt", 2)
    house.work(after=DAY)
    assert house.status(done)["status"] == "in_doubt"
    assert house.said(done, "probed")["finding"] == "cannot_tell"


def test_a_record_that_is_not_there_is_refused(house: CrmHouse) -> None:
    ada = house.somebody_adds()
    house.double.remove(house.says.people, ada)
    refused = house.update(ada, title="CTO")
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "record_not_found")
    assert refused["error"]["details"][0]["field"] == "parameters.id"
    assert house.double.writes() == []


def test_what_holds_more_than_can_be_kept_is_not_overwritten(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="x" * 70_000)
    refused = house.update(ada, title="CTO")
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "too_large")
    assert house.double.writes() == []


def test_fields_that_hold_the_values_are_left_alone(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="CTO", email="ada@example.com")
    done = house.update(ada, title="CTO", email="Ada@Example.com")
    assert (done["status"], house.double.writes()) == ("succeeded", [])


def test_null_empties_a_field_and_the_undo_fills_it_again(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title=None)
    assert house.person(ada)["title"] is None
    assert house.undo(done)["status"] == "compensated"
    assert house.person(ada)["title"] == "Analyst"


# --- creating or changing -------------------------------------------------------------------------------------------


def test_an_upsert_creates_once_and_then_changes(house: CrmHouse) -> None:
    first, second = house.upsert(title="Analyst"), house.upsert(title="CTO")
    [person] = house.people
    assert (first["result"]["created"], second["result"]["created"]) == (True, False)
    assert first["result"]["id"] == second["result"]["id"] == person.id
    assert house.person(person.id)["title"] == "CTO"


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_whatever_becomes_of_an_upsert_it_is_one_record_and_can_be_taken_back(
    house: CrmHouse, trouble: Trouble
) -> None:
    """Where the answer of the attempt that created it is lost, somebody else may have: a person decides."""
    house.double.troubles = [trouble]
    done = house.upsert(title="CTO")
    assert (done["status"], done["attempts"], len(house.people)) == ("succeeded", 2, 1), done
    assert done["result"]["created"] is (None if trouble.acts else True)
    assert house.undo(done)["status"] == ("compensating" if trouble.acts else "compensated")
    house.undo(done, force=True)
    house.work()
    assert (house.status(done)["status"], house.people) == ("compensated", [])


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_an_upsert_that_changed_a_record_puts_back_what_was_in_it(house: CrmHouse, trouble: Trouble) -> None:
    house.upsert(title="Analyst")
    house.double.troubles = [trouble]
    done = house.upsert(title="CTO")
    assert (done["status"], done["attempts"], done["result"]["created"]) == ("succeeded", 2, False), done
    assert house.undo(done)["status"] == "compensated"
    assert [house.person(person.id)["title"] for person in house.people] == ["Analyst"]


@pytest.mark.parametrize("created", [True, False])
def test_an_upsert_in_doubt_is_looked_for(hasty: CrmHouse, created: bool) -> None:
    if not created:
        hasty.upsert(title="Analyst")
    hasty.double.troubles = [Trouble.FAILS_AFTER]
    done = hasty.upsert(title="CTO")
    assert done["status"] == "in_doubt"
    hasty.work(after=61.0)
    assert hasty.status(done)["result"]["created"] is (None if created else False)
    hasty.undo(done)
    hasty.undo(done, force=True)
    hasty.work()
    assert hasty.status(done)["status"] == "compensated"
    assert [hasty.person(person.id)["title"] for person in hasty.people] == ([] if created else ["Analyst"])


def test_an_attempt_that_could_not_read_the_record_has_written_nothing(house: CrmHouse) -> None:
    """Its process may have died all the same. The record is somebody's: it must not count as created by us."""
    house.somebody_adds(title="CTO")
    house.people[0].values[house.says.number] = "acme-1@example.com"
    match = {"field": house.says.number, "value": "acme-1@example.com"}
    fields = {house.says.title: "CTO"}
    facts = {"connection": "crm", "object": house.says.people, **match}
    inquiry = Inquiry("act_1", "act_1-r0", house.clock.now(), number=1, facts=facts, timeout=5.0)
    asked = read_parameters(CrmUpsertParameters, {"object": house.says.people, "match": match, "fields": fields})
    found = CrmUpsert().probe(asked, inquiry, house.world)
    assert found == NotExecuted({**facts, "sent": False})


def test_what_somebody_else_created_in_between_is_not_taken_for_ours(house: CrmHouse) -> None:
    number = {house.says.number: "acme-1@example.com", house.says.last: "Byron"}
    house.double.before_writes = [lambda: house.double.add(house.says.people, **number)]
    done = house.upsert(title="CTO")
    assert (done["status"], done["result"]["created"]) == ("succeeded", False)
    refused = house.undo(done)
    assert refused["error"]["code"] == "irreversible"
    assert len(house.people) == 1


def upsert_that_dies_before_it_writes(house: CrmHouse) -> str:
    match = {"field": house.says.number, "value": "acme-1@example.com"}
    fields = {house.says.last: "Lovelace", house.says.title: "CTO"}
    return house.ask_and_die("crm_upsert", too_early=True, object=house.says.people, match=match, fields=fields)


def test_what_somebody_else_created_before_we_try_again_gets_its_values_back(house: CrmHouse) -> None:
    action_id = upsert_that_dies_before_it_writes(house)
    theirs = house.double.add(
        house.says.people, **{house.says.number: "acme-1@example.com", house.says.last: "Byron", house.says.title: "x"}
    )
    house.double.troubles = [Trouble.FAILS_AFTER]
    done = house.go_on(action_id)
    assert (done["status"], done["attempts"], done["result"]["created"]) == ("succeeded", 3, None)
    assert house.person(theirs)["last"] == "Lovelace"
    assert house.undo(done)["status"] == "compensated"
    assert house.person(theirs) | {"email": None} == {"last": "Byron", "title": "x", "email": None}


def test_what_somebody_else_may_have_created_is_not_deleted_without_asking(house: CrmHouse) -> None:
    action_id = upsert_that_dies_before_it_writes(house)
    theirs = {house.says.number: "acme-1@example.com", house.says.last: "Lovelace", house.says.title: "CTO"}
    record_id = house.double.add(house.says.people, **theirs)
    done = house.go_on(action_id)
    assert (done["status"], done["result"]["created"]) == ("succeeded", None)
    assert house.undo(done)["status"] == "compensating"
    held = house.compensation(done)["result"]["held"]
    assert held["rule"] == "maybe_not_ours"
    assert held["details"] == {"object": house.says.people, "id": record_id, "differences": []}
    house.work(after=DAY)
    assert [person.id for person in house.people] == [record_id]


def test_what_was_approved_to_be_deleted_and_is_changed_then_is_held_again(house: CrmHouse) -> None:
    record_id = house.somebody_adds(title="CTO")
    expected = {house.says.title: "CTO"}
    held = house.ask("crm_delete", object=house.says.people, id=record_id, expected=expected, ask_first=True)
    house.agent.approve(held["action_id"], **ADA)
    house.somebody_changes(record_id, title="Poet")
    house.work()
    assert (house.status(held)["status"], len(house.people)) == ("held", 1)


# --- taking back ----------------------------------------------------------------------------------------------------


def test_an_undo_touches_only_what_was_touched(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    house.somebody_changes(ada, last="King", email="ada@example.com")
    assert house.undo(done)["status"] == "compensated"
    assert house.person(ada) == {"last": "King", "title": "Analyst", "email": "ada@example.com"}


def test_what_somebody_has_changed_since_is_held_with_all_three_values(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO", last="King")
    house.somebody_changes(ada, title="Poet")
    assert house.undo(done)["status"] == "compensating"
    held = house.compensation(done)
    assert held["status"] == "held"
    assert held["result"]["held"]["rule"] == "changed_since"
    assert held["result"]["held"]["details"] == {
        "object": house.says.people,
        "id": ada,
        "differences": [{"field": house.says.title, "before": "Analyst", "ours": "CTO", "now": "Poet"}],
    }
    house.work(after=DAY)
    assert house.person(ada)["title"] == "Poet"


def test_force_puts_it_back_all_the_same(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO", last="King")
    house.somebody_changes(ada, title="Poet")
    house.undo(done)
    house.undo(done, force=True)
    house.work()
    assert house.status(done)["status"] == "compensated"
    assert house.person(ada) == {"last": "Lovelace", "title": "Analyst", "email": None}


def test_force_is_for_what_was_held_and_not_for_what_changed_after(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    house.somebody_changes(ada, title="Poet")
    house.undo(done, force=True)
    house.somebody_changes(ada, title="Countess")
    house.work()
    assert (house.compensation(done)["status"], house.person(ada)["title"]) == ("held", "Countess")


def test_what_somebody_has_put_back_already_needs_no_undo(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    house.somebody_changes(ada, title="Analyst")
    writes = len(house.double.writes())
    assert house.undo(done)["status"] == "compensated"
    assert len(house.double.writes()) == writes


def test_the_undo_of_a_record_that_was_deleted_meanwhile_fails_and_says_why(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    house.double.remove(house.says.people, ada)
    failed = house.undo(done)
    assert failed["status"] == "compensation_failed"
    assert house.compensation(done)["error"]["code"] == "record_not_found"


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_whatever_becomes_of_an_undo_it_is_done_once(house: CrmHouse, trouble: Trouble) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    house.double.troubles = [trouble]
    assert house.undo(done)["status"] == "compensated"
    assert house.person(ada)["title"] == "Analyst"


def test_what_was_taken_back_is_asked_for_anew(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    undone = house.undo(done)
    again = house.undo({"action_id": undone["result"]["compensation"]})
    assert again["error"]["code"] == "irreversible"
    assert house.update(ada, title="CTO")["status"] == "succeeded"
    assert house.person(ada)["title"] == "CTO"


def test_a_created_record_that_somebody_has_changed_is_not_deleted_without_asking(house: CrmHouse) -> None:
    done = house.create(title="Analyst")
    house.somebody_changes(done["result"]["id"], title="Poet")
    assert house.undo(done)["status"] == "compensating"
    details = house.compensation(done)["result"]["held"]["details"]
    assert details["differences"] == [{"field": house.says.title, "before": None, "ours": "Analyst", "now": "Poet"}]
    assert len(house.people) == 1
    house.undo(done, force=True)
    house.work()
    assert (house.status(done)["status"], house.people) == ("compensated", [])


def test_a_created_record_that_is_gone_already_is_as_good_as_deleted(house: CrmHouse) -> None:
    done = house.create()
    house.double.remove(house.says.people, done["result"]["id"])
    assert house.undo(done)["status"] == "compensated"


@pytest.mark.parametrize("trouble", DOUBTFUL)
def test_whatever_becomes_of_a_deletion_the_record_is_gone(house: CrmHouse, trouble: Trouble) -> None:
    done = house.create()
    house.double.troubles = [trouble]
    assert house.undo(done)["status"] == "compensated"
    assert house.people == []


def test_a_deletion_in_doubt_is_looked_for(hasty: CrmHouse) -> None:
    gone, kept = hasty.somebody_adds(), hasty.somebody_adds()
    expected = {hasty.says.last: "Lovelace"}
    hasty.double.troubles = [Trouble.FAILS_AFTER, Trouble.FAILS_BEFORE]
    deleted = hasty.ask("crm_delete", object=hasty.says.people, id=gone, expected=expected)
    not_deleted = hasty.ask("crm_delete", object=hasty.says.people, id=kept, expected=expected)
    assert deleted["status"] == not_deleted["status"] == "in_doubt"
    hasty.work(after=61.0)
    assert (hasty.status(deleted)["status"], hasty.status(not_deleted)["status"]) == ("succeeded", "in_doubt")
    hasty.work(after=SETTLED_AFTER.total_seconds())
    assert hasty.status(not_deleted)["status"] == "failed"
    assert hasty.said(not_deleted, "resolved")["verdict"] == "not_executed"


def test_what_a_person_only_knows_to_have_happened_cannot_be_taken_back(hasty: CrmHouse) -> None:
    ada = hasty.somebody_adds(title="Analyst")
    hasty.double.troubles = [Trouble.FAILS_AFTER]
    done = hasty.update(ada, title="CTO")
    hasty.agent.resolve(done["action_id"], executed=True, actor="ada", reason="I have looked")
    refused = hasty.undo(done)
    assert refused["error"]["code"] == "irreversible"
    assert "not known what was there before" in refused["error"]["message"]


# --- in the time that there is --------------------------------------------------------------------------------------


def touching(house: CrmHouse, record_id: str) -> list[dict[str, Any]]:
    some = {house.says.title: "CTO"}
    asked: dict[str, dict[str, Any]] = {
        "crm_update": {"id": record_id, "fields": some},
        "crm_delete": {"id": record_id, "expected": some},
        "crm_restore": {"id": record_id, "before": some, "ours": {house.says.title: "Poet"}},
        "crm_upsert": {"match": {"field": house.says.number, "value": "1"}, "fields": some},
    }
    return [
        {"action_type": action_type, "parameters": {"object": house.says.people, **parameters}}
        for action_type, parameters in asked.items()
    ]


def test_of_what_only_comes_next_no_record_is_read(house: CrmHouse) -> None:
    record_id = house.somebody_adds(title="Analyst")
    fallback = touching(house, record_id)
    first = {"object": house.says.keyless, "fields": {house.says.text: "called"}}
    done = house.agent.process({"action_type": "crm_create", "parameters": first, "options": {"fallback": fallback}})
    assert done["status"] == "succeeded", done
    assert house.double.reads() == []


@pytest.mark.parametrize(("within", "outcome"), [(0.3, "timeout"), (0.0, NOT_READ_YET)])
def test_a_record_is_read_in_the_time_that_there_is_and_nothing_is_written_without(
    house: CrmHouse, within: float, outcome: str
) -> None:
    record_id = house.somebody_adds(title="Analyst")
    house.double.reading_troubles = [Trouble.HANGS_BEFORE] * 4
    for request in touching(house, record_id):
        action_type = next(known() for known in ACTIONS if known.action_type == request["action_type"])
        parameters = read_parameters(action_type.parameters, request["parameters"])
        intent = Intent("act_1", "act_1-r0", house.clock.now(), within=within)
        prepared = action_type.prepare(parameters, intent, house.world)
        attempt = Attempt("act_1", "act_1-r0", house.clock.now(), number=1, timeout=5.0)
        ended = action_type.execute(prepared, attempt, house.world)
        assert (type(ended), getattr(ended, "code", None)) == (Retry, outcome)
    assert house.double.writes() == []


# --- refused before the attempt -------------------------------------------------------------------------------------

BAD_IDS = ["' OR Name != '", "003 OR 1=1", "../Account/001", "003Hs0000000001AAA\n", "", "x" * 33, "003Hs%2F001"]
BAD_OBJECTS = ["../../query", "Contact/003", "Contact?q=SELECT", "", "Contact\n", "Account", "contact", "CONTACTS"]


@pytest.mark.parametrize("record_id", BAD_IDS)
def test_a_query_or_a_path_is_no_id(house: CrmHouse, record_id: str) -> None:
    refused = house.update(record_id, title="CTO")
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "invalid_parameters")
    assert refused["error"]["details"][0]["field"] == "parameters.id"
    assert house.double.asked == []


@pytest.mark.parametrize("object_name", BAD_OBJECTS)
def test_an_object_that_is_not_allowed_is_refused(house: CrmHouse, object_name: str) -> None:
    some = {house.says.title: "CTO"}
    asked: dict[str, dict[str, Any]] = {
        "crm_create": {"fields": some},
        "crm_update": {"id": "003Hs0000000001AAA", "fields": some},
        "crm_delete": {"id": "003Hs0000000001AAA", "expected": some},
        "crm_restore": {"id": "003Hs0000000001AAA", "before": some, "ours": some},
        "crm_upsert": {"match": {"field": house.says.number, "value": "1"}, "fields": some},
    }
    for action_type, parameters in asked.items():
        refused = house.ask(action_type, object=object_name, **parameters)
        assert (refused["status"], refused["error"]["code"]) == ("rejected", "invalid_parameters"), action_type
        assert refused["error"]["details"][0]["field"] == "parameters.object"
    assert house.double.asked == []


@pytest.mark.parametrize("name", ["Salary__c", "OwnerId", "hs_object_id", "Id"])
def test_a_field_outside_of_the_allow_list_is_refused(house: CrmHouse, name: str) -> None:
    object_name, record_id = house.says.people, house.somebody_adds()
    some = {name: "1"}
    refusals = {
        "fields": house.ask("crm_update", object=object_name, id=record_id, fields=some),
        "expected": house.ask("crm_delete", object=object_name, id=record_id, expected=some),
        "before": house.ask("crm_restore", object=object_name, id=record_id, before=some, ours=some),
    }
    for parameter, refused in refusals.items():
        assert refused["error"]["code"] == "invalid_parameters"
        assert refused["error"]["details"][0]["field"] == f"parameters.{parameter}.{name}"
    assert house.double.asked == []


def test_nobody_writes_an_effect_key_or_finds_a_record_by_one(house: CrmHouse) -> None:
    key = house.says.key
    written = house.ask("crm_create", object=house.says.people, fields={house.says.last: "King", key: "act_x-r0"})
    found = house.ask(
        "crm_upsert",
        object=house.says.people,
        match={"field": key, "value": "act_x-r0"},
        fields={house.says.last: "King"},
    )
    assert written["error"]["details"][0]["field"] == f"parameters.fields.{key}"
    assert found["error"]["details"][0]["field"] == "parameters.match.field"
    assert house.double.asked == []


@pytest.mark.parametrize("value", ["..", ".", "a/b", "a\\b", "", "x" * 256, "a\nb"])
def test_a_value_to_match_by_is_no_path(house: CrmHouse, value: str) -> None:
    refused = house.upsert(value)
    assert refused["error"]["code"] == "invalid_parameters"
    assert refused["error"]["details"][0]["field"] == "parameters.match.value"
    assert house.double.asked == []


@pytest.mark.parametrize("where", ["object", "id", "name", "value"])
def test_carriage_returns_are_refused_everywhere(house: CrmHouse, where: str) -> None:
    bad = "x\r\nx-injected: 1"
    fields = {bad if where == "name" else house.says.title: bad if where == "value" else "CTO"}
    asked = {"object": house.says.people, "id": "003Hs0000000001AAA", "fields": fields}
    refused = house.ask("crm_update", **(asked | ({where: bad} if where in asked else {})))
    assert refused["error"]["code"] == "invalid_characters"
    assert house.double.asked == []


def test_a_connection_that_is_not_there_is_refused(house: CrmHouse) -> None:
    refused = house.ask("crm_create", connection="nowhere", object=house.says.people, fields={house.says.last: "King"})
    assert refused["error"]["code"] == "invalid_parameters"
    assert refused["error"]["details"][0]["field"] == "parameters.connection"


# --- secrets --------------------------------------------------------------------------------------------------------


def test_no_secret_comes_to_light(house: CrmHouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    done = house.create()
    house.double.troubles = [Trouble.FAILS_AFTER, Trouble.UNREADABLE_AFTER]
    changed = house.update(done["result"]["id"], title="CTO")
    told = [done, changed, house.undo(changed), *house.agent.history(done["action_id"])]
    told += house.agent.history(changed["action_id"])
    everything = repr(told) + caplog.text + repr(house.life.of(object)) + repr(vars(house.life.of(object).crm))
    assert "canary" in repr(house.double.asked)
    assert "canary" not in everything
