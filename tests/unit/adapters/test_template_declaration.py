from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.template_declaration import Declaration, calendar_date
from domain.errors import Code, InvalidTemplate, InvalidVariable, MissingVariable, Refused
from tests.template_files import refusal_of


def declared(**variables: Any) -> Declaration:
    return Declaration.parse(json.dumps({"variables": variables}))


def refusal(declaration: Declaration, variables: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        declaration.check(variables)
    return caught.value


@pytest.mark.parametrize(
    "document",
    [
        {"variables": {"plan": {"type": "string", "required": True}}},
        {"variables": {"plan": {"type": "string"}}, "required": ["plan"]},
        {"variables": {"plan": "string"}, "required": ["plan"], "description": "for people", "owner": "RevOps"},
        {"variables": {"plan": {"type": "string", "required": True, "description": "what renews"}}},
    ],
)
def test_a_variable_is_required_wherever_the_declaration_says_so(document: dict[str, Any]) -> None:
    error = refusal(Declaration.parse(json.dumps(document)), {})
    assert isinstance(error, MissingVariable)
    assert [(detail.field, detail.code) for detail in error.details] == [
        ("parameters.variables.plan", "missing_variable")
    ]
    assert "a string" in error.details[0].message


def test_a_variable_is_optional_unless_it_is_required() -> None:
    declared(plan="string", amount={"type": "number", "required": False}).check({})


def test_a_template_may_have_no_variables() -> None:
    Declaration.parse("{}").check({"extra": 1})


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "null",
        "{",
        '{"variables": {"a": "string", "a": "date"}}',
        '{"variables": []}',
        '{"variables": {"a": null}}',
        '{"variables": {"a": "text"}}',
        '{"variables": {"a": {}}}',
        '{"variables": {"a": {"type": ["string"]}}}',
        '{"variables": {"a": {"type": "string", "requierd": true}}}',
        '{"variables": {"a": {"type": "string", "required": "yes"}}}',
        '{"variables": {"1a": "string"}}',
        '{"variables": {"_a": "string"}}',
        '{"variables": {"ä": "string"}}',
        '{"variables": {"self": "string"}}',
        '{"variables": {"loop": "any"}}',
        '{"variables": {"constructor": "any"}}',
        '{"variables": {"%s": "any"}}' % ("a" * 65),
        '{"variables": {}, "required": ["a"]}',
        '{"variables": {"a": "any"}, "required": "a"}',
        '{"variables": {"a": "any"}, "required": [1]}',
        pytest.param("[" * 60_000, id="60000 brackets"),
    ],
)
def test_a_faulty_declaration_is_refused(document: str) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        Declaration.parse(document)
    assert [(detail.field, detail.code) for detail in caught.value.details] == [
        ("parameters.template", Code.INVALID_TEMPLATE)
    ]
    assert "template.json" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", ""),
        ("string", "Zoë\tand\nMax"),
        ("date", "2024-02-29"),
        ("number", 0),
        ("number", -1.5),
        ("number", 2**64 - 1),
        ("boolean", False),
        ("any", None),
        ("any", {"lines": [{"total": 1}, None, True, "x"]}),
    ],
)
def test_a_value_of_the_declared_type_passes(kind: str, value: Any) -> None:
    declared(a=kind).check({"a": value})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 1),
        ("string", None),
        ("string", ["x"]),
        ("string", True),
        ("date", "2023-02-29"),
        ("date", "2023-13-01"),
        ("date", "0000-01-01"),
        ("date", "20231231"),
        ("date", "2023-W01-1"),
        ("date", "31/12/2023"),
        ("date", "2023-12-31T00:00:00Z"),
        ("date", " 2023-12-31"),
        ("date", "2023-12-31\n"),
        ("date", "٢٠٢٣-١٢-٣١"),
        ("date", 20231231),
        ("number", True),
        ("number", "1"),
        ("number", None),
        ("boolean", 1),
        ("boolean", "true"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(kind: str, value: Any) -> None:
    error = refusal(declared(a=kind), {"a": value})
    assert isinstance(error, InvalidVariable)
    assert [(detail.field, detail.code) for detail in error.details] == [("parameters.variables.a", "invalid_variable")]
    assert "must be" in error.details[0].message


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**64,
        pytest.param(10**5000, id="5001 digits"),
        "\x00",
        "a\rb",
        "\x1b[31m",
        "\x85",
        "\ud800",
        b"bytes",
        Decimal(1),
        date(2023, 12, 31),
        ("tuple",),
        {1, 2},
        object(),
        {"deep": {"er": "\x00"}},
        ["\x07"],
        {1: "a number as a key"},
        pytest.param({10**5000: 1}, id="a key of 5001 digits"),
        {"\ud800": "\x00"},
        {"\x00": 1},
    ],
)
def test_what_is_not_clean_json_is_refused_even_where_nothing_is_declared(value: Any) -> None:
    error = refusal(Declaration.parse("{}"), {"extra": value})
    assert isinstance(error, InvalidVariable)
    assert error.details[0].field.startswith("parameters.variables.extra")


def test_a_fault_inside_a_value_is_told_with_its_dotted_place() -> None:
    error = refusal(declared(order="any"), {"order": {"lines": [{"note": "fine"}, {"note": "\x07"}]}})
    assert error.details[0].field == "parameters.variables.order.lines.1.note"


@pytest.mark.parametrize(
    "name", ["", "_x", "1x", "a b", "a.b", "é", "self", "loop", "constructor", "a" * 65, "x\n", "__class__"]
)
def test_a_name_that_no_variable_has_is_refused(name: str) -> None:
    error = refusal(Declaration.parse("{}"), {name: 1})
    assert error.details[0].field == "parameters.variables"
    assert "loop, self" in error.details[0].message


def test_extra_variables_are_welcome() -> None:
    declared(a="string").check({"a": "x", "campaign": {"id": 7, "tags": ["q1"]}, "n": None, "yes": True})


@pytest.mark.parametrize("variables", [None, [], "a=1", 3])
def test_variables_are_one_object(variables: Any) -> None:
    assert isinstance(refusal(Declaration.parse("{}"), variables), InvalidVariable)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    declaration = Declaration.parse(
        '{"variables": {"a": "string", "b": "date", "c": "number"}, "required": ["a", "b"]}'
    )
    error = refusal(declaration, {"b": "soon", "c": "1"})
    assert isinstance(error, MissingVariable)
    assert [(detail.field.rpartition(".")[2], detail.code) for detail in error.details] == [
        ("a", "missing_variable"),
        ("b", "invalid_variable"),
        ("c", "invalid_variable"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 300_000, id="a long text"),
        ["x"] * 10_001,
        {f"k{n}": n for n in range(6_000)},
        [["x" * 1000] * 100] * 100,
    ],
)
def test_more_than_a_message_can_hold_is_refused(value: Any) -> None:
    error = refusal(Declaration.parse("{}"), {"a": value})
    assert [detail.code for detail in error.details] == [Code.TOO_LARGE]


def test_endless_values_end() -> None:
    inside: list[Any] = []
    inside.append(inside)
    wide: list[Any] = ["x"]
    for _ in range(15):
        wide = [wide] * 50
    assert "levels" in refusal(Declaration.parse("{}"), {"a": inside}).message
    assert refusal(Declaration.parse("{}"), {"a": wide}).details


@given(st.dates())
def test_every_day_is_a_date(day: date) -> None:
    assert calendar_date(day.isoformat()) == day


@given(st.text(max_size=12))
def test_no_other_text_is_a_date(text: str) -> None:
    found = calendar_date(text)
    assert found is None or found.isoformat() == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "extra", "loop"]) | st.text(max_size=3), JSON, max_size=6)
)
def test_any_json_passes_or_is_refused_and_nothing_else_happens(variables: dict[str, Any]) -> None:
    declaration = Declaration.parse(
        '{"variables": {"a": "string", "b": "date", "c": "number", "d": "boolean", "e": "any"}, "required": ["a"]}'
    )
    refused = refusal_of(lambda: declaration.check(variables))
    if refused is None:
        assert isinstance(variables["a"], str)
    else:
        assert refused.details
        assert all(detail.field.startswith("parameters.variables") for detail in refused.details)
        refused.message.encode()


# What its mails may have besides


def mailing(email: Any, **variables: Any) -> str:
    return json.dumps({"variables": variables, "email": email})


UNSUBSCRIBE = {"unsubscribe": {"url": "https://news.example.com/u/{{ token }}"}}


def test_a_template_may_say_what_its_mails_have_besides_their_words() -> None:
    policy = Declaration.parse(mailing(UNSUBSCRIBE, token={"type": "string", "required": True})).policy
    assert policy is not None
    assert policy.unsubscribe is not None
    assert Declaration.parse("{}").policy is None


@pytest.mark.parametrize(
    ("declaration", "reason"),
    [
        (mailing({"ccs": {}}), "template.json: email.ccs: is not known"),
        (mailing(None), "template.json: email: "),
        (mailing(UNSUBSCRIBE), "email.unsubscribe: token is no required variable"),
        (mailing(UNSUBSCRIBE, token="string"), "token is no required variable"),
        (mailing(UNSUBSCRIBE, token={"type": "any", "required": True}), "token is no required variable"),
    ],
)
def test_a_policy_that_cannot_be_kept_stops_the_template(declaration: str, reason: str) -> None:
    with pytest.raises(InvalidTemplate) as refused:
        Declaration.parse(declaration)
    assert reason in refused.value.message
    assert len(refused.value.message.splitlines()) == 1
