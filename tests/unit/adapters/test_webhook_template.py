"""What a target's template makes of a payload, and how it is told what is wrong with either."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.webhook_config import parse_config
from adapters.webhook_template import LARGEST_BODY, WebhookTemplate
from adapters.webhooks import Webhooks
from domain.canonical import canonical
from domain.errors import ConfigurationError, InvalidVariable, MissingVariable, Refused

URL = "https://hooks.example.com/crm"
SOMETHING = {"name": {"type": "string", "required": True}, "amount": "number", "any": "any"}


def target(template: object, environ: dict[str, str] | None = None) -> Any:
    config = parse_config(json.dumps({"crm": {"url": URL, "template": template}}).encode(), environ or {})
    return config.receivers["crm"]


def template(body: object, variables: object = None) -> WebhookTemplate:
    found: WebhookTemplate = target({"variables": variables or SOMETHING, "body": body}).template
    return found


def filled(body: object, **payload: Any) -> object:
    return template(body).body({"name": "Ada"} | payload)


def refusal_of(body: object, payload: dict[str, Any], variables: object = None) -> Refused:
    with pytest.raises(Refused) as refused:
        template(body, variables).body(payload)
    return refused.value


def wrong_with(template: object, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as wrong:
        target(template, environ)
    assert "\n" not in str(wrong.value)
    return str(wrong.value)


# --- the body -------------------------------------------------------------------------------------------------------


def test_a_body_is_the_template_with_values_in_its_places() -> None:
    body = {"note": {"title": "For {{ name | upper }}", "lines": ["{{ amount }}", 7, True, None]}, "fixed": "{ } % #"}
    assert filled(body, amount=12.5) == {
        "note": {"title": "For ADA", "lines": [12.5, 7, True, None]},
        "fixed": "{ } % #",
    }


@pytest.mark.parametrize("value", [7, 2.5, True, None, "text", "", [], [1, [2]], {}, {"a": {"b": [None]}}])
def test_a_string_that_is_one_placeholder_alone_keeps_the_type_of_its_value(value: Any) -> None:
    assert filled(["{{ any }}", "{{any}}", "{{ any.deep }}"], any={"deep": value}) == [
        {"deep": value},
        {"deep": value},
        value,
    ]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ amount | default(0) }}", 0),
        ("{{ amount | default(none) }}", None),
        ("{{ name | length }}", 3),
        ("{{ any | first }}", [1]),
        ("{{ any[1] }}", "2.5"),
        ("{{ any[1] | float }}", 2.5),
        ("{{ name | escape }}", "Ada"),
        ("{# a note #}{{ any }}", [[1], "2.5"]),
    ],
)
def test_a_filter_gives_what_it_gives(text: str, made: object) -> None:
    value = filled(text, any=[[1], "2.5"])
    assert (value, type(value)) == (made, type(made))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (" {{ amount }}", " 7"),
        ("{{ amount }}{{ amount }}", "77"),
        ("{% if amount %}{{ amount }}{% endif %}", "7"),
        ("{% for one in any %}{{ one }};{% endfor %}", "a;b;"),
        ("${{ amount }}", "$7"),
        ("{% raw %}{{ amount }}{% endraw %}", "{{ amount }}"),
        ("", ""),
    ],
)
def test_in_a_longer_string_values_are_text(text: str, made: str) -> None:
    assert filled({"x": text}, amount=7, any=["a", "b"]) == {"x": made}


def test_what_is_not_html_is_not_escaped_whatever_its_member_is_called() -> None:
    body = {".html": "<{{ name }}>", "subject.txt": "{{ name }}\n"}
    assert filled(body, name="<&'\">\n") == {".html": "<<&'\">\n>", "subject.txt": "<&'\">\n\n"}


def test_a_payload_that_may_be_left_out_is_left_out() -> None:
    assert template("fixed", {"plan": "string"}).body({}) == "fixed"


def test_the_hash_is_of_the_template_as_it_stands_in_the_file() -> None:
    entry = {"body": {"b": "{{ name }}", "a": 1.0}, "variables": SOMETHING}
    made = target(entry)
    assert made.template.sha256 == made.target.template_sha256 == sha256(canonical(entry)).hexdigest()
    assert target({**entry, "body": 1}).template.sha256 != made.template.sha256
    assert parse_config(json.dumps({"crm": {"url": URL}}).encode(), {}).receivers["crm"].target.template_sha256 is None


# --- hostile values -------------------------------------------------------------------------------------------------

HOSTILE = [
    '"',
    '", "admin": true, "x": "',
    "\\",
    "\\u0022",
    "{{ name }}",
    "{% raw %}",
    "{{ amount }}",
    "{#",
    "}}",
    "${A}",
]
HOSTILE += ["\u2028", "</script>", "\t\n", "'", "null", "{{ any.__class__ }}", "%s", "\ud7ff", "\U0010ffff", "è\u0301"]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(lambda key: "\n" not in key), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, NUMBERS, VALUES)
def test_a_value_is_data_and_the_structure_is_the_templates_own(name: str, amount: float, value: Any) -> None:
    body = {"greeting": "Dear {{ name }}: {{ name }}", "deep": [{"n": "{{ amount }}"}], "any": "{{ any }}"}
    made = filled(body, name=name, amount=amount, any=value)
    expected = {"greeting": f"Dear {name}: {name}", "deep": [{"n": amount}], "any": value}
    assert made == expected
    # A receiver reads every number as a double.
    assert json.loads(canonical(made), parse_int=float) == json.loads(json.dumps(expected), parse_int=float)


def test_equal_payloads_make_equal_bytes() -> None:
    one, other = {"name": "Ada", "any": {"b": 1, "a": 2}}, {"any": {"a": 2.0, "b": 1.0}, "name": "Ada"}
    made = template({"x": "{{ any }}", "y": "{{ name }}"})
    assert canonical(made.body(one)) == canonical(made.body(other))


@pytest.mark.parametrize("value", ["\x00", "\x1b[2J", "a\rb", "\x7f", "\ud800", float("nan"), 2**70])
def test_what_no_message_may_hold_is_refused(value: Any) -> None:
    assert refusal_of("{{ any }}", {"name": "Ada", "any": [value]}).details[0].field == "parameters.payload.any.0"


# --- what is missing, and what is too much --------------------------------------------------------------------------


def test_a_required_member_that_is_not_there_is_named() -> None:
    refused = refusal_of("{{ name }}", {"amount": 1})
    assert isinstance(refused, MissingVariable)
    assert [(detail.field, detail.code) for detail in refused.details] == [
        ("parameters.payload.name", "missing_variable")
    ]
    assert refused.message.startswith("parameters.payload.name is required")


@pytest.mark.parametrize("text", ["{{ amount }}", "x {{ amount }}", "{{ any.price }}", "{{ any[3] }}"])
def test_what_is_not_required_and_yet_needed_is_missing(text: str) -> None:
    refused = refusal_of({"x": text}, {"name": "Ada", **({"any": {}} if "any" in text else {})})
    assert isinstance(refused, MissingVariable)
    assert refused.details[0].field.startswith("parameters.payload.a")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("number", "7"), ("number", True), ("string", 7), ("boolean", 0), ("date", "2026-02-30"), ("string", None)],
)
def test_a_member_of_another_type_is_refused(variable: str, value: Any) -> None:
    refused = refusal_of("{{ x }}", {"x": value}, {"x": variable})
    assert (refused.code, refused.details[0].field) == ("invalid_variable", "parameters.payload.x")


@pytest.mark.parametrize("value", [None, [], {"a": 1}])
def test_what_has_no_form_as_text_is_refused_in_one(value: Any) -> None:
    assert isinstance(refusal_of("x{{ any }}", {"name": "Ada", "any": value}), InvalidVariable)


def test_a_member_that_is_not_declared_is_refused_and_told_what_is() -> None:
    refused = refusal_of("{{ name }}", {"nmae": "Ada", "é{{": 1})
    assert isinstance(refused, InvalidVariable)
    assert [(detail.field, detail.code) for detail in refused.details] == [
        ("parameters.payload.nmae", "unknown_field"),
        ("parameters.payload.é{{", "unknown_field"),
    ]
    assert refused.message.endswith("declared: amount, any, name")


def test_a_body_has_a_bound() -> None:
    fits = "x" * (LARGEST_BODY - 2)
    assert filled("{{ name }}", name=fits) == fits
    for name in (fits + "x", "ü" * (LARGEST_BODY // 2)):
        assert refusal_of("{{ name }}", {"name": name}).details[0].field == "parameters.payload"


@pytest.mark.parametrize("text", ["{{ any }}", "{% for a in any %}{% for b in any %}{% endfor %}{% endfor %}"])
def test_all_strings_of_a_body_share_one_budget(text: str) -> None:
    """Each alone is well below it."""
    value = ["x" * 100] * 400
    assert template({"x": text.replace("{{ any }}", "{{ any | length }}")}).body({"name": "A", "any": value[:300]})
    refused = refusal_of({str(number): text for number in range(60)}, {"name": "Ada", "any": value})
    assert (refused.code, refused.details[0].code) == ("invalid_variable", "too_large")


# --- what is wrong with a template ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{{ name }}", "template: "),
        ({}, "template.body: "),
        ({"body": 1, "bodies": 2}, "template.bodies: "),
        ({"body": 1, "variables": ["name"]}, "template.variables: "),
        ({"body": 1, "variables": {"x": "text"}}, "template.variables.x.type: "),
        ({"body": 1, "variables": {"x": {"type": "string", "required": "yes"}}}, "template.variables.x.required: "),
        ({"body": 1, "variables": {"x": {"type": "string", "secret": 1}}}, "template.variables.x.secret: "),
        ({"body": 1, "variables": {"self": "any"}}, "template.variables: a variable may not be called 'self'"),
        ({"body": 1, "variables": {"a-b": "any"}}, "template.variables: a variable may not be called 'a-b'"),
        ({"body": "{{ x }}"}, "template.body, line 1: 'x' is not declared in variables; declared: none"),
        (
            {"body": {"a": [0, {"b": "{{ nmae }}"}]}, "variables": {"name": "any"}},
            "template.body.a.1.b, line 1: 'nmae' is not declared in variables; declared: name",
        ),
        ({"body": {"a": "\n{{ x }}"}}, "template.body.a, line 2: 'x' is not declared"),
        ({"body": ["{{ x"]}, "template.body.0, line 1: "),
        ({"body": ["{% if x %}"]}, "template.body.0, line 1: "),
        ({"body": ["{{ }}"]}, "template.body.0, line 1: "),
        ({"body": ["{{ 7 }}"]}, "template.body.0, line 1: "),
        ({"body": "{{ x() }}", "variables": {"x": "any"}}, "template.body, line 1: a call is not in the template"),
        ({"body": "{{ x.__class__ }}", "variables": {"x": "any"}}, "template.body, line 1: '__class__' is not a plain"),
        ({"body": "{{ x | kept }}", "variables": {"x": "any"}}, "template.body, line 1: no filter 'kept'"),
        ({"body": "{{ x | tojson }}", "variables": {"x": "any"}}, "template.body, line 1: no filter 'tojson'"),
        ({"body": {"{{ x }}": 1}, "variables": {"x": "any"}}, "template.body: the name of a member stands as it is"),
        ({"body": {"a": {"{% if x %}": 1}}}, "template.body.a: the name of a member stands as it is"),
        ({"body": {"a": "Bearer ${TOKEN}"}}, "template.body.a: a body is kept in the ledger"),
        ({"body": ["${secretsmanager:crm/token}"]}, "template.body.0: a body is kept in the ledger"),
        ({"body": {"${TOKEN}": 1}}, "template.body: the name of a member stands as it is"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_when_the_file_is_read(entry: Any, told: str) -> None:
    assert wrong_with(entry, {"TOKEN": "c4n4ry"}).startswith(f"webhook crm: {told}")


def test_a_template_is_no_member_of_what_is_about_direct_urls() -> None:
    with pytest.raises(ConfigurationError, match=r"^webhook \*: template"):
        parse_config(b'{"*": {"allow_direct_urls": true, "template": {"body": 1}}}', {})


def test_a_target_without_a_template_is_sent_the_payload_itself() -> None:
    hooks = Webhooks(parse_config(json.dumps({"crm": {"url": URL}}).encode(), {}), None)  # type: ignore[arg-type]
    assert hooks.body(hooks.target("crm"), {"name": "{{ name }}"}) == {"name": "{{ name }}"}
