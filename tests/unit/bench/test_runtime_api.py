"""A function under the real runtime client answers, fails or dies, and the bench is told which."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import pytest

from bench.runtime_api import ExecutionEnvironment, execution_environment
from tests.lambda_runtime import make_runtime

Start: TypeAlias = Callable[[str], AbstractContextManager[ExecutionEnvironment]]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runtime(tmp_path_factory.mktemp("lambda") / "runtime")


@pytest.fixture
def function(tmp_path: Path, runtime: Path) -> Start:
    """Starts a function whose handler has this body."""

    def start(body: str) -> AbstractContextManager[ExecutionEnvironment]:
        code = tmp_path / "code"
        code.mkdir()
        (code / "greeting.py").write_text(f"count = 0\ndef greet(event, context):\n    {body}\n", "utf-8")
        return execution_environment("greeting.greet", code, runtime, {"GREETING": "Hello"})

    return start


def test_it_answers_one_event_after_another_in_one_process(function: Start) -> None:
    body = "global count; count += 1; import os; return {'said': os.environ['GREETING'], 'to': event, 'count': count}"

    with function(body) as environment:
        answers = [environment.invoke({"name": name}) for name in ("Ada", "Grace")]

    assert [(answer["to"]["name"], answer["count"]) for answer in answers] == [("Ada", 1), ("Grace", 2)]
    assert {answer["said"] for answer in answers} == {"Hello"}


def test_it_knows_its_context(function: Start) -> None:
    with function("return {'left': context.get_remaining_time_in_millis()}") as environment:
        assert 25_000 < environment.invoke({})["left"] <= 30_000


def test_what_it_raises_is_told(function: Start) -> None:
    with function("raise ValueError('no such name')") as environment:
        with pytest.raises(RuntimeError, match="no such name"):
            environment.invoke({})


def test_that_it_dies_is_told_with_its_last_words(function: Start) -> None:
    with function("import os; print('farewell', flush=True); os._exit(3)") as environment:
        with pytest.raises(RuntimeError, match="farewell"):
            environment.invoke({})


def test_nothing_of_this_machine_is_in_its_reach_but_the_runtime(function: Start) -> None:
    body = (
        "import importlib.util as u; return {name: bool(u.find_spec(name)) for name in ('boto3', 'pytest', 'domain')}"
    )

    with function(body) as environment:
        assert environment.invoke({}) == {"boto3": True, "pytest": False, "domain": False}
