"""What expressions give, what they refuse, and that neither costs more than is allowed."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import ExpressionError, Refused, UnresolvedReference
from domain.json_value import read_value
from handlers.workflows.expressions import evaluate, holds, references

CONTEXT: dict[str, Any] = {
    "inputs": {
        "name": "Ada",
        "seats": 3,
        "rate": 0.5,
        "ready": True,
        "nothing": None,
        "plan": {"name": "pro", "parts": ["a", "b"]},
        "attack": "${{ run.id }}",
        "rows": [{"id": 1, "open": True}, {"id": 2}, {"id": 3, "open": False}],
    },
    "steps": {
        "find": {
            "status": "succeeded",
            "result": {"amount": 1200, "lines": [{"sku": "x"}, {"sku": "y"}], "owner": None},
            "error": None,
            "action_id": "act_1",
        },
        "skipped": {"status": "skipped", "result": None, "error": None, "action_id": None},
    },
    "run": {"id": "run_1", "started_at": "2026-03-01T12:00:00.000000Z"},
}


def value_of(expression: str) -> Any:
    """What one expression gives."""
    return evaluate(f"${{{{ {expression} }}}}", CONTEXT)


# Values


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.name", "Ada"),
        ("inputs.seats", 3),
        ("inputs.rate", 0.5),
        ("inputs.ready", True),
        ("inputs.nothing", None),
        ("inputs.plan", {"name": "pro", "parts": ["a", "b"]}),
        ("inputs.plan.parts[1]", "b"),
        ("inputs.plan.parts[-1]", "b"),
        ('inputs."plan"', {"name": "pro", "parts": ["a", "b"]}),
        ("steps.find.result.lines[0].sku", "x"),
        ("steps.find.result.lines[*].sku", ["x", "y"]),
        ("steps.find.result.lines[].sku | [0]", "x"),
        ("steps.find | result.amount", 1200),
        ("steps.find.{amount: result.amount, by: action_id}", {"amount": 1200, "by": "act_1"}),
        ("[inputs.name, run.id]", ["Ada", "run_1"]),
        ("steps.find.result.owner", None),
        ("steps.skipped.result", None),
        ("steps.skipped.result.name || 'nobody'", "nobody"),
        ("inputs.nickname || inputs.name", "Ada"),
        ("inputs.nickname || inputs.alias || 'x'", "x"),
        ("(inputs.nickname || inputs.plan).name", "pro"),
        ("inputs.lists[*].name || 'x'", "x"),
        ("not_null(inputs.nickname, steps.skipped.result.name, inputs.name)", "Ada"),
        ("inputs.rows[?open].id", [1]),
        ("inputs.rows[?id > `1`] | length(@)", 2),
        ("inputs.rows[1:].id", [2, 3]),
        ("inputs.plan.*", ["pro", ["a", "b"]]),
        ("sort_by(inputs.rows, &id)[0].id", 1),
        ("map(&id, inputs.rows)", [1, 2, 3]),
        ("join(', ', inputs.plan.parts)", "a, b"),
        ("merge(inputs.plan, {name: 'max'})", {"name": "max", "parts": ["a", "b"]}),
        ("length(inputs.name) > `2` && inputs.ready", True),
        ("!(inputs.ready)", False),
        ("to_string(inputs.seats)", "3"),
        ('`{"a": [1, null]}`', {"a": [1, None]}),
        ("'plain'", "plain"),
        ("'a \\'quoted\\' }} text'", "a 'quoted' }} text"),
        ("{a: {b: inputs.seats}}", {"a": {"b": 3}}),
    ],
)
def test_an_expression_that_is_the_whole_gives_its_value(expression: str, value: Any) -> None:
    assert value_of(expression) == value
    assert type(value_of(expression)) is type(value)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Dear ${{ inputs.name }}!", "Dear Ada!"),
        ("${{inputs.name}}${{inputs.name}}", "AdaAda"),
        ("${{ inputs.seats }} at ${{ inputs.rate }}: ${{ inputs.ready }}", "3 at 0.5: true"),
        (" ${{ inputs.name }}", " Ada"),
        ("no expression: $ {{ }} $${ {", "no expression: $ {{ }} $${ {"),
        ("${{ '${{' }} stays", "${{ stays"),
        ("a }} b ${{ inputs.name }} }}", "a }} b Ada }}"),
        ("${{ {a: {b: run.id}}.a.b }} x", "run_1 x"),
        ("${{\n  inputs.name\n}}, hello", "Ada, hello"),
        ("${{ '}}' }}.", "}}."),
        ("${{ `1e3` }} x", "1000 x"),
    ],
)
def test_an_expression_within_a_text_gives_text(text: str, spoken: str) -> None:
    assert evaluate(text, CONTEXT) == spoken


def test_a_whole_structure_is_evaluated_and_its_names_are_not() -> None:
    value = {"to": "${{ inputs.name }}", "${{ run.id }}": [1, None, True, {"n": "${{ inputs.seats }}"}], "x": "y"}
    assert evaluate(value, CONTEXT) == {"to": "Ada", "${{ run.id }}": [1, None, True, {"n": 3}], "x": "y"}


def test_what_comes_out_is_a_copy() -> None:
    # given
    context = copy.deepcopy(CONTEXT)
    # when
    value = evaluate({"plan": "${{ inputs.plan }}"}, context)
    value["plan"]["parts"].append("c")
    # then
    assert context == CONTEXT


# What is data stays data


@pytest.mark.parametrize(
    "attack",
    [
        "${{ run.id }}",
        "${{ steps.find.result }}",
        "}} ${{ run.id }}",
        "{{ run.id }} {% for x in y %}",
        "__import__('os').system('true')",
        "' || run.id || '",
        "`1`",
        "!!python/object:os.system",
        "$(run.id) `run.id` ${run.id}",
    ],
)
def test_an_expression_in_an_input_is_never_evaluated(attack: str) -> None:
    context = {**CONTEXT, "inputs": {"text": attack, "nested": {"text": [attack]}}}
    assert evaluate("${{ inputs.text }}", context) == attack
    assert evaluate("Hello ${{ inputs.text }}, ${{ inputs.text }}", context) == f"Hello {attack}, {attack}"
    assert evaluate({"a": "${{ inputs.nested }}"}, context) == {"a": {"text": [attack]}}
    assert evaluate("${{ join('', ['$', '{{ run.id }}']) }}", context) == "${{ run.id }}"
    assert holds("inputs.text == 'x'", context) is False


@pytest.mark.parametrize(
    "expression",
    [
        "__class__",
        "inputs.__class__",
        "inputs.name.__class__",
        "inputs.name.upper",
        "run.id.format",
        "inputs.plan.keys",
        "inputs.plan.parts.append",
    ],
)
def test_nothing_of_python_can_be_reached(expression: str) -> None:
    with pytest.raises(ExpressionError):
        value_of(expression)


# What is not there


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("inputs.nickname", "inputs.nickname is not there"),
        ("inputs.name.first", "inputs.name.first is not there"),
        ("inputs.nothing.x", "inputs.nothing.x is not there, for inputs.nothing is null"),
        ("steps.other.status", "steps.other is not there"),
        ("steps.skipped.result.name", "steps.skipped.result.name is not there, for steps.skipped.result is null"),
        ("steps.find.result.lines[2]", "steps.find.result.lines[2] is not there"),
        ("steps.find.result.lines[-3]", "steps.find.result.lines[-3] is not there"),
        ("steps.find.result.lines.sku", "steps.find.result.lines.sku is not there"),
        ("inputs[0]", "inputs[0] is not there"),
        ("inputs.lists[*].name", "inputs.lists is not there"),
        ("inputs.lists[?a]", "inputs.lists is not there"),
        ("inputs.lists[1:]", "inputs.lists is not there"),
        ("inputs.lists[]", "inputs.lists is not there"),
        ("inputs.nickname == 'x'", "inputs.nickname is not there"),
        ("inputs.nickname != 'x'", "inputs.nickname is not there"),
        ("!(inputs.nickname)", "inputs.nickname is not there"),
        ("inputs.ready && inputs.nickname", "inputs.nickname is not there"),
        ("inputs.nickname || inputs.alias", "inputs.alias is not there"),
        ("(inputs.nickname == 'x') || inputs.ready", "inputs.nickname is not there"),
        ("[inputs.nickname]", "inputs.nickname is not there"),
        ("{a: inputs.nickname}", "inputs.nickname is not there"),
        ("steps.find.{a: result.b}", "steps.find.result.b is not there"),
        ("steps.find | result.b", "steps.find.result.b is not there"),
        ("length(inputs.nickname)", "inputs.nickname is not there"),
        ("join('', [inputs.nickname])", "inputs.nickname is not there"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told(expression: str, told: str) -> None:
    with pytest.raises(UnresolvedReference) as caught:
        value_of(expression)
    assert caught.value.message == told
    assert caught.value.code == "unresolved_reference"


def test_what_a_condition_does_not_look_at_may_be_missing() -> None:
    assert holds("steps.skipped.status == 'succeeded' && steps.skipped.result.ok", CONTEXT) is False
    assert holds("inputs.ready || inputs.nickname", CONTEXT) is True


# What does not fit


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("inputs.name < inputs.seats", "sets a text against a number"),
        ("contains(inputs.name, inputs.seats)", "sets a text against a number"),
        ("length(inputs.seats)", "length() was not given what it takes: string or array or object"),
        ("join('', inputs.rows)", "join() was not given what it takes: array-string"),
        ("sum(inputs.plan.parts)", "sum() was not given what it takes: array-number"),
        ("sort_by(inputs.rows, &open)", "sort_by() was not given what it takes: string or number"),
        ("inputs.rows[::0]", "cannot be evaluated (ValueError)"),
        ("ceil(to_number('inf'))", "cannot be evaluated (OverflowError)"),
        ("to_number('nan')", "JSON has finite numbers only: no NaN, no Infinity, none that overflows"),
        ("`1e999`", "JSON has finite numbers only: no NaN, no Infinity, none that overflows"),
        ("to_number('9007199254740993')", "an integer beyond 53 bits loses digits: send it as a string"),
        ("'\x07'", "U+0007 at character 0 is a control character: only tab and line feed are allowed"),
        ('`"\\ud800"`', "U+D800 at character 0 is half of a surrogate pair"),
    ],
)
def test_what_gives_nothing_that_fits_is_told(expression: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of(expression)
    assert caught.value.message == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x ${{ inputs.nothing }}", "null has no place within a text"),
        ("x ${{ inputs.plan }}", "an object has no place within a text"),
        ("x ${{ inputs.rows }}", "an array has no place within a text"),
        ("x ${{ to_number('inf') }}", "has no place within a text: a number that is not finite has no canonical form"),
        ("x ${{ inputs.name", "an expression that begins with ${{ is not closed, or too long; it ends with }}"),
    ],
)
def test_what_has_no_place_within_a_text_is_told(text: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, CONTEXT)
    assert caught.value.message == told


def test_an_error_names_the_member_that_it_is_about() -> None:
    with pytest.raises(UnresolvedReference) as caught:
        evaluate({"variables": {"names": ["x", "${{ inputs.nickname }}"]}}, CONTEXT)
    assert caught.value.message == "variables.names.1: inputs.nickname is not there"
    assert [(detail.field, detail.code, detail.message) for detail in caught.value.details] == [
        ("variables.names.1", "unresolved_reference", "inputs.nickname is not there")
    ]


def test_no_error_repeats_a_value() -> None:
    context = {**CONTEXT, "inputs": {"secret": "hunter2", "list": ["hunter2"], "n": 1}}
    for expression in (
        "sum(inputs.list)",
        "abs(inputs.secret)",
        "inputs.secret.x",
        "inputs.secret < inputs.n",
        "inputs",
    ):
        with pytest.raises(ExpressionError) as caught:
            evaluate(f"x ${{{{ {expression} }}}}", context)
        assert "hunter2" not in str(caught.value)


# Conditions


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("inputs.ready", True),
        ("steps.find.status == 'succeeded'", True),
        ("steps.find.result.amount > `1000` && inputs.seats != `3`", False),
        ("contains(inputs.plan.parts, 'b')", True),
        ("inputs.nothing == `null`", True),
    ],
)
def test_a_condition_holds_or_does_not(condition: str, met: bool) -> None:
    assert holds(condition, CONTEXT) is met


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("inputs.name", "if: a condition is true or false; this one is a string"),
        ("inputs.seats", "if: a condition is true or false; this one is a number"),
        ("inputs.nothing", "if: a condition is true or false; this one is null"),
        ("inputs.rows[?open]", "if: a condition is true or false; this one is an array"),
        ("inputs.name > inputs.nothing", "if: a condition is true or false; this one is null"),
        ("inputs.nickname", "if: inputs.nickname is not there"),
        ("${{ inputs.ready }}", "if: '${{ inputs.ready }}' cannot be read at character 1: unknown token $"),
    ],
)
def test_a_condition_that_is_neither_is_told(condition: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        holds(condition, CONTEXT)
    assert caught.value.message == told


# References


def test_the_references_of_a_value_are_all_its_places() -> None:
    value = {
        "a": "${{ inputs.name }} and ${{ steps.find.result.lines[0].sku || run.id }}",
        "b": ["${{ steps.find | result.amount }}", "${{ length(inputs.rows[?id > `1`]) }}", "${{ inputs }}", 7],
        "c": "${{ steps.skipped.{a: result, b: @} }}",
    }
    assert references(value) == {
        ("inputs", "name"),
        ("steps", "find", "result", "lines", 0, "sku"),
        ("run", "id"),
        ("steps", "find", "result", "amount"),
        ("inputs", "rows"),
        ("inputs",),
        ("steps", "skipped"),
        ("steps", "skipped", "result"),
    }
    assert references({"a": ["b", 1, None]}) == frozenset()


@pytest.mark.parametrize(
    "hidden",
    [
        "@.steps",
        "[@][0].steps.find.result",
        "{a: @}.a.steps.find",
        "not_null(@).steps",
        "(@ || @).steps.find",
        "*",
        "@.*",
        "values(@)",
        "[*]",
        "[0]",
        "steps",
        "steps.*",
        "steps | find",
        "steps[0]",
        "keys(steps)",
        "map(&steps.find, [@])",
        "{s: steps}.s.find",
        "env.HOME",
        "find.result",
        "merge(@, @)",
        "sort_by([@], &run.id)",
        "@ | [?steps.find]",
    ],
)
def test_no_step_can_be_named_behind_the_readers_back(hidden: str) -> None:
    # `steps | find` names a place like any other; all the rest is refused
    if hidden == "steps | find":
        assert references(f"${{{{ {hidden} }}}}") == {("steps", "find")}
        return
    with pytest.raises(ExpressionError):
        references(f"${{{{ {hidden} }}}}")


# Bounds


BIG = {
    "inputs": {
        "text": "x" * 30_000,
        "list": [*range(5_000)],
        "many": [*range(60_000)],
        "rows": [{"a": "y" * 100}] * 1_000,
    }
}


@pytest.mark.parametrize(
    "expression",
    [
        "inputs.list | [@,@][]" + "|[@,@][]" * 10,
        "[inputs.list]" + "|[@,@][]" * 11,
        "[inputs.list]" + "|[@,@][]" * 10 + "|[]",
        "[inputs.text]" + "|[@,@][]" * 10 + "|join('',@)",
        "inputs.text" + "|join(@,[@,@,@,@])" * 6,
        "join(inputs.text, map(&'', inputs.list))",
        "inputs.rows" + "|[@,@]" * 13 + "|to_string(@)",
        "inputs.rows" + "|[@,@]" * 13 + "|length(@)",
        "([inputs.rows]" + "|[@,@]" * 10 + ") == ([inputs.rows]" + "|[@,@]" * 2 + ")",
        "{a: inputs.rows}" + "|{a: @, b: @}" * 9,
        "inputs.rows" + "|map(&[@,@], @)" * 7,
        "inputs.rows" + "|[*].[@,@][]" * 8,
        "inputs.text" + "|[@,@,@,@]|join('',@)" * 5,
        f"inputs.many[?{' || '.join(f'@ == `-{number}`' for number in range(1, 20))}]",
        f"map(&'{'x' * 900}', inputs.list)",
        f"inputs.list[*].['{'x' * 900}']",
        f"inputs.list[*].{{a: '{'x' * 900}'}}",
        f"inputs.list[*].map(&@, `{[*range(200)]}`)",
    ],
    ids=lambda expression: expression[:40],
)
def test_an_expression_that_grows_without_end_is_ended(expression: str) -> None:
    with pytest.raises(Refused) as caught:
        evaluate(f"${{{{ {expression} }}}}", BIG)
    assert caught.value.message == "costs more than 1000000 steps to evaluate"


def test_what_nobody_could_pay_for_is_not_even_made() -> None:
    # given
    expression = "${{ join(inputs.text, map(&'', inputs.list)) }}"
    tracemalloc.start()
    # when
    with pytest.raises(ExpressionError, match="costs more than"):
        evaluate(expression, BIG)
    # then
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_many_expressions_have_one_allowance() -> None:
    one = "${{ join('', [inputs.text, inputs.text]) }}"
    assert len(evaluate([one] * 1, {"inputs": {"text": "x" * 10_000}})[0]) == 20_000
    with pytest.raises(ExpressionError, match="costs more than"):
        evaluate([one] * 50, BIG)
    with pytest.raises(ExpressionError, match="costs more than"):
        evaluate("${{ inputs.text }} " * 40, BIG)


def test_what_comes_out_is_no_larger_than_a_request() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(["${{ inputs.text }}"] * 9, BIG)
    assert caught.value.message == "a request has at most 262144 bytes of JSON"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("(" * 101, "an expression has at most 100 names, marks and literals"),
        ("!" * 101 + "a", "an expression has at most 100 names, marks and literals"),
        ("a" + ".b" * 60, "an expression has at most 100 names, marks and literals"),
        ("x" * 1_001, "an expression has at most 1000 characters"),
        ("`" + "[" * 17 + "`", "a literal between backticks has at most 16 objects and arrays"),
        ("'" + "x" * 80, f"\"'{'x' * 79}…\" cannot be read at character 1: unclosed ' delimiter"),
    ],
    ids=lambda text: text[:20],
)
def test_an_expression_that_is_too_much_is_not_read(expression: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        references(f"${{{{ {expression} }}}}")
    assert caught.value.message == told


@pytest.mark.parametrize(
    "expression",
    ["(" * 90, "[" * 90, "[?" * 90, "!" * 90, "{a:" * 30, "*." * 45, "[*]" * 30, "length(" * 45, "&" * 90, "a[:]" * 20],
    ids=lambda text: text[:8],
)
def test_what_is_as_deep_as_it_may_be_is_read_within_the_stack(expression: str) -> None:
    with pytest.raises(ExpressionError):
        value_of(expression)


# Any expression


ATOMS = (
    "inputs|.|name|rows|plan|steps|find|.result|[|]|[?|[*]|[]|*|@|&|(|)|{|}|:|,|`1`|`[1,2]`|'x'|'|\\|\"a\"|==|<|!|&&"
    "|length(|join(|map(&|sort_by(|to_string(|max(|sum(|contains(|to_number(|avg(|merge(|keys(|values(|-1|0|::2|run.id"
    "| |reverse(|not_null(|[0]|type(|floor(|min_by(|`{}`|`null`|inputs.seats|steps.find.result|inputs.plan"
)
PARTS = st.lists(st.sampled_from([*ATOMS.split("|"), "||", "|", "`"]), max_size=12).map("".join)


@given(PARTS | st.text(max_size=30))
@example("inputs.rows[0:9223372036854775808]")
@example("inputs.rows[99999999999999999999]")
@example('`"a')
@example("``")
@example("`'`")
@settings(max_examples=500, deadline=None)
def test_any_expression_gives_json_or_an_error_of_its_own(expression: str) -> None:
    try:
        value = evaluate({"": f"${{{{ {expression} }}}}"}, CONTEXT)
    except ExpressionError as error:
        value = {"": error.message}
    assert read_value(value) == json.loads(json.dumps(value))


@given(PARTS | st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_condition_is_true_false_or_an_error_of_its_own(condition: str) -> None:
    try:
        assert isinstance(holds(condition, CONTEXT), bool)
    except ExpressionError as error:
        assert error.message.startswith("if: ")  # noqa: PT017 - every end is looked at


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_text_without_marks_is_itself(text: str) -> None:
    try:
        spoken = evaluate([text.replace("$", "S")], {})
    except ExpressionError:
        spoken = [text.replace("$", "S")]
    assert spoken == [text.replace("$", "S")]
