"""Definitions are read as they are meant, or refused with everything that is to repair and where."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import InvalidDefinition, Problem
from domain.workflow_definition import (
    CatchUp,
    Definition,
    OnFailure,
    Overlap,
    Route,
    StepKind,
    Timetable,
    definition_of,
)
from handlers.workflows.reading import read_definition
from handlers.workflows.sources import Texts
from tests.workflow_texts import ACTION_TYPES, FILES, problems_of, read, steps

ROOT = Path(__file__).parents[4]

EVERYTHING = """
    # Greets somebody, and goes on to what comes next.
    name: greeting
    description: Greets.
    version: 3
    on_failure: rollback
    on_rollback_failure: stop
    inputs:
      who: {type: string, required: true, description: Whom to greet}
      times: {type: integer, default: 2}
      day: {type: date}
    steps:
      - id: shout
        needs: [greet]
        action_type: shout
        with:
          text: >-
            Hello
            ${{ inputs.who }}
        fallback:
          - action_type: greet
            with: {name: "${{ steps.pause.status }}"}
        options: {retry_policy: fixed, max_retries: 1}
        timeout: 30m
        on_failure: continue
        summary: Louder.
      - id: greet
        if: ${{ inputs.times > `1` }}
        uses: greet
        with: {name: "${{ inputs.who }}", times: "${{ inputs.times }}"}
      - id: pause
        wait: {for: 2d}
      - id: first_day
        wait: {until: "${{ inputs.day }}T08:00:00Z"}
      - id: answer
        wait_for: callback
        timeout: 1w
      - id: more
        workflow: other.yaml
        with: {who: "${{ steps.answer.result.who }}"}
    outputs:
      words: ${{ steps.shout.result.words }}
    schedule: {cron: 0 9 * * MON-FRI, timezone: Europe/Berlin, overlap: queue}
"""


# Malformed


def malformed() -> list[Any]:
    """The definitions of malformed.txt: name, text, and the lines that tell of it."""
    cases = []
    for block in Path(__file__).with_name("malformed.txt").read_text("utf-8").split("\n### ")[1:]:
        name, _, rest = block.partition("\n")
        text, *told = rest.rstrip("\n").split("==> ")
        cases.append(pytest.param(text, [line.rstrip("\n") for line in told], id=name))
    return cases


@pytest.mark.parametrize(
    ("condition", "on_failure"),
    [
        ("steps.a.status == 'failed'", "continue"),
        ("steps.a.status == 'succeeded'", "stop"),
        ("steps.a.status != 'failed'", "stop"),
        ("steps.a.status == 'failed' || run.id != ''", "stop"),
        ("!(steps.a.status == 'failed')", "rollback"),
    ],
)
def test_a_condition_that_may_hold_is_not_refused(condition: str, on_failure: str) -> None:
    first = {"id": "a", "uses": "greet", "with": {"name": "x"}, "on_failure": on_failure}
    second = {"id": "b", "uses": "greet", "with": {"name": "x"}, "if": condition}
    assert [step.id for step in read(json.dumps({"name": "w", "steps": [first, second]})).steps] == ["a", "b"]


def test_there_are_many_ways_to_be_malformed() -> None:
    assert len(malformed()) >= 60


@pytest.mark.parametrize(("text", "told"), malformed())
def test_what_is_malformed_is_refused_with_the_line_and_the_reason(text: str, told: list[str]) -> None:
    assert told
    assert problems_of(text) == told


A_WAIT = "- id: a\n  wait: {for: 1d}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"name: w\nsteps: \xff\n", "line 2: not UTF-8"),
        ("name: w\nsteps: \x07\n", "line 2: a character that YAML does not allow"),
        ("#" * 262_145, "line 1: a definition has at most 262144 bytes"),
        (
            f"name: w\nsteps:\n{A_WAIT}description: {'x' * 32_769}\n",
            "line 5, description: a string has at most 32768 bytes of UTF-8",
        ),
        (
            steps("".join(f"- {{id: s{n}, wait: {{for: 1d}}}}\n" for n in range(1_001))),
            "line 2, steps: must have 1000 members at most",
        ),
        (
            steps(f"- id: a\n  uses: shout\n  with: {{text: \"${{{{ '{'x' * 1_000}' }}}}\"}}"),
            "line 5, steps.0.with.text: an expression has at most 1000 characters",
        ),
        (
            steps(f"- id: a\n  uses: shout\n  with: {{text: '${{{{ '{'x' * 2_000}' }}}}'}}"),
            "line 5: not YAML: expected ',' or '}', but got '<scalar>'",
        ),
        (
            f"name: w\nsteps:\n{A_WAIT}description: |\n" + '  "\n' * 10_000 + "version: 1.5\n",
            "line 10006, version: must be a string or an integer: quote what has a dot",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("line") else "text",
)
def test_what_no_file_should_hold_is_refused(text: str | bytes, told: str) -> None:
    assert problems_of(text) == [told]


def test_a_definition_that_grows_beyond_all_bounds_as_json_is_refused() -> None:
    quotes = '"' * 32_000
    text = steps("".join(f"- {{id: s{number}, wait: {{for: 1d}}, summary: '{quotes}'}}\n" for number in range(8)))
    assert len(text) < 262_144
    assert problems_of(text) == ["line 1: a definition has at most 262144 bytes as JSON"]


def test_all_problems_are_told_at_once_in_the_order_of_their_lines() -> None:
    # given
    text = steps(
        """
        - id: a
          uses: sing
          needs: [zzz]
          timeout: soon
        - id: b
          uses: greet
          with: {name: "${{ inputs.nobody }}"}
        """,
        head="name: W",
    )
    # when
    with pytest.raises(InvalidDefinition) as caught:
        read(text)
    # then
    problems = caught.value.problems
    assert [problem.line for problem in problems] == [1, 4, 5, 6, 9]
    assert problems[0] == Problem(1, "name", "must be 1 to 64 of a-z 0-9 _ -, and begin with a letter or digit")
    assert caught.value.message == f"line 1, name: {problems[0].message} (the first of 5 problems)"
    assert caught.value.code == "invalid_definition"
    assert caught.value.details[-1].field == "steps.1.with.name"
    assert caught.value.details[-1].message == "line 9: there is no input 'nobody'; there is none"


def test_no_more_problems_are_told_than_anybody_reads() -> None:
    many = steps("".join(f"- {{id: s{n}, uses: sing, needs: [zzz]}}\n" for n in range(100)))
    assert len(problems_of(many)) == 100


def test_a_workflow_that_nobody_knows_is_none_to_start() -> None:
    text = steps("- id: a\n  workflow: other.yaml\n  with: {who: Ada}")
    assert problems_of(text) == []
    assert problems_of(text, files={}) == ["line 4, steps.0.workflow: there is no file other.yaml; there is none"]


# Sound


def test_everything_that_a_definition_can_say_is_read() -> None:
    # when
    definition = read(EVERYTHING)
    # then
    assert definition.name == "greeting"
    assert definition.stops_on_rollback_failure
    assert [(spec.name, spec.type, spec.required, spec.default) for spec in definition.inputs] == [
        ("day", "date", False, None),
        ("times", "integer", False, 2),
        ("who", "string", True, None),
    ]
    by_id = {step.id: step for step in definition.steps}
    assert [*by_id] == ["greet", "pause", "shout", "first_day", "answer", "more"]
    shout = by_id["shout"]
    assert (shout.kind, shout.uses, shout.summary) == (StepKind.ACTION, "shout", "Louder.")
    assert shout.parameters == {"text": "Hello ${{ inputs.who }}"}
    assert shout.needs == ("greet", "pause")
    assert shout.fallback == (Route("greet", {"name": "${{ steps.pause.status }}"}),)
    assert shout.options == {"retry_policy": "fixed", "max_retries": 1}
    assert shout.timeout == timedelta(minutes=30)
    assert shout.on_failure is OnFailure.CONTINUE
    assert by_id["greet"].condition == "inputs.times > `1`"
    assert by_id["greet"].on_failure is OnFailure.ROLLBACK
    assert (by_id["pause"].kind, by_id["pause"].wait_for) == (StepKind.WAIT, timedelta(days=2))
    assert by_id["first_day"].wait_until == "${{ inputs.day }}T08:00:00Z"
    assert (by_id["answer"].kind, by_id["answer"].timeout) == (StepKind.CALLBACK, timedelta(weeks=1))
    assert (by_id["more"].kind, by_id["more"].file) == (StepKind.WORKFLOW, "other.yaml")
    assert definition.pinned(by_id["more"]).name == "other"
    assert definition.outputs == {"words": "${{ steps.shout.result.words }}"}
    assert definition.schedule == Timetable(("0 9 * * MON-FRI",), "Europe/Berlin", CatchUp.LATEST, Overlap.QUEUE)
    assert by_id["more"].parameters == {"who": "${{ steps.answer.result.who }}"}
    assert by_id["more"].needs == ("answer",)


def test_what_is_not_said_is_said_by_the_document() -> None:
    definition = read(steps("- id: a\n  uses: shout\n  with: {text: x}"))
    assert definition.document == {
        "name": "w",
        "inputs": {},
        "on_failure": "stop",
        "on_rollback_failure": "continue",
        "steps": [{"id": "a", "uses": "shout", "with": {"text": "x"}, "needs": [], "on_failure": "stop"}],
    }
    assert not definition.stops_on_rollback_failure


def test_json_is_read_as_yaml_is() -> None:
    # given
    document = {
        "name": "w",
        "description": 'Tabs, "quotes", and 😀\n',
        "steps": [{"id": "a", "uses": "greet", "with": {"name": "x", "times": 3, "words": {}}, "needs": []}],
    }
    # when
    read_as = [
        read(json.dumps(document).encode()),
        read(json.dumps(document, indent="\t").encode()),
        read(json.dumps(document, ensure_ascii=False, indent=2).encode()),
        read("\ufeff".encode() + json.dumps(document).encode()),
    ]
    # then
    assert len({definition.hash for definition in read_as}) == 1
    assert read_as[0].document["description"] == document["description"]


def test_a_tab_in_a_text_stays_a_tab() -> None:
    definition = read(b'{name: w, steps: [{id: a, uses: shout, with: {text: "a\tb"}}]}')
    assert definition.steps[0].parameters == {"text": "a\tb"}


def test_dates_and_what_looks_like_a_duration_are_texts() -> None:
    definition = read(
        steps("- id: a\n  uses: greet\n  with: {name: 2024-01-31, words: {a: 30m, b: 'yes', c: \"012\", d: 1.2.3}}")
    )
    assert definition.steps[0].parameters == {
        "name": "2024-01-31",
        "words": {"a": "30m", "b": "yes", "c": "012", "d": "1.2.3"},
    }


def test_a_condition_is_the_same_with_and_without_its_marks() -> None:
    bare, marked, quoted = (
        read(steps(f"- id: a\n  wait: {{for: 1d}}\n  if: {text}", head="name: w\ninputs: {a: {type: boolean}}"))
        for text in ("inputs.a", "${{ inputs.a }}", '" ${{inputs.a}} "')
    )
    assert bare.steps[0].condition == "inputs.a"
    assert bare.hash == marked.hash == quoted.hash


def test_a_parameter_may_be_an_expression_whatever_its_type() -> None:
    text = steps(
        "- id: a\n  uses: greet\n  with: {name: '${{ run.id }}', times: '${{ inputs.n }}', words: '${{ inputs.w }}'}"
    )
    assert problems_of(f"inputs: {{n: {{type: integer}}, w: {{type: object}}}}\n{text}") == []


def test_a_step_needs_what_it_refers_to() -> None:
    definition = read(
        steps(
            """
            - {id: a, wait: {for: 1d}}
            - {id: b, wait: {for: 1d}}
            - {id: c, wait: {for: 1d}}
            - {id: d, wait: {for: 1d}}
            - {id: e, wait: {for: 1d}}
            - id: last
              needs: [e, a, e]
              if: steps.b.status == 'succeeded'
              uses: greet
              with: {name: "${{ steps.a.status }} ${{ steps.c.status || steps.b.status }}"}
              fallback: [{uses: shout, with: {text: "${{ steps.d.status }}"}}]
            """
        )
    )
    assert definition.steps[-1].needs == ("e", "a", "b", "c", "d")


def test_to_name_the_token_of_a_callback_is_no_reason_to_wait_for_it() -> None:
    definition = read(
        steps(
            """
            - {id: ask, uses: shout, with: {text: "${{ steps.answer.callback_token }}"}}
            - {id: answer, needs: [ask], wait_for: callback, timeout: 1d}
            """
        )
    )
    assert [(step.id, step.needs) for step in definition.steps] == [("ask", ()), ("answer", ("ask",))]


def test_the_document_is_a_definition_itself_and_the_same_one() -> None:
    definition = read(EVERYTHING)
    assert definition_of(definition.document) == definition
    alone = dict(definition.document)
    # What is pinned is no text that somebody could write.
    alone["steps"] = [step for step in alone["steps"] if step["id"] != "more"]
    del alone["workflows"]
    again = read(json.dumps(alone).encode())
    assert (again, again.document) == (definition_of(alone), alone)


def test_what_is_pinned_is_what_was_read_and_nothing_else() -> None:
    definition = read(steps("- id: a\n  workflow: deep/4.yaml"))
    (deep,) = definition.pinned(definition.steps[0]).steps
    assert deep.file == "deep/5.yaml"
    assert [one.name for one in definition.all_of_it()] == ["w", "deep", "deep"]
    document = json.loads(json.dumps(definition.document))
    (pinned,) = document["workflows"].values()
    pinned["name"] = "another"
    with pytest.raises(InvalidDefinition):
        definition_of(document).pinned(definition.steps[0])


def test_each_file_is_read_once_and_no_more_than_fifty() -> None:
    class Counted(Texts):
        reads = 0

        def text_of(self, path: str) -> bytes:
            self.reads += 1
            return super().text_of(path)

    twice = Counted(FILES)
    text = steps("- id: a\n  workflow: deep/4.yaml\n- id: b\n  workflow: deep/5.yaml\n- id: c\n  workflow: deep/5.yaml")
    read_definition(text.encode(), ACTION_TYPES, twice)
    assert twice.reads == 2
    many = {f"f{number}.yaml": FILES["deep/5.yaml"] for number in range(51)}
    text = steps("\n".join(f"- id: s{number}\n  workflow: f{number}.yaml" for number in range(51)))
    assert problems_of(text, many) == ["line 104, steps.50.workflow: a workflow starts at most 50 others, all in all"]


def test_a_few_files_that_mean_very_many_steps_are_refused() -> None:
    def starts(file: str) -> str:
        return steps("\n".join(f"- id: s{number}\n  workflow: {file}" for number in range(100)))

    files = {"b.yaml": starts("c.yaml"), "c.yaml": steps("- id: x\n  wait: {for: 1d}")}
    assert len(read_definition(starts("c.yaml").encode(), ACTION_TYPES, Texts(files)).steps) == 100
    assert problems_of(starts("b.yaml"), files) == ["line 1: with all that it starts, it has at most 10,000 steps"]


def test_a_stored_document_is_read_when_nobody_knows_its_names_any_more() -> None:
    stored = read(EVERYTHING)
    with pytest.raises(InvalidDefinition):
        read_definition(json.dumps(stored.document).encode(), {})
    assert definition_of(json.loads(json.dumps(stored.document))) == stored


def test_the_order_of_members_and_comments_change_nothing() -> None:
    one = read("name: w\nsteps:\n- {id: a, uses: greet, with: {name: x, times: 2}}\n")
    other = read("# hello\nsteps:\n- with:\n    times: 2\n    name: 'x'\n  action_type: greet\n  id: a\nname: w\n")
    assert one.hash == other.hash


# Any text


def sound_texts() -> st.SearchStrategy[str]:
    """Definitions whose steps need some of those before them, written in any order."""

    @st.composite
    def texts(draw: st.DrawFn) -> str:
        ids = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
        told = []
        for number, name in enumerate(ids):
            needs = draw(st.lists(st.sampled_from(ids[:number]), unique=True)) if number else []
            said = draw(st.sampled_from(["needs", "refers"]))
            if said == "needs" or not needs:
                told.append({"id": name, "wait": {"for": "1d"}, "needs": needs})
            else:
                text = " ".join(f"${{{{ steps.{need}.status }}}}" for need in needs)
                told.append({"id": name, "uses": "shout", "with": {"text": text}})
        return json.dumps({"name": "w", "steps": draw(st.permutations(told))})

    return texts()


@given(sound_texts())
@settings(max_examples=60, deadline=None)
def test_steps_come_after_all_that_they_need_and_else_as_they_are_written(text: str) -> None:
    # when
    definition = read(text.encode())
    # then
    written = [step["id"] for step in json.loads(text)["steps"]]
    done: list[str] = []
    for step in definition.steps:
        assert set(step.needs) <= set(done)
        free = [other.id for other in definition.steps if other.id not in done and set(other.needs) <= set(done)]
        assert step.id == min(free, key=written.index)
        done.append(step.id)
    assert definition_of(definition.document).hash == definition.hash
    assert read(json.dumps(definition.document).encode()).hash == definition.hash


def read_or_refused(data: bytes) -> Definition | None:
    """Fails for every exception but the one that a reader may raise."""
    problems: tuple[Problem, ...] = (Problem(1, "", "none"),)
    definition = None
    try:
        definition = read_definition(data, ACTION_TYPES)
    except InvalidDefinition as invalid:
        problems = invalid.problems
    assert problems
    assert all(problem.line >= 1 and problem.message for problem in problems)
    return definition


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"%YAML 1." + b"9" * 5_000 + b"\n---\na")
@example(b"&a [*a]")
@example(b"? [a]\n: b")
@example(b'"\\UFFFFFFFF": 1')
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refused(data)


PIECES = (
    "{|}|[|]|:|&x|*x|!t |'|>|#|%|1|null|~|yes|${{|}}|steps.a|inputs|\\u0041|<<|a: |if: |with: |- |\0|\n|  |\t|\n---\n"
    '|"'
)


@given(
    st.lists(
        st.tuples(st.integers(0, len(EVERYTHING)), st.integers(0, 40), st.sampled_from(PIECES.split("|"))),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=250, deadline=None)
def test_a_definition_that_was_damaged_is_read_or_refused(damages: list[tuple[int, int, str]]) -> None:
    text = EVERYTHING
    for place, length, piece in damages:
        text = text[:place] + piece + text[place + length :]
    definition = read_or_refused(text.encode())
    assert definition is None or definition_of(definition.document) == definition


NAMES = (
    "name steps inputs id uses with needs if wait for until type default wait_for workflow fallback options timeout"
    " action_type a on_failure required"
)
WORDS = "a|b|greet|1d|callback|inputs.a|2024-01-31|${{ inputs.a }}|${{ steps.a.status }}"
MEMBERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS.split("|")) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=5),
    max_leaves=20,
)


@given(MEMBERS, MEMBERS, MEMBERS)
@settings(max_examples=150, deadline=None)
def test_members_of_any_shape_are_read_or_refused(step: Any, more: Any, inputs: Any) -> None:
    document = {"name": "w", "inputs": inputs, "steps": [step, more]}
    read_or_refused(json.dumps(document).encode())
    read_or_refused(json.dumps({"name": "w", "steps": [{"id": "a", "uses": "greet", "with": step}, more]}).encode())


ALL_STEPS = ", ".join(f"s{number}" for number in range(100))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 262_144,
        "- " * 131_072,
        "? " * 131_072,
        "{a: " * 65_000,
        '"' + "\\n" * 131_000 + '"',
        "'" * 262_144,
        "&a " * 80_000,
        "!<" + "%FF" * 80_000 + ">",
        "1" * 262_000 + "x",
        "1:" * 131_000 + "x",
        "1_" * 131_000 + "x",
        steps('- id: a\n  uses: shout\n  with: {text: "' + "${{ '\\\"" * 20_000 + '"}'),
        steps("- id: a\n  uses: shout\n  with: {text: '" + '${{ "\\' * 3_000 + "'}"),
        steps("\n".join(f"- {{id: s{a}, wait: {{for: 1d}}, needs: [{ALL_STEPS}]}}" for a in range(100))),
    ],
    ids=lambda text: text[:12],
)
def test_a_text_made_to_keep_a_reader_busy_does_not(text: str) -> None:
    assert problems_of(text)


# Without the libraries


def run(program: str) -> str:
    """What a Python program says, run where the project is."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("library", "name"), [("yaml", "PyYAML"), ("jmespath", "jmespath")])
def test_a_library_that_is_not_installed_is_named(library: str, name: str) -> None:
    said = run(
        f"import sys; sys.modules[{library!r}] = None\n"
        "from domain.errors import ConfigurationError\n"
        "from tests.workflow_texts import read, steps\n"
        "try: read(steps('- {id: a, wait: {for: 1d}, if: run.id == `1`}'))\n"
        "except ConfigurationError as error: print(error)"
    )
    assert said == f'workflows need {name}; install "execution-agent[workflows]"'


def test_neither_library_is_loaded_before_a_definition_is_read() -> None:
    said = run(
        "import sys, handlers.workflows.reading, handlers.workflows.expressions as e\n"
        "e.evaluate({'a': ['b', 1]}, {})\n"
        "print(sorted({'yaml', 'jmespath'} & {*sys.modules}))"
    )
    assert said == "[]"
