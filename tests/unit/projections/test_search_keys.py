"""By what an action is found: what its events say, whatever the request was."""

from __future__ import annotations

from typing import Any

import pytest
from eventsourcing.persistence import JSONTranscoder
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import ActionMapper
from projections.search import search_of
from projections.search_keys import LONGEST_KEY, keys_of, search_key, subject_key
from projections.status import view_of
from tests.given import ATTEMPTED, RETRY, VALIDATED, Told, action_after, life_of

REQUEST: dict[str, Any] = {
    "action_type": "crm_upsert",
    "parameters": {
        "match": {"field": "Email", "value": "ada@example.com"},
        "id": "003A",
        "recipient": "ada@example.com",
    },
    "correlation_id": "c-1",
    "decision": {"id": "d-1", "agent": "renewals", "reason": "ends soon"},
}


def requested(subject: str | None = None, **members: Any) -> Told:
    return "requested", {"request": {**REQUEST, **members}, "subject": subject}


def keys(*told: Told) -> dict[str, str | None]:
    """Those that there are."""
    return {name: value for name, value in keys_of(action_after(*told)).items() if value is not None}  # type: ignore[misc]


CAUSE = {"agent": "renewals", "decision": "d-1", "correlation": "c-1"}


def test_the_cause_is_what_the_request_tells() -> None:
    assert keys(requested()) == CAUSE
    assert keys(("requested", {"request": {"action_type": "greet", "parameters": {}}})) == {}


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("parameters.recipient", "ada@example.com"),
        ("parameters.match.value", "ada@example.com"),
        ("parameters.id", "003A"),
        ("parameters.nobody", None),
        ("parameters.match", None),
        ("parameters.id.deeper", None),
        ("result.id", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_subject_is_where_the_type_said_when_it_was_requested(path: str, subject: str | None) -> None:
    assert keys(requested(path)).get("subject") == subject


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Ada@EXAMPLE.com", "ada@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("Straße@example.com", "strasse@example.com"),
        ("003A", "003A"),
        ("@Ada", "@Ada"),
        ("Ada <Ada@example.com>", "Ada <Ada@example.com>"),
        ("Ada@one@two", "Ada@one@two"),
        (7, None),
    ],
)
def test_an_address_is_one_however_it_is_written_and_nothing_else_is_changed(said: Any, key: str | None) -> None:
    assert subject_key(said) == key
    assert keys(requested("parameters.id", parameters={"id": said})).get("subject") == key


@given(st.emails())
def test_who_is_looked_for_is_found_in_any_spelling(address: str) -> None:
    key = keys(requested("parameters.id", parameters={"id": address}))["subject"]
    for spelling in (address, address.upper(), address.lower(), address.swapcase()):
        assert search_of({"subject": spelling}).keys == {"subject": key}


def test_only_subjects_are_addresses() -> None:
    assert search_of({"correlation": "Ada@EXAMPLE.com"}).keys == {"correlation": "Ada@EXAMPLE.com"}
    assert keys(requested(correlation_id="Ada@EXAMPLE.com"))["correlation"] == "Ada@EXAMPLE.com"


def test_what_an_action_made_is_its_subject_once_it_is_there() -> None:
    begun = (requested("result.id"), VALIDATED, ATTEMPTED)
    assert "subject" not in keys(*begun)
    assert keys(*begun, ("succeeded", {"result": {"id": "003B"}}))["subject"] == "003B"


def test_what_another_route_made_is_not() -> None:
    fallback = {"fallback": [{"action_type": "greet", "parameters": {}}]}
    life = (
        requested("result.id", options=fallback),
        VALIDATED,
        ATTEMPTED,
        ("attempt_failed", {"next_route": 1}),
        ("attempted", {"route": 1}),
        ("succeeded", {"result": {"id": "of the other"}}),
    )
    assert "subject" not in keys(*life)


def test_the_target_is_that_of_the_route_that_stands() -> None:
    fallback = {"fallback": [{"action_type": "greet", "parameters": {}}]}
    begun = (requested(options=fallback), ("validated", {"target": "crm:main"}))
    assert keys(*begun)["target"] == "crm:main"
    assert keys(*begun, ATTEMPTED)["target"] == "crm:main"
    assert keys(*begun, ("attempted", {"target": "crm:other"}))["target"] == "crm:other"
    fallen_back = (*begun, ATTEMPTED, ("attempt_failed", {"next_route": 1}))
    assert "target" not in keys(*fallen_back)
    assert "target" not in keys(*fallen_back, ("deferred", {"target": "greet"}))
    assert keys(*fallen_back, ("deferred", {"target": "greeters:1"}))["target"] == "greeters:1"
    assert keys(*fallen_back, ("attempted", {"route": 1, "target": "greeters:1"}))["target"] == "greeters:1"


def test_a_compensation_is_no_target() -> None:
    life = (requested(), ("validated", {"target": "crm:main"}), ATTEMPTED, ("succeeded", {}))
    taken_back = (*life, ("compensation_requested", {}), ("deferred", {"target": "act_5n8x0000000000000000000000"}))
    assert keys(*taken_back)["target"] == "crm:main"


def test_the_error_is_the_one_that_stands() -> None:
    failed = (requested(), VALIDATED, ATTEMPTED, RETRY)
    assert keys(*failed)["error"] == "a_code"
    assert "error" not in keys(*failed, ATTEMPTED, ("succeeded", {}))
    assert keys(requested(), ("rejected", {"code": "invalid_parameters"}))["error"] == "invalid_parameters"


def test_the_actor_is_the_person_who_acted_last_and_a_probe_is_no_person() -> None:
    held = (requested(), VALIDATED, ("held", {}))
    assert "actor" not in keys(*held)
    assert keys(*held, ("approved", {"by": "grace"}))["actor"] == "grace"
    assert keys(*held, ("denied", {"by": "eve"}))["actor"] == "eve"
    doubt = (*held, ("approved", {"by": "grace"}), ATTEMPTED, ("in_doubt", {"reason": "outcome_unknown"}))
    assert keys(*doubt, ("resolved", {"by": "probe"}), ("succeeded", {}))["actor"] == "grace"
    assert keys(*doubt, ("resolved", {"by": "ada"}), ("succeeded", {}))["actor"] == "ada"


# -- whatever somebody wrote ----------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["action_type", "parameters", "options", "decision", "correlation_id", "workflow"])


@given(
    st.dictionaries(MEMBERS, ANYTHING | st.fixed_dictionaries({"agent": ANYTHING, "id": ANYTHING})),
    st.none() | st.sampled_from(["parameters.recipient", "parameters.a.b", "result.id"]) | st.text(max_size=20),
)
def test_what_was_refused_has_a_row_of_short_texts(request: dict[str, Any], subject: str | None) -> None:
    row = view_of(action_after(("requested", {"request": request, "subject": subject}), ("rejected", {})))
    told = [getattr(row, name) for name in ("action_type", *keys_of(action_after(requested())))]
    assert all(value is None or isinstance(value, str) for value in told)
    assert all(len(value or "") <= LONGEST_KEY for value in told)
    assert row.action_type is not None


@given(st.text(min_size=LONGEST_KEY + 1, max_size=400), st.text(min_size=1, max_size=5))
def test_what_is_too_long_is_cut_and_stays_apart_from_others(said: str, more: str) -> None:
    key = search_key(said)
    assert key is not None
    assert len(key) <= LONGEST_KEY
    assert key == search_key(said) != search_key(said + more)


def test_what_is_short_is_kept_as_it_is() -> None:
    assert search_key("x" * LONGEST_KEY) == "x" * LONGEST_KEY
    assert [search_key(said) for said in ("", None, 7, True, ["a"], {"a": 1})] == [None] * 6


def test_a_row_made_from_stored_bytes_is_the_row_that_was_made_at_once() -> None:
    """Years later, when no such type is registered: nothing but the events is asked."""
    mapper = ActionMapper(JSONTranscoder())
    told = (requested("parameters.recipient"), ("validated", {"target": "crm:main"}), ATTEMPTED)
    again: Any = None
    for event in life_of(*told):
        again = mapper.to_domain_event(mapper.to_stored_event(event)).mutate(again)
    assert view_of(again) == view_of(action_after(*told))
    assert view_of(again).subject == "ada@example.com"
