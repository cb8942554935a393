"""What HubSpot is asked, and what each of its answers means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from adapters.bearer_api import BearerApi
from adapters.connections.hubspot import Model
from adapters.crm_entry import AllowList
from adapters.http import MaybeSent, NotSent, Reach, Response
from adapters.hubspot import ID_IS, LIMIT_WAITS, LOCK_WAIT, RECORD_ID, HubSpot
from domain.crm import Absent, Crm, Record, Where, Written
from domain.outcome import Failure, Permanent, Retry, Unknown
from tests.scripted_client import Scripted, ScriptedClient, answered
from tests.unit.adapters.test_bearer_api import FakeTokens

BY_ID = Where("contacts", "430001")
BY_KEY = Where("contacts", "act_1-r0", "execution_key")
FIELDS = {"jobtitle": "CTO"}
ROOT = "https://api.hubapi.com/crm/objects/2026-03"
ENTRY = {
    "kind": "hubspot",
    "token": "env:TOKEN",
    "objects": {"contacts": {"fields": ["jobtitle", "email"], "external_id": "execution_key"}},
}

Act = Callable[[Crm], Any]
ACTS: Mapping[str, Act] = {
    "create": lambda crm: crm.create("contacts", FIELDS, timeout=5.0),
    "upsert": lambda crm: crm.upsert(BY_KEY, FIELDS, timeout=5.0),
    "update": lambda crm: crm.update(BY_ID, FIELDS, version="any", timeout=5.0),
    "delete": lambda crm: crm.delete(BY_ID, timeout=5.0),
}
READ: Act = lambda crm: crm.read(BY_ID, ["jobtitle", "email"], timeout=5.0)  # noqa: E731


def hubspot(client: ScriptedClient, api_version: str = "2026-03") -> HubSpot:
    entry = Model.model_validate(ENTRY)
    api = BearerApi("hubspot main", entry.base_url, FakeTokens("token"), client=client, reach=Reach())  # type: ignore[arg-type]
    allowed = AllowList(entry, record_id=RECORD_ID, id_is=ID_IS)
    return HubSpot("main", api, allowed, api_version=api_version, timeout=30.0)


def ended(act: Act, *answers: Scripted) -> Any:
    return act(hubspot(ScriptedClient(*answers)))


def error(status: int, category: str, **more: Any) -> Response:
    return answered(status, {"status": "error", "message": "no", "correlationId": "c", "category": category, **more})


def record(**more: Any) -> dict[str, Any]:
    return {"id": "430001", "properties": {"jobtitle": "CTO"}, "updatedAt": "2026-03-01T12:00:05Z", **more}


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (ACTS["create"], f"POST {ROOT}/contacts"),
        (ACTS["upsert"], f"POST {ROOT}/contacts/batch/upsert"),
        (ACTS["update"], f"PATCH {ROOT}/contacts/430001"),
        (ACTS["delete"], f"DELETE {ROOT}/contacts/430001"),
        (READ, f"GET {ROOT}/contacts/430001?properties=jobtitle,email"),
        (
            lambda crm: crm.read(Where("contacts", "a+b@example.com", "email"), ["jobtitle"], timeout=5.0),
            f"GET {ROOT}/contacts/a%2Bb%40example.com?properties=jobtitle&idProperty=email",
        ),
    ],
)
def test_each_act_is_one_request(act: Act, line: str) -> None:
    client = ScriptedClient(answered(503))
    act(hubspot(client))
    assert [f"{request.method} {request.url}" for request in client.sent] == [line]


def test_an_upsert_is_a_batch_of_one() -> None:
    client = ScriptedClient(answered(503))
    hubspot(client).upsert(
        BY_KEY, {"age": 36, "share": 0.5, "new": True, "email": None, "jobtitle": "CTO"}, timeout=5.0
    )
    assert json.loads(client.sent[0].body) == {
        "inputs": [
            {
                "id": "act_1-r0",
                "idProperty": "execution_key",
                "properties": {"age": "36", "share": "0.5", "new": "true", "email": "", "jobtitle": "CTO"},
            }
        ]
    }


def test_the_older_api_is_at_its_own_address() -> None:
    client = ScriptedClient(answered(503))
    ACTS["create"](hubspot(client, "v3"))
    assert client.sent[0].url == "https://api.hubapi.com/crm/v3/objects/contacts"


def test_a_record_is_what_was_asked_for_and_nothing_is_null() -> None:
    read = ended(READ, answered(200, record()))
    assert read == Record("430001", {"jobtitle": "CTO", "email": None}, "2026-03-01T12:00:05Z")


@pytest.mark.parametrize("said", [None, [], {}, {"id": "430001"}, {"id": "x", "properties": {}}], ids=str)
def test_an_answer_that_tells_no_record_is_none(said: Any) -> None:
    outcome = ended(READ, answered(200, said))
    assert isinstance(outcome, Retry)
    assert outcome.code == "unreadable_answer"


def test_an_id_that_leads_to_another_record_is_refused() -> None:
    outcome = ended(READ, answered(200, record(id="430002")))
    assert isinstance(outcome, Permanent)
    assert outcome.code == "record_merged"


@pytest.mark.parametrize("status", [200, 201, 207])
@pytest.mark.parametrize("new", [True, False])
def test_our_record_in_the_results_is_done(status: int, new: bool) -> None:
    said = {"status": "COMPLETE", "results": [record(new=new)], "errors": []}
    assert ended(ACTS["upsert"], answered(status, said)) == Written("430001", new, FIELDS)


def test_what_hubspot_made_of_a_value_is_what_was_written() -> None:
    told = record(properties={"email": "ada@example.com", "jobtitle": "CTO"})
    given = {"email": "Ada@Example.com"}
    crm = hubspot(ScriptedClient(answered(200, told)))
    assert crm.update(BY_ID, given, version=None, timeout=5.0) == Written("430001", False, {"email": "ada@example.com"})


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"results": []},
        {"results": "abc"},
        {"results": [record()]},
        {"results": [record(new="yes")]},
        {"results": [{"id": "x", "new": True}]},
        {"results": [], "errors": []},
        {"results": [], "errors": "broken"},
    ],
    ids=str,
)
def test_a_yes_that_does_not_say_to_what_is_unknown(said: Any) -> None:
    for status in (200, 201, 207):
        outcome = ended(ACTS["upsert"], answered(status, said))
        assert isinstance(outcome, Unknown)
        assert outcome.code == "unreadable_answer"


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("VALIDATION_ERROR", Permanent),
        ("CONFLICT", Permanent),
        ("OBJECT_ALREADY_EXISTS", Permanent),
        ("OBJECT_NOT_FOUND", Permanent),
        ("MISSING_SCOPES", Permanent),
        ("RATE_LIMITS", Retry),
        ("INTERNAL_ERROR", Unknown),
        ("SOMETHING_NEW", Unknown),
        (None, Unknown),
        (["VALIDATION_ERROR"], Unknown),
    ],
)
def test_an_error_in_the_batch_is_classed_by_its_category(category: Any, kind: type[Failure]) -> None:
    said = {"results": [], "errors": [{"status": "error", "category": category, "message": "no"}], "numErrors": 1}
    assert isinstance(ended(ACTS["upsert"], answered(207, said)), kind)


@pytest.mark.parametrize("name", ACTS)
def test_every_status_there_is_has_one_meaning(name: str) -> None:
    certainly_not = {401, 423, 425, 429, 477}
    never = set(range(300, 500)) - certainly_not - {408}
    for status in range(1000):
        outcome = ended(ACTS[name], answered(status))
        if name == "delete" and status == 204:
            assert outcome == Absent()
        elif status in certainly_not:
            assert isinstance(outcome, Retry), status
        elif status in never:
            assert isinstance(outcome, Permanent), status
        else:
            assert isinstance(outcome, Unknown), status


def test_there_is_no_doubt_about_what_was_only_read() -> None:
    for status in range(1000):
        assert isinstance(ended(READ, answered(status)), Retry | Permanent), status


@pytest.mark.parametrize(
    ("status", "category", "kind"),
    [
        (400, "VALIDATION_ERROR", Permanent),
        (403, "MISSING_SCOPES", Permanent),
        (409, "OBJECT_ALREADY_EXISTS", Permanent),
        (409, "CONFLICT", Permanent),
        (414, "URI_TOO_LONG", Permanent),
        (423, "LOCKED", Retry),
        (429, "RATE_LIMITS", Retry),
        (477, "MIGRATION_IN_PROGRESS", Retry),
        (500, "INTERNAL_ERROR", Unknown),
        (502, "BAD_GATEWAY", Unknown),
        (503, "SERVICE_UNAVAILABLE", Unknown),
        (504, "TIMEOUT", Unknown),
        (521, "DOWN", Unknown),
        (522, "CONNECTION_TIMED_OUT", Unknown),
        (523, "UNREACHABLE", Unknown),
        (525, "SSL", Unknown),
    ],
)
@pytest.mark.parametrize("name", ACTS)
def test_a_documented_error_is_classed_by_its_status(
    name: str, status: int, category: str, kind: type[Failure]
) -> None:
    outcome = ended(ACTS[name], error(status, category))
    assert isinstance(outcome, kind)
    assert (outcome.code, outcome.message) == (
        category.lower(),
        f"hubspot main answered {status} {category.lower()}: no",
    )


def test_what_is_not_there_is_absent_where_that_is_an_answer() -> None:
    gone = error(404, "OBJECT_NOT_FOUND")
    assert (ended(READ, gone), ended(ACTS["delete"], gone)) == (Absent(), Absent())
    assert isinstance(ended(ACTS["update"], gone), Permanent)
    assert isinstance(ended(READ, Response(404, {}, b"<html>")), Permanent)


@pytest.mark.parametrize("policy", LIMIT_WAITS)
def test_a_limit_is_waited_for_as_long_as_hubspot_says_or_its_name_does(policy: str) -> None:
    assert ended(ACTS["update"], error(429, "RATE_LIMITS", policyName=policy)).retry_after == LIMIT_WAITS[policy]
    headed = Response(429, {"retry-after": "3"}, error(429, "RATE_LIMITS", policyName=policy).body)
    assert ended(ACTS["update"], headed).retry_after == 3.0


def test_a_lock_and_a_move_are_waited_for() -> None:
    assert ended(ACTS["update"], error(423, "LOCKED")).retry_after == LOCK_WAIT
    assert ended(ACTS["update"], answered(477, retry_after="600")).retry_after == 600.0


@pytest.mark.parametrize("name", ACTS)
def test_what_gets_no_answer_is_classed_by_what_has_left(name: str) -> None:
    assert isinstance(ended(ACTS[name], NotSent("dns_failed", "no address")), Retry)
    assert isinstance(ended(ACTS[name], MaybeSent("timeout", "the deadline passed")), Unknown)
    assert isinstance(ended(READ, MaybeSent("timeout", "the deadline passed")), Retry)


def test_it_tells_its_name_and_nothing_else() -> None:
    crm = hubspot(ScriptedClient(answered(200)))
    assert (repr(crm), crm.name, crm.timeout) == ("HubSpot(main)", "main", 30.0)
