"""Salesforce over real sockets: logging in, rules, locks, limits, and what changed a moment ago."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crm_house import DIALECTS, CrmHouse
from tests.doubles.crm import json_reply
from tests.doubles.salesforce import KEY_FIELD, NUMBER_FIELD, USERNAME, SalesforceDouble, key_pair
from tests.doubles.server import Reply


@pytest.fixture
def double() -> Iterator[SalesforceDouble]:
    with SalesforceDouble() as started:
        yield started


@pytest.fixture
def house(double: SalesforceDouble) -> CrmHouse:
    return CrmHouse(double, DIALECTS["salesforce"])


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_text(key_pair()[0], "ascii")
    return path


def signing(double: SalesforceDouble, key_file: Path, **changes: Any) -> CrmHouse:
    """A house that logs in with a private key."""
    jwt = {"client_secret": None, "username": USERNAME, "private_key": f"file:{key_file}"}
    return CrmHouse(double, DIALECTS["salesforce"], jwt | changes)


# --- logging in -----------------------------------------------------------------------------------------------------


def test_one_login_serves_many_actions(house: CrmHouse, double: SalesforceDouble) -> None:
    for title in ("Analyst", "CTO", "Poet"):
        assert house.create(title=title)["status"] == "succeeded"
    assert len(double.logins) == 1


def test_a_signed_assertion_logs_in(double: SalesforceDouble, key_file: Path) -> None:
    house = signing(double, key_file)
    assert house.create()["status"] == "succeeded"
    [form] = double.logins
    assert set(form) == {"grant_type", "assertion"}


def test_an_assertion_for_another_audience_is_refused_and_nothing_is_done(
    double: SalesforceDouble, key_file: Path
) -> None:
    house = signing(double, key_file, audience="https://test.salesforce.com")
    failed = house.create()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "invalid_grant")
    assert "audience is invalid" in failed["error"]["message"]
    assert double.writes() == []


def test_a_key_that_was_exchanged_is_read_anew(double: SalesforceDouble, key_file: Path) -> None:
    good = key_file.read_text("ascii")
    key_file.write_text("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n", "ascii")
    house = signing(double, key_file)
    house.double.before_writes = []
    failed = house.ask("crm_create", object="Contact", fields={"LastName": "King"})
    assert (failed["status"], failed["error"]["code"]) == ("failed", "secret_unusable")
    assert str(key_file) in failed["error"]["message"]
    key_file.write_text(good, "ascii")
    assert house.create()["status"] == "succeeded"


def test_a_session_that_has_ended_is_renewed_within_the_attempt(house: CrmHouse, double: SalesforceDouble) -> None:
    ada = house.create()["result"]["id"]
    double.end_sessions()
    done = house.update(ada, title="CTO")
    double.before_writes = [double.end_sessions]
    again = house.update(ada, title="Poet")
    assert [(each["status"], each["attempts"]) for each in (done, again)] == [("succeeded", 1)] * 2
    assert len(double.logins) == 3
    assert house.person(ada)["title"] == "Poet"


def test_whoever_is_refused_with_a_new_token_too_has_done_nothing(house: CrmHouse, double: SalesforceDouble) -> None:
    double.before_writes = [double.end_sessions] * 10
    failed = house.create()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "access_refused")
    assert house.people == []


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (
            json_reply(400, {"error": "invalid_client", "error_description": "invalid client credentials"}),
            "invalid_client",
        ),
        (Reply(503, b""), "http_503"),
        (Reply(200, b"<html>"), "http_200"),
        (json_reply(200, {"access_token": "two words\r\nx: 1"}), "http_200"),
        (json_reply(200, ["access_token"]), "http_200"),
        (json_reply(429, {"error": "login rate exceeded"}), "http_429"),
    ],
)
def test_without_a_token_nothing_is_done(house: CrmHouse, double: SalesforceDouble, trouble: Reply, code: str) -> None:
    double.login_trouble = trouble
    failed = house.create()
    assert (failed["status"], failed["error"]["code"]) == ("failed", code)
    assert double.writes() == []


def test_a_token_is_shown_to_nobody_but_the_configured_host(house: CrmHouse, double: SalesforceDouble) -> None:
    """The login names another host; whoever controls the answer of a login shall not get the token."""
    assert house.create()["status"] == "succeeded"
    assert all(asked.headers["host"].startswith("127.0.0.1:") for asked in double.asked)


# --- rules, locks, limits -------------------------------------------------------------------------------------------


def test_a_validation_rule_refuses_for_good_in_its_own_words(house: CrmHouse, double: SalesforceDouble) -> None:
    double.rule = lambda values: "Closed won needs an amount" if values.get("Title") == "CTO" else None
    failed = house.create(title="CTO")
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    assert failed["error"]["code"] == "field_custom_validation_exception"
    assert failed["error"]["message"].endswith("Closed won needs an amount")


def test_a_locked_row_is_waited_for(house: CrmHouse, double: SalesforceDouble) -> None:
    ada = house.somebody_adds(title="Analyst")
    double.locked.add(ada)
    double.before_writes = [lambda: None, double.locked.clear]
    done = house.update(ada, title="CTO")
    assert (done["status"], done["attempts"]) == ("succeeded", 2)
    failed = house.said(done, "attempt_failed")
    assert (failed["failure"], failed["code"]) == ("retry", "unable_to_lock_row")


def test_the_limit_of_requests_is_waited_for(house: CrmHouse, double: SalesforceDouble) -> None:
    house.create()
    double.calls_left = 0
    waiting = house.create()
    assert waiting["status"] == "retrying"
    failed = house.said(waiting, "attempt_failed")
    assert (failed["failure"], failed["code"]) == ("retry", "request_limit_exceeded")
    double.calls_left = None
    house.work(after=400.0)
    assert house.status(waiting)["status"] == "succeeded"


def test_a_value_that_must_be_unique_is_refused_for_good(house: CrmHouse, double: SalesforceDouble) -> None:
    house = CrmHouse(
        double,
        DIALECTS["salesforce"],
        {"objects": {"Contact": {"fields": ["LastName", NUMBER_FIELD], "external_id": KEY_FIELD}}},
    )
    double.add("Contact", LastName="King", **{NUMBER_FIELD: "ACME-1"})
    failed = house.ask("crm_create", object="Contact", fields={"LastName": "Byron", NUMBER_FIELD: "ACME-1"})
    assert (failed["status"], failed["error"]["code"]) == ("failed", "duplicate_value")


def test_a_value_that_several_records_have_finds_none(house: CrmHouse, double: SalesforceDouble) -> None:
    first, second = house.somebody_adds(), house.somebody_adds()
    for record_id in (first, second):
        double.objects["Contact"][record_id].values[NUMBER_FIELD] = "ACME-1"
    refused = house.upsert("acme-1", title="CTO")
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "several_match")


def test_a_field_that_the_organisation_does_not_have_is_refused(double: SalesforceDouble) -> None:
    house = CrmHouse(double, DIALECTS["salesforce"], {"objects": {"Contact": {"fields": ["Missing__c"]}}})
    ada = house.somebody_adds()
    refused = house.ask("crm_update", object="Contact", id=ada, fields={"Missing__c": 1})
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "invalid_field")


def test_a_record_that_was_deleted_after_it_was_read_is_gone_for_good(
    house: CrmHouse, double: SalesforceDouble
) -> None:
    ada = house.somebody_adds(title="Analyst")
    double.before_writes = [lambda: double.remove("Contact", ada)]
    failed = house.update(ada, title="CTO")
    assert (failed["status"], failed["error"]["code"]) == ("failed", "entity_is_deleted")


# --- what changed a moment ago --------------------------------------------------------------------------------------


def test_what_changed_after_it_was_read_is_read_again_before_it_is_overwritten(
    house: CrmHouse, double: SalesforceDouble
) -> None:
    ada = house.somebody_adds(title="Analyst")
    double.before_writes = [lambda: house.somebody_changes(ada, title="Poet")]
    done = house.update(ada, title="CTO")
    assert (done["status"], done["attempts"]) == ("succeeded", 2)
    assert house.said(done, "attempt_failed")["code"] == "changed_meanwhile"
    assert house.said(done, "succeeded")["undo"]["before"] == {"Title": "Poet"}


def test_an_undo_never_overwrites_what_changed_after_it_was_read(house: CrmHouse, double: SalesforceDouble) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada, title="CTO")
    double.before_writes = [lambda: house.somebody_changes(ada, title="Poet")]
    assert house.undo(done)["status"] == "compensating"
    assert house.compensation(done)["status"] == "held"
    assert house.person(ada)["title"] == "Poet"


def test_a_short_id_is_an_id(house: CrmHouse) -> None:
    ada = house.somebody_adds(title="Analyst")
    done = house.update(ada[:15], title="CTO")
    assert house.person(ada)["title"] == "CTO"
    assert house.undo(done)["status"] == "compensated"


@pytest.mark.parametrize("record_id", ["003Hs000000000", "003Hs0000000001AA", "1" * 19])
def test_an_id_of_another_length_is_none(house: CrmHouse, record_id: str) -> None:
    refused = house.update(record_id, title="CTO")
    assert refused["error"]["details"][0] == {
        "field": "parameters.id",
        "code": "invalid_parameters",
        "message": "an id is 15 or 18 letters and digits",
    }


def test_numbers_booleans_and_texts_come_back_as_they_were(house: CrmHouse) -> None:
    some = {"Age__c": 36.5, "OptedIn__c": True, "FirstName": "Zoë\nAda"}
    ada = house.double.add("Contact", LastName="King", **some)
    done = house.ask(
        "crm_update", object="Contact", id=ada, fields={"Age__c": 37, "OptedIn__c": False, "FirstName": None}
    )
    assert house.undo(done)["status"] == "compensated"
    assert house.double.objects["Contact"][ada].values == {"LastName": "King", **some}
