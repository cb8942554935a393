"""An export shows what is technical and who acted; what is personal, undeclared or secret it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies

from agents.execution_agent.config import ACTIONS
from domain.events import REGISTRY
from domain.field_class import REVEALABLE, FieldClass, Personal, Secret, Technical, declared_classes, technical
from domain.journal import Life
from domain.workflow_events import RUN_REGISTRY
from projections.export_records import Record, records_of
from projections.field_shapes import FIELDS, Shapes
from projections.reading import read
from projections.redaction import Redactor
from tests.fakes import Greet, GreetParameters
from tests.lives import ATTEMPTED, MAPPER, REQUEST, REQUESTED, SUCCEEDED, VALIDATED, Said, commit, life

KEY = b"k" * 32
SHOWN_BY_TYPE = {"request", "facts", "result", "undo", "reference"}


class InviteParameters(GreetParameters):
    """`name` is personal, `event` technical, `ticket` secret, and of `note` nobody has said anything."""

    name: Personal[str]
    event: Technical[str]
    ticket: Secret[str] = ""
    note: str = ""


class Invite(Greet):
    """A type that declares what it holds."""

    action_type = "invite"
    parameters = InviteParameters
    tells = technical("seat")


SHAPES = Shapes([Invite(), Greet()])


def requested(**members: Any) -> Said:
    return "action.requested", {**REQUESTED[1], "request": {**REQUEST, **members}}


def records(told: Life, *revealed: FieldClass, key: bytes = KEY) -> list[Record]:
    return records_of(read(told, MAPPER), SHAPES, Redactor(key, revealed))


def invited(*then: Said, **parameters: Any) -> Life:
    given = {"name": "Ada Lovelace", "event": "launch", "note": "likes tea", **parameters}
    return life(commit(1, requested(action_type="invite", parameters=given), VALIDATED, *then))


def test_what_is_personal_is_a_digest_and_what_is_technical_is_shown() -> None:
    first = records(invited())[0]
    parameters = first.data["request"]["parameters"]

    assert parameters["event"] == "launch"
    assert parameters["name"]["redacted"] == "personal"
    assert parameters["note"]["redacted"] == "undeclared"
    assert "Ada" not in json.dumps(first.as_dict())
    assert (first.agent, first.decision_id, first.correlation_id) == ("renewals", "d-1", "c-1")


@pytest.mark.parametrize(
    ("revealed", "shown"),
    [
        (FieldClass.PERSONAL, {"Ada Lovelace", "it ends soon"}),
        (FieldClass.UNDECLARED, {"likes tea"}),
        (FieldClass.BUSINESS, {"key-1"}),
    ],
)
def test_a_class_is_revealed_and_no_other(revealed: FieldClass, shown: set[str]) -> None:
    everything = {"Ada Lovelace", "it ends soon", "likes tea", "key-1"}
    parameters = {"name": "Ada Lovelace", "event": "launch", "note": "likes tea"}
    asked = requested(action_type="invite", parameters=parameters, idempotency_key="key-1")
    text = json.dumps(records(life(commit(1, asked, VALIDATED)), revealed)[0].as_dict())

    assert {one for one in everything if one in text} == shown


def test_equal_values_have_equal_digests_under_one_key_and_others_under_another() -> None:
    def digest(name: str, key: bytes = KEY) -> str:
        told: str = records(invited(name=name), key=key)[0].data["request"]["parameters"]["name"]["digest"]
        return told

    assert digest("Ada") == digest("Ada")
    assert len({digest("Ada"), digest("Bob"), digest("Ada", b"another key")}) == 3


def test_a_secret_is_shown_to_nobody_and_has_no_digest() -> None:
    redactor = Redactor(KEY, REVEALABLE)
    assert redactor.shown("token", FieldClass.SECRET) == {"redacted": "secret"}


def test_members_that_nobody_declared_do_not_even_tell_their_names() -> None:
    decision = {"id": "d-1", "agent": "renewals", "reason": "because", "ada@example.com": True}
    told = records(life(commit(1, requested(decision=decision), VALIDATED)))[0]

    assert "ada@example.com" not in json.dumps(told.as_dict())
    assert told.data["request"]["decision"]["undeclared"]["redacted"] == "undeclared"


def test_facts_and_results_are_shown_as_their_type_declares_them() -> None:
    attempted: Said = ("action.attempted", {**ATTEMPTED[1], "facts": {"seat": "3A", "diet": "vegan"}})
    result = {"seat": "3A", "phone": "+49151"}
    succeeded: Said = ("action.succeeded", {"epoch": 3, "result": result, "reference": "ada@example.com"})
    told = records(invited(attempted, succeeded))

    assert told[2].data["facts"]["seat"] == told[3].data["result"]["seat"] == "3A"
    assert "vegan" not in json.dumps(told[2].as_dict())
    assert "+49151" not in json.dumps(told[3].as_dict())
    assert told[3].data["reference"]["redacted"] == "undeclared", "a type has to declare that, too"


def test_of_a_type_that_is_not_installed_nothing_is_declared() -> None:
    asked = requested(action_type="gone", parameters={"event": "launch"})
    told = records(life(commit(1, asked, VALIDATED, ("action.attempted", {**ATTEMPTED[1], "facts": {"seat": "3A"}}))))

    text = json.dumps([record.as_dict() for record in told])
    assert "launch" not in text
    assert "3A" not in text


def test_a_fallback_is_redacted_as_its_own_type_declares_and_so_is_what_it_tells() -> None:
    fallback = {"action_type": "invite", "parameters": {"name": "Eve", "event": "launch"}}
    asked = requested(action_type="greet", options={"priority": "high", "fallback": [fallback]})
    attempted: Said = ("action.attempted", {**ATTEMPTED[1], "route": 1, "facts": {"seat": "3A"}})
    told = records(life(commit(1, asked, VALIDATED, attempted)))

    options = told[0].data["request"]["options"]
    assert options["priority"] == "high"
    assert options["fallback"][0]["parameters"]["event"] == "launch"
    assert options["fallback"][0]["parameters"]["name"]["redacted"] == "personal"
    assert (told[2].action_type, told[2].route, told[2].data["facts"]) == ("invite", 1, {"seat": "3A"})


@pytest.mark.parametrize(
    "asked",
    [
        {"action_type": "ada@example.com", "parameters": {}},
        {"action_type": "invite", "parameters": {"event": "ada@example.com"}},
        {"action_type": "invite", "parameters": "ada@example.com"},
        {"action_type": "invite", "parameters": {}, "decision": {"id": {"ada@example.com": 1}}},
        {"action_type": "invite", "parameters": {}, "compensates": "ada@example.com"},
        {"ada@example.com": 1, "parameters": {}},
    ],
)
def test_a_refused_request_may_hold_anything_anywhere_and_shows_nothing_of_it(asked: dict[str, Any]) -> None:
    rejected: Said = ("action.rejected", {"code": "invalid_parameters", "message": "ada@example.com is no event"})
    told = records(life(commit(1, ("action.requested", {**REQUESTED[1], "request": asked}), rejected)))

    assert told[1].code == "invalid_parameters"
    assert "ada@example.com" not in json.dumps([record.as_dict() for record in told])


@pytest.mark.parametrize("more", [{}, {"compensates": "this makes it no request"}])
def test_a_secret_of_a_refused_request_is_shown_to_nobody(more: dict[str, Any]) -> None:
    asked = {"action_type": "invite", "parameters": {"ticket": "T-1", "note": "likes tea"}}
    fallback = {"options": {"fallback": [{**asked, "parameters": {"ticket": "T-2"}}]}}
    rejected: Said = ("action.rejected", {"code": "missing_field", "message": "name"})
    refused = ("action.requested", {**REQUESTED[1], "request": {**asked, **fallback, **more}})
    text = json.dumps(records(life(commit(1, refused, rejected)), *REVEALABLE)[0].as_dict())

    assert "likes tea" in text
    assert "T-1" not in text
    assert "T-2" not in text


def test_what_cannot_be_read_shows_nothing_of_what_it_says() -> None:
    told = records(life(commit(1, requested(), VALIDATED, ("action.blessed", {"by": "Ada Lovelace"}))))

    assert told[2].problem == "unknown_topic"
    assert told[2].data["redacted"] == "undeclared"
    assert "Ada Lovelace" not in json.dumps(told[2].as_dict())


@pytest.mark.parametrize(
    "said",
    [
        ("action.attempted", {**ATTEMPTED[1], "attempt": "many"}),
        ("action.attempted", {**ATTEMPTED[1], "route": 7}),
        ("action.approved", {"request_hash": 1, "by": {"name": "Eve"}, "why": 4}),
        ("action.failed", {"reason": None, "code": ["a"], "message": 3}),
    ],
)
def test_an_event_that_says_what_cannot_be_loses_nothing_else(said: Said) -> None:
    told = records(life(commit(1, requested(), VALIDATED, said, SUCCEEDED)))

    assert [record.version for record in told] == [1, 2, 3, 4]
    assert told[3].outcome == "succeeded"


def test_of_two_events_of_one_version_both_are_told() -> None:
    told = records(
        life(commit(1, requested(), VALIDATED, ATTEMPTED), commit(2, ("action.cancelled", {"by": "a", "why": "b"})))
    )

    assert [(record.version, record.type, record.problem) for record in told] == [
        (1, "requested", None),
        (2, "validated", None),
        (2, "cancelled", "versions_repeated"),
        (3, "attempted", None),
    ]


def test_every_field_of_every_event_is_declared() -> None:
    """In `projections.field_shapes.FIELDS`, where the type does not say it."""
    kinds = {**REGISTRY, **RUN_REGISTRY}.values()
    names = {name for kind in kinds for name in kind.own_fields()}
    assert sorted(names - FIELDS.keys() - SHOWN_BY_TYPE) == []


@pytest.mark.parametrize("kind", ACTIONS, ids=lambda kind: str(kind.action_type))
def test_every_built_in_type_declares_its_parameters_and_what_it_tells(kind: Any) -> None:
    assert FieldClass.UNDECLARED not in declared_classes(kind.parameters).values()
    assert kind.tells


JSON_VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text() | strategies.floats(),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON_VALUES, shape=strategies.sampled_from([*REVEALABLE, FieldClass.SECRET]))
def test_of_any_value_nothing_but_its_class_and_digest_is_told(value: Any, shape: FieldClass) -> None:
    shown = Redactor(KEY).shown(value, shape)
    assert shown is None or shown.keys() <= {"redacted", "digest"}
    assert value is None or shown["redacted"] == shape
