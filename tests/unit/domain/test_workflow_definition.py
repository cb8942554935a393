"""Definitions as they are stored, and the inputs of their runs."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical import canonical
from domain.errors import ExpressionError, InvalidDefinition, MalformedRequest, Refused
from domain.workflow_definition import (
    Definition,
    InputSpec,
    InputType,
    OnFailure,
    Route,
    Step,
    StepKind,
    check_inputs,
    definition_of,
    duration_of,
    moment_of,
)

STORED: dict[str, Any] = {
    "name": "onboarding",
    "description": "Sets a customer up.",
    "on_failure": "rollback",
    "on_rollback_failure": "stop",
    "inputs": {
        "who": {"type": "string", "required": True, "description": "Whom"},
        "seats": {"type": "integer", "required": False, "default": 5},
        "rate": {"type": "number", "required": False},
        "ready": {"type": "boolean", "required": False},
        "day": {"type": "date", "required": False},
        "plan": {"type": "object", "required": False},
        "parts": {"type": "array", "required": False},
    },
    "steps": [
        {
            "id": "create",
            "uses": "an_action_type_of_long_ago",
            "with": {"name": "${{ inputs.who }}", "weight": 1.0},
            "needs": [],
            "if": "inputs.ready",
            "on_failure": "rollback",
            "timeout": "2h",
            "fallback": [{"uses": "another", "with": {"a": [1]}}],
            "options": {"max_retries": 1},
            "summary": "Creates.",
        },
        {"id": "pause", "wait": {"for": "3d"}, "needs": ["create"], "on_failure": "stop"},
        {"id": "day", "wait": {"until": "${{ inputs.day }}"}, "needs": [], "on_failure": "continue"},
        {"id": "answer", "wait_for": "callback", "timeout": "30m", "needs": ["pause", "day"], "on_failure": "stop"},
        {"id": "more", "workflow": "forgotten", "with": {"b": 2}, "needs": [], "on_failure": "stop"},
    ],
}


def stored(**changes: Any) -> Definition:
    return definition_of({**STORED, **changes})


# From the document


def test_a_stored_document_tells_every_step() -> None:
    definition = stored()
    assert (definition.name, definition.stops_on_rollback_failure) == ("onboarding", True)
    assert definition.steps == (
        Step(
            id="create",
            kind=StepKind.ACTION,
            uses="an_action_type_of_long_ago",
            parameters={"name": "${{ inputs.who }}", "weight": 1},
            condition="inputs.ready",
            on_failure=OnFailure.ROLLBACK,
            timeout=timedelta(hours=2),
            fallback=(Route("another", {"a": [1]}),),
            options={"max_retries": 1},
            summary="Creates.",
        ),
        Step(id="pause", kind=StepKind.WAIT, needs=("create",), wait_for=timedelta(days=3)),
        Step(id="day", kind=StepKind.WAIT, on_failure=OnFailure.CONTINUE, wait_until="${{ inputs.day }}"),
        Step(id="answer", kind=StepKind.CALLBACK, needs=("pause", "day"), timeout=timedelta(minutes=30)),
        Step(id="more", kind=StepKind.WORKFLOW, workflow="forgotten", parameters={"b": 2}),
    )


def test_a_stored_document_tells_every_input() -> None:
    inputs = {spec.name: spec for spec in stored().inputs}
    assert inputs["who"] == InputSpec("who", InputType.STRING, required=True, description="Whom")
    assert inputs["seats"] == InputSpec("seats", InputType.INTEGER, default=5)
    assert {spec.type for spec in inputs.values()} == {*InputType}


def test_the_hash_is_of_the_canonical_document() -> None:
    assert stored().hash == hashlib.sha256(canonical(STORED)).hexdigest()


def test_the_document_of_a_definition_makes_the_same_definition() -> None:
    definition = stored()
    assert definition_of(definition.document) == definition


def test_the_order_in_which_a_store_gives_the_members_back_does_not_matter() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed([*value])}
        return [turned(member) for member in value] if isinstance(value, list) else value

    other = definition_of(turned(STORED))
    assert other == stored()
    assert [*other.document["inputs"]] == [*stored().document["inputs"]]


def test_a_definition_keeps_a_copy_of_its_document() -> None:
    document = copy.deepcopy(STORED)
    definition = definition_of(document)
    document["steps"].clear()
    assert len(definition.steps) == 5
    assert len(definition.document["steps"]) == 5


def test_another_document_has_another_hash() -> None:
    assert stored(description="Sets a customer up").hash != stored().hash


@pytest.mark.parametrize(
    "document",
    [
        {},
        {**STORED, "name": object()},
        {**STORED, "steps": 3},
        {**STORED, "steps": [3]},
        {**STORED, "inputs": []},
        {**STORED, "inputs": {"a": {"type": "text", "required": False}}},
        {**STORED, "steps": [{"id": "a", "needs": [], "on_failure": "stop"}]},
        {**STORED, "steps": [{"id": "a", "uses": "x", "wait": {}, "needs": [], "on_failure": "stop"}]},
        {**STORED, "steps": [{"id": "a", "uses": "x", "needs": [], "on_failure": "never"}]},
        {**STORED, "steps": [{"id": "a", "wait": {"for": "soon"}, "needs": [], "on_failure": "stop"}]},
        {**STORED, "steps": [{"id": "a", "wait": {"for": 3}, "needs": [], "on_failure": "stop"}]},
        [],
        None,
        "x",
        {**STORED, "weight": float("nan")},
    ],
)
def test_what_no_reader_ever_made_is_refused(document: Any) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        definition_of(document)
    assert caught.value.message.startswith("this is no stored definition of a workflow (")
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [(0, "")]


# Times


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(days=7)),
        ("366d", timedelta(days=366)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert duration_of(text) == duration


@pytest.mark.parametrize(
    "text", ["", "3", "d", "3 d", "0d", "-1d", "1.5h", "1h30m", "3D", "367d", "999999999w", "٣d", "3d\n"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        duration_of(text)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-01T12:30:00Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00.5+02:00", datetime(2026, 3, 1, 10, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_with_an_offset_or_a_day(value: str, moment: datetime) -> None:
    assert moment_of(value) == moment
    assert moment_of(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tomorrow",
        "2026-02-30",
        "2026-03-01T12:30:00",
        "2026-03-01T25:00:00Z",
        "20260301",
        1_772_000_000,
        None,
        True,
        [],
        {},
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ExpressionError) as caught:
        moment_of(value)
    assert caught.value.message == (
        "must be a time of RFC 3339, such as 2024-01-31T09:00:00Z, or a day, such as 2024-01-31"
    )


# Inputs


def details_of(**given: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as caught:
        check_inputs(stored(), given)
    return [(detail.field, detail.code, detail.message) for detail in caught.value.details]


def test_every_declared_input_has_a_value_afterwards() -> None:
    assert check_inputs(stored(), {"who": "Ada", "rate": 0.5}) == {
        "who": "Ada",
        "seats": 5,
        "rate": 0.5,
        "ready": None,
        "day": None,
        "plan": None,
        "parts": None,
    }


def test_null_is_as_good_as_nothing() -> None:
    assert check_inputs(stored(), {"who": "Ada", "seats": None})["seats"] == 5
    assert details_of(who=None) == [("inputs.who", "missing_field", "is required: a string")]


def test_false_and_zero_are_values() -> None:
    inputs = check_inputs(stored(), {"who": "", "seats": 0, "ready": False, "plan": {}, "parts": []})
    assert (inputs["who"], inputs["seats"], inputs["ready"], inputs["plan"], inputs["parts"]) == ("", 0, False, {}, [])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("who", 1, "must be a string; it is a number"),
        ("seats", 1.5, "must be an integer; it is a number"),
        ("seats", True, "must be an integer; it is a boolean"),
        ("seats", "3", "must be an integer; it is a string"),
        ("rate", "0.5", "must be a number; it is a string"),
        ("rate", False, "must be a number; it is a boolean"),
        ("ready", "true", "must be true or false; it is a string"),
        ("ready", 1, "must be true or false; it is a number"),
        ("day", "2026-02-30", "must be a real date in the form YYYY-MM-DD; this string is not"),
        ("day", "20260301", "must be a real date in the form YYYY-MM-DD; this string is not"),
        ("day", 20260301, "must be a real date in the form YYYY-MM-DD; it is a number"),
        ("plan", [], "must be an object; it is an array"),
        ("parts", {}, "must be an array; it is an object"),
    ],
)
def test_an_input_of_another_type_is_refused(name: str, value: object, told: str) -> None:
    assert details_of(**{"who": "Ada", name: value}) == [(f"inputs.{name}", "invalid_type", told)]


def test_everything_that_is_wrong_with_the_inputs_is_told_at_once() -> None:
    with pytest.raises(Refused) as caught:
        check_inputs(stored(), {"seats": "x", "colour": "red"})
    assert [detail.field for detail in caught.value.details] == ["inputs.colour", "inputs.seats", "inputs.who"]
    assert caught.value.code == "invalid_parameters"
    assert caught.value.message == (
        "inputs.colour: unknown input; there are day, parts, plan, rate, ready, seats, who (the first of 3 problems)"
    )


def test_a_workflow_without_inputs_takes_none() -> None:
    definition = stored(inputs={})
    assert check_inputs(definition, {}) == {}
    with pytest.raises(Refused) as caught:
        check_inputs(definition, {"a": 1})
    assert caught.value.message == "inputs.a: unknown input; onboarding takes none"


@pytest.mark.parametrize("given_inputs", [[], "x", 3, [["who", "Ada"]]])
def test_inputs_are_an_object(given_inputs: Any) -> None:
    with pytest.raises(Refused):
        check_inputs(stored(), given_inputs)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "inputs.rate: JSON has finite numbers only"),
        ("a\x07", "inputs.rate: U+0007"),
        (2**60, "inputs.rate: an integer beyond 53 bits"),
        (object(), "inputs.rate: not a JSON value"),
        ([[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]], "a request nests at most"),
        ("x" * 300_000, "a request has at most"),
    ],
    ids=["nan", "control", "integer", "object", "deep", "large"],
)
def test_what_is_no_sound_json_is_refused(value: object, told: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        check_inputs(stored(), {"who": "Ada", "rate": value})
    assert caught.value.message.startswith(told)


def test_inputs_are_copied() -> None:
    given_inputs: dict[str, Any] = {"who": "Ada", "plan": {"a": [1]}}
    inputs = check_inputs(stored(), given_inputs)
    given_inputs["plan"]["a"].append(2)
    assert inputs["plan"] == {"a": [1]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*STORED["inputs"]]) | st.text(max_size=3), JSON, max_size=7))
def test_any_inputs_are_complete_and_of_their_types_or_refused(given_inputs: dict[str, Any]) -> None:
    definition = stored()
    try:
        inputs = check_inputs(definition, given_inputs)
    except Refused:
        inputs = {spec.name: None for spec in definition.inputs}
    assert [*inputs] == [spec.name for spec in definition.inputs]
    for spec in definition.inputs:
        assert inputs[spec.name] is None or spec.flaw_in(inputs[spec.name]) is None


@pytest.mark.parametrize(
    ("declared", "text", "meant"),
    [
        ("string", "1234", "1234"),
        ("string", "true", "true"),
        ("string", '"Acme"', '"Acme"'),
        ("date", "2026", "2026"),
        ("integer", "7", 7),
        ("number", "0.5", 0.5),
        ("boolean", "true", True),
        ("array", '["a"]', ["a"]),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", "[" * 100_000, "[" * 100_000),
        ("integer", "many", "many"),
    ],
)
def test_what_is_written_as_text_is_read_as_it_is_declared(declared: str, text: str, meant: object) -> None:
    found = InputSpec("it", InputType(declared)).value_of(text)
    assert (type(found), found) == (type(meant), meant)
