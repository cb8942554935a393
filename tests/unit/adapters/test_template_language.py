from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.template_language import MOST_NODES, compile_string, compile_template
from domain.errors import InvalidTemplate, InvalidVariable, MissingVariable, Refused
from tests.template_files import ANY, refusal_of


def render(source: str, variables: dict[str, Any] | None = None, *, file: str = "body.txt") -> str:
    return compile_template(file, source, ANY).render(variables or {})


def refusal(source: str, variables: dict[str, Any], *, file: str = "body.txt") -> Refused:
    compiled = compile_template(file, source, ANY)
    refused = refusal_of(lambda: compiled.render(variables))
    assert refused is not None
    return refused


ORDER = {"items": [{"unit price": 3, "tags": ["x", "y"]}, {"unit price": 4, "tags": []}], "keys": "own", "no": 0}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hello", "Hello"),
        ("Hello\n", "Hello\n"),
        ("{{ name }}", "Ada"),
        ("{{name}} & {{ name }}", "Ada & Ada"),
        ("{# {{ nobody }} #}x", "x"),
        ("{% raw %}{{ nobody() }}{% endraw %}", "{{ nobody() }}"),
        ("{{ order.keys }}", "own"),
        ("{{ order['keys'] }}", "own"),
        ('{{ order.items[1]["unit price"] }}', "4"),
        ("{{ order.items.0.tags.1 }}", "y"),
        ("{{ order.no }}", "0"),
        ("{{ flag }}", "True"),
        ("{% if flag %}yes{% else %}no{% endif %}", "yes"),
        ("{% if not flag %}yes{% elif name %}{{ name }}{% endif %}", "Ada"),
        ("{% if a %}there{% else %}absent{% endif %}", "absent"),
        ("{% if order.nothing.at.all %}there{% else %}absent{% endif %}", "absent"),
        ("{% if order.items.9 %}there{% else %}absent{% endif %}", "absent"),
        ("{% if name == 'Ada' and amount > 5 or a %}yes{% endif %}", "yes"),
        ("{% if (amount >= 7) and (amount <= 7) and amount != 8 and not amount < 7 %}yes{% endif %}", "yes"),
        ("{% if day < '2024-01-01' %}past{% endif %}", "past"),
        ("{% if a and a > 5 %}yes{% else %}no{% endif %}", "no"),
        ("{% if items | length > 2 %}many{% endif %}", "many"),
        ("{% if b == none %}null{% endif %}", "null"),
        ("{% for x in items %}<{{ x }}>{% endfor %}", "<1><2><3>"),
        ("{% for x in a %}x{% else %}nothing{% endfor %}", "nothing"),
        ("{% for line in order.items %}{% for tag in line.tags %}{{ tag }}{% endfor %};{% endfor %}", "xy;;"),
        ("{% for x in items %}{% if x == 2 %}two{% endif %}{% endfor %}", "two"),
        ("{% for x in items %}{% endfor %}{% for x in items %}{{ x }}{% endfor %}", "123"),
        ("{%- if flag -%}  tight  {%- endif -%}", "tight"),
        ("{{ name | upper | lower | title }}", "Ada"),
        ("{{ a | default(name) }}", "Ada"),
        ("{{ a | default(b | default('-')) }}", "-"),
    ],
)
def test_the_language_renders(source: str, expected: str) -> None:
    given_variables = {
        "name": "Ada",
        "order": ORDER,
        "flag": True,
        "amount": 7,
        "day": "2023-12-31",
        "items": [1, 2, 3],
        "b": None,
    }
    assert render(source, given_variables) == expected


REFUSED_SOURCES = [
    line
    for line in Path(__file__).with_name("outside_of_the_language.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("##")
]


@pytest.mark.parametrize(
    "source", [*REFUSED_SOURCES, pytest.param("{{ a | default(1" + "0" * 5000 + ") }}", id="5001 digits")]
)
def test_nothing_else_loads(source: str) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        compile_template("body.txt", source, ANY)
    assert [detail.field for detail in caught.value.details] == ["parameters.template"]
    assert "body.txt" in caught.value.message


def test_the_table_of_what_does_not_load_is_long_enough_to_mean_something() -> None:
    assert len(REFUSED_SOURCES) == len(set(REFUSED_SOURCES)) > 150


def test_a_refusal_names_the_line_and_what_there_is_instead() -> None:
    refused = refusal_of(lambda: compile_template("body.html", "line one\n{{ nmae }}", ["name", "plan"]))
    assert refused is not None
    assert refused.message == "body.html, line 2: 'nmae' is not declared in template.json; declared: name, plan"


@pytest.mark.parametrize("mapping", [{}, {"items": 1, "keys": 2, "get": 3, "pop": 4}])
def test_a_dot_is_a_key_and_never_a_method(mapping: dict[str, Any]) -> None:
    for key in ("items", "keys", "get", "pop"):
        shown = refusal_of(partial(render, f"{{{{ order.{key} }}}}", {"order": mapping}))
        assert (shown is None) == (key in mapping)


@pytest.mark.parametrize("value", ["text", 5, 2.5, True, None, [1], {"a": 1}])
def test_no_attribute_of_a_python_object_can_be_reached(value: Any) -> None:
    for attribute in ("format", "real", "append", "update", "upper", "is_integer", "copy"):
        assert isinstance(refusal(f"{{{{ a.{attribute} }}}}", {"a": value}), MissingVariable)


HTML = "<b title=\"x\">Q&A 'quoted'</b>"


def test_html_files_escape_what_they_show_and_text_files_do_not() -> None:
    assert render("{{ a }}", {"a": HTML}) == HTML
    shown = render("<i>{{ a }}</i>", {"a": HTML}, file="body.html")
    assert shown == "<i>&lt;b title=&#34;x&#34;&gt;Q&amp;A &#39;quoted&#39;&lt;/b&gt;</i>"
    assert render("{{ a | escape }}", {"a": HTML}, file="body.html") == render("{{ a }}", {"a": HTML}, file="body.html")


@pytest.mark.parametrize(
    "source",
    [
        "{{ a | upper }}",
        "{{ a | escape | upper }}",
        "{{ a | escape | title }}",
        "{{ a | escape | trim }}",
        "{{ '%s' | format(a) }}",
        "{{ '<%s>' | format(a | escape) }}",
        "{{ b | default(a) }}",
        "{{ b | default('<b>') }}",
        "{{ items | join('<br>') }}",
        "{{ items | first }}",
        "{{ a | escape | default('x') }}",
        "{{ a | lower | escape }}",
    ],
)
def test_no_filter_brings_markup_of_a_value_into_html(source: str) -> None:
    assert "<" not in render(source, {"a": "<script>", "items": ["<script>", "</b>"]}, file="body.html")


def test_a_value_is_never_a_template() -> None:
    assert render("{{ a }}", {"a": "{{ b }}{% for %}{{ 7 * 7 }}"}) == "{{ b }}{% for %}{{ 7 * 7 }}"


@pytest.mark.parametrize(
    ("source", "variables", "field"),
    [
        ("{{ a }}", {}, "a"),
        ("{{ order.total }}", {"order": {}}, "order.total"),
        ("{{ order.lines.0.total }}", {"order": {"lines": [{}]}}, "order.lines.0.total"),
        ("{% for line in items %}{{ line.total }}{% endfor %}", {"items": [{"total": 1}, {}]}, "items.1.total"),
        (
            "{% for line in items %}{% for tag in line %}{{ tag.x }}{% endfor %}{% endfor %}",
            {"items": [[], [{"x": 1}, {"x": 2}, {}]]},
            "items.1.2.x",
        ),
        ("{{ a | upper }}", {}, "a"),
        ("{{ '%s' | format(order.x) }}", {"order": {}}, "order.x"),
        ("{{ amount | money(a) }}", {"amount": 1}, "amount"),
        ("{% if a > 1 %}{% endif %}", {}, "a"),
        ("{% if 1 < a %}{% endif %}", {}, "a"),
    ],
)
def test_what_the_template_needs_and_is_not_there_is_missed_with_its_place(
    source: str, variables: dict[str, Any], field: str
) -> None:
    error = refusal(source, variables)
    assert isinstance(error, MissingVariable)
    assert [(detail.field, detail.code) for detail in error.details] == [
        (f"parameters.variables.{field}", "missing_variable")
    ]


@pytest.mark.parametrize(
    ("source", "variables", "field"),
    [
        ("{{ a }}", {"a": None}, "a"),
        ("{{ a }}", {"a": [1]}, "a"),
        ("{{ a }}", {"a": {"b": 1}}, "a"),
        ("{% for x in a %}{% endfor %}", {"a": "text"}, "a"),
        ("{% for x in a %}{% endfor %}", {"a": {"b": 1}}, "a"),
        ("{% for x in a %}{% endfor %}", {"a": None}, "a"),
        (
            "{% for x in items %}{{ x.day | date }}{% endfor %}",
            {"items": [{"day": "2023-12-31"}, {"day": "x"}]},
            "items.1.day",
        ),
        ("{% if a < b %}{% endif %}", {"a": 1, "b": "x"}, "a"),
        ("{% if a == b %}{% endif %}", {"a": [1], "b": [1]}, "a"),
        ("{% if 3 < a %}{% endif %}", {"a": "x"}, "a"),
    ],
)
def test_a_value_that_the_template_cannot_use_is_refused_with_its_place(
    source: str, variables: dict[str, Any], field: str
) -> None:
    error = refusal(source, variables)
    assert isinstance(error, InvalidVariable)
    assert [detail.field for detail in error.details] == [f"parameters.variables.{field}"]


@pytest.mark.parametrize("value", ["two\nlines", "a\ttab", "\u2028", "\u2029", "=?utf-8?q?x?=", "a=?b"])
def test_a_value_in_the_subject_is_one_line_without_encoded_words(value: str) -> None:
    for source in ("{{ a }}", "{{ '%s' | format(a) }}", "{{ b | default(a) }}"):
        error = refusal(source, {"a": value}, file="subject.txt")
        assert isinstance(error, InvalidVariable)
    assert render("{{ a }}", {"a": value}) == value


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("two\nlines", {}),
        ("=?", {}),
        ("={{ a }}", {"a": "?utf-8?q?x"}),
        ("{{ a }}?", {"a": "="}),
        ("\t{{ a }}", {"a": 1}),
    ],
)
def test_the_whole_subject_is_one_line_without_encoded_words(source: str, variables: dict[str, Any]) -> None:
    assert isinstance(refusal(source, variables, file="subject.txt"), InvalidTemplate)


BOMBS: dict[str, tuple[str, dict[str, Any]]] = {
    "loops over loops over long texts": (
        "{% for x in items %}{% for y in items %}{{ a }}{% endfor %}{% endfor %}",
        {"items": ["x"] * 9000, "a": "y" * 32_000},
    ),
    "loops over loops that show nothing": (
        "{% for x in items %}{% for y in items %}{% endfor %}{% endfor %}",
        {"items": [1] * 9000},
    ),
    "loops over loops that only ask": (
        "{% for x in items %}{% for y in items %}"
        + "{% if y == x and a %}{% endif %}" * 200
        + "{% endfor %}{% endfor %}",
        {"items": [1] * 9000, "a": False},
    ),
    "filters whose results nobody sees": (
        "{% for x in items %}" + "{% if a | upper | lower | title | length %}{% endif %}" * 50 + "{% endfor %}",
        {"items": [1] * 9000, "a": "ß" * 200_000},
    ),
    "a text that grows in capitals": ("{{ a | upper | title | upper }}" * 9, {"a": "ΐ" * 200_000}),
    "joins in loops": (
        "{% for x in items %}{{ items | join('" + "-" * 32 + "') }}{% endfor %}",
        {"items": [1] * 9000},
    ),
    "comparisons of long texts": (
        "{% for x in items %}" + "{% if a == b %}{% endif %}" * 50 + "{% endfor %}",
        {"items": [1] * 9000, "a": "x" * 100_000 + "1", "b": "x" * 100_000 + "2"},
    ),
    "the widest formats": (
        "{% for x in items %}" + "{{ '" + "%99.99f" * 50 + "' | format(" + ", ".join(["a"] * 50) + ") }}{% endfor %}",
        {"items": [1] * 9000, "a": 1e308},
    ),
    "escapes": ("{% for x in items %}{{ a | escape }}{% endfor %}", {"items": [1] * 9000, "a": "'" * 200_000}),
    "text of the template's own": ("{% for x in items %}" + "x" * 50_000 + "{% endfor %}", {"items": [1] * 9000}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    source, variables = BOMBS[name]
    started = time.process_time()
    error = refusal(source, variables, file="body.html")
    assert [detail.code for detail in error.details] == ["too_large"]
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("{{ a | int }}", id="int"),
        pytest.param("{{ a | float }}", id="float"),
        pytest.param("{{ a | round(10) }}", id="round"),
        pytest.param("{{ a | money }}", id="money"),
        pytest.param("{{ a | float | round(10) | int }}", id="all"),
        pytest.param("{{ '%d' | format(a) }}", id="format"),
    ],
)
@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, 2**64 - 1, "9" * 20_000, "1e308", "nan", "inf", "-" * 9999])
def test_monstrous_numbers_are_shown_or_refused(source: str, value: Any) -> None:
    compiled = compile_template("body.txt", source, ANY)
    shown: list[str] = []
    refused = refusal_of(lambda: shown.append(compiled.render({"a": value})))
    assert refused is not None or len(shown[0]) < 400


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("(" * 20_000, id="parentheses in the text"),
        pytest.param("{{ " + "(" * 20_000 + "a", id="open parentheses"),
        pytest.param("{{ " + "(" * 500 + "a" + ")" * 500 + " }}", id="parentheses"),
        pytest.param("{% if " + "not " * 10_000 + "a %}{% endif %}", id="nots"),
        pytest.param("{% if " + "a and " * 10_000 + "a %}{% endif %}", id="ands"),
        pytest.param("{{ a" + " | upper" * 5000 + " }}", id="filters"),
        pytest.param("{{ a" + ".b" * 20_000 + " }}", id="attributes"),
        pytest.param("{{ a" + "[0]" * 15_000 + " }}", id="subscripts"),
        pytest.param("{% if a %}" * 4000 + "{% endif %}" * 2000, id="ifs"),
        pytest.param("{% if a %}" * 60 + "{% endif %}" * 60, id="sixty ifs"),
        pytest.param("{% if a %}{% elif b %}" + "{% elif b %}" * 5000 + "{% endif %}", id="elifs"),
        pytest.param("{{a}}" * 13_000, id="outputs"),
        pytest.param("{{ '%s' | format(" + "a|default(" * 3000 + "a" + ")" * 3001 + " }}", id="defaults"),
        pytest.param("{{ " + "[" * 9999 + "]" * 9999 + " }}", id="lists"),
        pytest.param("{{ a | default('" + "\\\\" * 30_000 + "') }}", id="backslashes"),
        pytest.param("{#" * 30_000, id="comments"),
        pytest.param("{% raw %}" * 7000, id="raws"),
    ],
)
def test_a_monstrous_template_loads_or_is_refused_in_time(source: str) -> None:
    started = time.process_time()
    refusal_of(lambda: compile_template("body.txt", source, ANY))
    assert time.process_time() - started < 3


def test_the_number_of_tags_in_a_file_is_bounded() -> None:
    compile_template("body.txt", "{{a}}" * (MOST_NODES // 2), ANY)
    with pytest.raises(InvalidTemplate):
        compile_template("body.txt", "{{a}}" * MOST_NODES, ANY)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["2023-12-31", "USD", "12.5", "=?utf-8?q?x?=", "<b>", "a\nb"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "items", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FILTERS = st.sampled_from(
    [
        "upper",
        "lower",
        "title",
        "trim",
        "escape",
        "int",
        "float",
        "round",
        "round(2)",
        "length",
        "first",
        "last",
        "date",
        "join(', ')",
        "money",
        "money('JPY')",
        "money(b)",
        "default('-')",
        "default(b)",
        "default(b, true)",
    ]
)
PATHS = st.sampled_from(["a", "b", "a.x", "a.items.0", "items", "items[0]", "order.a.items"])
EXPRESSIONS = st.builds(lambda path, filters: " | ".join([path, *filters]), PATHS, st.lists(FILTERS, max_size=3))
PIECES = st.one_of(
    EXPRESSIONS.map("{{{{ {0} }}}}".format),
    EXPRESSIONS.map("{{% if {0} %}}yes{{% endif %}}".format),
    st.builds("{{% if {0} < {1} %}}less{{% endif %}}".format, EXPRESSIONS, EXPRESSIONS),
    PATHS.map("{{% for x in {0} %}}{{{{ x }}}}{{% for y in x %}}{{{{ y | date }}}}{{% endfor %}}{{% endfor %}}".format),
    st.builds("{{{{ '%05.1f|%s' | format({0}, {1}) }}}}".format, EXPRESSIONS, EXPRESSIONS),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PIECES, max_size=3).map("".join),
    st.dictionaries(st.sampled_from(["a", "b", "items", "order"]), VALUES),
    st.sampled_from(["body.txt", "body.html", "subject.txt"]),
)
def test_whatever_the_variables_are_a_template_renders_or_refuses(
    source: str, variables: dict[str, Any], file: str
) -> None:
    compiled = compile_template(file, source, ANY)
    refused = refusal_of(lambda: compiled.render(variables))
    if refused is not None:
        assert refused.details
    elif file == "subject.txt":
        assert "\n" not in compiled.render(variables)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                "{#",
                "#}",
                " a ",
                "b",
                ".",
                "|",
                "[",
                "]",
                "(",
                ")",
                "'",
                "0",
                "for",
                "in",
                "if",
                "else",
                "endif",
                "endfor",
                "set",
                "=",
                "upper",
                "raw",
                "endraw",
                ",",
                "*",
                "-",
                "\n",
                "import",
                "x",
                "~",
                "is",
                "not",
            ]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_whatever_the_source_is_it_loads_or_is_refused(source: str) -> None:
    refusal_of(lambda: compile_template("body.txt", source, ANY))


# --- strings of a document ------------------------------------------------------------------------------------------


def test_what_does_not_load_in_a_file_does_not_load_in_a_string() -> None:
    for source in REFUSED_SOURCES:
        with pytest.raises(InvalidTemplate, match=r"^body\.a"):
            compile_string("body.a", source, ANY)
