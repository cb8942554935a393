"""HubSpot over real sockets: batches that answer 207, conflicts, limits, merges, and texts for everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm_house import DIALECTS, CrmHouse
from tests.doubles.crm import json_reply
from tests.doubles.hubspot import HubSpotDouble, Refuses
from tests.doubles.server import Reply


@pytest.fixture
def double() -> Iterator[HubSpotDouble]:
    with HubSpotDouble() as started:
        yield started


@pytest.fixture
def house(double: HubSpotDouble) -> CrmHouse:
    return CrmHouse(double, DIALECTS["hubspot"])


def test_a_record_that_a_batch_refuses_is_refused_for_good(house: CrmHouse) -> None:
    failed = house.ask("crm_create", object="contacts", fields={"lastname": "King", "plan": "gold"})
    assert (failed["status"], failed["error"]["code"]) == ("failed", "validation_error")
    assert failed["error"]["message"].endswith("gold was not one of the allowed options")
    assert house.people == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_conflict_is_one_whether_the_batch_says_so_or_its_entry(
    house: CrmHouse, double: HubSpotDouble, whole: bool
) -> None:
    double.refuses_batches_whole = whole
    house.somebody_adds(email="ada@example.com")
    failed = house.create(email="ada@example.com")
    assert (failed["status"], failed["error"]["code"]) == ("failed", "object_already_exists")
    assert len(house.people) == 1


@pytest.mark.parametrize(
    ("error", "end", "code"),
    [
        ({"category": "RATE_LIMITS", "message": "slow down"}, "retry", "rate_limits"),
        ({"category": "VALIDATION_ERROR"}, "permanent", "validation_error"),
        ({"category": "INTERNAL_ERROR"}, "unknown", "internal_error"),
        ({"category": "A_NEW_ONE"}, "unknown", "a_new_one"),
        ({}, "unknown", "unreadable_answer"),
        ("broken", "unknown", "unreadable_answer"),
    ],
)
def test_an_error_in_a_batch_is_classed_by_its_category(
    house: CrmHouse, double: HubSpotDouble, error: Any, end: str, code: str
) -> None:
    double.troubles = [json_reply(207, {"status": "COMPLETE", "results": [], "errors": [error], "numErrors": 1})]
    done = house.create()
    failed = house.said(done, "attempt_failed")
    assert (failed["failure"], failed["code"]) == (end, code)
    assert done["status"] == ("failed" if end == "permanent" else "succeeded")
    assert len(house.people) == (0 if end == "permanent" else 1)


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (Refuses(429, "RATE_LIMITS", policyName="TEN_SECONDLY_ROLLING").reply, 10.0),
        (Refuses(429, "RATE_LIMITS", policyName="DAILY").reply, 3600.0),
        (Refuses(429, "RATE_LIMITS").reply, None),
        (json_reply(429, {"status": "error"}, **{"Retry-After": "7"}), 7.0),
        (Refuses(423, "LOCKED").reply, 2.0),
        (json_reply(477, {"status": "error"}, **{"Retry-After": "86399"}), 86399.0),
    ],
)
def test_limits_locks_and_moves_are_waited_for(
    house: CrmHouse, double: HubSpotDouble, refusal: Reply, wait: float | None
) -> None:
    double.troubles = [refusal]
    done = house.create()
    assert house.said(done, "attempt_failed")["failure"] == "retry"
    if wait is not None and wait > 30:
        assert done["status"] == "retrying"
        house.work(after=wait)
        assert house.status(done)["status"] == "retrying"
        house.work(after=2.0)
    elif wait is not None:
        assert wait <= house.clock.slept[0] <= wait + 1.0
    assert (house.status(done)["status"], len(house.people)) == ("succeeded", 1)


def test_a_token_that_was_exchanged_is_asked_for_anew_within_the_attempt(double: HubSpotDouble) -> None:
    house = CrmHouse(double, DIALECTS["hubspot"])
    ada = house.create()["result"]["id"]
    house.secrets["HUBSPOT_TOKEN"] = double.token = "pat-na1-canary-another"
    done = house.update(ada, title="CTO")
    assert (done["status"], done["attempts"]) == ("succeeded", 1)


def test_a_token_that_is_refused_twice_has_done_nothing(house: CrmHouse, double: HubSpotDouble) -> None:
    double.token = "pat-na1-another"
    failed = house.create()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "access_refused")


def test_what_became_a_part_of_another_record_is_not_changed_in_its_place(
    house: CrmHouse, double: HubSpotDouble
) -> None:
    ada, byron = house.somebody_adds(title="Analyst"), house.somebody_adds(title="Poet")
    done = house.update(ada, title="CTO")
    double.merge(ada, into=byron)
    assert house.undo(done)["status"] == "compensation_failed"
    assert house.compensation(done)["error"]["code"] == "record_merged"
    assert house.person(byron)["title"] == "Poet"


def test_values_are_written_as_texts_and_known_again(house: CrmHouse) -> None:
    ada = house.somebody_adds(email="ada@example.com")
    fields = {"age": 36, "opted_in": True, "email": "ADA.King@example.com", "firstname": None}
    done = house.ask("crm_update", object="contacts", id=ada, fields=fields)
    values = house.double.objects["contacts"][ada].values
    assert (values["age"], values["opted_in"], values["email"]) == ("36", "true", "ada.king@example.com")
    assert house.said(done, "succeeded")["undo"]["ours"]["email"] == "ada.king@example.com"
    assert house.undo(done)["status"] == "compensated"
    assert house.double.objects["contacts"][ada].values == {"lastname": "Lovelace", "email": "ada@example.com"}


@pytest.mark.parametrize("record_id", ["003Hs0000000001AAA", "43a", "1" * 21])
def test_an_id_is_made_of_digits(house: CrmHouse, record_id: str) -> None:
    refused = house.update(record_id, title="CTO")
    assert refused["error"]["details"][0]["message"] == "an id is digits"
    assert house.double.asked == []


def test_the_older_api_can_be_used_too(double: HubSpotDouble) -> None:
    house = CrmHouse(double, DIALECTS["hubspot"], {"api_version": "v3"})
    done = house.create()
    assert house.undo(done)["status"] == "compensated"
    assert all(asked.path.startswith("/crm/v3/objects/contacts") for asked in double.asked)
