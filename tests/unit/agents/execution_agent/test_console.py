"""What people see of an action in a terminal."""

from __future__ import annotations

import pytest

from agents.execution_agent import console
from domain.outcome import Permanent, Succeeded
from tests.fakes import ScriptedProvider
from tests.house import agent_with, greet


def test_what_could_not_be_taken_back_names_who_has_to_see_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    agent = agent_with(ScriptedProvider(Succeeded({"greeting": "Hello"}), Permanent("http_404", "no such thing")))
    done = agent.process(greet("greet_reversibly"))
    failed = agent.undo(done["action_id"], actor="ada", reason="the wrong customer")
    console.tell_status(failed)
    assert f"  ada has to see to {failed['result']['compensation']}\n" in capsys.readouterr().out
    console.tell_list(agent.list_actions("compensation_failed"))
    assert capsys.readouterr().out.endswith("Z  ada\n")
    console.tell_list(agent.list_actions("succeeded"))
    assert "ada" not in capsys.readouterr().out
