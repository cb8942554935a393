"""What Salesforce is asked, and what each of its answers means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bearer_api import BearerApi
from adapters.connections.salesforce import Model
from adapters.crm_entry import AllowList
from adapters.http import MaybeSent, NotSent, Reach, Response
from adapters.salesforce import ID_IS, LIMIT_WAIT, RECORD_ID, Salesforce
from domain.crm import Absent, Crm, Record, Where, Written
from domain.outcome import Failure, Permanent, Retry, Unknown
from tests.scripted_client import Scripted, ScriptedClient, answered
from tests.unit.adapters.test_bearer_api import FakeTokens

ADA = "003Hs0000000001AAA"
BY_ID = Where("Contact", ADA)
BY_KEY = Where("Contact", "act_1-r0", "Execution_Key__c")
FIELDS = {"Title": "CTO"}
VERSION = "2026-03-01T12:00:05.000+0000"
ROOT = "https://acme.my.salesforce.com/services/data/v64.0/sobjects"
ENTRY = {
    "kind": "salesforce",
    "base_url": "https://acme.my.salesforce.com",
    "client_id": "3MVG9",
    "client_secret": "env:SECRET",
    "objects": {"Contact": {"fields": ["Title", "Email"], "external_id": "Execution_Key__c"}},
}

Act = Callable[[Crm], Any]
ACTS: Mapping[str, Act] = {
    "create": lambda crm: crm.create("Contact", FIELDS, timeout=5.0),
    "upsert": lambda crm: crm.upsert(BY_KEY, FIELDS, timeout=5.0),
    "update": lambda crm: crm.update(BY_ID, FIELDS, version=VERSION, timeout=5.0),
    "delete": lambda crm: crm.delete(BY_ID, timeout=5.0),
}
READ: Act = lambda crm: crm.read(BY_ID, ["Title", "Email"], timeout=5.0)  # noqa: E731
DONE_WITHOUT_A_WORD = {"create": set(), "upsert": set(), "update": {204}, "delete": {204}}


def salesforce(client: ScriptedClient) -> Salesforce:
    api = BearerApi(
        "salesforce sales",
        ENTRY["base_url"],
        FakeTokens("token"),
        client=client,
        reach=Reach(),  # type: ignore[arg-type]
    )
    allowed = AllowList(Model.model_validate(ENTRY), record_id=RECORD_ID, id_is=ID_IS)
    return Salesforce("sales", api, allowed, api_version="64.0", timeout=30.0)


def ended(act: Act, *answers: Scripted) -> Any:
    return act(salesforce(ScriptedClient(*answers)))


def error(status: int, code: str, message: str = "no") -> Response:
    return answered(status, [{"message": message, "errorCode": code, "fields": []}])


# --- what is asked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (ACTS["create"], f"POST {ROOT}/Contact"),
        (ACTS["upsert"], f"PATCH {ROOT}/Contact/Execution_Key__c/act_1-r0"),
        (ACTS["update"], f"PATCH {ROOT}/Contact/{ADA}"),
        (ACTS["delete"], f"DELETE {ROOT}/Contact/{ADA}"),
        (READ, f"GET {ROOT}/Contact/{ADA}?fields=Title,Email,LastModifiedDate"),
    ],
)
def test_each_act_is_one_request(act: Act, line: str) -> None:
    client = ScriptedClient(answered(503))
    act(salesforce(client))
    assert [f"{request.method} {request.url}" for request in client.sent] == [line]


def test_an_update_holds_for_the_version_that_was_read() -> None:
    client = ScriptedClient(answered(204))
    crm = salesforce(client)
    for version in (VERSION, None, "yesterday\r\nx: 1"):
        crm.update(BY_ID, FIELDS, version=version, timeout=5.0)
    conditions = [request.headers.get("if-unmodified-since") for request in client.sent]
    assert conditions == ["Sun, 01 Mar 2026 12:00:05 GMT", None, None]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_a_value_stays_one_segment_of_the_path(value: str) -> None:
    client = ScriptedClient(answered(404))
    salesforce(client).upsert(Where("Contact", value, "Email"), FIELDS, timeout=5.0)
    path = client.sent[0].url.removeprefix(f"{ROOT}/Contact/Email/")
    assert not set(path) & set("/?#\\ \r\n")


# --- what is answered -----------------------------------------------------------------------------------------------


def test_a_record_is_what_was_asked_for() -> None:
    said = {"attributes": {}, "Id": ADA, "Title": None, "Email": "ada@example.com", "LastModifiedDate": VERSION}
    assert ended(READ, answered(200, said)) == Record(ADA, {"Title": None, "Email": "ada@example.com"}, VERSION)


@pytest.mark.parametrize(
    "said",
    [None, [], {}, {"Id": "1"}, {"Id": ADA}, {"Id": ADA, "Title": {"street": "x"}, "Email": ""}],
    ids=str,
)
def test_an_answer_that_tells_no_record_is_none(said: Any) -> None:
    assert isinstance(ended(READ, answered(200, said)), Retry | Permanent)


@pytest.mark.parametrize("value", [1e999, [1], {"a": 1}])
def test_a_value_that_cannot_be_kept_is_not_read(value: Any) -> None:
    said = f'{{"Id": "{ADA}", "Title": "x", "Email": {"1e999" if value == 1e999 else value}}}'.replace("'", '"')
    refused = ended(READ, Response(200, {}, said.encode()))
    assert isinstance(refused, Permanent)
    assert refused.code == "field_not_plain"


def test_half_a_character_is_no_value() -> None:
    said = f'{{"Id": "{ADA}", "Title": "\\ud800", "Email": ""}}'
    assert isinstance(ended(READ, Response(200, {}, said.encode())), Permanent)


@pytest.mark.parametrize(
    ("status", "told", "created"), [(201, {"created": True}, True), (200, {"created": False}, False)]
)
def test_an_upsert_says_whether_it_created(status: int, told: dict[str, Any], created: bool) -> None:
    answer = answered(status, {"id": ADA, "success": True, "errors": [], **told})
    assert ended(ACTS["upsert"], answer) == Written(ADA, created, FIELDS)


def test_a_creation_and_a_change_are_written() -> None:
    assert ended(ACTS["create"], answered(201, {"id": ADA, "success": True, "errors": []})) == Written(
        ADA, True, FIELDS
    )
    assert ended(ACTS["update"], answered(204)) == Written(ADA, False, FIELDS)
    assert ended(ACTS["delete"], answered(204)) == Absent()


@pytest.mark.parametrize(
    "said", [None, [], {}, {"id": ADA}, {"id": ADA, "success": False}, {"id": "x", "success": True}]
)
@pytest.mark.parametrize(("name", "status"), [("create", 201), ("upsert", 200), ("upsert", 201)])
def test_a_yes_that_does_not_say_to_what_is_unknown(name: str, status: int, said: Any) -> None:
    outcome = ended(ACTS[name], answered(status, said))
    assert isinstance(outcome, Unknown)
    assert outcome.code == "unreadable_answer"


@pytest.mark.parametrize("name", ACTS)
def test_every_status_there_is_has_one_meaning(name: str) -> None:
    certainly_not = {401, 412, 420, 425, 429}
    never = set(range(300, 500)) - certainly_not - {408}
    for status in range(1000):
        outcome = ended(ACTS[name], answered(status))
        if status in DONE_WITHOUT_A_WORD[name]:
            assert isinstance(outcome, Written | Absent), status
        elif status in certainly_not:
            assert isinstance(outcome, Retry), status
        elif status in never:
            assert isinstance(outcome, Permanent), status
        else:
            assert isinstance(outcome, Unknown), status


def test_there_is_no_doubt_about_what_was_only_read() -> None:
    for status in range(1000):
        assert isinstance(ended(READ, answered(status)), Retry | Permanent), status


DOCUMENTED: list[tuple[int, str, type[Failure]]] = [
    (400, "UNABLE_TO_LOCK_ROW", Retry),
    (403, "REQUEST_LIMIT_EXCEEDED", Retry),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", Permanent),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", Permanent),
    (400, "DUPLICATE_VALUE", Permanent),
    (400, "DUPLICATES_DETECTED", Permanent),
    (400, "REQUIRED_FIELD_MISSING", Permanent),
    (400, "STRING_TOO_LONG", Permanent),
    (400, "INVALID_FIELD", Permanent),
    (400, "INVALID_FIELD_FOR_INSERT_UPDATE", Permanent),
    (400, "INVALID_TYPE_ON_FIELD_IN_RECORD", Permanent),
    (400, "INVALID_CROSS_REFERENCE_KEY", Permanent),
    (400, "MALFORMED_ID", Permanent),
    (400, "JSON_PARSER_ERROR", Permanent),
    (400, "INSUFFICIENT_ACCESS_OR_READONLY", Permanent),
    (403, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", Permanent),
    (403, "API_DISABLED_FOR_ORG", Permanent),
    (404, "INVALID_TYPE", Permanent),
    (405, "METHOD_NOT_ALLOWED", Permanent),
    (400, "REQUEST_RUNNING_TOO_LONG", Unknown),
    (500, "UNKNOWN_EXCEPTION", Unknown),
    (503, "SERVER_UNAVAILABLE", Unknown),
    (500, "UNABLE_TO_LOCK_ROW", Unknown),
]


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize(("status", "code", "kind"), DOCUMENTED)
def test_a_documented_error_is_classed_by_its_code(name: str, status: int, code: str, kind: type[Failure]) -> None:
    outcome = ended(ACTS[name], error(status, code, "the reason"))
    assert isinstance(outcome, kind)
    assert outcome.code == code.lower()
    assert outcome.message == f"salesforce sales answered {status} {code.lower()}: the reason"


@pytest.mark.parametrize("code", ["NOT_FOUND", "ENTITY_IS_DELETED"])
def test_what_is_not_there_is_absent_where_that_is_an_answer(code: str) -> None:
    assert ended(READ, error(404, code)) == Absent()
    assert ended(ACTS["delete"], error(404, code)) == Absent()
    assert isinstance(ended(ACTS["update"], error(404, code)), Permanent)
    assert isinstance(ended(ACTS["upsert"], error(404, code)), Permanent)


def test_a_404_of_somebody_else_says_nothing_of_a_record() -> None:
    assert isinstance(ended(READ, Response(404, {}, b"<html>no such host</html>")), Permanent)
    assert isinstance(ended(ACTS["delete"], answered(404)), Permanent)


def test_a_limit_is_waited_for_as_long_as_salesforce_says() -> None:
    limited = error(403, "REQUEST_LIMIT_EXCEEDED")
    with_header = Response(403, {"retry-after": "40"}, limited.body)
    assert ended(ACTS["update"], with_header).retry_after == 40.0
    assert ended(ACTS["update"], limited).retry_after == LIMIT_WAIT
    assert ended(ACTS["update"], answered(429, retry_after="40")).retry_after == 40.0


def test_a_condition_that_does_not_hold_is_tried_again_at_once() -> None:
    outcome = ended(ACTS["update"], answered(412))
    assert (outcome.code, outcome.retry_after) == ("changed_meanwhile", 0.0)


def test_several_matches_are_told() -> None:
    outcome = ended(ACTS["upsert"], answered(300, ["/a", "/b"]))
    assert isinstance(outcome, Permanent)
    assert outcome.code == "several_match"


@pytest.mark.parametrize("name", ACTS)
def test_what_gets_no_answer_is_classed_by_what_has_left(name: str) -> None:
    assert isinstance(ended(ACTS[name], NotSent("dns_failed", "no address")), Retry)
    assert isinstance(ended(ACTS[name], MaybeSent("timeout", "the deadline passed")), Unknown)
    assert isinstance(ended(READ, MaybeSent("timeout", "the deadline passed")), Retry)


@pytest.mark.parametrize(
    "said",
    [{"errorCode": "UNABLE_TO_LOCK_ROW"}, [{"errorCode": ["x"]}], [["x"]], ["x"], "x", 7, None, [None], [{}]],
    ids=str,
)
def test_errors_in_another_form_are_read_as_far_as_they_go(said: Any) -> None:
    assert isinstance(ended(ACTS["update"], answered(400, said)), Retry if isinstance(said, dict) else Permanent)


def test_it_tells_its_name_and_nothing_else() -> None:
    crm = salesforce(ScriptedClient(answered(200)))
    assert (repr(crm), crm.name, crm.timeout) == ("Salesforce(sales)", "sales", 30.0)
