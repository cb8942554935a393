"""The closed registry: what is built in is loaded when it is wanted, and no name is taken twice."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from agents.execution_agent.config import ACTIONS, BUILT_IN, built_in
from domain.base_action import BaseAction
from domain.errors import ConfigurationError, Refused
from handlers.registry import ActionTypes
from tests.fakes import Greet, GreetAgain

CLASSES = {"greet": Greet, "greet_again": GreetAgain}


def test_a_built_in_type_is_loaded_once_and_when_it_is_wanted() -> None:
    loaded: list[str] = []

    def load(name: str) -> type[BaseAction[object]]:
        loaded.append(name)
        return CLASSES[name]  # type: ignore[return-value]

    types = ActionTypes(built_in=CLASSES, load=load)  # type: ignore[arg-type]
    assert loaded == []
    assert types.named("greet") is types.named("greet")
    assert loaded == ["greet"]
    assert [kind.action_type for kind in types] == ["greet", "greet_again"]
    assert loaded == ["greet", "greet_again"]


def test_threads_that_want_it_at_once_all_get_it() -> None:
    for _ in range(50):
        types = ActionTypes(built_in=CLASSES, load=lambda name: CLASSES[name])
        together = Barrier(8)

        def wanted(types: ActionTypes = types, together: Barrier = together) -> object:
            together.wait()
            return types.named("greet")

        with ThreadPoolExecutor(8) as pool:
            found = [pool.submit(wanted) for _ in range(8)]
        assert len({id(one.result()) for one in found}) == 1


def test_a_name_that_is_built_in_cannot_be_taken_by_what_is_installed() -> None:
    class Impostor(Greet):
        pass

    types = ActionTypes(built_in=CLASSES, load=lambda name: CLASSES[name], installed=lambda: [Impostor])
    with pytest.raises(ConfigurationError, match="two action types are called 'greet'"):
        types.named("something_else")


def test_what_nobody_knows_is_refused_with_all_that_there_are() -> None:
    types = ActionTypes(built_in=CLASSES, load=lambda name: CLASSES[name])
    with pytest.raises(Refused, match="there are: greet, greet_again"):
        types.named("__import__")


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_line_of_the_list_is_the_class_of_its_name(name: str) -> None:
    assert built_in(name).action_type == name
    assert built_in(name) in ACTIONS


def test_a_function_that_only_sends_mail_loads_no_other_type() -> None:
    program = """
import sys
from agents.execution_agent.assembly import assemble
from agents.execution_agent.config import Settings
types = assemble(Settings.from_environment({"EXECUTION_AGENT_LEDGER": "dynamodb://ledger"})).action_types
types.named("send_email")
print(sorted(m for m in sys.modules if m.startswith("handlers.actions.")), "domain.crm" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['handlers.actions.send_email'] False"
